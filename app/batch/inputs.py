"""Finds the videos and pictures that a person names: files, folders with all below them, patterns and lists."""

from __future__ import annotations

import codecs
import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from app.core.errors import UserError
from app.core.files import nearest_folder, real_path
from app.sessions.form import is_session
from app.sources.images import in_natural_order, list_pictures
from app.sources.spec import PICTURE_SUFFIXES, VIDEO_SUFFIXES, PathSpec, SourceKind

STANDARD_INPUT = "-"
_LOOSE = PurePath()
"""Placeholder for the place of an input that was not found in a searched folder."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input to track: a video, or pictures of one folder.

    Attributes:
        path: absolute path of the video, or of the folder.
        place: its path below the searched folder, or else below the folder that all inputs named one by one have in
            common; outputs are named after it.
        pictures: those of the folder that are to be tracked, in natural order; none for a video.
    """

    path: Path
    place: PurePath
    pictures: tuple[Path, ...] = ()


@dataclass(slots=True)
class Inputs:
    """What was found.

    Attributes:
        inputs: each file once, in the order of the words, those of a folder by name.
        missing: words that name no input, with a sentence that says why.
        sessions: recorded sessions in searched folders, whose videos were left out.
        beside: folders and patterns whose pictures were left out because there are videos, with their number.
        unread: folders below searched ones that the system does not let be read.
    """

    inputs: list[Input] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    sessions: list[Path] = field(default_factory=list)
    beside: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def find_inputs(words: Iterable[str], outputs: Path) -> Inputs:
    """Return the inputs that ``words`` name.

    Pictures of one folder are one input, whether the folder or the pictures themselves were named. Where a word finds
    videos as well, pictures are left out.

    Args:
        words: files, folders, or patterns such as ``talks/**/*.mp4`` that no shell expanded.
        outputs: the output folder, which is never searched.
    """
    found = Inputs()
    known: dict[Path, int] = {}
    pictures: list[dict[str, Path]] = []
    for word in words:
        inputs = list(_inputs_of(word, real_path(outputs), found))
        videos = [each for each in inputs if not each.pictures]
        if videos and len(videos) < len(inputs):
            found.beside[word] = sum(len(each.pictures) for each in inputs)
            inputs = videos
        for each in inputs:
            place = known.setdefault(real_path(each.path), len(found.inputs))
            if place == len(found.inputs):
                found.inputs.append(each)
                pictures.append({})
            for path in each.pictures:
                pictures[place].setdefault(path.name, path)
        if not inputs and word not in found.missing:
            verb = "matches" if glob.has_magic(word) else "holds"
            found.missing[word] = f"{word} {verb} no video or picture that could be tracked; check its name."
    joined = zip(found.inputs, pictures, strict=True)
    found.inputs = _placed([replace(each, pictures=in_natural_order(own.values())) for each, own in joined])
    return found


def _placed(inputs: list[Input]) -> list[Input]:
    """Return the inputs with a place for each that was named itself: subject1/left.mp4, subject2/left.mp4."""
    loose = [each.path.parent for each in inputs if each.place == _LOOSE]
    try:
        above = Path(os.path.commonpath(loose)) if loose else Path()
    except ValueError:  # on different drives
        above = None
    return [replace(each, place=_place(each, above)) for each in inputs]


def _place(each: Input, above: Path | None) -> PurePath:
    if each.place != _LOOSE:
        return each.place
    return PurePath(each.path.name) if above is None else each.path.relative_to(above)


def read_list(name: str) -> list[str]:
    """Return the inputs that a list file names, one a line; blank lines and lines that begin with # are left out.

    Args:
        name: the file, whose relative names start from its own folder; "-" reads standard input, whose names start
            from the current one.

    Raises:
        UserError: it cannot be read.
    """
    if name == STANDARD_INPUT:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # names need not be text
        return _lines(sys.stdin.read())
    path = _path(name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"The list {path} cannot be read: {error.strerror or error}; check its name.") from error
    # Windows PowerShell writes UTF-16.
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16", "replace") if wide else data.decode("utf-8-sig", "surrogateescape")
    if "\0" in text:
        raise UserError(f"{path} is no list; give a text file with an input in each line.")
    return [str(path.parent / _path(line)) for line in _lines(text)]


def _path(word: str) -> Path:
    """Return what a person typed as a path; here no other kind of source can be named."""
    return PathSpec(word.strip()).path


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _inputs_of(word: str, outputs: Path, found: Inputs) -> Iterator[Input]:
    path = _absolute(_path(word))
    if PathSpec(str(path)).exists:
        yield from _under(path, outputs, found, word)
        return
    if not glob.has_magic(word):
        found.missing[word] = f"There is no file or folder {word}; check its name."
        return
    above = nearest_folder(path)  # whose name may have brackets, too
    for match in sorted(glob.glob(os.path.join(glob.escape(str(above)), path.relative_to(above)), recursive=True)):
        path = Path(match)
        if path.is_dir():
            yield from _under(path, outputs, found, word)
        elif is_session(path.parent):
            found.sessions += [path.parent] if path.parent not in found.sessions else []
        elif _has_suffix(path.name, VIDEO_SUFFIXES | PICTURE_SUFFIXES) and not _is_below(path.parent, outputs):
            yield _named(path)


def _named(path: Path) -> Input:
    """Return a file that was named itself; its content decides what it is."""
    if PathSpec(str(path)).kind is SourceKind.PICTURE:
        return Input(path.parent, _LOOSE, (path,))
    return Input(path, _LOOSE)


def _under(path: Path, outputs: Path, found: Inputs, word: str) -> Iterator[Input]:
    """Yield a file itself, or all videos and the pictures of each folder in and below a folder."""
    if not path.is_dir():
        yield _named(path)
        return
    if is_session(path):
        found.missing[word] = f"{path} is a session; give its video, or use: session replay {path}"
        return
    if _is_below(path, outputs):
        found.missing[word] = f"{word} is in the output folder; choose another output folder."
        return

    def refused(error: OSError) -> None:
        if error.filename == str(path):
            found.missing[word] = f"{word} cannot be searched: {error.strerror or error}; check who may read it."
        else:
            found.unread.append(str(error.filename))

    real = real_path(path)
    for folder, folders, files in os.walk(path, onerror=refused):
        here = Path(folder)
        sessions = [here / name for name in folders if is_session(here / name)]
        found.sessions += sessions
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and here / name not in sessions
            and real / (here / name).relative_to(path) != outputs
        )
        for name in sorted(files):
            if _has_suffix(name, VIDEO_SUFFIXES):
                yield Input(here / name, (here / name).relative_to(path))
        if any(_has_suffix(name, PICTURE_SUFFIXES) for name in files) and (listed := list_pictures(here)):
            yield Input(here, here.relative_to(path), listed)


def _has_suffix(name: str, suffixes: frozenset[str]) -> bool:
    return not name.startswith(".") and PurePath(name).suffix.lower() in suffixes


def _absolute(path: Path) -> Path:
    """Return the path with links as they are, since outputs are named after it, but without "..": one video has one."""
    path = path.absolute()
    if ".." not in path.parts:
        return path
    return real_path(path) if path.name == ".." else real_path(path.parent) / path.name


def _is_below(folder: Path, outputs: Path) -> bool:
    """Whether a folder is the output folder, which is a real path, or below it."""
    return real_path(folder).is_relative_to(outputs)
