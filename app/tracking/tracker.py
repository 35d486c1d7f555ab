"""Tracking policy in pure NumPy: the next crop, doubt, loss, and matching detections to faces.

Nothing here runs a network or reads pixels, so every rule can be tested with plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.core.events import LossReason
from app.core.settings import FollowChoice
from app.tracking.detector import Detection
from model.config import LdeqConfig
from model.geometry import Crop, wrapped
from model.topology import EYES, LEFT_EYE_OUTER, MOUTH, POINTS, RIGHT_EYE_OUTER

COARSE, COARSE_SPREAD = 32, 0.03
"""Heatmaps of so few cells a side are wider; with ``ldeq-xs`` the same is true of this :attr:`Policy.max_spread`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Parameters of the tracker.

    Attributes:
        crop_scale: crop side over the larger side of the landmark box.
        centre_slack: the crop is kept while the face's centre is within this share of its side; a crop
            that followed every jitter would make the landmarks flicker.
        side_slack: the crop is kept while the wanted side differs by less than this share.
        max_spread: mean spread of the heatmaps over the landmark box side above which the face is doubted. 99 % of the
            validation faces are below it and half of the face-free crops above with ``ldeq-s``; see
            :data:`COARSE_SPREAD`.
        max_jump: centre movement in one frame, in box sides, above which the face is doubted.
        max_growth: factor of box side change in one frame above which the face is doubted.
        turn_slack: degrees by which a face may be turned in its crop before the crop turns with it; with ``ldeq-s``
            the error of the validation faces is 1.04 times as large at 20 degrees, 1.10 at 30 and 1.43 at 40.
        upright: a face turned by less than this many degrees gets an upright crop when its crop turns.
        min_side: landmark box side in pixels below which a face is lost.
        misses: detector runs in a row without a detection after which a face is lost; the detector misses
            profiles and covered faces that the landmarks still follow well.
        doubted_misses: the same for a face whose landmarks are in doubt as well.
        trust: frames for which uncertain landmarks raise no doubt once the detector has seen the face.
        match_distance: a detection belongs to a track within this share of the larger side.
        agree_distance: a detection confirms a track's crop within this share of its side.
        agree_growth: and within this ratio of sides.
        disputes: detections in a row that do not confirm the crop after which the track moves to the
            detection; a hand in front of the face moves the detector's box for a frame or two. A track in doubt
            moves at the first.
        calming: share of a track's unrest that is left after a frame.
    """

    crop_scale: float = 1.25
    centre_slack: float = 0.03
    side_slack: float = 0.05
    max_spread: float = 0.026
    max_jump: float = 0.5
    max_growth: float = 1.5
    turn_slack: float = 25.0
    upright: float = 15.0
    min_side: float = 12.0
    misses: int = 15
    doubted_misses: int = 2
    trust: int = 10
    match_distance: float = 0.5
    agree_distance: float = 0.25
    agree_growth: float = 1.5
    disputes: int = 3
    calming: float = 0.9


def policy_for(config: LdeqConfig) -> Policy:
    """Return the parameters for a model."""
    spread = COARSE_SPREAD if config.heatmap_size <= COARSE else Policy().max_spread
    return Policy(crop_scale=config.crop_scale, max_spread=spread)


@dataclass(slots=True)
class Track:
    """One followed face.

    Attributes:
        face: its identity.
        crop: what to solve in the next frame.
        other_crops: tried besides in the first solve, where the face may not be upright.
        crops_beside: tried next if none of those convinces.
        landmarks: last landmarks (98, 2) in frame pixels; None before the first solve.
        box: around them.
        misses: detector runs in a row that did not find this face.
        disputes: detector runs in a row that found it elsewhere.
        doubt: why the last result is doubted, None if it is not.
        trust: frames left in which uncertain landmarks raise no doubt.
        hazy: whether the heatmaps, with what RwR carries along in them, are so wide that the detector should look.
        sure: the crop of the last frame whose landmarks were not in doubt.
        velocity: movement of the landmark box in the last frame, box sides.
        unrest: how abruptly it moved lately, see :func:`unrest`; 0 is at rest or in even motion.
    """

    face: int
    crop: Crop
    other_crops: tuple[Crop, ...] = ()
    crops_beside: tuple[Crop, ...] = ()
    landmarks: NDArray[np.float32] | None = None
    box: Box | None = None
    misses: int = 0
    disputes: int = 0
    doubt: LossReason | None = None
    trust: int = 0
    hazy: bool = False
    sure: Crop | None = None
    velocity: tuple[float, float] | None = None
    unrest: float = 0.0


@dataclass(frozen=True, slots=True)
class Box:
    """The upright box around landmarks, frame pixels: its centre, and the larger of its sides."""

    centre_x: float
    centre_y: float
    side: float

    def from_last(self, last: Box) -> tuple[float, float]:
        """Return how far its centre has moved in x and y, in sides of the last box."""
        return (self.centre_x - last.centre_x) / last.side, (self.centre_y - last.centre_y) / last.side


def box_of(landmarks: NDArray[np.floating]) -> Box:
    """Return the box around points (n, 2)."""
    (x1, y1), (x2, y2) = landmarks.min(axis=0).tolist(), landmarks.max(axis=0).tolist()
    return Box((x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1))


def roll_of(landmarks: NDArray[np.floating]) -> float:
    """Return by how many degrees a face is turned in the picture plane, clockwise, in (-180, 180].

    The line between the outer eye corners and the line from the eyes to the mouth, a quarter turn from it, both count
    by their lengths: the first is short in a profile, the second where the head is bent.

    Args:
        landmarks: (98, 2), frame pixels.
    """
    across, down = (_face_axes() @ landmarks).tolist()
    return math.degrees(math.atan2(across[1] - down[0], across[0] + down[1]))


@cache
def _face_axes() -> NDArray[np.float32]:
    """Return the landmarks' weights (2, 98) in the line between the eye corners and in that from eyes to mouth."""
    weights = np.zeros((2, POINTS), np.float32)
    weights[0, [RIGHT_EYE_OUTER, LEFT_EYE_OUTER]] = 1, -1
    weights[1, MOUTH] = 1 / len(MOUTH)
    weights[1, EYES] -= 1 / len(EYES)
    return weights


