"""What was measured on this computer before, kept as JSON in the user's cache folder."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import platformdirs

from model.json_files import JsonError, read_object, write_json
from model.weights import WeightsCard

log = logging.getLogger(__name__)

FOLDER_NAME = "ldeq-live"


def recall(file_name: str, key: str) -> object:
    """Return what was remembered under ``key`` in a file of the cache folder; None if there is nothing to be read."""
    try:
        return read_object(_path(file_name)).get(key)
    except (OSError, JsonError):
        return None


def remember(file_name: str, key: str, value: object) -> None:
    """Write down a JSON-ready value or dataclass; where that fails the next start measures again."""
    path = _path(file_name)
    try:
        known = read_object(path)
    except (OSError, JsonError):
        known = {}
    known[key] = value
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, known)
    except (OSError, ValueError) as error:
        log.info("what was measured could not be remembered: %s", error)


def circumstances(packages: Sequence[str], card: WeightsCard, *more: str) -> str:
    """Return what a measurement holds for: the computer, the packages' versions, the weights, and what else counts."""
    versions = [f"{name} {version}" for name, version in package_versions(packages).items()]
    computer = f"{platform.node()}, {platform.machine()}, {os.cpu_count()} processors"
    weights = card.files.get(card.path.name, card.path.name)[:16]
    return "; ".join([computer, *versions, f"weights {weights}", *more])


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those of the packages that are installed."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _path(file_name: str) -> Path:
    return Path(platformdirs.user_cache_dir(FOLDER_NAME, appauthor=False)) / file_name
