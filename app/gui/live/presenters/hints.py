"""Why the face is lost, or what would improve its landmarks: one sentence, from the newest results.

The thresholds are read off ``python -m benchmarks.picture_conditions`` on 171 WFLW faces. "Poor" is where the
landmarks' error is 10 to 20 % above that of the same faces unspoilt, which at most 5 % of the unspoilt faces reach;
"lost" is where it is 25 to 50 % above, or the detector misses a third of the faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FaceResult, FrameResult
from app.tracking.conditions import (
    Conditions,
    Edge,
    SceneMean,
    box_conditions,
    face_conditions,
    scene_conditions,
)


class HintKind(StrEnum):
    """What is wrong with the picture or the face."""

    BLACK = "black"
    DARK = "dark"
    BACKLIT = "backlit"
    BRIGHT = "bright"
    BLURRED = "blurred"
    SMALL = "small"
    CUT_OFF = "cut off"
    GONE = "gone"
    COVERED = "covered"
    NOTHING = "nothing"


TEXTS: dict[HintKind, str] = {
    HintKind.BLACK: "The picture is black: open the camera's cover, or switch on a light.",
    HintKind.DARK: "The face is too dark: put a light in front of it.",
    HintKind.BACKLIT: "The face is dark against a bright background: put the light in front of it.",
    HintKind.BRIGHT: "The face is too bright: turn the light down, or away from it.",
    HintKind.BLURRED: "The picture is blurred: hold still, clean the lens, or give the camera more light.",
    HintKind.SMALL: "The face is too small: come closer to the camera.",
    HintKind.CUT_OFF: "The face is cut off at the {edge} edge: move to the middle.",
    HintKind.GONE: "The face left the picture at the {edge} edge.",
    HintKind.COVERED: "The face is covered or turned away: look at the camera.",
    HintKind.NOTHING: "No face in view: look at the camera, and come closer if you are far away.",
}

LOST_AFTER = 0.7
"""Seconds without a face before a hint is shown; a face that is found again at once needs none."""
REMEMBERED = 10.0
"""Seconds for which the last position of a face is considered."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds beyond which something is wrong.

    Attributes:
        light: mean luma of the face below which it is too dark.
        bright: share of clipped pixels above which it is too bright.
        sharpness: in percent, below which it is blurred.
        inter_ocular: pixels below which it is too small.
        cut_off: share of landmarks outside of the picture above which it is cut off.
    """

    light: float
    bright: float
    sharpness: float
    inter_ocular: float
    cut_off: float

    def widened(self, factor: float) -> Limits:
        """Return limits within which ``factor`` times as much counts as wrong."""
        return Limits(
            self.light * factor,
            self.bright / factor,
            self.sharpness * factor,
            self.inter_ocular * factor,
            self.cut_off / factor,
        )


POOR = Limits(light=18.0, bright=0.45, sharpness=0.25, inter_ocular=25.0, cut_off=0.12)
LOST = Limits(light=12.0, bright=0.55, sharpness=0.15, inter_ocular=22.0, cut_off=0.05)
LOOKS = 2
"""Consecutive looks that must agree before a tracked face gets advice, so that one blurred frame is ignored."""
KEEP = 1.2
"""A hint stays until its threshold is passed by this factor, so that it does not blink."""
BACKLIGHT = 4.0
"""The picture is at least this many times as bright as the face when the light comes from behind."""
BLACK_LIGHT, BLACK_CONTRAST = 10.0, 4.0
FELL = 0.6
"""Light of the whole picture over that of before, below which the light went out."""
BLURRED_SCENE = 0.25
"""The same for the whole picture's sharpness. A wall without detail is not blurred, so only the fall tells."""
PLAIN = 8.0
"""Contrast below which a surface has nothing on it that could be sharp, such as a sheet before the face."""
NEAR_EDGE = 0.08
"""Share of the face's side: a face lost so near to an edge of the picture has left over it."""
SCENE_SECONDS = 3.0
_LASTING = (HintKind.GONE, HintKind.COVERED)
"""Kept while the face stays away: what is now at its last position is something else."""


