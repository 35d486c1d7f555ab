"""Names of outputs: after their videos, unique, and the same in the next run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from app.batch.inputs import Input
from app.batch.job import UNFINISHED, OutputKind
from app.batch.records import FOLDER
from app.batch.report import REPORT

LONGEST = 220
"""Bytes of a name, of the 255 that file systems take: numbers, endings and those of records follow."""


def output_names(videos: Iterable[Input], recorded: Mapping[str, str]) -> dict[Path, str]:
    """Return the name of every video's outputs, with / between folders.

    A video that has outputs keeps their name. Others are named after their place without its suffix; if that name is
    taken, or lies in the folder of another video's session, -2, -3, ... is appended. Case is ignored, since not every
    file system distinguishes it. Names that would leave no room for that and for the endings are cut.

    Args:
        videos: in a fixed order.
        recorded: names by video, from earlier runs.
    """
    names: dict[Path, str] = {}
    taken = {_key(name): False for name in (FOLDER, UNFINISHED, REPORT)}
    """Keys of outputs, and of the folders above them: True if more outputs may be put in the folder."""
    for name in recorded.values():
        _take(name, taken)
    for video in videos:
        name = recorded.get(str(video.path)) or _free(_plain(video.place), taken)
        _take(name, taken)
        names[video.path] = name
    return names


def _plain(place: PurePath) -> str:
    stem = place.with_suffix("").as_posix() + ("" if place.stem.strip(" .") else "video")
    # Windows keeps no space or dot at the end.
    above, slash, leaf = "/".join(part.rstrip(" .") or part for part in stem.split("/")).rpartition("/")
    while len(os.fsencode(leaf)) > LONGEST:
        leaf = leaf[:-1].rstrip(" .")
    return above + slash + leaf


def _free(name: str, taken: Mapping[str, bool]) -> str:
    """Return ``name``, or one like it that is not taken."""
    *folders, leaf = name.split("/")
    path = ""
    for folder in folders:
        count = 1
        while not taken.get(_key(path + _numbered(folder, count)), True):
            count += 1
        path += f"{_numbered(folder, count)}/"
    count = 1
    while any(key in taken for key in _outputs(path + _numbered(leaf, count))):
        count += 1
    return path + _numbered(leaf, count)


def _numbered(name: str, count: int) -> str:
    return name if count == 1 else f"{name}-{count}"


def _take(name: str, taken: dict[str, bool]) -> None:
    parts = name.split("/")
    for end in range(1, len(parts)):
        taken[_key("/".join(parts[:end]))] = True
    taken.update(dict.fromkeys(_outputs(name), False))


def _outputs(name: str) -> list[str]:
    """Return the keys of everything that outputs of that name may be called."""
    return [_key(name + kind.ending) for kind in OutputKind]


def _key(name: str) -> str:
    return os.path.normcase(name).replace("\\", "/").casefold()
