"""JSON on disk: read and checked against a dataclass by msgspec, written as a whole."""

from __future__ import annotations

import json
import reprlib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from model.files import write_whole

T = TypeVar("T")


class JsonError(ValueError):
    """A file or value that is not what it should be; the message says what is wrong, without the file's name."""


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: if it cannot be read.
        JsonError: if it is not JSON.
    """
    try:
        # Not msgspec's own parser: it refuses NaN and names that are not text, which older files may hold.
        # Some editors put a mark before the text.
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise JsonError("it is not JSON") from error


def read_object(path: Path) -> dict[str, Any]:
    """Return what a JSON file that holds an object holds.

    Raises:
        OSError: if it cannot be read.
        JsonError: if it is not JSON or holds something else.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise JsonError("it is not a JSON object")
    return values


def write_json(path: Path, values: Any) -> None:
    """Write values, dataclasses among them, as JSON; the file appears whole or not at all.

    Raises:
        OSError: if it cannot be written.
        ValueError: for numbers that are not finite.
        TypeError: for values that JSON has no form for.
    """
    plain = to_plain(values)
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a file's name that is not text
        data = json.dumps(plain, indent=2).encode()
    write_whole(path, data + b"\n")


def to_plain(value: Any) -> Any:
    """Return ``value``, a dataclass for example, as it would come back from JSON: dictionaries, lists, text, numbers.

    Raises:
        ValueError: for numbers that are not finite.
        TypeError: for values that JSON has no form for.
    """
    return json.loads(json.dumps(msgspec.to_builtins(value, enc_hook=_encoded), allow_nan=False))


def from_plain(kind: type[T], value: Any) -> T:
    """Build a ``kind``, a dataclass for example, from what :func:`to_plain` made of one.

    Fields that ``kind`` does not know are ignored; missing ones take their defaults.

    Raises:
        JsonError: if ``value`` does not describe such an object. Errors of the object's own checks that are not
            a ValueError or TypeError are passed on.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_decoded)
    except (msgspec.ValidationError, RecursionError) as error:
        raise JsonError(_in_short(str(error))) from error


def from_plain_exactly(kind: type[T], value: Any) -> T:
    """Build a dataclass ``kind`` as :func:`from_plain` does, but refuse fields that it does not know.

    Raises:
        JsonError: if ``value`` does not describe such an object.
    """
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(value) - known) if isinstance(value, dict) else []
    if unknown:
        raise JsonError(f"it has unknown settings: {', '.join(map(reprlib.repr, unknown))}")
    return from_plain(kind, value)


def _in_short(message: str) -> str:
    """Return msgspec's sentence, "Expected `int`, got `str` - at `$.engine.threads`", without its quotes."""
    return message.replace("`", "").replace(" - at $.", " at ").replace(" - at $", "")


def _encoded(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):  # NumPy's
        return float(value)
    raise TypeError(f"{value!r} has no form in JSON")


def _decoded(kind: type[Any], value: Any) -> Any:
    if kind is object:
        return value
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected {kind.__name__}, got {type(value).__name__}")
