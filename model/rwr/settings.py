"""Settings of a warm solve, and those of the authors' release."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.errors import ModelError
from model.rwr.reference import MotionGains
from model.rwr.weight import Adaptation


@dataclass(frozen=True, slots=True)
class RwrSettings:
    """How a warm solve goes.

    Attributes:
        evaluations: most evaluations of the cell in a warm frame.
        settled: relative residual below which no further evaluation is spent; one frame in a hundred has more
            than 0.5, those in which something happened at once.
        recurrence_weight: base weight w, how strongly the solution is pulled towards the last frame's while nothing
            moves; 0 leaves only the warm start.
        adaptation: how the weight of each landmark departs from it, see
            :class:`model.rwr.weight.AdaptiveWeight`; None keeps it the same for all.
        follow_crop: resample the old state into the new crop; off carries it raw, as the release does.
        follow_picture: move the old state as the picture has moved, where the pictures are given.
        gains: how much of a newly measured motion is believed.
    """

    evaluations: int = 2
    settled: float = 0.5
    recurrence_weight: float = 4.0
    adaptation: Adaptation | None = field(default_factory=Adaptation)
    follow_crop: bool = True
    follow_picture: bool = True
    gains: MotionGains = field(default_factory=MotionGains)

    def __post_init__(self) -> None:
        if self.evaluations < 1:
            raise ModelError(f"a warm solve needs at least 1 evaluation, not {self.evaluations}")
        if not self.settled >= 0:
            raise ModelError(f"the residual of a settled solve must not be negative, but is {self.settled}")
        if not 0 <= self.recurrence_weight < float("inf"):
            raise ModelError(f"the recurrence weight must not be negative, and finite, not {self.recurrence_weight}")
        if not self.follow_crop and (self.recurrence_weight or self.follow_picture):
            raise ModelError(
                "a state carried raw is no reference: a recurrence weight and following the picture need follow_crop"
            )


RELEASED = RwrSettings(evaluations=2, settled=0.0, recurrence_weight=0.0, follow_crop=False, follow_picture=False)
"""RwR as the authors' released code does it: two evaluations from the raw state."""