@dataclass(frozen=True, slots=True)
class Hint:
    """One piece of advice.

    Attributes:
        kind: what is wrong.
        lost: no face is tracked; otherwise one is, and could be better.
        edge: of the picture as the camera sees it, where the advice is about one.
    """

    kind: HintKind
    lost: bool
    edge: Edge | None = None

    def sentence(self, mirrored: bool = False) -> str:
        """Return the advice; ``mirrored`` for a user who sees the picture flipped left to right."""
        edge = self.edge
        if mirrored and edge is not None:
            edge = {Edge.LEFT: Edge.RIGHT, Edge.RIGHT: Edge.LEFT}.get(edge, edge)
        return TEXTS[self.kind].format(edge=edge)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of the last face.

    Attributes:
        captured: when.
        box: (left, top, right, bottom) of its landmarks.
        face: its conditions.
        scene: those of the whole picture.
        before: those of the whole picture over the last seconds.
        edge: of the picture that the box touches, None if none.
    """

    captured: float
    box: tuple[float, float, float, float]
    face: Conditions
    scene: Conditions
    before: Conditions
    edge: Edge | None


class HintJudge:
    """Finds the current hint from results in the order of their frames. Used by one thread."""

    def __init__(self) -> None:
        self._scenes = SceneMean(SCENE_SECONDS)
        self._seen: _Seen | None = None
        self._began: float | None = None
        self._kind: HintKind | None = None
        self._suspected: tuple[HintKind | None, int] = (None, 0)

    def look(self, newest: FrameResult, last_face: FrameResult | None) -> Hint | None:
        """Return the hint, None if there is nothing to say; takes about 2 ms at 1280 x 720.

        Args:
            newest: the newest result.
            last_face: the newest result with a face in it, maybe the same; None where there was none yet.
        """
        if self._began is None:
            self._began = newest.frame.captured
        if last_face is not None and last_face.faces:
            self._note(last_face, last_face.faces[0])
        hint = self._poor() if newest.faces else self._why_lost(newest)
        self._kind = hint.kind if hint is not None else None
        return hint

    def _note(self, result: FrameResult, face: FaceResult) -> None:
        image, landmarks, captured = result.frame.image, face.estimate.landmarks, result.frame.captured
        if self._seen is not None and self._seen.captured == captured:
            return
        scene = scene_conditions(image)
        (left, top), (right, bottom) = landmarks.min(axis=0).tolist(), landmarks.max(axis=0).tolist()
        self._seen = _Seen(
            captured,
            (left, top, right, bottom),
            face_conditions(image, landmarks),
            scene,
            self._scenes.add(scene, captured),
            _touched_edge(landmarks, image.shape[1], image.shape[0]),
        )

    def _poor(self) -> Hint | None:
        """Return what is wrong with the face that is tracked."""
        seen = self._seen
        if seen is None:
            return None
        kind = next(iter(_wrong(seen.face, seen.scene, POOR)), None)
        times = self._suspected[1] + 1 if kind == self._suspected[0] else 1
        self._suspected = (kind, times)
        if self._kind in _wrong(seen.face, seen.scene, POOR.widened(KEEP)):
            kind = self._kind
        elif times < LOOKS:
            return None
        view = seen.face.face
        return Hint(kind, False, view.edge if view is not None else None) if kind else None

    def _why_lost(self, newest: FrameResult) -> Hint | None:
        captured, seen = newest.frame.captured, self._seen
        since = seen.captured if seen is not None else self._began
        if since is None or captured - since < LOST_AFTER:
            return None
        if seen is None or captured - seen.captured > REMEMBERED:
            return Hint(_empty(scene_conditions(newest.frame.image)), True)
        if self._kind in _LASTING:
            return Hint(self._kind, True, seen.edge)
        return Hint(_cause(newest, seen), True, seen.edge)


def _empty(scene: Conditions) -> HintKind:
    """Return what a picture without a known face says."""
    if scene.light < BLACK_LIGHT and scene.contrast < BLACK_CONTRAST:
        return HintKind.BLACK
    if scene.light < POOR.light:
        return HintKind.DARK
    return HintKind.BRIGHT if scene.bright > LOST.bright else HintKind.NOTHING


def _cause(newest: FrameResult, seen: _Seen) -> HintKind:
    """Return why a face that was there a moment ago is lost."""
    scene = scene_conditions(newest.frame.image)
    if scene.light < BLACK_LIGHT and scene.contrast < BLACK_CONTRAST:
        return HintKind.BLACK
    place = box_conditions(newest.frame.image, *seen.box)
    if place.light < POOR.light and scene.light < FELL * seen.before.light:
        return HintKind.DARK
    if place.bright > POOR.bright and scene.light * FELL > seen.before.light:
        return HintKind.BRIGHT
    if place.contrast > PLAIN and scene.sharpness < BLURRED_SCENE * seen.before.sharpness:
        return HintKind.BLURRED
    wrong = [kind for kind in _wrong(seen.face, seen.scene, LOST) if kind != HintKind.CUT_OFF]
    return HintKind.GONE if seen.edge else (wrong[0] if wrong else HintKind.COVERED)


def _wrong(face: Conditions, scene: Conditions, limits: Limits) -> tuple[HintKind, ...]:
    """Return everything that is wrong with a face, the most telling first."""
    view = face.face
    found: list[HintKind] = []
    if view is not None and view.cut_off > limits.cut_off:
        found.append(HintKind.CUT_OFF)
    if face.light < limits.light:
        found.append(HintKind.BACKLIT if scene.light > BACKLIGHT * face.light else HintKind.DARK)
    if face.bright > limits.bright:
        found.append(HintKind.BRIGHT)
    if view is not None and view.inter_ocular < limits.inter_ocular:
        found.append(HintKind.SMALL)
    if face.sharpness < limits.sharpness and face.light >= limits.light and face.contrast > PLAIN:
        found.append(HintKind.BLURRED)  # in the dark the noise hides how sharp the picture is
    return tuple(found)


def _touched_edge(landmarks: NDArray[np.floating], width: int, height: int) -> Edge | None:
    """Return the edge of the picture which the landmarks' box reaches or nearly does, None if none."""
    (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
    room: dict[Edge, float] = {
        Edge.LEFT: left,
        Edge.RIGHT: width - 1 - right,
        Edge.TOP: top,
        Edge.BOTTOM: height - 1 - bottom,
    }
    edge = min(room, key=lambda name: float(room[name]))
    return edge if room[edge] < NEAR_EDGE * max(right - left, bottom - top) else None
