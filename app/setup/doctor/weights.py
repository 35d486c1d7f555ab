"""The weights on disk, and one cold and one warm solve with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from app.core.places import WEIGHTS
from app.core.settings import EngineSettings
from app.setup.doctor.finding import Finding, Status
from app.tracking.engine import engine_of
from app.tracking.model_choice import remembered_speed, ways
from model.engine.agreement import noise_crops
from model.errors import ModelError
from model.geometry import Crop
from model.repair.ghcu import is_ghcu, read_ghcu_card
from model.rwr.cold import cold_solve
from model.rwr.recurrence import Recurrence
from model.weights import read_card, verify

REPEATS = 3
MODEL = "Model"
ADVICE = "fetch the project's weights folder again"


def check_weights(chosen: Path, folder: Path = WEIGHTS) -> list[Finding]:
    """Check every weights file of ``folder``, and ``chosen``, against the checksums in its JSON."""
    paths = sorted({*folder.glob("*.safetensors"), chosen})
    return [_check_file(path, chosen) for path in paths]


def _check_file(path: Path, chosen: Path) -> Finding:
    bad = Status.PROBLEM if path == chosen else Status.WARNING
    try:
        card = read_ghcu_card(path) if is_ghcu(path) else read_card(path)
        for name in {path.name, *card.files}:
            verify(card, path.with_name(name))
    except ModelError as error:
        return Finding("Weights", bad, str(error), ADVICE)
    others = len(card.files) - 1
    graphs = f" and {others} graph{'s' if others > 1 else ''}" if others else ", no ONNX graphs (torch runs it)"
    return Finding("Weights", Status.OK, f"{path.name}{graphs}, checksums right")


def check_model(settings: EngineSettings) -> list[Finding]:
    """Which model ``--model auto`` runs with this engine, and why."""
    *measured, runs = ways(settings)
    if not measured:
        return [Finding(MODEL, Status.OK, f"{runs.title} is the only one here")]
    times = []
    for way in measured:
        speed = remembered_speed(way)
        if speed is None:
            text = f"the window measures at its next start whether {way.title} keeps up with a camera"
            return [Finding(MODEL, Status.OK, text)]
        does = "keeps up" if speed.keeps_up else "does not keep up"
        times.append(f"{way.title} takes {speed.milliseconds:.0f} ms a frame and {does} with a camera")
        if speed.keeps_up:
            runs = way
            break
    return [Finding(MODEL, Status.OK, f"auto runs {runs.title}: {', '.join(times)}")]


def check_solves(settings: EngineSettings) -> list[Finding]:
    """Open the engine as the live window does and time a cold and a warm solve of one face."""
    try:
        engine = engine_of(settings)
    except ModelError as error:
        return [
            Finding("Engine", Status.PROBLEM, str(error), "put the weights right, or choose another engine or device")
        ]
    size = engine.config.input_size
    picture = noise_crops(size)
    crop = Crop(size / 2, size / 2, size)
    recurrence = Recurrence(engine)

    def cold() -> int:
        return cold_solve(engine, engine.encode(picture), crop).report.evaluations

    def warm() -> int:
        return recurrence.solve(engine.encode(picture), crop, picture[0]).report.evaluations

    warm()
    cold_ms, cold_count = _best(cold)
    warm_ms, warm_count = _best(warm)
    text = (
        f"{engine.name}: cold solve {cold_ms:.0f} ms ({cold_count} evaluations), "
        f"warm {warm_ms:.0f} ms ({warm_count}), with the stem, best of {REPEATS}"
    )
    return [Finding("Engine", Status.OK, text)]


def _best(solve: Callable[[], int]) -> tuple[float, int]:
    """Return the shortest time in milliseconds and the evaluations of a solve."""
    solve()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        evaluations = solve()
        times.append(time.perf_counter() - started)
    return min(times) * 1e3, evaluations
