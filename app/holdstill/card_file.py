"""Report cards on disk: versioned JSON, checked field by field when read, never half written."""

from __future__ import annotations

import json
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.core.errors import UserError
from app.holdstill.card import Card
from app.media.paths import failure
from model.topology import POINTS, REGIONS

FORMAT = "LDEQ Live hold-still card"
VERSION = 1
PREFIX = "hold-still"
LARGEST = 1 << 20
"""Bytes; a card has about ten thousand."""
MOST = 1e9
"""No figure of a card is larger: pixels, percent, seconds, frames per second."""


class _Wrong(Exception):
    """What is wrong with a value, for the sentence about the file."""


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card that lies on disk."""

    path: Path
    card: Card


def card_path(folder: Path, card: Card) -> Path:
    """Return a free path for a card: "hold-still 2026-11-21 19.05.12.json", then "... (2).json"."""
    name = f"{PREFIX} {card.when:%Y-%m-%d %H.%M.%S}"
    path, count = folder / f"{name}.json", 1
    while path.exists() or path.with_suffix(".png").exists():
        count += 1
        path = folder / f"{name} ({count}).json"
    return path


def write_card(path: Path, card: Card) -> None:
    """Write a card, replacing ``path`` as a whole; its folder is made where it is missing.

    Raises:
        RecordingError: where it cannot be written; what was there before is untouched.
    """
    values = {"format": FORMAT, "version": VERSION, **asdict(card)}
    write_whole(path, (json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there as a whole or not at all.

    Raises:
        RecordingError: where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise failure(path, error) from error


def read_card(path: Path) -> Card:
    """Read a card; nothing in it is executed.

    Raises:
        UserError: one sentence about a file that is missing, damaged, of another kind, or of a later version.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} is no report card; choose a file that the hold-still test wrote.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"Cannot read {path}: {reason}; choose a report card.") from error
    except UnicodeDecodeError:
        text = ""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise UserError(f"{path} is no report card; choose a file that the hold-still test wrote.")
    if values.get("version") != VERSION:
        raise UserError(f"{path} was written by another version of LDEQ Live; open it with a newer one.")
    try:
        card: Card = _build(Card, {key: value for key, value in values.items() if key not in ("format", "version")}, "")
        _check(card)
    except _Wrong as wrong:
        raise UserError(f"{path} is damaged ({wrong}); choose another report card.") from None
    return card


def list_cards(folder: Path) -> tuple[CardFile, ...]:
    """Return the cards of a folder, newest first; other and damaged files are passed over."""
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


def _build(kind: Any, value: object, where: str) -> Any:
    """Turn plain JSON into a value of the annotated type ``kind``; ``where`` names the field."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _build(inner, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _Wrong(f"{where} is no list")
        return tuple(_build(arguments[0], item, where) for item in value)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _Wrong(f"{where} is no table")
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= MOST:
            raise _Wrong(f"{where} is not possible")
        return float(value)
    if type(value) is not kind:
        raise _Wrong(f"{where} is missing or of the wrong kind")
    return value


def _build_dataclass(kind: Any, value: object, where: str) -> Any:
    if not isinstance(value, dict):
        raise _Wrong(f"{where or 'the card'} is no table")
    types_of = typing.get_type_hints(kind)
    return kind(
        **{
            field.name: _build(types_of[field.name], value.get(field.name), f"{where}.{field.name}".lstrip("."))
            for field in fields(kind)
        }
    )


def _check(card: Card) -> None:
    """Refuse cards whose figures do not fit together."""
    try:
        if datetime.fromisoformat(card.created).tzinfo is None:
            raise _Wrong("created has no time zone")
    except ValueError:
        raise _Wrong("created is no date") from None
    if not card.figures.modes:
        raise _Wrong("it has no modes")
    for mode in card.figures.modes:
        for noise in (mode.flicker, mode.wander):
            if len(noise.regions_percent) != len(REGIONS) or len(noise.regions_pixels) != len(REGIONS):
                raise _Wrong(f"{mode.mode} has not {len(REGIONS)} regions")
            if min(noise.percent, noise.pixels, *noise.regions_percent, *noise.regions_pixels) < 0:
                raise _Wrong(f"{mode.mode} has a negative figure")
        if len(mode.points) != POINTS:
            raise _Wrong(f"{mode.mode} has not {POINTS} points")
