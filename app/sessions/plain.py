"""Settings and facts as JSON values and back; see :mod:`model.json_files`."""

from __future__ import annotations

from typing import Any, TypeVar

from app.core import settings
from model import json_files
from model.json_files import to_plain as to_plain
from model.rwr.settings import RwrSettings

T = TypeVar("T")


def from_plain(kind: type[T], value: Any) -> T:
    """Build a ``kind`` of settings or facts from what :func:`to_plain` made of one.

    Fields that a newer version added are ignored; missing ones take their defaults.

    Raises:
        ValueError: where ``value`` does not describe such an object.
        UserError: where the object itself refuses its values.
    """
    # msgspec resolves annotations in the module of their class; this one imports the name for type checkers only.
    vars(settings).setdefault("RwrSettings", RwrSettings)
    return json_files.from_plain(kind, value)
