"""What is to be seen of a hold-still test: its words, its progress, and the cards to compare with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from app.holdstill.card import Card
from app.holdstill.card_file import CardFile
from app.holdstill.samples import TEST_SECONDS, Sampler
from app.holdstill.sheet import Sheet

IDLE, COUNTDOWN, MEASURING, WORKING, DONE, FAILED = "idle", "countdown", "measuring", "working", "done", "failed"
MOST_CHOICES = 12


@dataclass(frozen=True, slots=True)
class HoldStillView:
    """What is to be seen of the test.

    Attributes:
        stage: "idle", "countdown", "measuring", "working", "done" or "failed".
        headline: a few words, large.
        advice: one sentence below.
        count: seconds to go, in the ring; "" where there is nothing to wait for.
        progress: share of the ten seconds, 0 to 1.
        good: whether nothing needs to change in front of the camera.
        sheet: the card, or two compared, once done.
        path: where the card lies; None where it could not be saved.
        problem: one sentence about what could not be saved or read, "" normally.
        note: one sentence about what was saved, "" before.
        others: cards that this one can be compared with, newest first.
    """

    stage: str = IDLE
    headline: str = ""
    advice: str = ""
    count: str = ""
    progress: float = 0.0
    good: bool = True
    sheet: Sheet | None = None
    path: Path | None = None
    problem: str = ""
    note: str = ""
    others: tuple[CardFile, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the overlay is to be shown on the picture."""
        return self.stage in (COUNTDOWN, MEASURING, WORKING, FAILED)


def countdown_view(left: float, face: bool) -> HoldStillView:
    """Return what is seen ``left`` seconds before the test begins; ``face`` tells whether one is in view."""
    count = str(max(1, math.ceil(left)))
    if face:
        return HoldStillView(COUNTDOWN, "Get ready", "Look at the camera and keep still.", count)
    return HoldStillView(COUNTDOWN, "No face in view", "Sit in front of the camera.", count, good=False)


def measuring_view(sampler: Sampler) -> HoldStillView:
    """Return what is seen while frames are collected."""
    progress = sampler.progress
    count = str(max(1, math.ceil((1 - progress) * TEST_SECONDS)))
    if progress > 0 and not sampler.face_in_view:
        return HoldStillView(MEASURING, "No face in view", "Come back into the picture.", count, progress, good=False)
    if sampler.restless:
        return HoldStillView(MEASURING, "You are moving", "Hold still; lean on something.", count, progress, good=False)
    return HoldStillView(MEASURING, "Hold still", "Good. Breathe calmly; blinking is fine.", count, progress)


def card_choices(others: tuple[CardFile, ...]) -> list[tuple[str, Path]]:
    """Return the labels and paths of the cards to compare with, newest first."""
    return [(_choice(file.card), file.path) for file in others[:MOST_CHOICES]]


def _choice(card: Card) -> str:
    label = f"{card.label}, {card.camera.name}" if card.label else card.camera.name
    return f"{card.when:%d %b %H:%M}   {label}"
