"""Report cards as text, and the sentences that the terminal and the drawn card share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.modes import MODE_NAMES
from app.core.text_table import table
from app.holdstill.card import Card, Light, ModeFigures, Stillness
from app.holdstill.comparison import Comparison, ModeChange, compare, compare_modes, flicker_interval
from model.metrics.confidence import Figure
from model.topology import REGIONS

SAME_WITHIN = 0.01
METER_FLOOR = 0.01
"""What the flicker meter reads in % for landmarks that follow a still head exactly (benchmarks/hold_still.py)."""
NEAR = 1.5
"""Readings below this multiple of the floor are dominated by the meter's own noise."""


def mode_name(mode: str) -> str:
    """Return a mode's display name; an unknown mode keeps its key."""
    return MODE_NAMES.get(mode, mode)


def near_floor(mode: ModeFigures) -> bool:
    """Whether a mode's flicker is close to the meter's own noise."""
    return mode.flicker.percent < NEAR * METER_FLOOR


def card_lines(card: Card) -> list[str]:
    """Return a card as lines: one block a mode, then what it was measured in."""
    figures = card.figures
    lines = [f"{card.title}  \u00b7  {card.when:%Y-%m-%d %H:%M:%S}", ""]
    header = ("% of inter-ocular", "overall", *(region.name for region in REGIONS), "px", "95 % interval")
    rows = []
    for mode in figures.modes:
        title = mode_name(mode.mode)
        for name, noise in (("flicker", mode.flicker), ("wander", mode.wander)):
            values = (noise.percent, *noise.regions_percent, noise.pixels)
            interval = flicker_interval(mode).ends(3) if name == "flicker" else ""
            rows.append((f"{title} {name}", *(f"{value:.3f}" for value in values), interval))
    lines += [table(header, rows), ""]
    verdict = modes_verdict(card)
    if verdict:
        lines.append(verdict)
    floor = [mode_name(mode.mode) for mode in figures.modes if near_floor(mode)]
    if floor:
        lines.append(f"{' and '.join(floor)}: near the meter's own floor of {METER_FLOOR} %")
    lines += [
        stillness_text(figures.stillness),
        pace_text(card),
        light_text(figures.light),
        f"Engine {card.engine.name}, weights {card.engine.weights} ({card.engine.sha256[:8]}), "
        f"LDEQ Live {card.software.ldeq_live}",
    ]
    return lines


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return the comparison of two cards as lines."""
    first, second = comparison.first, comparison.second
    lines = [
        f"A  {first.title}  \u00b7  {first.when:%Y-%m-%d %H:%M:%S}",
        f"B  {second.title}  \u00b7  {second.when:%Y-%m-%d %H:%M:%S}",
        "",
    ]
    for change in comparison.modes:
        title = mode_name(change.after)
        for name, rows in (("flicker", change.flicker), ("wander", change.wander)):
            cells = [(row.name, f"{row.before:.3f}", f"{row.after:.3f}", f"{row.ratio:.2f}") for row in rows]
            lines.append(table((f"{title} {name}", "A %", "B %", "B / A"), cells))
        lines += [comparison_verdict(change), ""]
    if not comparison.modes:
        lines += ["The cards have no mode in common.", ""]
    lines.append("What else was different:" if comparison.differences else "Nothing else was different.")
    lines += [f"  {text}" for text in comparison.differences]
    return lines


def modes_verdict(card: Card) -> str:
    """Return a sentence that compares the first two modes of a card, "" if it has only one."""
    if len(card.modes) < 2:
        return ""
    chosen, other = card.modes[:2]
    change = compare_modes(card, other, chosen)
    if change is None:
        return ""
    if not change.sure:
        return f"{mode_name(chosen)} and {mode_name(other)}: no sure difference in flicker"
    return f"{mode_name(chosen)} flickers {_more_or_less(change)} {mode_name(other)}"


def comparison_verdict(change: ModeChange) -> str:
    """Return a sentence about how one mode's flicker differs between two cards."""
    title = mode_name(change.after)
    if not change.sure:
        return f"{title}: no sure difference in flicker"
    return f"{title} flickers on B {_more_or_less(change)} on A"


def stillness_text(stillness: Stillness) -> str:
    """Return a sentence about how still the person was and how much of the test counts."""
    blinks = {0: "no blinks", 1: "1 blink left out"}.get(stillness.blinks, f"{stillness.blinks} blinks left out")
    text = (
        f"Still for {stillness.seconds:.1f} of {stillness.asked:g} s ({blinks}); the head went "
        f"{stillness.travel:.1f} %, at up to {stillness.speed:.1f} % a second"
    )
    return text if stillness.good else f"{text}. You moved: repeat the test for a surer figure"


def pace_text(card: Card) -> str:
    """Return a sentence about the tracking speed and the pictures."""
    pace, camera = card.figures.pace, card.camera
    asked = "" if camera.asked in (None, camera.got) else f" (asked {camera.asked.text()})"
    skipped = f", {pace.skipped} frames skipped" if pace.skipped else ""
    return (
        f"{pace.fps:.1f} fps{skipped}, latency {pace.latency_p50 * 1e3:.0f} / {pace.latency_p95 * 1e3:.0f} ms "
        f"(median / 95th percentile), {camera.name} {camera.got.text()}{asked}"
    )


def light_text(light: Light) -> str:
    """Return a sentence about the light and sharpness of the pictures."""
    return (
        f"Light {light.light:.0f} of 255, contrast {light.contrast:.0f}, sharpness {light.sharpness:.3g}, sensor noise "
        f"{light.noise:.1f}, {light.inter_ocular:.0f} px between the eyes"
    )


def _more_or_less(change: ModeChange) -> str:
    ratio = change.flicker[0].ratio
    if abs(ratio - 1) < SAME_WITHIN:
        return "about as much as"
    if ratio >= 2:
        return f"{ratio:.1f} \u00d7 as much as"
    return f"{1 - ratio:.0%} less than" if ratio < 1 else f"{ratio - 1:.0%} more than"


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
