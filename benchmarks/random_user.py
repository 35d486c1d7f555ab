"""A random user of the live window, who presses keys and changes sources, sizes, pages and recordings without pause."""

from __future__ import annotations

import collections
import gc
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.core.errors import UserError
from app.gui.presenters import actions
from app.gui.presenters.actions import ActionName
from app.sessions.session import open_session
from benchmarks.script import application

if TYPE_CHECKING:
    from app.gui.main_window import MainWindow
    from benchmarks.watchdog import Watchdog

NEVER = {ActionName.QUIT, ActionName.SOURCE}
"""A menu waits for a choice; the sources in it are played without it."""
OFTEN = (
    ActionName.RECORD,
    ActionName.COMPARE,
    ActionName.BASELINE,
    ActionName.COMPARE_VIEW,
    ActionName.DRAWER,
    ActionName.PAUSE,
)
SIZES = ((760, 520), (1024, 640), (1280, 800), (1440, 860), (1920, 1080))
KEPT_SESSIONS = 3


@dataclass(slots=True)
class RandomUser:
    """Does one thing after another.

    Attributes:
        window: the real one.
        folder: where it records.
        sources: what may be played, some of which cannot be.
        dice: decides.
        watchdog: counts what is done as turns of the window's thread.
        done: how often what was done.
        checked: recordings that were opened, with what was wrong with them.
    """

    window: MainWindow
    folder: Path
    sources: tuple[str, ...]
    dice: random.Random
    watchdog: Watchdog
    done: collections.Counter[str] = field(default_factory=collections.Counter)
    checked: dict[str, str] = field(default_factory=dict)

    def act(self) -> None:
        """Do one thing."""
        name, doing = self.dice.choice(self._choices())
        self.done[name] += 1
        self.watchdog.call(name, doing)

    def check_recordings(self) -> None:
        """Open every recording that is finished, note what is wrong with it, and delete all but the newest."""
        state = self.window.presenter.session.state
        busy = state.recording is not None
        folders = sorted(
            (path for path in self.folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
        )
        for path in folders[:-1] if busy else folders:
            if path.name not in self.checked:
                self.checked[path.name] = _wrong_with(path)
        for path in folders[:-KEPT_SESSIONS]:
            shutil.rmtree(path, ignore_errors=True)

    def calm_down(self) -> None:
        """Go back to where one starts: the live page, the demo clip, no recording, nothing compared."""
        window = self.window
        window.act(ActionName.DISMISS)
        window._go_live()
        if window.presenter.session.state.recording is not None:
            window.act(ActionName.RECORD)
        if window.isFullScreen():
            window.act(ActionName.FULL_SCREEN)
        if window.presenter.session.state.tracking.compare:
            window.act(ActionName.COMPARE)
        window.presenter.open("demo")

    def _choices(self) -> list[tuple[str, Callable[[], object]]]:
        names = [action.name for action in actions.ACTIONS if action.name not in NEVER] + list(OFTEN) * 3
        choices: list[tuple[str, Callable[[], object]]] = [(name, partial(self.window.act, name)) for name in names]
        choices += [("play a source", self._play)] * 4
        choices += [("resize", self._resize)] * 3
        choices += [("seek", self._seek)] * 4
        choices += [("back to the live page", self.window._go_live)] * 3
        return choices

    def _play(self) -> None:
        self.window.presenter.open(self.dice.choice(self.sources))

    def _resize(self) -> None:
        if not self.window.isFullScreen():
            # As when an edge is dragged. QWidget.resize would have everything painted twice: once for the changes that
            # follow, and again when the window system exposes the new size.
            self.window.windowHandle().resize(*self.dice.choice(SIZES))

    def _seek(self) -> None:
        self.window.presenter.player.seek(self.dice.uniform(-1.0, 12.0))


BUSY_SECONDS = 20.0
CALM_SECONDS = 4.0


def soak(minutes: float, seed: int, **engine: Any) -> dict[str, Any]:
    """Use the window at random with a pause every now and then, and return what grew meanwhile.

    Args:
        minutes: to run.
        seed: of what the user does.
        engine: of :class:`app.core.settings.EngineSettings`.
    """
    from app.core.places import DEMO_CLIP
    from app.core.settings import EngineSettings
    from app.gui.live.presenters.model import ModelInUse
    from app.gui.live.presenters.remembered import Remembered
    from app.gui.live.presenters.settings import LiveSettings
    from app.gui.window import make_window
    from benchmarks.own_process import sample
    from benchmarks.watchdog import Watchdog

    qt = application()
    watchdog, samples = Watchdog(), list[dict[str, float]]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "recordings"
        folder.mkdir()
        (Path(place) / "damaged.mp4").write_bytes(DEMO_CLIP.read_bytes()[:300_000])
        sources = (
            "demo",
            str(DEMO_CLIP),
            str(DEMO_CLIP.parent / "portrait.jpg"),
            f"{place}/damaged.mp4",
            "camera:99",
            "gone.mp4",
        )
        remembered = Remembered(source="demo", folder=folder, tour_seen=True)
        window = make_window(LiveSettings(remembered, model=ModelInUse(EngineSettings(**engine))))
        window.show()
        window.begin()
        user = RandomUser(window, folder, sources, random.Random(seed), watchdog)
        unexplained: list[int] = []
        started = time.perf_counter()
        while (now := time.perf_counter() - started) < 60 * minutes:
            while time.perf_counter() - started < now + BUSY_SECONDS:
                user.act()
                watchdog.spin(qt, user.dice.uniform(0.02, 0.6))
                unexplained += missing(window)
            watchdog.call("calm down", user.calm_down)
            watchdog.spin(qt, CALM_SECONDS)
            user.check_recordings()
            gc.collect()
            watchdog.spin(qt, 1.0)
            samples.append(sample(started))
            print(samples[-1], flush=True)
        session = window.presenter.session
        window.close()
        while not session.state.closed:
            watchdog.spin(qt, 0.05)
        session.join()
        user.check_recordings()
    warm = samples[len(samples) // 3 :]
    minutes_of_warm = [each["seconds"] / 60 for each in warm]
    slope, error = trend(minutes_of_warm, [each["mebibytes"] for each in warm])
    slope_in_use, error_in_use = trend(minutes_of_warm, [each["in_use_mebibytes"] for each in warm])
    return {
        "minutes": minutes,
        "actions": sum(user.done.values()),
        "done": dict(user.done),
        "recordings": len(user.checked),
        "damaged": {name: wrong for name, wrong in user.checked.items() if wrong},
        "slope_mebibytes_a_minute": slope,
        "slope_error": error,
        "slope_in_use": slope_in_use,
        "slope_in_use_error": error_in_use,
        "highest_mebibytes": max(each["mebibytes"] for each in samples),
        "threads": (warm[0]["threads"], warm[-1]["threads"]),
        "files": (warm[0]["files"], warm[-1]["files"]),
        "unexplained_frames": sum(unexplained),
        **watchdog.figures(),
        "long_turns": watchdog.long_turns,
        "samples": samples,
    }


def missing(window: MainWindow) -> list[int]:
    """Return how many captured frames of a live source were neither solved nor skipped; 2 may be under way."""
    status = window.presenter.session.state.status
    if status is None or status.info is None or not status.info.live:
        return []
    return [max(0, status.captured - status.processed - status.skipped - 2)]


def trend(x: list[float], y: list[float]) -> tuple[float, float]:
    """Return the slope of the line through points and its standard error; NaN for fewer than three."""
    if len(x) < 3:
        return float("nan"), float("nan")
    coefficients, covariance = np.polyfit(x, y, 1, cov="unscaled")
    rest = np.asarray(y) - np.polyval(coefficients, x)
    return float(coefficients[0]), float(np.sqrt(covariance[0, 0] * rest @ rest / (len(x) - 2)))


def _wrong_with(path: Path) -> str:
    """Return what is wrong with a finished recording, "" if nothing is."""
    if not any(path.iterdir()):
        return ""  # finished before its first frame
    try:
        session = open_session(path)
        if session.state != "complete":
            return f"it is {session.state}"
        counts = session.metadata.counts
        if counts.frames != len(session.frames):
            return f"{counts.frames} frames were counted and {len(session.frames)} are there"
        if session.metadata.video is not None and not session.metadata.privacy:
            shown = sum(1 for _ in session.pictures())
            if shown != counts.pictures:
                return f"{counts.pictures} pictures were counted and {shown} are there"
    except UserError as error:
        return str(error)
    return ""
