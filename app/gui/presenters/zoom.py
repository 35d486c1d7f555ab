"""Which part of the frame to show so that the face fills the view, smoothed so that it does not flicker itself."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FrameResult
from app.gui.presenters.faces import FaceChoice
from app.gui.presenters.picture import Region

SPAN = 1.15
"""The shorter side of the view, in sides of the face's crop."""

SECONDS = 0.5
"""Time constant with which the view follows."""

DEAD_SHARE = 0.04
"""The view stands still while the face is off its centre by less than this share of what is shown."""

DEAD_GROWTH = 1.12
"""And while the face's size differs by less than this factor."""

JUMP_SHARE = 0.5
"""Beyond this share of what is shown the view jumps to the face."""


class FaceZoom:
    """Follows one face smoothly. Used by one thread, but for :meth:`forget`.

    Args:
        choice: which face.
    """

    def __init__(self, choice: FaceChoice) -> None:
        self._choice = choice
        self._face: int | None = None
        self._centre: NDArray[np.float64] = np.zeros(2)
        self._span = 0.0
        self._time = 0.0
        self._forgotten = False

    def forget(self) -> None:
        """Begin again with the next result, which is of another source; from any thread."""
        self._forgotten = True

    def __call__(self, result: FrameResult, size: tuple[int, int]) -> Region | None:
        """Return the part to show in a view of ``size``; without a face the last one, None before the first."""
        if self._forgotten:
            self._forgotten, self._face, self._span = False, None, 0.0
        face = self._choice.pick(result)
        time = result.frame.captured
        if face is not None:
            target = np.array([face.crop.centre_x + 0.5, face.crop.centre_y + 0.5])
            self._follow(face.face, target, SPAN * face.crop.side, time)
        self._time = time
        if self._span <= 0:
            return None
        return _region(self._centre, self._span, size, result.frame.size)

    def _follow(self, face: int, target: NDArray[np.float64], span: float, time: float) -> None:
        # Another face is another place, and so is another picture: gliding there would show neither.
        far_away = self._span > 0 and float(np.abs(target - self._centre).max()) > JUMP_SHARE * self._span
        if face != self._face or far_away:
            self._face, self._centre, self._span = face, target, span
            return
        share = 1 - math.exp(-max(0.0, time - self._time) / SECONDS)
        off = target - self._centre
        far = float(np.hypot(*off)) - DEAD_SHARE * self._span
        if far > 0:
            self._centre = self._centre + off * (share * far / float(np.hypot(*off)))
        growth = math.log(span / self._span)
        more = abs(growth) - math.log(DEAD_GROWTH)
        if more > 0:
            self._span *= math.exp(math.copysign(share * more, growth))


def _region(centre: NDArray[np.float64], span: float, size: tuple[int, int], frame: tuple[int, int]) -> Region:
    """Return the part around ``centre`` with the view's shape, moved into the frame where it fits."""
    scale = span / min(size)
    shown = np.array(size, np.float64) * scale
    whole = np.array(frame, np.float64)
    first = centre - shown / 2
    # Where the frame is smaller than the view shows, it is centred.
    first = np.where(shown <= whole, np.clip(first, 0, np.maximum(whole - shown, 0)), (whole - shown) / 2)
    return Region(float(first[0]), float(first[1]), float(shown[0]), float(shown[1]))
