"""The fastest engine on this processor or graphics card: measured once, then remembered.

Which one wins depends on the hardware, so they are run. What was measured is kept in the
user's cache folder until a library, the weights, the number of threads, the card or its driver change.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from model.engine import nvidia
from model.engine.agreement import landmarks_on_noise, mean_distance
from model.engine.base import Engine
from model.engine.measured import circumstances, recall, remember
from model.engine.names import EngineName
from model.errors import ModelError, in_short
from model.json_files import JsonError, from_plain
from model.weights import WeightsCard

log = logging.getLogger(__name__)

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino")
CUDA_PACKAGES = ("onnxruntime-gpu", "torch")
FILE_NAME = "engines.json"
RUNS = 12
WORTH = 0.9
"""Another engine must take less than this share of the first one's time to take its place."""
AGREEMENT = 0.01
"""Engines whose landmarks lie farther from the first one's on average, in crop sides, are out, however fast."""

Open = Callable[[EngineName], Engine]
"""Opens an engine by its name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why.

    Attributes:
        engine: the chosen engine.
        milliseconds: encoding a crop and one evaluation, by engine; empty if there was nothing to choose from.
    """

    engine: EngineName
    milliseconds: Mapping[EngineName, float]


@dataclass(frozen=True, slots=True)
class Cuda:
    """A graphics card, by its name and driver, and the engines that could run on it, the one to compare with first."""

    card: str
    engines: tuple[EngineName, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where weights are to run.

    Attributes:
        card: of the weights.
        threads: of the engine.
        cuda: the graphics card; None: the CPU.
    """

    card: WeightsCard
    threads: int
    cuda: Cuda | None = None

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """Those that could run there with what is installed, the one to compare with first."""
        return candidates() if self.cuda is None else self.cuda.engines

    @property
    def key(self) -> str:
        """What a choice holds for: the computer, the libraries, the weights, and the threads or the card."""
        packages, what = (PACKAGES, f"{self.threads} threads") if self.cuda is None else (CUDA_PACKAGES, self.cuda.card)
        return circumstances(packages, self.card, what)


def candidates() -> tuple[EngineName, ...]:
    """Return the engines that the CPU could run with what is installed; onnxruntime first."""
    openvino = importlib.util.find_spec("openvino") is not None
    return (EngineName.ONNX, EngineName.OPENVINO) if openvino else (EngineName.ONNX,)


def cuda_candidates(graphs: bool) -> Cuda | None:
    """Return the card and the engines that it could run with what is installed; None if there is no card or engine.

    Args:
        graphs: whether the weights have graphs for onnxruntime.
    """
    onnx = (EngineName.ONNX,) if graphs and nvidia.onnxruntime_has_cuda() else ()
    torch = (EngineName.TORCH_F32, EngineName.TORCH) if nvidia.torch_has_cuda() else ()
    card = nvidia.card_name() if onnx or torch else None
    return None if card is None else Cuda(card, onnx + torch)


def open_fastest(place: Place, open_one: Open) -> Engine:
    """Open the remembered engine, or all of them, of which the fastest is kept and remembered.

    Raises:
        ModelError: if none can be opened.
    """
    known = remembered(place)
    if known is not None:
        try:
            return open_one(known.engine)
        except ModelError as error:
            log.warning("the engine that was fastest here does not open any more: %s", error)
    return measure(place, open_one)[1]


def measure(place: Place, open_one: Open) -> tuple[Choice, Engine]:
    """Open all engines, keep and remember the fastest.

    Raises:
        ModelError: if none can be opened.
    """
    engines = _open_all(place.engines, open_one)
    choice = fastest(engines)
    remember(FILE_NAME, place.key, choice)
    return choice, engines[choice.engine]


def _open_all(names: Sequence[EngineName], open_one: Open) -> dict[EngineName, Engine]:
    """Open what can be opened and runs; raise the first one's ModelError where nothing does."""
    engines: dict[EngineName, Engine] = {}
    problems: dict[EngineName, ModelError] = {}
    for name in names:
        try:
            engine = open_one(name)
            landmarks_on_noise(engine)
            engines[name] = engine
        except ModelError as error:
            problems[name] = error
        except Exception as error:  # of CUDA libraries that load and do not fit each other; each has its own types
            problems[name] = ModelError(f"{name} was opened and failed ({in_short(str(error))}); see doctor")
    if not engines:
        raise next(iter(problems.values()))
    for name, problem in problems.items():
        log.warning("%s is installed and cannot be used: %s", name, problem)
    return engines


def fastest(engines: Mapping[EngineName, Engine]) -> Choice:
    """Measure engines, the first of which is the one to compare with, in turns; no other work should run meanwhile."""
    if len(engines) == 1:
        return Choice(next(iter(engines)), {})
    times: dict[EngineName, list[float]] = {name: [] for name in engines}
    points = {}
    for _ in range(RUNS):
        for name, engine in engines.items():
            started = time.perf_counter()
            points[name] = landmarks_on_noise(engine)
            times[name].append(1e3 * (time.perf_counter() - started))
    milliseconds = {name: round(min(values), 2) for name, values in times.items()}
    base = next(iter(engines))
    best = base
    for name in list(engines)[1:]:
        apart = mean_distance(points[name], points[base])
        limit = WORTH * milliseconds[base] if best == base else milliseconds[best]
        if apart <= AGREEMENT and milliseconds[name] < limit:
            best = name
    log.info(
        "engines measured: %s; %s is used", ", ".join(f"{name} {ms} ms" for name, ms in milliseconds.items()), best
    )
    return Choice(best, milliseconds)


def remembered(place: Place) -> Choice | None:
    """Return what was chosen before for a place, None if nothing was."""
    try:
        choice = from_plain(Choice, recall(FILE_NAME, place.key))
    except JsonError:
        return None
    return choice if choice.engine in place.engines else None
