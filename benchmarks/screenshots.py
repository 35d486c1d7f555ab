"""Pictures of every view of the window for the documentation, taken without a screen.

    python -m benchmarks.screenshots docs/images [--theme light] [--seconds 11]

The demo clip plays in the real window on the real pipeline; each picture is a named moment of that.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.script import application, parser_of, run_script

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.gui.live.presenters.session import SessionParts
    from app.gui.live.presenters.settings import LiveSettings
    from app.gui.main_window import MainWindow

SIZE = (1440, 900)
WAIT_SECONDS = 60.0
CARD_SECONDS = 16.0
SHOWN_PROGRESS = 0.25
FACES = 3


def main() -> int:
    """Take the pictures."""
    parser = parser_of(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--seconds", type=float, default=11.0, help="how long to play before each picture")
    args = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as recordings:
        Photographer(application(), args.folder, Path(recordings), args.theme, args.seconds).take_all()
    return 0


class Photographer:
    """Opens windows, plays, and saves what they look like.

    Args:
        application: runs the windows.
        folder: where the pictures go; created if missing.
        recordings: where the windows record to.
        theme: "dark" or "light".
        seconds: how long to play before each picture.
    """

    def __init__(
        self, application: QApplication, folder: Path, recordings: Path, theme: str = "dark", seconds: float = 11.0
    ) -> None:
        self._application = application
        self._folder = folder
        self._recordings = recordings
        self._theme = theme
        self._seconds = seconds
        folder.mkdir(parents=True, exist_ok=True)

    def take_all(self) -> None:
        """Save every view."""
        self.take_live()
        self.take_faces()
        self.take_no_camera()

    def take_live(self) -> None:
        """Save the live page in its ways, the session viewer, and the report card."""
        window = self._open("demo", compare=True)
        try:
            self._take_compare(window)
            self._take_session(window)
            self._take_sheets(window)
            self._take_card(window)
            window.presenter.open("no such clip.mp4")
            self.wait(lambda: window.page.banner.isVisible())
            self.play(0.3)
            self._save(window, "trouble")
        finally:
            self._close(window)

    def _take_compare(self, window: MainWindow) -> None:
        from app.gui.presenters.actions import ActionName

        self.play(self._seconds)
        self._save(window, "compare")
        window.act(ActionName.DRAWER)
        window.act(ActionName.HEAT)
        window.window_state.show_both("split")
        self.play(self._seconds)
        self._save(window, "lab-drawer")
        window.window_state.show_both("side by side")
        self.play(self._seconds / 4)
        self._save(window, "side-by-side")
        window.window_state.show_both("overlay")
        window.act(ActionName.HEAT)
        window.act(ActionName.DRAWER)
        window.act(ActionName.COMPARE)

    def _take_session(self, window: MainWindow) -> None:
        from app.gui.presenters.actions import ActionName
        from app.gui.viewer.presenters.jobs import Beside, Way
        from app.gui.viewer.presenters.readouts import ViewerStage

        window.act(ActionName.RECORD)
        self.play(self._seconds)
        self._save(window, "live")
        window.act(ActionName.RECORD)
        self.wait(lambda: window.page.banner.isVisible())
        self.play(0.3)
        self._save(window, "recorded")
        window.page.banner.press(ActionName.OPEN_SESSION)
        viewer = window.sessions.viewer
        self.wait(lambda: viewer.viewer.view().stage == ViewerStage.OPEN)
        viewer.viewer.replay(Way.COLD, Beside.NOTHING)
        self.wait(lambda: bool(viewer.viewer.view().verdict))
        viewer.viewer.dismiss()
        window.act(ActionName.AHEAD)
        window.act(ActionName.CLOSE_UP)
        self.play(0.6)
        self._save(window, "session")
        window.act(ActionName.DISMISS)
        self.wait(lambda: bool(window.sessions.list.library.view.rows))
        self.play(0.6)
        self._save(window, "sessions")
        window.act(ActionName.DISMISS)

    def _take_sheets(self, window: MainWindow) -> None:

        from app.gui.presenters.actions import ActionName

        for name, action in (
            ("preferences", ActionName.PREFERENCES),
            ("share", ActionName.SHARE),
            ("keys", ActionName.KEYS),
            ("tour", ActionName.TOUR),
        ):
            window.act(action)
            self.play(0.4)
            self._save(window, name)
            window.act(ActionName.DISMISS)
        window.act(ActionName.PRIVACY)
        self.wait(lambda: window.view.picture is not None and window.view.picture.private)
        self.play(0.4)
        self._save(window, "privacy")
        window.act(ActionName.PRIVACY)

    def _take_card(self, window: MainWindow) -> None:
        from app.gui.holdstill.presenters.hold_still import HoldStillStage
        from app.gui.presenters.actions import ActionName

        window.presenter.player.seek(1.5)  # so that the head keeps still soon after the countdown
        test = window.hold_still
        window.act(ActionName.HOLD_STILL)
        self.wait(lambda: test.view().progress > SHOWN_PROGRESS)
        self._save(window, "hold-still")
        self.wait(lambda: test.view().stage in (HoldStillStage.DONE, HoldStillStage.FAILED), CARD_SECONDS)
        if test.view().stage == HoldStillStage.FAILED:
            raise RuntimeError(test.view().advice)
        self.wait(lambda: window.pages.currentWidget() is window.card)
        self.play(0.3)
        self._save(window, "card")
        window.act(ActionName.DISMISS)

    def take_faces(self) -> None:
        """Save several faces at once."""
        from app.lab.speed.crowd import Crowd

        window = self._open("demo", source=partial(Crowd, FACES), max_faces=FACES)
        try:
            self.wait(lambda: window.view.picture is not None and len(window.view.picture.result.faces) == FACES)
            self.play(self._seconds / 3)
            self.wait(lambda: any(mode.recent is not None for mode in window.presenter.flicker().modes.values()))
            self.play(0.3)
            self._save(window, "faces")
        finally:
            self._close(window)

    def take_no_camera(self) -> None:
        """Save what a person without a camera sees first."""
        window = self._open(None)
        try:
            self.wait(lambda: window.page.banner.isVisible())
            self.play(0.6)
            self._save(window, "no-camera")
        finally:
            self._close(window)

    def play(self, seconds: float) -> None:
        """Let the windows run."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._application.processEvents()
            time.sleep(0.002)

    def wait(self, done: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        """Let the windows run until something is done.

        Raises:
            TimeoutError: where it is not done in time.
        """
        until = time.monotonic() + seconds
        while not done():
            if time.monotonic() > until:
                raise TimeoutError("the window did not get there in time")
            self.play(0.05)

    def _open(self, name: str | None, source: Callable[[], object] | None = None, **tracking: object) -> MainWindow:
        from app.core.settings import TrackingSettings
        from app.gui import window_state
        from app.gui.live.presenters.remembered import Remembered
        from app.gui.live.presenters.session import LiveSession
        from app.gui.live.presenters.settings import LiveSettings
        from app.gui.main_window import MainWindow
        from app.gui.presenters.palettes import Theme
        from app.gui.window import live_parts

        window_state.FRAME_MS = ()  # the screen that the offscreen platform claims is smaller than the pictures
        chosen = Remembered(
            source=name,
            folder=self._recordings,
            theme=Theme(self._theme),
            tour_seen=True,
            tracking=TrackingSettings(**tracking),  # type: ignore[arg-type]
        )
        settings = LiveSettings(chosen)
        parts = replace(live_parts(settings), cameras=list) if source is None else playing(source, settings)
        window = MainWindow(settings, partial(LiveSession, parts), list)
        window.show()
        window.begin()
        window.resize(*SIZE)
        self.wait(lambda: window.view.picture is not None)
        return window

    def _save(self, window: MainWindow, name: str) -> None:
        window.grab().save(str(self._folder / f"{name}.png"))

    def _close(self, window: MainWindow) -> None:
        window.close()
        self.wait(lambda: window.presenter.session.state.closed)
        self.play(0.3)
        window.deleteLater()


def playing(source: Callable[[], object], settings: LiveSettings) -> SessionParts:
    """Return the real parts of a session, but that every source is ``source``."""
    from app.core.settings import TrackingSettings
    from app.gui.window import live_parts
    from app.sources.paced import PacedSource
    from app.sources.spec import SourceSpec
    from app.tracking.live import LivePipeline

    def live(spec: SourceSpec, tracking: TrackingSettings) -> LivePipeline:
        build = partial(settings.model.build, tracking)
        return LivePipeline(lambda: PacedSource(source, loop=True), build, tracking)  # type: ignore[arg-type]

    return replace(live_parts(settings), live=live)


if __name__ == "__main__":
    run_script(main)
