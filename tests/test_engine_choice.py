"""Which engine runs: those that exist agree, the fastest is chosen, remembered, and never one that disagrees."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from app.settings import DEFAULT_WEIGHTS
from model.engine import choice
from model.engine.choice import Choice, fastest, remembered
from model.engine.onnx_engine import OnnxEngine
from model.engine.open import open_engine
from model.errors import ModelError
from model.geometry import Crop
from model.rwr import Recurrence
from model.weights import read_card

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
SIZE = 192


class Slow(OnnxEngine):
    """onnxruntime, and ``extra`` seconds more per evaluation; its answer is ``off`` crop sides beside the true one."""

    def __init__(self, extra: float = 0.0, off: float = 0.0) -> None:
        super().__init__(DEFAULT_WEIGHTS, threads=1)
        self._extra, self._off = extra, off

    def evaluate(self, z: Any, u: Any) -> Any:
        time.sleep(self._extra)
        return super().evaluate(z, u)

    def decode(self, z: Any) -> Any:
        landmarks, spread = super().decode(z)
        return landmarks + np.float32(self._off), spread


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **options: str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "RUNS", 2)
    return tmp_path / "cache"


def test_the_fastest_is_chosen() -> None:
    assert fastest({"onnx": Slow(0.05), "openvino": Slow()}).engine == "openvino"
    assert fastest({"onnx": Slow(), "openvino": Slow(0.05)}).engine == "onnx"


def test_a_little_faster_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "WORTH", 0.01)
    assert fastest({"onnx": Slow(0.05), "openvino": Slow()}).engine == "onnx"


def test_one_that_answers_otherwise_is_out_however_fast() -> None:
    found = fastest({"onnx": Slow(0.05), "openvino": Slow(off=0.02)})
    assert found.engine == "onnx"
    assert found.milliseconds["openvino"] < found.milliseconds["onnx"]


def test_nothing_is_measured_where_there_is_no_choice() -> None:
    assert fastest({"onnx": Slow(0.05)}) == Choice("onnx", {})


def opener(opened: list[str]) -> choice.Open:
    def open_one(name: str) -> OnnxEngine:
        opened.append(name)
        return Slow(0.0 if name == "openvino" else 0.05)

    return open_one


def test_the_choice_is_remembered_for_these_weights_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx", "openvino"))
    card, opened = read_card(DEFAULT_WEIGHTS), list[str]()
    choice.open_fastest(card, 1, opener(opened))
    choice.open_fastest(card, 1, opener(opened))
    assert opened == ["onnx", "openvino", "openvino"]
    known = remembered(card, 1)
    assert known is not None
    assert (known.engine, set(known.milliseconds)) == ("openvino", {"onnx", "openvino"})
    assert remembered(card, 2) is None
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx",))
    assert remembered(card, 1) is None, "what was uninstalled must not be opened"


def test_an_engine_that_does_not_open_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx", "openvino"))

    def open_one(name: str) -> OnnxEngine:
        if name == "openvino":
            raise ModelError("no such instruction")
        return Slow()

    assert isinstance(choice.open_fastest(read_card(DEFAULT_WEIGHTS), 1, open_one), Slow)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "null"])
def test_a_damaged_memory_is_measured_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx", "openvino"))
    own_cache.mkdir()
    (own_cache / choice.FILE_NAME).write_text(text)
    opened = list[str]()
    choice.open_fastest(read_card(DEFAULT_WEIGHTS), 1, opener(opened))
    assert len(opened) == 2
    assert len(json.loads((own_cache / choice.FILE_NAME).read_text())) >= 1


def test_auto_takes_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.engine.open.candidates", lambda: ("onnx", "openvino"))
    monkeypatch.setattr("model.engine.open.open_fastest", lambda card, threads, open_one: open_one("onnx-int8"))
    assert open_engine(DEFAULT_WEIGHTS, "auto", "cpu", 1).name == "onnxruntime, CPU, int8"


@pytest.mark.parametrize("name", ["openvino", "onnx-int8"])
def test_engines_of_the_cpu_say_so(name: str) -> None:
    with pytest.raises(ModelError, match="runs on the CPU"):
        open_engine(DEFAULT_WEIGHTS, name, "cuda")


@pytest.mark.skipif(HAS_OPENVINO, reason="openvino is installed")
def test_what_is_not_installed_is_said_with_what_to_do() -> None:
    with pytest.raises(ModelError, match="pip install openvino"):
        open_engine(DEFAULT_WEIGHTS, "openvino", "cpu")


ENGINES = ["onnx-int8", pytest.param("openvino", marks=pytest.mark.skipif(not HAS_OPENVINO, reason="no openvino"))]


@pytest.mark.parametrize("name", ENGINES)
def test_faster_engines_agree_with_the_float_one_and_with_themselves(name: str, portrait: np.ndarray) -> None:
    exact, engine = (open_engine(DEFAULT_WEIGHTS, each, "cpu", 1) for each in ("onnx", name))
    side = min(portrait.shape[:2])
    crop = Crop(portrait.shape[1] / 2, portrait.shape[0] / 2, side)
    picture = crop.extract(portrait, SIZE)[None]
    points = []
    for each in (exact, engine, engine):
        recurrence = Recurrence(each)
        for _ in range(3):
            solution = recurrence.solve(each.encode(picture), crop, portrait)
        points.append(solution.landmarks)
    assert np.linalg.norm(points[1] - points[0], axis=1).mean() < 0.005 * side
    np.testing.assert_array_equal(points[1], points[2])


@pytest.mark.skipif(not HAS_OPENVINO, reason="no openvino")
def test_openvino_brings_no_telemetry_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    code = (
        "import sys; seen = []; sys.addaudithook(lambda event, _: seen.append(event))\n"
        "from model.engine.open import open_engine; from app.settings import DEFAULT_WEIGHTS\n"
        "print(open_engine(DEFAULT_WEIGHTS, 'openvino', 'cpu', 1).name)\n"
        "assert 'openvino_telemetry' not in sys.modules\n"
        "assert not [event for event in seen if event.startswith(('socket.connect', 'socket.getaddrinfo'))]\n"
    )
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | home, capture_output=True, text=True)
    assert "OpenVINO" in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ENGINES)
def test_a_face_has_the_same_answer_alone_and_among_others(name: str) -> None:
    engine = open_engine(DEFAULT_WEIGHTS, name, "cpu", 1)
    pictures = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    u = engine.encode(pictures)
    z = engine.evaluate(engine.zero_state(3), u)
    alone = engine.evaluate(engine.zero_state(1), engine.encode(pictures[1:2]))
    assert z.shape == (3, 98, 48, 48)
    np.testing.assert_allclose(z[1], alone[0], atol=1e-4)


@pytest.fixture
def portrait() -> np.ndarray:
    from app.demo_clip.make import ASSETS, read_portrait

    return read_portrait(ASSETS / "portrait.jpg")


def test_the_doctor_says_which_is_fastest_and_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.doctor.acceleration import check_fastest
    from app.settings import EngineSettings

    def says() -> str:
        (finding,) = check_fastest(EngineSettings(threads=1))
        return finding.text

    monkeypatch.setattr("app.doctor.acceleration.candidates", lambda: ("onnx",))
    assert "only one" in says()
    for module in ("app.doctor.acceleration", "model.engine.choice"):
        monkeypatch.setattr(f"{module}.candidates", lambda: ("onnx", "openvino"))
    assert "next start" in says()
    choice.open_fastest(read_card(DEFAULT_WEIGHTS), 1, opener([]))
    assert re.match(r"openvino, on the CPU with 1 threads \(onnx \d+\.\d ms, openvino \d+\.\d ms", says())
