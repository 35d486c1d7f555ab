"""Dataclasses of settings and facts as plain JSON values, and back, without ever executing anything."""

from __future__ import annotations

import math
import reprlib
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from model.rwr.recurrence import RwrSettings

T = TypeVar("T")

_NAMES = {"RwrSettings": RwrSettings}
"""What settings name in annotations only, to keep their imports light."""


def to_plain(value: Any) -> Any:
    """Return ``value`` made of dictionaries, lists, strings, numbers, booleans and None.

    Raises:
        TypeError: for values of other kinds.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError(f"{value!r} has no plain form")


def from_plain(kind: type[T], value: Any) -> T:
    """Build the dataclass ``kind`` from what :func:`to_plain` made of one.

    Values that a newer version added are ignored; missing ones take their defaults.

    Raises:
        ValueError: where ``value`` does not describe such an object. What the object itself refuses
            (:class:`app.core.errors.UserError`, :class:`model.errors.ModelError`) is passed on.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{kind.__name__} is missing")
    hints = get_type_hints(kind, localns=_NAMES)
    found: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in value:
            found[field.name] = _as(hints[field.name], value[field.name], f"{kind.__name__}.{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{kind.__name__}.{field.name} is missing")
    return kind(**found)


def _as(hint: Any, value: Any, name: str) -> Any:
    """Return ``value`` as the type that ``hint`` names."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _as(next(kind for kind in arguments if kind is not NoneType), value, name)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value)
    if origin is tuple and isinstance(value, list):
        return tuple(_as(arguments[0], item, name) for item in value)
    if origin is dict and isinstance(value, dict):
        return {str(key): _as(arguments[1], item, name) for key, item in value.items()}
    if hint is Any:
        return value
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:  # JSON knows whole numbers of any length
            raise ValueError(f"{name} is too large") from error
    if hint in (int, str, bool) and type(value) is hint:
        return value
    raise ValueError(f"{name} is {reprlib.repr(value)}")  # a damaged value may be as long as a file
