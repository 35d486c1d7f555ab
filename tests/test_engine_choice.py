"""Which engine runs: those that exist agree, the fastest is chosen, remembered, and never one that disagrees."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import platformdirs
import pytest

from app.core.places import DEFAULT_WEIGHTS, ROOT
from model.engine import choice, nvidia
from model.engine import open as opening
from model.engine.choice import Choice, Cuda, Place, cuda_candidates, fastest, remembered
from model.engine.fallback import open_plainest
from model.engine.names import EngineName
from model.engine.onnx_engine import OnnxEngine
from model.engine.open import open_engine
from model.errors import ModelError
from model.geometry import Crop
from model.rwr.recurrence import Recurrence
from model.weights import read_card
from tests.fakes import portrait

pytestmark = pytest.mark.slow

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
SIZE = 192


class Clock:
    """Time that passes only where an engine works."""

    now = 0.0


class Slow(OnnxEngine):
    """Takes 10 ms and ``extra`` seconds per evaluation; its answer is ``off`` crop sides beside the true one."""

    def __init__(self, extra: float = 0.0, off: float = 0.0) -> None:
        super().__init__(DEFAULT_WEIGHTS, threads=1)
        self._extra, self._off = extra, off

    def evaluate(self, z: Any, u: Any) -> Any:
        Clock.now += 0.01 + self._extra
        return super().evaluate(z, u)

    def decode(self, z: Any) -> Any:
        landmarks, spread = super().decode(z)
        return landmarks + np.float32(self._off), spread


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **options: str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "RUNS", 2)
    monkeypatch.setattr(choice, "time", SimpleNamespace(perf_counter=lambda: Clock.now))
    return tmp_path / "cache"


def test_the_fastest_is_chosen() -> None:
    assert fastest({EngineName.ONNX: Slow(0.05), EngineName.OPENVINO: Slow()}).engine == EngineName.OPENVINO
    assert fastest({EngineName.ONNX: Slow(), EngineName.OPENVINO: Slow(0.05)}).engine == EngineName.ONNX


def test_a_little_faster_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "WORTH", 0.01)
    assert fastest({EngineName.ONNX: Slow(0.05), EngineName.OPENVINO: Slow()}).engine == EngineName.ONNX


def test_one_that_answers_otherwise_is_out_however_fast() -> None:
    found = fastest({EngineName.ONNX: Slow(0.05), EngineName.OPENVINO: Slow(off=0.02)})
    assert found.engine == "onnx"
    assert found.milliseconds[EngineName.OPENVINO] < found.milliseconds[EngineName.ONNX]


def test_nothing_is_measured_where_there_is_no_choice() -> None:
    assert fastest({EngineName.ONNX: Slow(0.05)}) == Choice(EngineName.ONNX, {})


def opener(opened: list[str]) -> choice.Open:
    def open_one(name: str) -> OnnxEngine:
        opened.append(name)
        return Slow(0.0 if name == "openvino" else 0.05)

    return open_one


def test_the_choice_is_remembered_for_these_weights_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx", "openvino"))
    card, opened = read_card(DEFAULT_WEIGHTS), list[str]()
    choice.open_fastest(Place(card, 1), opener(opened))
    choice.open_fastest(Place(card, 1), opener(opened))
    assert opened == ["onnx", "openvino", "openvino"]
    known = remembered(Place(card, 1))
    assert known is not None
    assert (known.engine, set(known.milliseconds)) == ("openvino", {"onnx", "openvino"})
    assert remembered(Place(card, 2)) is None
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx",))
    assert remembered(Place(card, 1)) is None, "what was uninstalled must not be opened"


def test_an_engine_that_does_not_open_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx", "openvino"))

    def open_one(name: str) -> OnnxEngine:
        if name == "openvino":
            raise ModelError("no such instruction")
        return Slow()

    assert isinstance(choice.open_fastest(Place(read_card(DEFAULT_WEIGHTS), 1), open_one), Slow)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "null"])
def test_a_damaged_memory_is_measured_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(choice, "candidates", lambda: ("onnx", "openvino"))
    own_cache.mkdir()
    (own_cache / choice.FILE_NAME).write_text(text)
    opened = list[str]()
    choice.open_fastest(Place(read_card(DEFAULT_WEIGHTS), 1), opener(opened))
    assert len(opened) == 2
    assert len(json.loads((own_cache / choice.FILE_NAME).read_text())) >= 1


def test_auto_takes_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.engine.open.candidates", lambda: ("onnx", "openvino"))
    monkeypatch.setattr("model.engine.open.open_fastest", lambda place, open_one: open_one("onnx-int8"))
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
@pytest.mark.slow
def test_faster_engines_agree_with_the_float_one_and_with_themselves(name: str) -> None:
    exact, engine = (open_engine(DEFAULT_WEIGHTS, each, "cpu", 1) for each in ("onnx", name))
    image = portrait()
    crop = Crop.around_box(184, 70, 268, 185, 1.3)
    picture = crop.extract(image, SIZE)[None]
    points = []
    for each in (exact, engine, engine):
        recurrence = Recurrence(each)
        for _ in range(3):
            solution = recurrence.solve(each.encode(picture), crop, image)
        points.append(solution.landmarks)
    assert np.linalg.norm(points[1] - points[0], axis=1).mean() < 0.002 * crop.side
    np.testing.assert_array_equal(points[1], points[2])


@pytest.mark.skipif(not HAS_OPENVINO, reason="no openvino")
@pytest.mark.process
def test_openvino_brings_no_telemetry_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    code = (
        "import sys; seen = []; sys.addaudithook(lambda event, _: seen.append(event))\n"
        "from model.engine.open import open_engine; from app.core.places import DEFAULT_WEIGHTS\n"
        "print(open_engine(DEFAULT_WEIGHTS, 'openvino', 'cpu', 1).name)\n"
        "assert 'openvino_telemetry' not in sys.modules\n"
        "assert not [event for event in seen if event.startswith(('socket.connect', 'socket.getaddrinfo'))]\n"
    )
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | home, capture_output=True, text=True)
    assert "OpenVINO" in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.process
def test_onnxruntime_reports_nothing_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    code = (
        "from model.engine.open import open_engine; from app.core.places import DEFAULT_WEIGHTS\n"
        "engine = open_engine(DEFAULT_WEIGHTS, 'onnx', 'cpu', 1)\n"
        "print(engine.name, engine.zero_state(1).shape)\n"
    )
    # Without what tells onnxruntime that it runs in continuous integration, where it reports nothing anyway.
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    environment |= {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert "onnxruntime" in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


def test_onnxruntime_is_imported_only_where_its_telemetry_is_turned_off() -> None:
    importing = re.compile(r"^\s*(?:import|from) onnxruntime\b(?!\.quantization)", re.MULTILINE)
    found = [
        module.relative_to(ROOT).as_posix()
        for folder in ("app", "model", "benchmarks")
        for module in sorted((ROOT / folder).rglob("*.py"))
        if importing.search(module.read_text(encoding="utf-8"))
    ]
    assert found == ["app/setup/doctor/acceleration.py", "model/engine/runtime.py"]  # the first in a script of its own


@pytest.mark.parametrize("name", ENGINES)
def test_a_face_has_the_same_answer_alone_and_among_others(name: str) -> None:
    engine = open_engine(DEFAULT_WEIGHTS, name, "cpu", 1)
    pictures = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    u = engine.encode(pictures)
    z = engine.evaluate(engine.zero_state(3), u)
    alone = engine.evaluate(engine.zero_state(1), engine.encode(pictures[1:2]))
    assert z.shape == (3, 98, 48, 48)
    np.testing.assert_allclose(z[1], alone[0], atol=1e-4)


def test_the_doctor_says_which_is_fastest_and_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core.settings import EngineSettings
    from app.setup.doctor.acceleration import check_fastest

    def says() -> str:
        return check_fastest(EngineSettings(threads=1))[0].text

    monkeypatch.setattr("app.setup.doctor.acceleration.candidates", lambda: ("onnx",))
    assert "only one" in says()
    for module in ("app.setup.doctor.acceleration", "model.engine.choice"):
        monkeypatch.setattr(f"{module}.candidates", lambda: ("onnx", "openvino"))
    assert "next start" in says()
    choice.open_fastest(Place(read_card(DEFAULT_WEIGHTS), 1), opener([]))
    assert re.match(r"openvino, on the CPU with 1 thread \(onnx \d+\.\d ms, openvino \d+\.\d ms", says())


CARD = Cuda("RTX 4060, driver for CUDA 12.8", (EngineName.ONNX, EngineName.TORCH_F32, EngineName.TORCH))


def with_card(monkeypatch: pytest.MonkeyPatch, card: Cuda | None) -> None:
    for module in ("model.engine.open", "app.setup.doctor.acceleration"):
        monkeypatch.setattr(f"{module}.cuda_candidates", lambda graphs: card)


class Fake(Slow):
    """An engine that claims another name and place."""

    def __init__(self, name: str, extra: float = 0.0) -> None:
        super().__init__(extra)
        self._claimed = name

    @property
    def name(self) -> str:
        return self._claimed


def open_fakes(monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...] = ()) -> list[str]:
    """Let engines on CUDA be fakes, of which torch is the fastest; return the list of what is opened."""
    opened: list[str] = []
    real = opening._open

    def open_one(weights: Path, engine: str, device: str, threads: int) -> Any:
        opened.append(f"{engine} {device}")
        if device == "cpu":
            return real(weights, engine, device, threads)  # type: ignore[arg-type]
        if engine in broken:
            raise ModelError(f"{engine} found no CUDA")
        return Fake(f"{engine}, CUDA", 0.0 if engine == "torch" else 0.05)

    monkeypatch.setattr(opening, "_open", open_one)
    return opened


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_on_a_card_the_fastest_is_measured_once(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    with_card(monkeypatch, CARD)
    opened = open_fakes(monkeypatch)
    names = [open_engine(DEFAULT_WEIGHTS, "auto", device, 1).name for _ in range(2)]
    assert names == ["torch, CUDA"] * 2
    assert opened == ["onnx cuda", "torch-f32 cuda", "torch cuda", "torch cuda"]
    card = read_card(DEFAULT_WEIGHTS)
    assert remembered(Place(card, 1)) is None, "what holds for the card says nothing of the CPU"
    assert remembered(Place(card, 1, Cuda("another card", CARD.engines))) is None
    assert remembered(Place(card, 7, CARD)) == remembered(Place(card, 1, CARD)), "threads of the CPU do not matter"
    fewer = Cuda(CARD.card, (EngineName.ONNX,))
    assert remembered(Place(card, 1, fewer)) is None, "what was uninstalled must not be opened"


def test_what_fails_on_a_card_is_passed_over(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with_card(monkeypatch, CARD)
    open_fakes(monkeypatch, ("onnx",))
    assert open_engine(DEFAULT_WEIGHTS, "auto", "auto", 1).name == "torch, CUDA"
    assert "onnx is installed and cannot be used: onnx found no CUDA" in caplog.text


def test_what_opens_and_does_not_run_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Misfit(Slow):
        def evaluate(self, z: Any, u: Any) -> Any:
            raise RuntimeError("CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH\npage two")

    monkeypatch.setattr(choice, "candidates", lambda: ("onnx", "openvino"))
    place = Place(read_card(DEFAULT_WEIGHTS), 1)
    found = choice.open_fastest(place, lambda name: Misfit() if name == "onnx" else Slow())
    assert not isinstance(found, Misfit)
    assert "onnx was opened and failed (CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH)" in caplog.text
    with pytest.raises(ModelError, match=r"onnx was opened and failed \(CUDNN"):
        choice.open_fastest(Place(read_card(DEFAULT_WEIGHTS), 2), lambda name: Misfit())


def test_a_card_on_which_nothing_runs_leaves_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with_card(monkeypatch, CARD)
    monkeypatch.setattr("model.engine.open.candidates", lambda: ("onnx",))
    open_fakes(monkeypatch, CARD.engines)
    assert open_engine(DEFAULT_WEIGHTS, "auto", "auto", 1).name == "onnxruntime, CPU"
    assert "so the CPU is used: onnx found no CUDA" in caplog.text
    with pytest.raises(ModelError, match="onnx found no CUDA"):
        open_engine(DEFAULT_WEIGHTS, "auto", "cuda", 1)


@pytest.mark.parametrize("engine", ["torch", "torch-f32", "onnx"])
def test_an_engine_that_was_asked_for_runs_on_the_card(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    with_card(monkeypatch, CARD)
    opened = open_fakes(monkeypatch)
    assert open_engine(DEFAULT_WEIGHTS, engine, "auto", 1).name == f"{engine}, CUDA"
    assert opened == [f"{engine} cuda"]


def test_without_a_card_nothing_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with_card(monkeypatch, None)
    assert open_engine(DEFAULT_WEIGHTS, "torch", "auto", 1).name == "torch, CPU"
    assert not caplog.records


def test_torch_in_float32_is_for_cards() -> None:
    with pytest.raises(ModelError, match="is for CUDA; on the CPU --engine torch is as exact"):
        open_engine(DEFAULT_WEIGHTS, "torch-f32", "cpu", 1)
    assert open_plainest(DEFAULT_WEIGHTS, "torch-f32", 1).name == "torch, CPU"


@pytest.mark.parametrize(
    ("card", "onnx", "torch", "graphs", "engines"),
    [
        ("RTX", True, True, True, ("onnx", "torch-f32", "torch")),
        ("RTX", True, True, False, ("torch-f32", "torch")),
        ("RTX", True, False, True, ("onnx",)),
        ("RTX", True, False, False, None),
        (None, True, True, True, None),
    ],
)
def test_what_a_card_could_run(
    card: str | None, onnx: bool, torch: bool, graphs: bool, engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"card_name": card, "onnxruntime_has_cuda": onnx, "torch_has_cuda": torch}.items():
        monkeypatch.setattr(nvidia, name, lambda value=value: value)
    found = cuda_candidates(graphs)
    assert (found and found.engines) == engines


class Driver:
    """NVIDIA's driver library with one card, or the error ``code`` from its first call."""

    def __init__(self, code: int = 0) -> None:
        self._code = code

    def cuInit(self, flags: int) -> int:
        return self._code

    def cuDeviceGet(self, device: Any, index: int) -> int:
        return 0

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:
        name.value = b"NVIDIA RTX 4060"
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 12080
        return 0


