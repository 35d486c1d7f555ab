"""The list of keys: groups of actions, dealt out to columns of about the same height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.presenters import actions
from app.gui.presenters.actions import ACTIONS, Action, ActionGroup

HEADING_LINES = 2
"""A group's heading takes as much room as two lines, with the gap above it."""

_SIGNS = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓"}


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """Actions about one thing."""

    name: str
    actions: tuple[Action, ...]

    @property
    def lines(self) -> int:
        """How high it is."""
        return HEADING_LINES + len(self.actions)


def key_groups() -> tuple[KeyGroup, ...]:
    """Return the actions that have a key, by group, in the order of :class:`ActionGroup`."""
    found = (KeyGroup(name, tuple(a for a in ACTIONS if a.group == name and a.key)) for name in ActionGroup)
    return tuple(group for group in found if group.actions)


def columns(groups: Sequence[KeyGroup], count: int) -> tuple[tuple[KeyGroup, ...], ...]:
    """Deal groups out to at most ``count`` columns in order, so that the highest one is as low as can be."""
    limit = max(group.lines for group in groups)
    while True:
        dealt: list[list[KeyGroup]] = [[]]
        for group in groups:
            if dealt[-1] and sum(g.lines for g in dealt[-1]) + group.lines > limit:
                dealt.append([])
            dealt[-1].append(group)
        if len(dealt) <= count:
            return tuple(tuple(column) for column in dealt)
        limit += 1


def shown_key(key: str) -> str:
    """Return a key as people know it: arrows as signs, names of combinations with spaces."""
    *held, last = key.replace("Ctrl", actions.COMMAND).split("+") if key != "+" else [key]
    return " + ".join([*held, _SIGNS.get(last, last)])
