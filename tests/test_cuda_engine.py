"""The CUDA engine: recordings keep no one's state, 16 bits only where they agree, nothing waits that need not.

Everything runs on the CPU, too, where recordings are rehearsed in the same buffers; on CUDA with its graphs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import TrackingSettings
from app.tracking.pipeline import Pipeline
from model.engine import captured, cuda_engine, precision
from model.engine.captured import Captured, rehearse
from model.engine.cuda_engine import MOST_FACES, CudaEngine, open_cuda
from model.engine.fallback import open_plainest
from model.engine.names import Precision
from model.engine.precision import distance, halve
from model.engine.staging import Staging
from model.engine.torch_engine import TorchEngine
from model.errors import ModelError
from model.geometry import Crop
from model.network import Ldeq
from model.rwr import warm_start
from model.rwr.batch import solve_batch
from model.rwr.cold import cold_solutions, cold_state
from model.rwr.recurrence import Recurrence
from model.rwr.settings import RwrSettings
from model.solvers import progress
from model.weights import load_weights, save_weights
from tests.engine_fakes import CONFIG, play, replacements
from tests.fakes import SquareDetector

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

NEEDS_CUDA = pytest.mark.cuda
SIDE = CONFIG.input_size


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NEEDS_CUDA)])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    save_weights(path, Ldeq(CONFIG).eval(), {})
    return path


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def numpy_of(values: Any) -> np.ndarray:
    return values.cpu().numpy().copy() if isinstance(values, Tensor) else np.array(values)


def drifting_faces(engine: TorchEngine, count: int, steps: int = 4) -> list[np.ndarray]:
    """Return the landmarks of faces followed with RwR, a cold solve of the same injection between the frames."""
    recurrences = [Recurrence(engine) for _ in range(count)]
    picture = np.kron(np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    found = []
    for t in range(steps):
        image = np.roll(picture, 2 * t, axis=1)
        crops = [Crop(70 + 40 * i + 2 * t, 90 + t, 80 + t) for i in range(count)]
        u = engine.encode(np.stack([crop.extract(image, SIDE) for crop in crops]))
        solutions = solve_batch(engine, recurrences, u, crops, image, t / 30)
        cold = cold_solutions(engine, u, crops)
        found += [solution.landmarks for solution in (*solutions, *cold)]
    return found


@pytest.mark.parametrize("count", [1, 3, MOST_FACES + 1])
def test_it_answers_as_the_torch_engine_does(tiny: Path, device: str, count: int) -> None:
    engine, plain = CudaEngine(tiny, Precision.FLOAT32, device), TorchEngine(tiny)
    apart = np.abs(np.subtract(drifting_faces(engine, count), drifting_faces(plain, count)))
    assert apart.max() <= (0 if device == "cpu" else 0.02)


def leaks(tiny: Path, device: str) -> bool:
    """Whether any array that the engine gave away, or was given, changes while the engine goes on working."""
    engine = CudaEngine(tiny, Precision.FLOAT32, device)
    random = np.random.default_rng(0)
    held: list[tuple[Any, np.ndarray]] = []
    states: dict[int, list[Tensor]] = {count: [engine.zero_state(count)] for count in (1, 2)}
    injections: dict[int, list[Tensor]] = {count: [engine.encode(noise(count, count))] for count in (1, 2)}
    for step in range(60):
        count = int(random.integers(1, 3))
        known, encoded = states[count], injections[count]
        what = random.integers(3)
        if what == 0:
            encoded.append(engine.encode(noise(count, step)))
            new: tuple[Any, ...] = (encoded[-1],)
        elif what == 1:
            known.append(engine.evaluate(known[random.integers(len(known))], encoded[random.integers(len(encoded))]))
            new = (known[-1],)
        else:
            new = engine.decode(known[random.integers(len(known))])
        held += [(value, numpy_of(value)) for value in new]
    return any(not np.array_equal(numpy_of(value), then) for value, then in held)


def test_no_state_changes_under_its_owner(tiny: Path, device: str) -> None:
    assert not leaks(tiny, device)


def test_the_guard_against_shared_memory_works(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the copy that a recording hands out, states do change under their owners."""
    original = Captured.__call__

    def shared(self: Captured, *values: Tensor) -> Tensor:
        original(self, *values)
        return self._output

    monkeypatch.setattr(Captured, "__call__", shared)
    assert leaks(tiny, "cpu")


