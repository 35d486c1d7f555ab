"""Ways in which files get damaged: cut off, flipped, overwritten, shuffled; JSON whose values are not what they were.

Everything follows from the random number generator it is given, so a seed names a case.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

ODD_NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -1e308, 1e-320, 0.1)
ODD_VALUES: tuple[Any, ...] = (
    *ODD_NUMBERS,
    None,
    True,
    "",
    "x",
    "\u0000",
    "../../../etc/passwd",
    "/dev/null",
    "é\u202e\U0001f600",
    "a" * 5000,
    [],
    {},
    [[]],
    {"": None},
    [1, "2", None],
)


def cut(data: bytes, dice: random.Random) -> bytes:
    """Cut off at a random offset, as a full disk or a broken download does."""
    return data[: dice.randrange(len(data) + 1)]


def flip(data: bytes, dice: random.Random) -> bytes:
    """Flip 1 to 64 random bits."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 4, 16, 64)) if changed else 0):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def noise(data: bytes, dice: random.Random) -> bytes:
    """Overwrite a random part with noise or zeros, as a bad sector does."""
    if not data:
        return data
    start = dice.randrange(len(data))
    length = min(len(data) - start, dice.choice((4, 64, 512, 4096)))
    filling = bytes(length) if dice.random() < 0.5 else dice.randbytes(length)
    return data[:start] + filling + data[start + length :]


def remove(data: bytes, dice: random.Random) -> bytes:
    """Leave out a random part."""
    start, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def repeat(data: bytes, dice: random.Random) -> bytes:
    """Write a random part twice."""
    start, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end][:65536] + data[end:]


def other(data: bytes, dice: random.Random) -> bytes:
    """Replace everything by something else entirely."""
    return dice.choice(
        (b"", b"\x00", bytes(4096), dice.randbytes(4096), b"[" * 100_000, b"\xff\xfeh\x00i\x00", b"%PDF-1.7\n", b"{}\n")
    )


BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (cut, flip, noise, remove, repeat, other)


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Return the bytes damaged in one of these ways."""
    return dice.choice(BYTES)(data, dice)


def damaged_json(data: bytes, dice: random.Random) -> bytes:
    """Return JSON in which 1 to 3 values anywhere inside were replaced, left out, or given another name."""
    content = json.loads(data)
    for _ in range(dice.randint(1, 3)):
        places = list(_places(content))
        if not places:
            break
        holder, key = dice.choice(places)
        what = dice.random()
        if what < 0.7:
            holder[key] = dice.choice(ODD_VALUES)
        elif what < 0.9:
            del holder[key]
        elif isinstance(holder, dict):
            holder[key + "x"] = holder.pop(key)
        else:
            holder.insert(key, holder[key])
    return json.dumps(content).encode()


def damaged_lines(data: bytes, dice: random.Random) -> bytes:
    """Return a table in which some cells were replaced, or lines left out or swapped."""
    lines = data.split(b"\n")
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(lines))
        what = dice.random()
        if what < 0.6:
            cells = lines[place].split(b",")
            odd = dice.choice(ODD_VALUES)
            cells[dice.randrange(len(cells))] = str(odd).encode("utf-8", "replace")
            lines[place] = b",".join(cells)
        elif what < 0.8 and len(lines) > 1:
            del lines[place]
        else:
            there = dice.randrange(len(lines))
            lines[place], lines[there] = lines[there], lines[place]
    return b"\n".join(lines)


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Return every (holder, key) inside, depth first."""
    found: list[tuple[Any, Any]] = []
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in list(keys):
        found.append((content, key))
        found += _places(content[key])
    return found
