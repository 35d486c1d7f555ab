"""Names of outputs: after their inputs, unique, and the same in the next run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from app.batch.inputs import Input
from app.batch.job import PICTURE_KINDS, UNFINISHED, VIDEO_KINDS, OutputKind
from app.batch.records import FOLDER
from app.batch.report import REPORT

LONGEST = 220
"""Bytes of a name, of the 255 that file systems take: numbers, endings and those of records follow."""


def output_names(inputs: Iterable[Input], recorded: Mapping[str, str]) -> dict[Path, str]:
    """Return the name of every input's outputs, with / between folders.

    An input that has outputs keeps their name. Others are named after their place, videos without their suffix; if that
    name is taken, or lies in the folder of a video's session, -2, -3, ... is appended. Case is ignored, since not every
    file system distinguishes it. Names that would leave no room for that and for the endings are cut.

    Args:
        inputs: in a fixed order.
        recorded: names by input, from earlier runs.
    """
    inputs = list(inputs)
    kinds = {str(each.path): PICTURE_KINDS for each in inputs if each.pictures}
    names: dict[Path, str] = {}
    taken = {_key(name): False for name in (FOLDER, UNFINISHED, REPORT)}
    """Keys of outputs, and of the folders above them: True if more outputs may be put in the folder."""
    for path, name in recorded.items():
        _take(name, kinds.get(path, VIDEO_KINDS), taken)
    for each in inputs:
        path = str(each.path)
        ours = kinds.get(path, VIDEO_KINDS)
        name = recorded.get(path) or _free(_plain(each), ours, taken)
        _take(name, ours, taken)
        names[each.path] = name
    return names


def _plain(each: Input) -> str:
    place = each.place if each.pictures else each.place.with_suffix("")
    stem = place.as_posix() + ("" if each.place.stem.strip(" .") else "pictures" if each.pictures else "video")
    # Windows keeps no space or dot at the end.
    above, slash, leaf = "/".join(part.rstrip(" .") or part for part in stem.split("/")).rpartition("/")
    while len(os.fsencode(leaf)) > LONGEST:
        leaf = leaf[:-1].rstrip(" .")
    return above + slash + leaf


def _free(name: str, kinds: Sequence[OutputKind], taken: Mapping[str, bool]) -> str:
    """Return ``name``, or one like it that is not taken."""
    *folders, leaf = name.split("/")
    path = ""
    for folder in folders:
        count = 1
        while not taken.get(_key(path + _numbered(folder, count)), True):
            count += 1
        path += f"{_numbered(folder, count)}/"
    count = 1
    while any(key in taken for key in _outputs(path + _numbered(leaf, count), kinds)):
        count += 1
    return path + _numbered(leaf, count)


def _numbered(name: str, count: int) -> str:
    return name if count == 1 else f"{name}-{count}"


def _take(name: str, kinds: Sequence[OutputKind], taken: dict[str, bool]) -> None:
    parts = name.split("/")
    for end in range(1, len(parts)):
        taken[_key("/".join(parts[:end]))] = True
    taken.update(dict.fromkeys(_outputs(name, kinds), False))


def _outputs(name: str, kinds: Sequence[OutputKind]) -> list[str]:
    """Return the keys of everything that outputs of that name may be called."""
    return [_key(name + kind.ending) for kind in kinds]


def _key(name: str) -> str:
    return os.path.normcase(name).replace("\\", "/").casefold()
