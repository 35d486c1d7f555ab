"""Recordings that lost their end after they were finished: by a broken copy, a disk that gave out.

While it is written, one of our MP4 files is a row of fragments behind a first index, and plays without its end. When it
is finished a full index is written behind everything, and all before it is hidden in one box of media data, so that
other programs see a plain file (FFmpeg's hybrid_fragmented). Without that last index nothing can be found in it; but
the fragments are all still there, and only have to be uncovered again.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_HEAD = 64
_MEDIA, _TYPE, _INDEX, _FREE = b"mdat", b"ftyp", b"moov", b"free"


def uncover_fragments(path: Path) -> mmap.mmap | None:
    """Return a file whose fragments were hidden as one that can be read; None where it is no such file.

    What is returned is a private copy of it in memory, page by page as it is read; the file is not changed.
    """
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):  # gone, empty, or nothing that can be mapped
        return None
    place = 0
    while (box := _box(content, place)) is not None and place < _HEAD:
        size, kind = box
        if kind == _MEDIA:
            first = _box(content, place + 8)
            second = None if first is None else _box(content, place + 8 + first[0])
            if first is not None and second is not None and (first[1], second[1]) == (_TYPE, _INDEX):
                content[place : place + 8] = struct.pack(">I4s", 8 + first[0], _FREE)
                _hide_what_is_cut(content, place + 8 + first[0])
                return content
            break
        if kind not in (_TYPE, _FREE) or size < 8:
            break
        place += size
    content.close()
    return None


def _hide_what_is_cut(content: mmap.mmap, place: int) -> None:
    """Turn the last box, if it is a description that was cut, into one that readers pass over."""
    while (box := _box(content, place)) is not None and box[0] >= 8:
        size, kind = box
        if place + size > len(content) and kind != _MEDIA:
            content[place + 4 : place + 8] = _FREE
        place += size


def _box(content: mmap.mmap, place: int) -> tuple[int, bytes] | None:
    """Return the size and kind of the box at ``place``; None beyond the end."""
    head = content[place : place + 8]
    return struct.unpack(">I4s", head) if len(head) == 8 else None
