"""Blendshapes with ARKit's names, 0 to 1, as far as 98 points carry them.

Each is the change of a measure against a neutral expression over the change at which it counts as full. What counts as
full is rounded from the 2nd and 98th percentile of near-frontal faces among 2,217 hand-labelled ones (WFLW training
part). ARKit's "left" is the person's, the right one in the picture. Of the 52 shapes, those of tongue, cheeks and nose,
and those that move single lips or the jaw sideways or forward, are not among these.
"""

from __future__ import annotations

from model.signals.expression import Expression
from model.signals.eyes import CLOSED_EAR, LEAST_RANGE

AVERAGE = Expression(
    lips=0.0,
    chin=-0.79,
    corner_left=-0.27,
    corner_right=-0.27,
    reach_left=0.31,
    reach_right=0.31,
    mouth_x=0.0,
    brow_inner_left=0.214,
    brow_inner_right=0.214,
    brow_outer_left=0.188,
    brow_outer_right=0.188,
    lower_lid_left=-0.0285,
    lower_lid_right=-0.0285,
    ear_left=0.257,
    ear_right=0.257,
    gaze_left_x=-0.016,
    gaze_left_y=0.058,
    gaze_right_x=0.016,
    gaze_right_y=0.058,
)
"""Neutral expression of a person who has recorded none: the median of 487 near-frontal faces with closed lips among the
labelled ones, made symmetric."""

LIPS_OPEN = 0.40
CHIN_DROP, CHIN_SLACK = 0.45, 0.08
"""The chin's point slides along the contour when the head nods, so that small drops do not count."""
LIPS_APART = 0.10
"""Between lips that touch and lips so far apart, a pucker becomes a funnel."""
CORNER_RISE, CORNER_OUT, CORNER_IN = 0.13, 0.13, 0.11
MOUTH_ASIDE = 0.06
BROW_UP, BROW_DOWN = 0.10, 0.08
LID_RISE = 0.025
WIDE = 0.4
"""Eye aspect ratio over the neutral one, less 1."""
LOOK_ASIDE, LOOK_UP, LOOK_DOWN = 0.20, 0.09, 0.15


def blendshapes(now: Expression, neutral: Expression = AVERAGE) -> dict[str, float]:
    """Return the blendshapes by ARKit's name, 0 to 1, of an expression; all are 0 for the neutral one.

    Args:
        now: the expression.
        neutral: of the same person.
    """
    gap = (now.lips - neutral.lips) / LIPS_OPEN
    drop = (neutral.chin - now.chin - CHIN_SLACK) / CHIN_DROP
    jaw = _unit(max(gap, drop))
    apart = _unit((now.lips - neutral.lips) / LIPS_APART)
    reach = (now.reach_left - neutral.reach_left + now.reach_right - neutral.reach_right) / 2
    pursed = _unit(-reach / CORNER_IN)
    aside = (now.mouth_x - neutral.mouth_x) / MOUTH_ASIDE
    inner_left = now.brow_inner_left - neutral.brow_inner_left
    inner_right = now.brow_inner_right - neutral.brow_inner_right
    shapes = {
        "jawOpen": jaw,
        "mouthClose": _unit(jaw - max(gap, 0.0)),
        "mouthFunnel": pursed * apart,
        "mouthPucker": pursed * (1 - apart),
        "mouthLeft": _unit(aside),
        "mouthRight": _unit(-aside),
        "browInnerUp": _unit((inner_left + inner_right) / 2 / BROW_UP),
        "browDownLeft": _unit(-inner_right / BROW_DOWN),
        "browDownRight": _unit(-inner_left / BROW_DOWN),
        "browOuterUpLeft": _unit((now.brow_outer_right - neutral.brow_outer_right) / BROW_UP),
        "browOuterUpRight": _unit((now.brow_outer_left - neutral.brow_outer_left) / BROW_UP),
    }
    opened = max(gap, 0.0)
    shapes |= _corner("Left", now.corner_right - neutral.corner_right, now.reach_right - neutral.reach_right, opened)
    shapes |= _corner("Right", now.corner_left - neutral.corner_left, now.reach_left - neutral.reach_left, opened)
    shapes |= _eye(
        "Left",
        (now.ear_right, neutral.ear_right),
        now.lower_lid_right - neutral.lower_lid_right,
        neutral.gaze_right_x - now.gaze_right_x,
        now.gaze_right_y - neutral.gaze_right_y,
    )
    shapes |= _eye(
        "Right",
        (now.ear_left, neutral.ear_left),
        now.lower_lid_left - neutral.lower_lid_left,
        now.gaze_left_x - neutral.gaze_left_x,
        now.gaze_left_y - neutral.gaze_left_y,
    )
    return shapes


def _corner(side: str, rise: float, out: float, gap: float) -> dict[str, float]:
    """Return the shapes of one corner of the mouth; an open jaw takes the corners down, which is no frown."""
    up, wide = rise / CORNER_RISE, out / CORNER_OUT
    if up < 0:
        up = min(0.0, up + gap)
    return {
        f"mouthSmile{side}": _unit(0.7 * up + 0.3 * wide) if up > 0 else 0.0,
        f"mouthFrown{side}": _unit(-up),
        f"mouthStretch{side}": _unit(wide - max(up, 0.0)),
    }


def _eye(side: str, ears: tuple[float, float], lid_rise: float, inwards: float, up: float) -> dict[str, float]:
    """Return the shapes of one eye; ``inwards`` and ``up`` are the pupil's moves, which closed lids hide."""
    ear, usual = ears
    blink = _unit((usual - ear) / max(usual - CLOSED_EAR, LEAST_RANGE))
    seen = 1 - blink
    return {
        f"eyeBlink{side}": blink,
        f"eyeWide{side}": _unit((ear / max(usual, CLOSED_EAR) - 1) / WIDE),
        f"eyeSquint{side}": _unit(lid_rise / LID_RISE),
        f"eyeLookIn{side}": seen * _unit(inwards / LOOK_ASIDE),
        f"eyeLookOut{side}": seen * _unit(-inwards / LOOK_ASIDE),
        f"eyeLookUp{side}": seen * _unit(up / LOOK_UP),
        f"eyeLookDown{side}": seen * _unit(-up / LOOK_DOWN),
    }


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
