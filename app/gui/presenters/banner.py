"""A message in the window: one sentence with actions to take."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum

from app.gui.presenters.actions import ActionName


class Tone(StrEnum):
    """How a message is meant."""

    INFO = "info"
    GOOD = "good"
    ERROR = "error"


NOTICE_SECONDS = 6.0
"""How long good news stays."""


@dataclass(frozen=True, slots=True)
class Banner:
    """One message.

    Attributes:
        key: tells two occasions of the same message apart.
        tone: how it is meant.
        text: one sentence.
        offers: actions to take, keys of ``actions.OFFERS``.
        seconds: how long it stays; None until it is dismissed or no longer true.
    """

    key: Hashable
    tone: Tone
    text: str
    offers: tuple[ActionName, ...] = ()
    seconds: float | None = None
