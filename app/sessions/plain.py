"""Settings and facts as JSON values and back, under the names that they have in files; see :mod:`model.json_files`."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from app.core import settings
from model import json_files
from model.rwr.settings import RwrSettings

T = TypeVar("T")

_NAMES_IN_FILES = {"baseline": "rival"}
"""Fields whose names have changed since the first files were written."""
_NAMES_HERE = {name: field for field, name in _NAMES_IN_FILES.items()}


def to_plain(value: Any) -> Any:
    """Return ``value``, a dataclass for example, as it would come back from JSON: dictionaries, lists, text, numbers.

    Raises:
        ValueError: for numbers that are not finite.
        TypeError: for values that JSON has no form for.
    """
    return _renamed(json_files.to_plain(value), _NAMES_IN_FILES)


def from_plain(kind: type[T], value: Any) -> T:
    """Build a ``kind`` of settings or facts from what :func:`to_plain` made of one.

    Fields that a newer version added are ignored; missing ones take their defaults.

    Raises:
        ValueError: if ``value`` does not describe such an object.
        UserError: if the object itself refuses its values.
    """
    # msgspec resolves annotations in the module of their class; this one imports the name for type checkers only.
    vars(settings).setdefault("RwrSettings", RwrSettings)
    try:
        renamed = _renamed(value, _NAMES_HERE)
    except RecursionError as error:
        raise json_files.JsonError("it is nested too deeply") from error
    return json_files.from_plain(kind, renamed)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Return a JSON value with other names in all its objects."""
    return json.loads(
        json.dumps(value), object_hook=lambda item: {names.get(name, name): own for name, own in item.items()}
    )
