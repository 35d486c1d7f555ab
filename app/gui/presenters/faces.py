"""Which of several faces the readouts show, each face's colour, and which one is under a click."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from app.core.frame import FaceResult, FrameResult
from app.core.settings import FollowChoice
from app.gui.presenters.picture import Placement

IDENTITY_COLOURS: tuple[str, ...] = (
    "#56b4e9",
    "#e69f00",
    "#00c08b",
    "#f0e442",
    "#d98bbb",
    "#ee6a24",
    "#4a90ff",
    "#ffffff",
)
"""One per identity, told apart with any kind of colour vision: Okabe and Ito's (2008), with white for black and green,
blue, vermillion and purple a little lighter, because they lie on video."""

LARGER = 1.25
"""Another face takes over only when its crop is larger by this factor, so that two equal faces do not alternate."""

HIT_MARGIN = 0.08
"""A click counts for a face up to so much of its size outside its landmarks."""


def identity_colour(face: int) -> str:
    """Return the colour of an identity; it stays the same while the face is tracked."""
    return IDENTITY_COLOURS[face % len(IDENTITY_COLOURS)]


def face_name(face: int) -> str:
    """Return what an identity is called in the window and in tables."""
    return f"#{face}"


class FaceChoice:
    """The face that the readouts show: the one the user chose, otherwise the largest.

    Shared by everything that must agree on the face: ``pick`` gives the same answer to all who ask about one frame.
    ``choose`` may be called from another thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chosen: int | None = None
        self._followed: int | None = None

    @property
    def chosen(self) -> int | None:
        """The identity that the user chose, None for the largest face."""
        return self._chosen

    def choose(self, face: int | None) -> None:
        """Follow the identity ``face`` from now on; None goes back to the largest face."""
        with self._lock:
            self._chosen = face

    def next(self, result: FrameResult) -> int | None:
        """Choose the face right of the one shown, after the last one the largest again (None); return the choice."""
        faces = [face.face for face in sorted(result.faces, key=lambda face: face.crop.centre_x)]
        following: int | None = None
        if self._chosen not in faces:
            following = faces[0] if faces else None
        elif self._chosen != faces[-1]:
            following = faces[faces.index(self._chosen) + 1]
        self.choose(following)
        return following

    def pick(self, result: FrameResult) -> FaceResult | None:
        """Return the face to show of this frame, None where there is none.

        A chosen face that is not in view gives way to the largest one until it is back. Without a choice the face
        followed so far stays until another is clearly larger; where the settings prefer another than the largest face,
        it is the first of the result.
        """
        if not result.faces:
            return None
        with self._lock:
            chosen = _find(result.faces, self._chosen)
            if chosen is None and result.settings.follow != FollowChoice.LARGEST:
                chosen = result.faces[0]
            elif chosen is None:
                largest = result.faces[0]
                chosen = _find(result.faces, self._followed) or largest
                if largest.crop.side > LARGER * chosen.crop.side:
                    chosen = largest
            self._followed = chosen.face
            return chosen


def face_at(faces: Sequence[FaceResult], placement: Placement, x: float, y: float) -> int | None:
    """Return the identity of the face under a point of the view, the smallest of several; None beside all of them.

    Args:
        faces: of the frame in view.
        placement: where the frame lies in the view.
        x: of the point, view units.
        y: of the point, view units.
    """
    hits: list[tuple[float, int]] = []
    for face in faces:
        points = placement.place(face.estimate.landmarks)
        if not np.isfinite(points).all():
            continue
        low, high = points.min(axis=0), points.max(axis=0)
        margin = HIT_MARGIN * float((high - low).max())
        if (low - margin <= (x, y)).all() and ((x, y) <= high + margin).all():
            hits.append((float(np.prod(high - low)), face.face))
    return min(hits)[1] if hits else None


def _find(faces: Sequence[FaceResult], identity: int | None) -> FaceResult | None:
    return next((face for face in faces if face.face == identity), None)
