"""Opens the live window on the real pipeline, sources and recorder."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from app.core.ending import answering
from app.core.memory import set_aside
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.live.presenters.chooser import CameraChoice, ScreenChoice
from app.gui.live.presenters.remembered import Memory
from app.gui.live.presenters.session import LiveSession, SessionParts
from app.gui.live.presenters.settings import LiveSettings
from app.gui.live.presenters.state import RecordingPlan
from app.sessions.metadata import EngineFacts, SourceFacts
from app.sessions.plan import SessionPlan
from app.sessions.recorder import SessionRecorder
from app.sources.opencv import forget_qt_plugins
from app.sources.spec import CameraSpec, ScreenSpec, SourceSpec, public_text
from app.tracking.live import LivePipeline

if TYPE_CHECKING:
    from app.gui.main_window import MainWindow

log = logging.getLogger(__name__)


def run_window(settings: LiveSettings, memory: Memory | None = None) -> int:
    """Show the live window until it is closed; return the exit code of the process.

    Args:
        settings: how to begin.
        memory: keeps what the user chooses for the next time.
    """
    forget_qt_plugins()
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from app.gui.theme.theme import apply

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(sys.argv[:1])
    application.setApplicationName("LDEQ Live")
    apply(application)
    window = make_window(settings, memory)
    # The window hides at once when it is closed and then finishes its work.
    application.setQuitOnLastWindowClosed(False)
    window.released.connect(application.quit)
    # Ctrl+C in the terminal, its end and the end of the login finish a recording like closing the window does; the
    # window's timer lets Python notice it. Not before the event loop runs: a window that closes earlier could not end
    # it.
    with answering(lambda *_: QTimer.singleShot(0, window.close)):
        window.show()
        window.begin()
        code = application.exec()
    window.presenter.session.join(1.0)
    if window.presenter.session.left_behind:
        # Files are finished by now. A thread that hangs in a driver can crash Python's own way out, which
        # would look as if something had been lost.
        log.warning("a source has not stopped; it ends with the program")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def make_window(settings: LiveSettings, memory: Memory | None = None) -> MainWindow:
    """Return the window with the real parts, not yet shown; a QApplication must exist."""
    from app.gui.main_window import MainWindow

    parts = live_parts(settings)
    return MainWindow(settings, partial(LiveSession, parts), find_cameras, find_screens, memory)


def live_parts(settings: LiveSettings) -> SessionParts:
    """Return what the session is made of outside tests."""

    def live(source: SourceSpec, tracking: TrackingSettings) -> LivePipeline:
        from app.sources.open import open_source

        loop = settings.realtime_loop
        live = LivePipeline(
            partial(open_source, source, realtime=loop, loop=loop),
            partial(settings.model.build, tracking),
            tracking,
        )
        live.add_consumer(lambda _: set_aside())  # by the first result everything has been loaded
        return live

    def cameras() -> list[SourceSpec]:
        return [camera.spec for camera in find_cameras()]

    return SessionParts(live, lambda plan: make_recorder(settings.model.engine, plan), cameras)


def make_recorder(engine: EngineSettings, plan: RecordingPlan) -> SessionRecorder:
    """Begin to record a session.

    Raises:
        RecordingError: where its folder cannot be created.
    """
    source = SourceFacts.of(public_text(plan.source), plan.info)
    return SessionRecorder(plan.path, SessionPlan(source, EngineFacts.of(plan.engine, engine), plan.choices))


def find_cameras() -> list[CameraChoice]:
    """List the cameras in the order in which they are opened."""
    from app.sources.camera import list_cameras

    return [CameraChoice(CameraSpec(str(each.index)), each.name, each.place) for each in list_cameras()]


def find_screens() -> list[ScreenChoice]:
    """List the screens that can be captured."""
    from app.sources.screen import list_screens

    return [ScreenChoice(ScreenSpec(screen.number), screen.label) for screen in list_screens()]