def test_each_batch_size_is_recorded_once_up_to_the_most(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[int] = []

    def record(function: Any, inputs: Sequence[Tensor]) -> Any:
        recorded.append(inputs[0].shape[0])
        return rehearse(function, inputs)

    monkeypatch.setattr(cuda_engine, "rehearse", record)
    engine = CudaEngine(tiny, Precision.FLOAT32, "cpu")
    for count in (1, 2, MOST_FACES, MOST_FACES + 1, 2, 1):
        engine.decode(engine.evaluate(engine.zero_state(count), engine.encode(noise(count))))
    assert recorded == [1] * 3 + [2] * 3 + [MOST_FACES] * 3  # stem, cell and points


def test_a_recording_takes_only_its_own_shapes() -> None:
    double = Captured(lambda x: 2 * x, [torch.zeros(2, 3)], rehearse)
    assert double(torch.ones(2, 3)).tolist() == [[2.0] * 3] * 2
    with pytest.raises(ValueError, match=r"other shapes than \[\(1, 3\)\]"):
        double(torch.ones(1, 3))


def test_uploads_belong_to_nobody_else(device: str) -> None:
    staging = Staging((1, 2, 2, 3), torch.device(device))
    pictures = np.full((1, 2, 2, 3), 7, np.uint8)
    first = staging.upload(pictures)
    pictures[:] = 9
    second = staging.upload(pictures)
    assert (numpy_of(first) == 7).all()
    assert (numpy_of(second) == 9).all()


@pytest.mark.parametrize("kind", [Precision.FLOAT16, Precision.BFLOAT16])
@pytest.mark.slow
def test_16_bits_agree_with_the_shipped_weights(kind: Precision, device: str) -> None:
    if kind == Precision.BFLOAT16 and device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this card has no bfloat16")
    exact = CudaEngine(DEFAULT_WEIGHTS, Precision.FLOAT32, device)
    apart = distance(exact, CudaEngine(DEFAULT_WEIGHTS, kind, device))
    assert 0 < apart < precision.AGREEMENT


def test_what_agrees_is_used_and_named(device: str) -> None:
    engine = open_cuda(DEFAULT_WEIGHTS, device=device)
    assert engine.name.startswith("torch, C")
    assert engine.name.endswith(", f16")
    u = engine.encode(np.zeros((1, 192, 192, 3), np.uint8))
    assert u.dtype == engine.evaluate(engine.zero_state(1), u).dtype == torch.float32


def test_what_disagrees_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, device: str
) -> None:
    monkeypatch.setattr(cuda_engine, "AGREEMENT", 1e-6)
    with caplog.at_level(logging.WARNING):
        engine = open_cuda(DEFAULT_WEIGHTS, (Precision.FLOAT16,), device)
    assert engine.name.endswith(", f32")
    (record,) = caplog.records
    assert "f16 is not used: its landmarks lie 0.000" in record.getMessage()


def test_values_beyond_float16_lead_to_bfloat16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = Ldeq(CONFIG).eval()
    with torch.no_grad():
        model.cell.tail.conv.weight.mul_(1e6)  # its GroupNorm takes that back, but for float16 it is infinite
    path = tmp_path / "large.safetensors"
    save_weights(path, model, {})
    assert distance(CudaEngine(path, Precision.FLOAT32, "cpu"), CudaEngine(path, Precision.FLOAT16, "cpu")) == float(
        "inf"
    )
    monkeypatch.setattr(cuda_engine, "AGREEMENT", 0.1)  # of a model that was never trained
    assert open_cuda(path, device="cpu").name == "torch, CPU, bf16"


def test_only_convolutions_calculate_in_16_bits() -> None:
    model = halve(load_weights(DEFAULT_WEIGHTS), Precision.FLOAT16)
    kinds = {name: value.dtype for name, value in model.named_parameters()}
    assert kinds["cell.head.weight"] == torch.float32
    assert {kind for name, kind in kinds.items() if ".norm." in name} == {torch.float32}
    assert {kind for name, kind in kinds.items() if ".conv." in name} == {torch.float16}


