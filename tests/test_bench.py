"""The benchmark measures what it says: counts, quantiles, stages, ends in one sentence where it cannot."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from app.cli import main as cli
from app.core.errors import UserError
from app.core.places import DEFAULT_WEIGHTS, DEMO_CLIP
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.painting import Painting
from app.lab.speed.floor import Ceiling, Work, measure_ceiling, stage_work
from app.lab.speed.live import run_live
from app.lab.speed.report import EngineFigures, engine_values, quantiles
from app.lab.speed.stages import CELL, CPU, DECODE, STAGES, STEM, TOTAL, TimedEngine, Times, run_stages
from app.lab.speed.start import most_memory, run_start
from app.sources.video import VideoSource
from app.tracking.pipeline import build_pipeline
from model.config import LdeqConfig, preset
from model.engine.names import Device, EngineName, Precision
from model.engine.onnx_engine import OnnxEngine
from model.engine.open import open_engine

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]
TINY = LdeqConfig(name="tiny", input_size=64, injection=16, width=16, increment=8)


@pytest.mark.slow
def test_the_work_of_a_stem_is_what_a_pencil_says() -> None:
    # 7 x 7 from 3 to 4 channels and 3 x 3 from 4 to 8, both at 32 x 32, then 3 x 3 from 8 to 16 at 16 x 16
    assert stage_work(TINY)["stem"].multiplications == 32**2 * (49 * 3 * 4 + 9 * 4 * 8) + 16**2 * 9 * 8 * 16


def test_a_larger_model_has_more_work() -> None:
    small, large = stage_work(preset("ldeq-s")), stage_work(preset("ldeq-l"))
    assert all(large[stage].multiplications > 5 * small[stage].multiplications for stage in ("stem", "cell"))
    assert all(large[stage].bytes > small[stage].bytes for stage in ("stem", "cell"))


def test_the_ceiling_is_above_a_naive_product(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SIDE": 256, "REPEATS": 2, "COPIED": 2**20}.items():
        monkeypatch.setattr(f"app.lab.speed.floor.{name}", value)
    ceiling = measure_ceiling(1)
    assert {Precision.FLOAT32, Precision.INT8} <= set(ceiling.operations)
    assert min(*ceiling.operations.values(), ceiling.bytes) > 1e8


def test_quantiles() -> None:
    assert quantiles(range(101)) == {"least": 0, "p50": 50, "p95": 95}


def test_shares_are_of_the_ceiling_in_the_precision_that_ran() -> None:
    times = Times({STEM: [2.0, 1.0], CELL: [4.0, 2.0]}, [1, 1])
    work = {STEM: Work(10**8, 1), CELL: Work(10**9, 1)}
    ceiling = Ceiling({Precision.FLOAT32: 1e12, Precision.INT8: 4e12}, 1e9)

    def shares(precision: Precision) -> dict[str, float]:
        figures = EngineFigures("an int8 and bf16, CUDA label", precision, Device.CPU, times)
        found: dict[str, float] = engine_values(figures, work, ceiling)["share_of_ceiling"]
        return found

    assert shares(Precision.FLOAT32) == {STEM: 0.2, CELL: 1.0}
    assert shares(Precision.INT8) == {STEM: 0.2, CELL: 0.25}
    assert shares(Precision.BFLOAT16) == {}  # whose ceiling could not be measured here


def test_a_timed_engine_gives_the_same_and_counts() -> None:
    engine = open_engine(DEFAULT_WEIGHTS, "onnx", "cpu", 1)
    timed = TimedEngine(engine)
    crops = np.random.default_rng(0).integers(0, 256, (1, 192, 192, 3), np.uint8)
    z = timed.evaluate(timed.zero_state(1), timed.encode(crops))
    np.testing.assert_array_equal(z, engine.evaluate(engine.zero_state(1), engine.encode(crops)))
    np.testing.assert_array_equal(timed.decode(z)[0], engine.decode(z)[0])
    seconds, evaluations = timed.take()
    assert set(seconds) == {STEM, CELL, DECODE}
    assert min(seconds.values()) > 0
    assert evaluations == 1
    assert timed.take() == ({}, 0)
    assert (timed.name, timed.config, timed.precision) == (engine.name, engine.config, engine.precision)


class Clock:
    """Time that passes only where an engine works."""

    now = 0.0


class Late(OnnxEngine):
    """Works after its calls have returned, like a GPU: ``seconds`` of each are spent when somebody waits."""

    def __init__(self, seconds: float) -> None:
        super().__init__(DEFAULT_WEIGHTS, threads=1)
        self._seconds, self._owed = seconds, 0.0

    def evaluate(self, z: Any, u: Any) -> Any:
        self._owed += self._seconds
        return super().evaluate(z, u)

    def decode(self, z: Any) -> Any:
        self.wait()
        return super().decode(z)

    def wait(self) -> None:
        Clock.now += self._owed
        self._owed = 0.0


def test_work_that_goes_on_after_a_call_counts_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lab.speed.stages.time", SimpleNamespace(perf_counter=lambda: Clock.now))
    timed = TimedEngine(Late(0.3))
    timed.decode(timed.evaluate(timed.zero_state(1), timed.encode(np.zeros((1, 192, 192, 3), np.uint8))))
    seconds, _ = timed.take()
    assert seconds[CELL] == pytest.approx(0.3)
    assert seconds[DECODE] == 0


def test_a_card_is_given_no_share_of_the_processors_ceiling() -> None:
    times, work = Times({STEM: [1.0], CELL: [1.0]}, [1]), {STEM: Work(10**8, 1), CELL: Work(10**9, 1)}
    figures = EngineFigures("onnxruntime, CUDA", Precision.FLOAT32, Device.CUDA, times)
    assert engine_values(figures, work, Ceiling({Precision.FLOAT32: 1e9}, 1))["share_of_ceiling"] == {}


@pytest.mark.slow
def test_a_turn_lasts_until_a_frame_was_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lab.speed.live.SETTLE_SECONDS", 0.0)
    settings = EngineSettings(engine=EngineName.ONNX, device=Device.CPU, threads=1)
    turn = run_live(DEMO_CLIP, lambda: build_pipeline(settings, TrackingSettings()), 1e-9)
    assert len(turn.latencies) >= 1
    assert 0 < turn.fps < 1000


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
@pytest.mark.parametrize("engine", [[], ["--engine", "torch"], ["--engine", "torch-f32"]])
def test_without_a_card_a_benchmark_on_cuda_is_one_sentence(engine: list[str], capsys: Capture) -> None:
    assert cli.main(["bench", "--device", "cuda", *engine]) == 2
    assert re.fullmatch(r"ldeq-live: .*CUDA.*\n", capsys.readouterr().err)


def test_stages_add_up_to_the_frame(qapp: object) -> None:
    source = VideoSource(DEMO_CLIP)
    times, common = run_stages(source, {"onnx": open_engine(DEFAULT_WEIGHTS, "onnx", "cpu", 1)}, 4, Painting().paint)
    source.close()
    milliseconds = times["onnx"].milliseconds
    assert {*milliseconds, *common.milliseconds} - {"detect"} == set(STAGES) - {"detect"}
    assert all(len(values) == 4 for values in common.milliseconds.values())
    parts = [values for stage, values in milliseconds.items() if stage not in ("detect", TOTAL, CPU)]
    sums = np.sum(parts, axis=0)
    assert np.min(parts) >= 0
    assert (sums <= np.add(milliseconds[TOTAL], 0.01)).all()
    assert np.max(sums / milliseconds[TOTAL]) > 0.9, "no frame in which the stages are nearly all of the time"
    assert times["onnx"].evaluations == pytest.approx([1, 1, 1, 1], abs=1)


def test_a_fresh_start_finds_files_named_from_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Told(Exception):
        pass

    def told(command: list[str], **options: object) -> None:
        raise Told(command)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("app.lab.speed.start.subprocess.Popen", told)
    with pytest.raises(Told) as started:
        run_start(Path("clip.mp4"), Path("w.safetensors"), "onnx", None)
    assert {str(tmp_path / "clip.mp4"), str(tmp_path / "w.safetensors")} <= set(started.value.args[0])


@pytest.mark.process
@pytest.mark.parametrize(
    ("program", "seconds", "says"),
    [
        ("import time; time.sleep(600)", 0.5, "did not finish 60 frames"),
        (r"import sys; sys.stderr.buffer.write(b'x' * 300_000 + b'\nno \xfc'); sys.exit(1)", 100, "failed: no \ufffd$"),
    ],
)
def test_a_fresh_start_that_hangs_or_complains_at_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, seconds: float, says: str
) -> None:
    start, popen = "app.lab.speed.start", subprocess.Popen
    monkeypatch.setattr(f"{start}.SECONDS", seconds)
    monkeypatch.setattr(
        f"{start}.subprocess.Popen", lambda command, **options: popen([sys.executable, "-c", program], **options)
    )
    with pytest.raises(UserError, match=says):
        run_start(tmp_path / "clip.mp4", tmp_path / "w.safetensors", "onnx", None)


def test_memory_is_told_on_this_system() -> None:
    memory = most_memory()
    assert memory is None or 20 < memory < 50_000


@pytest.mark.slow
def test_the_command_measures_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str], qapp: object) -> None:
    out = tmp_path / "bench.json"
    argv = ["bench", "--engine", "onnx", "--threads", "1", "--frames", "3", "--seconds", "0.3", "--rounds", "1"]
    assert cli.main([*argv, "--json", str(out)]) == 0
    values = json.loads(out.read_text())
    engine = values["engines"]["onnx"]
    assert engine["share_of_ceiling"]["cell"] > 0
    assert engine["end_to_end"]["fps"] > 0
    assert 0 < engine["first_landmarks_s"] < 60
    assert engine["memory_mib"] is None or 50 < engine["memory_mib"] < 2000
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("onnx", "paint", "fps", "multiplications"))


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--frames", "0"], "positive"),
        (["--seconds", "nan"], "positive"),
        (["--threads", "0"], "positive"),
        (["--video", "nothing.mp4"], "nothing.mp4"),
        (["--json", "no/such/folder/out.json"], "does not exist"),
        (["--weights", "none.safetensors"], "no weights"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.lab.speed.floor.SIDE", 64)
    assert cli.main(["bench", "--engine", "onnx", *argv]) == 2
    error = capsys.readouterr().err.strip()
    assert says in error
    assert len(error.splitlines()) == 1