def test_the_driver_names_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    libraries: dict[str, Any] = {"driver": Driver()}
    monkeypatch.setattr("model.engine.nvidia.ctypes.CDLL", lambda name: libraries["driver"])
    assert nvidia.card_name() == "NVIDIA RTX 4060, driver for CUDA 12.8"
    libraries["driver"] = Driver(100)  # no CUDA-capable device
    assert nvidia.card_name() is None
    libraries["driver"] = object()
    assert nvidia.card_name() is None

    def missing(name: str) -> Any:
        raise OSError("no such file")

    monkeypatch.setattr("model.engine.nvidia.ctypes.CDLL", missing)
    assert nvidia.card_name() is None


def test_what_is_installed_tells_whether_it_knows_cuda() -> None:
    import onnxruntime as ort
    import torch

    assert nvidia.torch_has_cuda() == (torch.version.cuda is not None)
    assert nvidia.onnxruntime_has_cuda() == ("CUDAExecutionProvider" in ort.get_available_providers())


@pytest.mark.process
def test_torch_is_not_imported_to_learn_that_it_is_not_needed(tmp_path: Path) -> None:
    """Neither without a card, nor where onnxruntime was found to be the fastest on it."""
    code = (
        "import sys, platformdirs; from model.engine import choice, open as opening\n"
        f"platformdirs.user_cache_dir = lambda *a, **k: {str(tmp_path)!r}\n"
        "from app.core.settings import DEFAULT_WEIGHTS; from model.weights import read_card\n"
        "opening.open_engine(DEFAULT_WEIGHTS, 'auto', 'auto', 1)\n"
        "cuda = choice.Cuda('card', ('onnx', 'torch-f32', 'torch'))\n"
        "place = choice.Place(read_card(DEFAULT_WEIGHTS), 1, cuda)\n"
        "choice.remember(choice.FILE_NAME, place.key, choice.Choice('onnx', {}))\n"
        "opening.cuda_candidates = lambda graphs: cuda\n"
        "real = opening._open; opening._open = lambda w, e, d, t: real(w, e, 'cpu', t)\n"
        "print(opening.open_engine(DEFAULT_WEIGHTS, 'auto', 'cuda', 1).name, 'torch' in sys.modules)\n"
    )
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "onnxruntime, CPU False\n", done.stderr


def test_the_doctor_names_the_card_and_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core.settings import EngineSettings
    from app.setup.doctor.acceleration import check_fastest

    def says() -> str:
        return check_fastest(EngineSettings(threads=1))[1].text

    with_card(monkeypatch, CARD)
    assert says() == f"onnx and torch-f32 and torch are measured at the next start on CUDA ({CARD.card})"
    open_fakes(monkeypatch)
    open_engine(DEFAULT_WEIGHTS, "auto", "cuda", 1)
    pattern = r"torch, on CUDA \(RTX 4060, driver for CUDA 12\.8\) \(onnx .* ms, torch-f32 .* ms, torch .* ms a crop"
    assert re.match(pattern, says())
    with_card(monkeypatch, Cuda("card", (EngineName.ONNX,)))
    assert says() == "onnx is the only one installed for running on CUDA (card)"
