"""Packing: what belongs to one frame goes into as few datagrams as fit a network packet."""

from __future__ import annotations

from collections.abc import Sequence

LARGEST = 1400
"""Bytes of a datagram that no usual network has to break into pieces (1500 less the headers, with room for tunnels)."""


def packed(sizes: Sequence[int], room: int) -> list[range]:
    """Split pieces of ``sizes`` bytes, in order, into runs of at most ``room``; a larger piece is a run of its own."""
    runs: list[range] = []
    start = taken = 0
    for index, size in enumerate(sizes):
        if index > start and taken + size > room:
            runs.append(range(start, index))
            start, taken = index, 0
        taken += size
    return [*runs, range(start, len(sizes))] if sizes else runs
