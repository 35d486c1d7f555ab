"""Report cards on disk: versioned JSON, checked when read, written as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app.core.errors import UserError
from app.core.files import make_folder, take_name, write_json
from app.holdstill.card import Card
from model.files import is_there
from model.json_files import JsonError, from_plain, read_object, to_plain
from model.topology import POINTS, REGIONS

FORMAT = "LDEQ Live hold-still card"
VERSION = 1
PREFIX = "hold-still"
LARGEST = 1 << 20
"""Bytes; a card has about ten thousand."""
MOST = 1e9
"""Largest possible figure of a card: pixels, percent, seconds, frames per second."""


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card that lies on disk."""

    path: Path
    card: Card


def card_path(folder: Path, card: Card) -> Path:
    """Return a free path for a card: "hold-still 2026-11-21 19.05.12.json", then "... (2).json"."""
    name = f"{PREFIX} {card.when:%Y-%m-%d %H.%M.%S}"
    path, count = folder / f"{name}.json", 1
    while is_there(path) or is_there(path.with_suffix(".png")):
        count += 1
        path = folder / f"{name} ({count}).json"
    return path


def write_card(path: Path, card: Card) -> None:
    """Write a card, replacing ``path`` as a whole; its folder is made if it is missing.

    Raises:
        RecordingError: if it cannot be written; the previous content stays.
    """
    make_folder(path.parent)
    write_json(path, {"format": FORMAT, "version": VERSION, **to_plain(card)})


def write_new_card(folder: Path, card: Card) -> Path:
    """Write a card under a free name and return it; two windows that write at once get different names.

    Raises:
        RecordingError: if it cannot be written; nothing is left then.
    """
    make_folder(folder)
    path = take_name(lambda: card_path(folder, card))
    try:
        write_card(path, card)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def read_card(path: Path) -> Card:
    """Read a card; nothing in it is executed.

    Raises:
        UserError: one sentence about a file that is missing, damaged, of another kind, or of a later version.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} is no report card; choose a file that the hold-still test wrote.")
        values = read_object(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"Cannot read {path}: {reason}; choose a report card.") from error
    except JsonError:
        values = {}
    if values.get("format") != FORMAT:
        raise UserError(f"{path} is no report card; choose a file that the hold-still test wrote.")
    if values.get("version") != VERSION:
        raise UserError(f"{path} was written by another version of LDEQ Live; open it with a newer one.")
    try:
        card = from_plain(Card, values)
        _check(card)
    except JsonError as error:
        raise UserError(f"{path} is damaged ({error}); choose another report card.") from error
    return card


def list_cards(folder: Path) -> tuple[CardFile, ...]:
    """Return the cards of a folder, newest first; other and damaged files are skipped."""
    found = []
    try:
        paths = sorted(folder.glob(f"{PREFIX} *.json"))
    except OSError:
        return ()
    for path in paths:
        try:
            found.append(CardFile(path, read_card(path)))
        except UserError:
            continue
    return tuple(sorted(found, key=lambda file: file.card.when.timestamp(), reverse=True))


def _check(card: Card) -> None:
    """Refuse cards whose figures do not fit together or are not possible."""
    if not all(abs(number) <= MOST for number in _numbers(asdict(replace(card, settings={})))):
        raise JsonError("a figure is not possible")
    try:
        created = datetime.fromisoformat(card.created)
    except ValueError:
        raise JsonError("created is no date") from None
    if created.tzinfo is None:
        raise JsonError("created has no time zone")
    if not card.figures.modes:
        raise JsonError("it has no modes")
    for mode in card.figures.modes:
        for noise in (mode.flicker, mode.wander):
            if len(noise.regions_percent) != len(REGIONS) or len(noise.regions_pixels) != len(REGIONS):
                raise JsonError(f"{mode.mode} has not {len(REGIONS)} regions")
            if min(noise.percent, noise.pixels, *noise.regions_percent, *noise.regions_pixels) < 0:
                raise JsonError(f"{mode.mode} has a negative figure")
        if len(mode.points) != POINTS:
            raise JsonError(f"{mode.mode} has not {POINTS} points")


def _numbers(value: Any) -> Iterator[float]:
    """Yield every number in nested dictionaries and tuples."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value