def test_without_graphs_it_goes_on_and_says_so(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(function: Any, inputs: Sequence[Tensor]) -> Any:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nCompile with ...")

    monkeypatch.setattr(cuda_engine, "rehearse", refuse)
    with caplog.at_level(logging.WARNING):
        engine = CudaEngine(tiny, Precision.FLOAT32, "cpu")
    assert engine.name == "torch, CPU, f32, without graphs"
    (record,) = caplog.records
    assert record.getMessage().endswith("CUDA error: operation not permitted when stream is capturing")
    assert np.array_equal(drifting_faces(engine, 2), drifting_faces(TorchEngine(tiny), 2))


def test_a_card_that_fails_at_the_start_is_one_sentence(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: CudaEngine) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\npage two")

    monkeypatch.setattr(CudaEngine, "_once", fail)
    with pytest.raises(ModelError, match=r"cannot use CUDA \(CUDA out of memory. Tried .*MiB\); use --device cpu$"):
        open_cuda(tiny, device="cpu")


LOST = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 8 GiB."),
    RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later"),
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nSearch for it"),
]


@pytest.mark.parametrize(("part", "error"), [*zip(("_stem", "_cell", "_points"), LOST, strict=True)])
def test_a_card_that_fails_later_is_replaced_by_the_cpu(
    part: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = CudaEngine(DEFAULT_WEIGHTS, Precision.FLOAT32, "cpu")
    calls, work = 0, getattr(engine, part)

    def failing(*values: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise error
        result: Tensor = work(*values)
        return result

    monkeypatch.setattr(engine, part, failing)
    spare = lambda: open_plainest(DEFAULT_WEIGHTS, "torch-f32", 1)  # noqa: E731
    pipeline = Pipeline(engine, SquareDetector(), TrackingSettings(), open_spare=spare)
    (replaced,) = replacements(play(pipeline, 4))
    first_line = str(error).splitlines()[0].rstrip(".")
    assert replaced.failed == "torch, CPU, f32"
    assert replaced.reason.startswith(first_line)
    assert replaced.replacement == "torch, CPU"


class Waits(TorchFunctionMode):
    """Counts what makes the processor wait for a device."""

    NAMES = ("item", "tolist", "__bool__", "__float__", "__int__", "__index__", "cpu", "nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += getattr(func, "__name__", "") in self.NAMES
        return func(*args, **(kwargs or {}))


def test_nothing_waits_but_a_decode_which_waits_once(tiny: Path) -> None:
    engine = CudaEngine(tiny, Precision.FLOAT32, "cpu")
    for count in (1, 2):  # the second is recorded meanwhile
        with Waits() as waits:
            z = engine.evaluate(engine.zero_state(count), engine.encode(noise(count)))
        assert waits.count == 0
        with Waits() as waits:
            engine.decode(z)
        assert waits.count == 1


@NEEDS_CUDA
def test_on_cuda_neither_encoding_nor_evaluating_waits(tiny: Path) -> None:
    engine = CudaEngine(tiny, Precision.FLOAT32)
    z = engine.zero_state(1)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for seed in range(3):
            z = engine.evaluate(z, engine.encode(noise(1, seed)))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert np.isfinite(engine.decode(z)[0]).all()


@NEEDS_CUDA
def test_on_cuda_graphs_are_used_and_repeat_themselves_exactly() -> None:
    engines = [open_cuda(DEFAULT_WEIGHTS) for _ in range(2)]
    assert engines[0].name == engines[1].name
    assert engines[0].name.startswith("torch, CUDA: ")
    assert "without graphs" not in engines[0].name
    crops = np.random.default_rng(0).integers(0, 256, (2, 192, 192, 3), np.uint8)
    answers = [engine.decode(cold_state(engine, engine.encode(crops))[0])[0] for engine in engines]
    np.testing.assert_array_equal(answers[0], answers[1])


class OnlyThere(TorchDispatchMode):
    """Fails where a value is read, or something comes from another device than the tensors' own."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [value for value in tree_leaves((args, kwargs, result)) if isinstance(value, Tensor)]
        assert {value.device.type for value in tensors} <= {"meta"}, f"{func} comes from elsewhere"
        assert not any(word in str(func) for word in ("_local_scalar_dense", "nonzero")), f"{func} reads a value"
        return result


class NoConstants(TorchFunctionMode):
    """Fails where a tensor is made of Python's numbers, which are on the processor."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert getattr(func, "__name__", "") not in ("tensor", "as_tensor", "asarray", "from_numpy"), "a constant"
        return func(*args, **(kwargs or {}))


def elsewhere() -> tuple[TorchEngine, Tensor, Tensor]:
    """Return an engine of 16 bits on a device without values, and crops and a state there."""
    engine = TorchEngine.from_model(halve(Ldeq(CONFIG).eval(), Precision.FLOAT16).to("meta"))
    crops = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8, device="meta")
    return engine, crops, engine.zero_state(2)


def test_what_is_recorded_stays_on_the_device() -> None:
    """A capture fails where constants are uploaded or values read; a device without values shows that without CUDA."""
    engine, crops, state = elsewhere()
    with OnlyThere(), NoConstants(), torch.inference_mode():
        points = engine._points(engine._cell(state, engine._stem(crops)))
    assert (points.shape, points.device.type) == ((2, 98, 3), "meta")


def test_the_guards_against_uploads_work() -> None:
    engine, crops, _ = elsewhere()
    for statistics, said in (((torch.ones(()), torch.ones(())), "comes from elsewhere"), (None, "a constant")):
        engine._statistics = statistics  # type: ignore[assignment]
        with OnlyThere(), NoConstants(), torch.inference_mode(), pytest.raises(AssertionError, match=said):
            engine._stem(crops)


class Counting(TorchEngine):
    """Counts evaluations and decodes."""

    evaluations = decodes = 0

    def evaluate(self, z: Tensor, u: Tensor) -> Tensor:
        self.evaluations += 1
        return super().evaluate(z, u)

    def decode(self, z: Tensor) -> Any:
        self.decodes += 1
        return super().decode(z)


@pytest.mark.parametrize("faces", [1, 3])
def test_a_settled_frame_is_one_evaluation_and_two_decodes(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, faces: int
) -> None:
    """Also where reading a residual waits, and for all faces at once."""
    monkeypatch.setattr(progress, "reading_waits", lambda state: True)
    engine = Counting(tiny)
    recurrences = [Recurrence(engine, RwrSettings(settled=1e9, evaluations=3)) for _ in range(faces)]
    crops = [Crop(32 + 20 * i, 32, 40) for i in range(faces)]
    for _ in range(2):
        engine.evaluations = engine.decodes = 0
        solutions = solve_batch(engine, recurrences, engine.encode(noise(faces)), crops)
    assert all(solution.report.warm and solution.report.evaluations == 1 for solution in solutions)
    assert (engine.evaluations, engine.decodes) == (1, 2)


@pytest.mark.parametrize("new", [Crop(57, 46, 52), Crop(57, 46, 40)])
def test_a_state_is_moved_on_the_device_as_it_is_on_the_processor(
    monkeypatch: pytest.MonkeyPatch, device: str, new: Crop
) -> None:
    random = np.random.default_rng(0)
    state = random.random((1, 98, 16, 16), np.float32)
    old = Crop(50, 50, 40)
    for motion in (None, random.normal(0, 0.3, (98, 2)), np.full((98, 2), np.nan), np.full((98, 2), 1e30)):
        expected = warm_start.warp_state(state, old, new, True, motion)
        with monkeypatch.context() as patched:
            patched.setattr(warm_start, "reading_waits", lambda state: True)
            there = warm_start.warp_state(torch.from_numpy(state).to(device), old, new, True, motion)
        np.testing.assert_allclose(numpy_of(there), expected, atol=2e-6)


def test_a_failed_capture_leaves_the_stream_as_it_was() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    before = torch.cuda.current_stream()
    with pytest.raises(RuntimeError):
        captured.record_graph(lambda x: x + x.sum().item(), [torch.ones(3, device="cuda")])
    assert torch.cuda.current_stream() == before
    assert float((torch.ones(3, device="cuda") + 1).sum()) == 6.0