def crop_angle(current: float, roll: float, policy: Policy) -> float:
    """Return the angle of the next crop of a face with this roll, degrees: the current one unless it is far off."""
    if abs(wrapped(roll - current)) <= policy.turn_slack:
        return current
    return 0.0 if abs(roll) <= policy.upright else roll


def centred_crop(current: Crop, landmarks: NDArray[np.floating], policy: Policy) -> Crop:
    """Return the crop with the face in its middle, turned as ``current`` or, where that is far off, with the face."""
    return Crop.around_points(landmarks, policy.crop_scale, crop_angle(current.angle, roll_of(landmarks), policy))


def next_crop(current: Crop, landmarks: NDArray[np.floating], policy: Policy) -> Crop:
    """Return the crop for the next frame: the current one unless the face has moved off its centre or turned."""
    wanted = centred_crop(current, landmarks, policy)
    if wanted.angle != current.angle:
        return wanted
    shift = max(abs(wanted.centre_x - current.centre_x), abs(wanted.centre_y - current.centre_y))
    growth = abs(wanted.side / current.side - 1)
    still = shift <= policy.centre_slack * current.side and growth <= policy.side_slack
    return current if still else wanted


def loss(box: Box, width: int, height: int, policy: Policy) -> LossReason | None:
    """Return why what lies in a box cannot be a face in a frame of this size, None if it can."""
    if not math.isfinite(box.centre_x + box.centre_y + box.side):
        return LossReason.NOT_FINITE
    if box.side < policy.min_side:
        return LossReason.TOO_SMALL
    if not (0 <= box.centre_x < width and 0 <= box.centre_y < height):
        return LossReason.LEFT_PICTURE
    return None


def too_wide(spread: NDArray[np.floating], box: Box, policy: Policy) -> bool:
    """Return whether heatmaps of these spreads (98,), frame pixels, are wider than those of faces."""
    return float(spread.mean()) > policy.max_spread * box.side


def doubt(previous: Box | None, box: Box, spread: NDArray[np.floating], policy: Policy) -> LossReason | None:
    """Return why a result should be checked with the detector, None if it looks right.

    Args:
        previous: the box around the last frame's landmarks.
        box: around this one's.
        spread: of the newest evaluation's heatmaps (98,), frame pixels; those that RwR carries along are wider.
        policy: of the tracker.
    """
    if too_wide(spread, box, policy):
        return LossReason.UNCERTAIN
    if previous is not None:
        if math.hypot(*box.from_last(previous)) > policy.max_jump:
            return LossReason.JUMPED
        if not 1 / policy.max_growth < box.side / previous.side < policy.max_growth:
            return LossReason.CHANGED_SIZE
    return None


def match(
    tracks: Sequence[Track], detections: Sequence[Detection], policy: Policy
) -> tuple[dict[int, Detection], list[Detection]]:
    """Assign detections to tracks, nearest first.

    Returns:
        Detections by face identity, and the detections that belong to no track.
    """
    pairs = []
    for track in tracks:
        for index, detection in enumerate(detections):
            crop = detection.crop(policy.crop_scale)
            distance = _apart(crop, track.crop)
            if distance < policy.match_distance * max(crop.side, track.crop.side):
                pairs.append((distance, track.face, index))
    owned: dict[int, Detection] = {}
    taken: set[int] = set()
    for _, face, index in sorted(pairs):
        if face not in owned and index not in taken:
            owned[face] = detections[index]
            taken.add(index)
    return owned, [detection for index, detection in enumerate(detections) if index not in taken]


