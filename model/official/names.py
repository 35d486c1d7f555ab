"""Names and shapes of the released LDEQ's parameters, and how they follow from ours."""

from __future__ import annotations

from collections.abc import Iterable

from model.config import DEPTH

FIRST = "tail.0.conv.weight"
"""The released name of the stem's first convolution: every released state dict has it once."""


def module_names() -> dict[str, str]:
    """Return our module prefix for each prefix of the released ``state_dict`` (no trailing dot)."""
    names = {f"tail.{official}": f"stem.block{ours}" for ours, official in enumerate((0, 1, 3), start=1)}
    cell = "deq_layer.cell"
    names[f"{cell}.tail"] = "cell.tail"
    names[f"{cell}.head.conv"] = "cell.head"
    glass = f"{cell}.hourglass"
    names[f"{glass}.bottlneck"] = "cell.hourglass.bottleneck"
    for level in range(DEPTH):
        up = DEPTH - level  # the way up counts from the coarsest level
        names[f"{glass}.same{level + 1}"] = f"cell.hourglass.same.{level}"
        names[f"{glass}.upchan{level + 1}"] = f"cell.hourglass.up_channel.{level}"
        names[f"{glass}.downchan{2 * up - 1}"] = f"cell.hourglass.down_channel.{level}"
        names[f"{glass}.downchan{2 * up}"] = f"cell.hourglass.merge.{level}"
        names[f"{glass}.same{DEPTH + up}"] = f"cell.hourglass.refine.{level}"
    return names


def parameter_names(ours: Iterable[str]) -> dict[str, str]:
    """Return our parameter by its released name.

    Args:
        ours: the names in the state dict of a :class:`model.network.Ldeq`.
    """
    released = {our: theirs for theirs, our in module_names().items()}
    names = {}
    for name in ours:
        module = next(prefix for prefix in released if name.startswith(f"{prefix}."))
        names[released[module] + name.removeprefix(module)] = name
    return names
