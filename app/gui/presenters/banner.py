"""A message in the window: one sentence with a way out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

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
        tone: "info", "good" or "error".
        text: one sentence.
        offers: ways out, names in ``actions.OFFERS``.
        seconds: how long it stays; None until it is dismissed or no longer true.
    """

    key: Hashable
    tone: str
    text: str
    offers: tuple[str, ...] = ()
    seconds: float | None = None
