"""How two modes are shown on one frame: the view, its divider, and the layout of the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.frame import FrameResult
from app.gui.presenters.options import Option


class CompareView(StrEnum):
    """How two modes are shown on one frame."""

    OVERLAY = "overlay"
    SPLIT = "split"
    SIDE_BY_SIDE = "side by side"


VIEW_OPTIONS: tuple[Option, ...] = (
    Option(CompareView.OVERLAY, "Overlay", "Both on one picture: the chosen mode as points, its baseline as rings"),
    Option(
        CompareView.SPLIT, "Split", "One picture with a line to drag: the chosen mode left of it, its baseline right"
    ),
    Option(
        CompareView.SIDE_BY_SIDE,
        "Side by side",
        "The same frame twice, close to the face: the chosen mode left, its baseline right",
    ),
)

GRIP = 9.0
"""How near to the divider the mouse must be to grab it, in view units."""

STEP = 0.02
"""What a key moves the divider by, as share of the view's width."""

EDGE = 0.04
"""The divider stays so far from the view's edges, as share of its width."""

GAP = 2.0
"""Between two pictures side by side, in view units."""


@dataclass(frozen=True, slots=True)
class Pane:
    """Where one picture lies in the view, in view units from its top left corner."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of the view.

    Attributes:
        panes: one picture, or two side by side: the chosen mode's, the baseline's.
        divider: x of the line between chosen (left) and baseline (right) on one picture, None without one.
    """

    panes: tuple[Pane, ...]
    divider: float | None = None


class Comparison:
    """The user's choice of how to compare. Used by the window's thread."""

    def __init__(self, view: str = CompareView.OVERLAY, divider: float = 0.5) -> None:
        self._view = CompareView.OVERLAY
        self._divider = 0.5
        self._near = False
        self.set_view(view)
        self.set_divider(divider)

    @property
    def view(self) -> CompareView:
        """The view chosen, shown where there is something to compare."""
        return self._view

    @property
    def divider(self) -> float:
        """Where the divider of the split view is, as share of the view's width."""
        return self._divider

    def toggle_near(self) -> None:
        """Show only the face in every view, or the whole picture again where there is room for it."""
        self._near = not self._near

    def close_up(self, comparing: bool) -> bool:
        """Whether the face alone is shown: asked for, or because two pictures leave room for no more."""
        return self._near or self.in_force(comparing) == CompareView.SIDE_BY_SIDE

    def set_view(self, view: str) -> None:
        """Choose a view by its name; an unknown one, as an old file may hold, means the overlay."""
        self._view = CompareView(view) if view in tuple(CompareView) else CompareView.OVERLAY

    def next_view(self) -> CompareView:
        """Go on to the next view and return it."""
        views = tuple(CompareView)
        self._view = views[(views.index(self._view) + 1) % len(views)]
        return self._view

    def set_divider(self, share: float) -> None:
        """Put the divider at a share of the view's width."""
        self._divider = min(max(share, EDGE), 1 - EDGE) if share == share else 0.5

    def nudge(self, steps: int) -> None:
        """Move the divider by ``steps`` of 2 %, to the right if positive."""
        self.set_divider(self._divider + steps * STEP)

    def in_force(self, comparing: bool) -> CompareView:
        """Return the view to show: the overlay where there is nothing to compare."""
        return self._view if comparing else CompareView.OVERLAY

    def layout(self, width: float, height: float, comparing: bool) -> Layout:
        """Return the layout of a view of this size."""
        view = self.in_force(comparing)
        if view == CompareView.SIDE_BY_SIDE:
            half = max(1.0, (width - GAP) // 2)
            return Layout((Pane(0, 0, half, height), Pane(width - half, 0, half, height)))
        divider = round(width * self._divider) + 0.0 if view == CompareView.SPLIT else None
        return Layout((Pane(0, 0, width, height),), divider)

    def grips(self, x: float, width: float, comparing: bool) -> bool:
        """Whether the mouse at ``x`` would grab the divider."""
        divider = self.layout(width, 1.0, comparing).divider
        return divider is not None and abs(x - divider) <= GRIP


def is_comparing(result: FrameResult) -> bool:
    """Whether a frame was solved in two ways, or would have been had there been a face."""
    if result.faces:
        return any(face.other is not None for face in result.faces)
    return result.settings.compare


def compared(result: FrameResult) -> tuple[str, str | None]:
    """Return the chosen mode and its baseline on this frame, None for one that is not there."""
    for face in result.faces:
        if face.other is not None:
            return face.estimate.mode, face.other.mode
    return result.settings.mode, result.settings.baseline_mode
