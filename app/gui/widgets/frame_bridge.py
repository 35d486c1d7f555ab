"""From the pipeline's threads to the window's: waits for a result, scales its picture and signals."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.core.frame import FrameResult
from app.core.slot import LatestSlot
from app.gui.presenters.picture import Picture, Region, made_private, prepare, prepare_private
from app.gui.widgets.emitting import emitter

WAIT_SECONDS = 0.1
IDLE_SECONDS = 0.03

Zoom = Callable[[FrameResult, tuple[int, int]], Region | None]
"""Returns which part of a frame to show in a view of a size in device pixels; called on the bridge's thread."""


class FrameBridge(QObject):
    """Takes the newest result, makes its picture and tells the window that one is ready.

    The window takes the newest picture with :meth:`take`; pictures it had no time for are replaced. Where no result
    follows, as in a paused file, the last one's picture is made again when another size or part of it is wanted.

    Args:
        results: returns the slot to wait on, None while nothing plays.
    """

    ready = Signal()

    def __init__(self, results: Callable[[], LatestSlot[FrameResult] | None]) -> None:
        super().__init__()
        self._results = results
        self._pictures: LatestSlot[Picture] = LatestSlot()
        self._view: tuple[int, int, bool, Zoom | None] = (1, 1, False, None)
        self._private = False
        self._last: tuple[LatestSlot[FrameResult], FrameResult] | None = None
        self._shown: Picture | None = None
        self._stopped = threading.Event()
        self._tell = emitter(self.ready)
        self._thread = threading.Thread(target=self._run, name="live-bridge", daemon=True)

    def start(self) -> None:
        """Begin to wait for results."""
        self._thread.start()

    def show_at(self, width: int, height: int, mirrored: bool, zoom: Zoom | None = None) -> None:
        """Make pictures for a view of this size in device pixels, of the part that ``zoom`` returns."""
        self._view = (max(1, width), max(1, height), mirrored, zoom)

    def blur(self, private: bool) -> None:
        """Make blurred pictures from now on, or clear ones again; the one taken last is offered again at once."""
        shown = self._shown
        if private and not self._private and shown is not None and not shown.private:
            self._private = True
            self._pictures.put(made_private(shown))
            self._tell()
        self._private = private

    def take(self) -> Picture | None:
        """Return the newest picture, None if it was taken already."""
        picture = self._pictures.take()
        # One that was made just before privacy was switched on must not be shown after it.
        if picture is not None:
            self._shown = made_private(picture) if self._private else picture
        return None if picture is None else self._shown

    def forget(self) -> None:
        """Drop what was shown and what waits to be, since another source follows."""
        self._pictures.take()
        self._last = self._shown = None

    def stop(self, timeout: float = 2.0) -> bool:
        """End the thread; return whether it ended in time."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        made: tuple[tuple[int, int, bool, Zoom | None], bool] = self._view, self._private
        while not self._stopped.is_set():
            slot = self._results()
            result = slot.take(WAIT_SECONDS) if slot is not None else None
            wanted = self._view, self._private
            if slot is not None and result is not None:
                self._last = slot, result
            else:
                # A closed slot answers at once: do not spin on it.
                if slot is None or slot.closed:
                    self._stopped.wait(IDLE_SECONDS)
                last = self._last
                if last is None or last[0] is not slot or wanted == made:
                    continue
                if wanted == (made[0], True):
                    made = wanted  # blur() has offered it
                    continue
                result = last[1]
            made = wanted
            (width, height, mirrored, zoom), private = wanted
            region = zoom(result, (width, height)) if zoom is not None else None
            make = prepare_private if private else prepare
            picture = make(result, (width, height), mirrored, region)
            # Another source may have been chosen meanwhile; the last one's picture is of no use then.
            if self._results() is slot and not self._stopped.is_set():
                self._pictures.put(picture)
                self._tell()
