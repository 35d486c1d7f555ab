"""A screen, or a part of it, as a live source."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import numpy as np
from mss.exception import ScreenShotError
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame
from app.sources.base import SourceInfo
from app.sources.opencv import cv2
from app.sources.release import ReleaseGuard
from app.sources.screens import ScreenRequest, open_capture, screens_of

FRAME_RATE = 30.0
"""Pictures per second at the most; a screen has no rate of its own that could be read."""

GRAB_ERRORS = (ScreenShotError, OSError, AssertionError)
"""What the library raises when the screen is gone; an X server that ended fails one of its assertions."""


class ScreenSource:
    """Pictures of a screen, at most :data:`FRAME_RATE` a second. ``timestamp`` is the time since opening.

    Raises:
        SourceError: there is no such screen, the part lies outside of it, or nothing can be captured here.
    """

    def __init__(self, request: ScreenRequest) -> None:
        self._capture = open_capture()
        self._guard = ReleaseGuard(self._release)
        self._name = request.name
        try:
            self._place = self._placed(request)
            first = self._picture()
        except BaseException:
            self._guard.close()
            raise
        self._start = time.perf_counter()
        self._due = self._start
        self._index = 0
        self._last = -1.0
        self._info = SourceInfo(self._name, first.shape[1], first.shape[0], FRAME_RATE, None, live=True)

    @property
    def info(self) -> SourceInfo:
        """Facts about the screen; the size is in pixels, which on some screens are smaller than the system's units."""
        return self._info

    def read(self) -> Frame | None:
        """Wait until the next picture is due and take it; None once closed.

        Raises:
            SourceError: the screen is gone.
        """
        if self._guard.wait_closed(max(0.0, self._due - time.perf_counter())):
            return None
        with self._guard.using() as usable:
            if not usable:
                return None
            captured = time.perf_counter()
            image = self._picture()
        # A late picture does not make the next ones hurry.
        self._due = max(self._due + 1 / FRAME_RATE, captured)
        self._last = max(captured - self._start, np.nextafter(self._last, np.inf))
        frame = Frame(self._index, float(self._last), image, captured)
        self._index += 1
        return frame

    def close(self) -> None:
        """Stop capturing, once a picture in progress is taken."""
        self._guard.close()

    def _release(self) -> None:
        with suppress(*GRAB_ERRORS):
            self._capture.close()

    def _placed(self, request: ScreenRequest) -> dict[str, int]:
        """Return the place in the system's coordinates."""
        screens = screens_of(self._capture)
        screen = next((screen for screen in screens if screen.number == request.number), None)
        if screen is None:
            names = ", ".join(screen.label for screen in screens) or "no screen"
            raise SourceError(f"There is no screen {request.number}: choose one of {names}.")
        part = request.region
        if part is None:
            return {"left": screen.left, "top": screen.top, "width": screen.width, "height": screen.height}
        if part.left + part.width > screen.width or part.top + part.height > screen.height:
            raise SourceError(
                f"The part {part.width}x{part.height} at {part.left},{part.top} does not fit on {screen.label}; choose "
                "a smaller one."
            )
        left, top = screen.left + part.left, screen.top + part.top
        return {"left": left, "top": top, "width": part.width, "height": part.height}

    def _picture(self) -> NDArray[np.uint8]:
        try:
            shot: Any = self._capture.grab(self._place)
        except GRAB_ERRORS as error:
            raise SourceError(f"{self._name} cannot be captured any more: choose it again, or another one.") from error
        return np.asarray(cv2.cvtColor(np.asarray(shot), cv2.COLOR_BGRA2RGB), np.uint8)
