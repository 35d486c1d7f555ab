"""The window's colours, dark and light; both are muted, so that the video dominates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.core.modes import Mode


class Theme(StrEnum):
    """The choice of colours; SYSTEM follows the operating system."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"


Colour = str
"""As Qt reads it: "#rrggbb" or "#aarrggbb"."""


@dataclass(frozen=True, slots=True)
class Palette:
    """One set of colours.

    Attributes:
        name: of the theme, dark or light.
        stage: behind the picture.
        ground: of the window.
        card: of a panel.
        raised: of a button or a bar's groove.
        hover: of a button under the pointer.
        pressed: of an offered button under the pointer.
        line: borders and separators.
        text: to be read first.
        dim: to be read second.
        faint: what is off, and small print.
        record: the sign of a recording.
        demo: the sign of the demo clip.
        on_record: text on ``record``.
        veil: behind words that lie on the picture.
        modes: of each way to track, by its name.
        tones: of messages: "info", "good" or "error".
    """

    name: Theme
    stage: Colour
    ground: Colour
    card: Colour
    raised: Colour
    hover: Colour
    pressed: Colour
    line: Colour
    text: Colour
    dim: Colour
    faint: Colour
    record: Colour
    demo: Colour
    on_record: Colour
    veil: Colour
    modes: Mapping[str, Colour]
    tones: Mapping[str, Colour]


DARK = Palette(
    name=Theme.DARK,
    stage="#07090c",
    ground="#0e1116",
    card="#161a21",
    raised="#20262f",
    hover="#2a313c",
    pressed="#36404e",
    line="#262d37",
    text="#e8ecf1",
    dim="#9aa4b2",
    faint="#7b8694",
    record="#ff5a5f",
    demo="#ffc24b",
    on_record="#1b0506",
    veil="#f0181d25",
    modes={Mode.RWR: "#5ee2ac", Mode.COLD: "#93a5ff", Mode.EMA: "#ffc24b", Mode.ONE_EURO: "#f58fd0"},
    tones={"info": "#7cc0ff", "good": "#5ee2ac", "error": "#ff8f70"},
)

LIGHT = Palette(
    name=Theme.LIGHT,
    stage="#dfe3e8",
    ground="#f3f5f8",
    card="#ffffff",
    raised="#e6eaef",
    hover="#d9dfe6",
    pressed="#cbd3dc",
    line="#d3dae2",
    text="#15191f",
    dim="#4b5562",
    faint="#656e7a",
    record="#c81e2b",
    demo="#8f5800",
    on_record="#ffffff",
    veil="#f4ffffff",
    modes={Mode.RWR: "#06754c", Mode.COLD: "#4257d6", Mode.EMA: "#8f5800", Mode.ONE_EURO: "#a82f80"},
    tones={"info": "#1763ad", "good": "#0a6f4a", "error": "#b0361a"},
)

PALETTES: Mapping[Theme, Palette] = {palette.name: palette for palette in (DARK, LIGHT)}
