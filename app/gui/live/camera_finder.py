"""Finds cameras and screens without blocking the window, and notices when a camera is connected or disconnected."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from app.gui.live.presenters.chooser import CameraChoice, ScreenChoice
from app.gui.widgets.emitting import emitter
from app.sources.camera import POLL_SECONDS, camera_marks

log = logging.getLogger(__name__)

T = TypeVar("T")


class CameraFinder(QObject):
    """Lists cameras on one thread of its own: when asked to, and every two seconds once :meth:`watch` was called.

    Args:
        find: lists the cameras; may take a while.
        find_screens: lists the screens that can be captured; asked for with every :meth:`search`.
        marks: returns a value that is cheap to obtain and changes when a camera comes or goes; None lists every time.
        pause: seconds between two checks.

    Signals:
        found: a requested search has ended; see :attr:`cameras` and :attr:`screens`.
        changed: cameras came or went since the last check.
    """

    found = Signal()
    changed = Signal()

    def __init__(
        self,
        find: Callable[[], Sequence[CameraChoice]],
        find_screens: Callable[[], Sequence[ScreenChoice]] = tuple,
        marks: Callable[[], Hashable | None] = camera_marks,
        pause: float = POLL_SECONDS,
    ) -> None:
        super().__init__()
        self._find = find
        self._find_screens = find_screens
        self._marks = marks
        self._pause = pause
        self._cameras: tuple[CameraChoice, ...] | None = None
        self._screens: tuple[ScreenChoice, ...] = ()
        self._seen: Hashable | None = None
        self._watching = False
        self._asked = False
        self._stopped = False
        self._turn = threading.Condition()
        self._tell_found, self._tell_changed = emitter(self.found), emitter(self.changed)
        self._thread = threading.Thread(target=self._run, name="live-cameras", daemon=True)

    @property
    def cameras(self) -> tuple[CameraChoice, ...] | None:
        """The cameras found last; None before the first search ended."""
        return self._cameras

    @property
    def screens(self) -> tuple[ScreenChoice, ...]:
        """The screens found last."""
        return self._screens

    def search(self) -> None:
        """Search soon, and emit ``found`` afterwards."""
        self._ask(searching=True)

    def watch(self) -> None:
        """Check repeatedly from now on."""
        self._ask(searching=False)

    def stop(self, timeout: float = 2.0) -> None:
        """End the thread; wait at most ``timeout`` seconds for a search in progress."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _ask(self, searching: bool) -> None:
        with self._turn:
            self._asked |= searching
            self._watching |= not searching
            if not self._stopped and self._thread.ident is None:
                self._thread.start()
            self._turn.notify_all()

    def _run(self) -> None:
        while True:
            with self._turn:
                if not (self._asked or self._stopped):
                    self._turn.wait(self._pause if self._watching else None)
                if self._stopped:
                    return
                asked, self._asked = self._asked, False
            self._look(asked)

    def _look(self, asked: bool) -> None:
        marks = _guarded(self._marks, None, "looking for cameras")
        if not asked and marks is not None and marks == self._seen:
            return
        self._seen = marks
        before = self._cameras
        self._cameras = tuple(_guarded(self._find, (), "listing cameras"))
        if asked:
            self._screens = tuple(_guarded(self._find_screens, (), "listing screens"))
            self._tell_found()
        if before is not None and before != self._cameras:
            self._tell_changed()


def _guarded(look: Callable[[], T], otherwise: T, doing: str) -> T:
    """Return the result of ``look``; ``otherwise`` if a driver or library fails."""
    try:
        return look()
    except Exception:
        log.exception("%s failed", doing)
        return otherwise
