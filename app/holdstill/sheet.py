"""A report card ready to be drawn: with everything that takes longer than drawing already worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.holdstill.card import Card
from app.holdstill.comparison import Comparison, compare, flicker_interval
from app.holdstill.text import comparison_verdict, modes_verdict
from model.metrics.confidence import Figure


@dataclass(frozen=True, slots=True)
class CardSheet:
    """One card.

    Attributes:
        card: what was measured.
        verdict: how its modes compare, in words; "" where there is only one.
        intervals: of each mode's overall flicker, in %.
    """

    card: Card
    verdict: str
    intervals: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class ComparisonSheet:
    """Two cards.

    Attributes:
        comparison: how the second differs from the first.
        verdicts: for each mode that both have, in words.
    """

    comparison: Comparison
    verdicts: tuple[str, ...]


Sheet = CardSheet | ComparisonSheet


def card_sheet(card: Card) -> CardSheet:
    """Return the sheet of one card; takes a moment, so not for the window's thread."""
    return CardSheet(card, modes_verdict(card), {mode.mode: flicker_interval(mode) for mode in card.figures.modes})


def comparison_sheet(first: Card, second: Card) -> ComparisonSheet:
    """Return the sheet of two cards; takes a moment, so not for the window's thread."""
    comparison = compare(first, second)
    return ComparisonSheet(comparison, tuple(comparison_verdict(change) for change in comparison.modes))
