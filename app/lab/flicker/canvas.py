"""What every picture of the laboratory shares: panels, colours and markers of the families, and the way to a PNG."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from app.lab.flicker.methods import COLD

LOOKS = {
    COLD: ("#000000", "*"),
    "RwR": ("#D55E00", "D"),
    "RwR, constant weight": ("#CC79A7", "d"),
    "RwR as released": ("#E69F00", "s"),
    "EMA": ("#0072B2", "o"),
    "1 euro": ("#56B4E9", "^"),
    "Savitzky-Golay, end point": ("#009E73", "v"),
    "Savitzky-Golay, late": ("#7FCDB0", "<"),
    "Savitzky-Golay, picture held back": ("#6B6B6B", ">"),
    "Kalman, constant velocity": ("#8A6D00", "P"),
}
"""Colour and marker of each family: Okabe and Ito's colours, and a shape of its own for those who see them alike."""
OTHER_LOOK = ("#7f7f7f", "X")
DPI = 130
PANEL = (6.6, 5.4)
"""Width and height of one group's panel, in inches."""
LEGEND_COLUMNS = {1: 2, 2: 5}
"""Columns of a figure's legend by its number of panels; more panels take as many as two."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a picture that has something to say: shares of its width and height from the top left, and text."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture: PNG, and its spots."""

    png: bytes
    spots: tuple[Spot, ...] = ()


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure that is drawn without a screen, and its panels side by side."""
    figure = Figure(figsize=(PANEL[0] * count, PANEL[1]), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, count, squeeze=False)[0]
    for axis in axes:
        axis.grid(color="#e4e4e4", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def legend_below(figure: Figure, axes: list[Axes]) -> None:
    """Put one legend for all panels under them."""
    handles, labels = axes[0].get_legend_handles_labels()
    columns = min(LEGEND_COLUMNS.get(len(axes), 5), len(labels))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=9, frameon=False)


def png_of(figure: Figure) -> bytes:
    """Return the figure as PNG; the same figure gives the same bytes."""
    stream = BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
