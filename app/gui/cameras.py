"""Looks for cameras without making the window wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from app.gui.presenters.chooser import CameraChoice

log = logging.getLogger(__name__)


class CameraFinder(QObject):
    """Lists cameras on a thread, one search at a time.

    Signals:
        found: the search ended; see :attr:`cameras`.
    """

    found = Signal()

    def __init__(self, find: Callable[[], Sequence[CameraChoice]]) -> None:
        super().__init__()
        self._find = find
        self._cameras: tuple[CameraChoice, ...] | None = None
        self._thread: threading.Thread | None = None

    @property
    def cameras(self) -> tuple[CameraChoice, ...] | None:
        """The cameras found last; None before the first search ended."""
        return self._cameras

    def search(self) -> None:
        """Start to look, unless a search is under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._run, name="live-cameras", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Wait a moment for a search under way."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._cameras = tuple(self._find())
        except Exception:
            log.exception("listing cameras failed")
            self._cameras = ()
        self.found.emit()