def in_order(follow: str, places: Sequence[tuple[int, Crop]], width: int, height: int) -> list[int]:
    """Return the indices of faces in the order in which ``follow`` prefers them; the larger one where it does not say.

    Args:
        follow: see :class:`app.core.settings.TrackingSettings`.
        places: each face's number, and where it is.
        width: of the frame, pixels.
        height: of the frame, pixels.
    """

    def rank(index: int) -> tuple[float, float]:
        face, crop = places[index]
        match follow:
            case FollowChoice.LARGEST:
                return 0.0, -crop.side
            case FollowChoice.CENTRE:
                return math.hypot(crop.centre_x - width / 2, crop.centre_y - height / 2), -crop.side
            case FollowChoice.FIRST:
                return float(face), -crop.side
        return float(face != int(follow)), -crop.side

    return sorted(range(len(places)), key=rank)


def agrees(crop: Crop, detection: Detection, policy: Policy) -> bool:
    """Return whether a detection shows the face where ``crop`` has it."""
    seen = detection.crop(policy.crop_scale)
    near = _apart(seen, crop) <= policy.agree_distance * crop.side
    return near and 1 / policy.agree_growth < seen.side / crop.side < policy.agree_growth


def watch_motion(track: Track, box: Box, policy: Policy) -> None:
    """Bring ``track.velocity`` and ``track.unrest`` up to date with the box of its next landmarks, before it is taken.

    Unrest is the change of velocity and of the box's size in one frame, in box sides; it fades by ``policy.calming``
    a frame. A face that is covered by another loses its landmarks to that one at once, while the one in front moves on
    as before.
    """
    if track.box is None:
        return
    velocity = box.from_last(track.box)
    jerk = abs(math.log(max(box.side, 1e-6) / track.box.side))
    if track.velocity is not None:
        jerk += math.dist(velocity, track.velocity)
    track.velocity, track.unrest = velocity, max(policy.calming * track.unrest, jerk)


def drop_overlapping(tracks: Sequence[Track], policy: Policy) -> list[Track]:
    """Return the tracks without those that have drifted onto another one's face.

    Of two on one face the one whose landmarks are not in doubt is kept, then the one that moved more evenly, then the
    older one.
    """
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda track: (track.doubt is not None, track.unrest, track.face)):
        twin = any(
            _apart(track.crop, other.crop) < policy.match_distance / 2 * min(track.crop.side, other.crop.side)
            for other in kept
        )
        if not twin:
            kept.append(track)
    return kept


@dataclass(frozen=True, slots=True)
class _Lost:
    face: int
    crop: Crop
    seconds: float


class Identities:
    """Numbers faces from 0 up; a face that comes back soon, where it was lost, keeps its number.

    Args:
        reach: a newcomer is the lost face if its centre is within this share of the larger crop's side,
        growth: its side within this factor,
        patience: and it comes within so many seconds.
    """

    def __init__(self, reach: float = 0.5, growth: float = 1.5, patience: float = 3.0) -> None:
        self._reach, self._growth, self._patience = reach, growth, patience
        self._next = 0
        self._lost: list[_Lost] = []

    def lose(self, face: int, crop: Crop, seconds: float) -> None:
        """Remember where a face was when it was lost, on the source's clock."""
        self._lost.append(_Lost(face, crop, seconds))

    def of(self, crop: Crop, seconds: float) -> int:
        """Return the identity of a newcomer: of the nearest face lost there, or a new one."""
        self._lost = [lost for lost in self._lost if 0 <= seconds - lost.seconds <= self._patience]
        near = [(distance, lost) for lost in self._lost if (distance := self._distance(lost.crop, crop)) <= self._reach]
        if near:
            _, found = min(near, key=lambda pair: pair[0])
            self._lost.remove(found)
            return found.face
        self._next += 1
        return self._next - 1

    def forget_places(self) -> None:
        """Treat every newcomer as a new face: after a scene cut."""
        self._lost.clear()

    def forget(self) -> None:
        """Number from 0 again: for a new source."""
        self._lost.clear()
        self._next = 0

    def _distance(self, lost: Crop, crop: Crop) -> float:
        """Return how far apart in larger sides; infinite where the sizes do not fit."""
        if not 1 / self._growth <= crop.side / lost.side <= self._growth:
            return math.inf
        return _apart(crop, lost) / max(crop.side, lost.side)


def _apart(first: Crop, second: Crop) -> float:
    """Return the distance of two crops' centres, frame pixels."""
    return math.hypot(first.centre_x - second.centre_x, first.centre_y - second.centre_y)
