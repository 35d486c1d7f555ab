"""Texts that pages share: lines of figures, and what is written on the picture."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "\u2013"
"""Stands for a figure that was not measured."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the side panel: a name, a value, and the whole story for the tooltip."""

    name: str
    value: str
    tooltip: str


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence in large letters about how the points come about.

    Attributes:
        mode: how they do, for the colour.
        text: the sentence.
    """

    mode: str
    text: str


@dataclass(frozen=True, slots=True)
class Hud:
    """What is written on the picture.

    Attributes:
        demo: the demo clip plays.
        private: the picture is blurred.
        recording: time and dropped frames, "" when nothing is recorded.
        mode: which points are drawn how.
        message: in the middle, when there is no picture yet.
        notice: at the lower edge, about the source's connection or the faces.
        caption: above that, in large letters; None for nothing.
    """

    demo: bool = False
    private: bool = False
    recording: str = ""
    mode: str = ""
    message: str = ""
    notice: str = ""
    caption: Caption | None = None
