"""Whether the pictures of a folder continue each other, as the frames of a video do, or are photos on their own."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.sources.opencv import cv2
from app.sources.picture_files import picture_size, read_picture, time_taken

_Item = TypeVar("_Item")

PAIRS = 8
"""Neighbouring pictures that are compared, spread over the folder."""
SIZES = 64
"""Pictures whose size is looked at, spread over the folder."""
_THUMBNAIL = 24
_ALIKE = 0.85
"""Least correlation of two thumbnails that resemble each other. Frames of webcam and talk videos a third of a second
apart have 0.95 and more, photos of different people that are aligned by their eyes up to 0.7."""
_SAME_GREY = 6.0
"""Thumbnails that differ by no more grey levels on average resemble each other, too: dark or empty pictures."""
_APART_SECONDS = 2.0
"""Least time between two photos; the times that cameras note are whole seconds, so that a burst's may differ by 1."""
_REGULAR = 0.8
"""Least share of steps between numbers that are equal: some pictures of a sequence may be missing."""


def why_photos(paths: Sequence[Path]) -> str:
    """Return why the pictures do not continue each other, as in "since ..."; "" if they do."""
    if len(paths) < 2:
        return ""
    if not _numbered(paths):
        return "their names are not numbered consecutively"
    if len({size for path in _spread(paths, SIZES) if (size := picture_size(path)) is not None}) > 1:
        return "their sizes differ"
    pairs = _spread(list(itertools.pairwise(paths)), PAIRS)
    if _apart(pairs):
        return "they were taken seconds apart"
    if not _alike(pairs):
        return "neighbours do not resemble each other"
    return ""


def _numbered(paths: Sequence[Path]) -> bool:
    """Whether the names differ in one number only, which grows by equal steps."""
    found = [re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem, re.DOTALL) for path in paths]
    names = [(match[1], int(match[2]), match[3]) for match in found if match is not None]
    if len(names) < len(paths) or len({(before, after) for before, _, after in names}) > 1:
        return False
    steps = Counter(later[1] - earlier[1] for earlier, later in itertools.pairwise(names))
    step, count = steps.most_common(1)[0]
    return step > 0 and count >= _REGULAR * steps.total()


def _apart(pairs: Sequence[tuple[Path, Path]]) -> bool:
    """Whether cameras note for most neighbours that seconds passed between them."""
    times = [(time_taken(first), time_taken(second)) for first, second in pairs]
    apart = [
        abs((later - earlier).total_seconds()) >= _APART_SECONDS
        for earlier, later in times
        if earlier is not None and later is not None
    ]
    return 2 * sum(apart) > len(pairs)


def _alike(pairs: Sequence[tuple[Path, Path]]) -> bool:
    """Whether most neighbours resemble each other; a video may be cut here and there."""
    alike = []
    for first, second in pairs:
        try:
            alike.append(_resemble(_thumbnail(first), _thumbnail(second)))
        except SourceError:
            continue  # unreadable ones are reported when they are read
    return not alike or 2 * sum(alike) > len(alike)


def _resemble(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    if float(np.abs(first - second).mean()) <= _SAME_GREY:
        return True
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return scale > 0 and float((first * second).sum()) >= _ALIKE * scale


def _thumbnail(path: Path) -> NDArray[np.float32]:
    grey = cv2.cvtColor(read_picture(path), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)


def _spread(items: Sequence[_Item], most: int) -> list[_Item]:
    """Return at most so many items, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]
