"""Which engine is fastest on this processor: measured once, then remembered.

Which of them wins depends on what the processor can do, so they are run. What was measured is kept
in the user's cache folder until a library, the weights or the number of threads change.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from model.engine.base import Engine
from model.errors import ModelError
from model.weights import WeightsCard

log = logging.getLogger(__name__)

ONNX, OPENVINO = "onnx", "openvino"
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino")
FOLDER_NAME, FILE_NAME = "ldeq-live", "engines.json"
RUNS = 12
WORTH = 0.9
"""Another engine must take less than this share of onnxruntime's time to take its place."""
AGREEMENT = 0.01
"""Engines whose landmarks lie farther from onnxruntime's on average, in crop sides, are out, however fast they are."""

DAMAGED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading a file that somebody else wrote, or half wrote, may raise."""

Open = Callable[[str], Engine]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why.

    Attributes:
        engine: name of the engine, as for ``--engine``.
        milliseconds: of encoding a crop and one evaluation, by engine; empty where there was nothing to choose from.
    """

    engine: str
    milliseconds: Mapping[str, float]


def candidates() -> tuple[str, ...]:
    """Return the engines that the CPU could run with what is installed; onnxruntime first."""
    return (ONNX, OPENVINO) if importlib.util.find_spec("openvino") is not None else (ONNX,)


def open_fastest(card: WeightsCard, threads: int, open_one: Open) -> Engine:
    """Open the remembered engine, or all of them, of which the fastest is kept and remembered.

    Args:
        card: of the weights.
        threads: of the engine.
        open_one: opens an engine by its name.

    Raises:
        ModelError: where not even onnxruntime can be opened.
    """
    known = remembered(card, threads)
    if known is not None:
        try:
            return open_one(known.engine)
        except ModelError as error:
            log.warning("the engine that was fastest here does not open any more: %s", error)
    engines = {ONNX: open_one(ONNX)}
    for name in candidates()[1:]:
        try:
            engines[name] = open_one(name)
        except ModelError as error:
            log.warning("%s is installed and cannot be used: %s", name, error)
    choice = fastest(engines)
    _remember(card, threads, choice)
    return engines[choice.engine]


def fastest(engines: Mapping[str, Engine]) -> Choice:
    """Measure engines, the first of which is the one to compare with, in turns; no other work should run meanwhile."""
    if len(engines) == 1:
        return Choice(next(iter(engines)), {})
    first = next(iter(engines.values()))
    size = first.config.input_size
    # Noise, since a picture without detail has no answer that engines could agree on.
    crops = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    times: dict[str, list[float]] = {name: [] for name in engines}
    points = {}
    for _ in range(RUNS):
        for name, engine in engines.items():
            started = time.perf_counter()
            z = engine.evaluate(engine.zero_state(1), engine.encode(crops))
            points[name] = engine.decode(z)[0]
            times[name].append(1e3 * (time.perf_counter() - started))
    milliseconds = {name: round(min(values), 2) for name, values in times.items()}
    base = next(iter(engines))
    best = base
    for name in list(engines)[1:]:
        apart = float(np.linalg.norm(points[name] - points[base], axis=-1).mean())
        limit = WORTH * milliseconds[base] if best == base else milliseconds[best]
        if apart <= AGREEMENT and milliseconds[name] < limit:
            best = name
    log.info("engines measured (ms): %s; %s is used", milliseconds, best)
    return Choice(best, milliseconds)


def remembered(card: WeightsCard, threads: int) -> Choice | None:
    """Return what was chosen for these weights on this computer before, None if nothing was."""
    try:
        values = json.loads(_file().read_text(encoding="utf-8"))[_key(card, threads)]
        engine = values["engine"]
        if engine not in candidates():
            return None
        return Choice(engine, {str(name): float(value) for name, value in values["milliseconds"].items()})
    except (OSError, *DAMAGED):
        return None


def _remember(card: WeightsCard, threads: int, choice: Choice) -> None:
    """Write down a choice; where that fails the next start measures again."""
    path = _file()
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *DAMAGED):
        known = {}
    known = known if isinstance(known, dict) else {}
    known[_key(card, threads)] = {"engine": choice.engine, "milliseconds": dict(choice.milliseconds)}
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        log.info("which engine is fastest could not be remembered: %s", error)


def _file() -> Path:
    return Path(platformdirs.user_cache_dir(FOLDER_NAME, appauthor=False)) / FILE_NAME


def _key(card: WeightsCard, threads: int) -> str:
    """Return what a choice holds for: the computer, the libraries, the weights and the threads."""
    versions = [f"{name} {version}" for name in PACKAGES if (version := _version(name))]
    computer = f"{platform.node()}, {platform.machine()}, {os.cpu_count()} processors"
    weights = card.files.get(card.path.name, card.path.name)[:16]
    return "; ".join([computer, *versions, f"weights {weights}", f"{threads} threads"])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
