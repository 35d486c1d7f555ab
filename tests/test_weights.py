"""Weights on disk and the engines that run them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.config import LdeqConfig
from model.engine.cuda_engine import CudaEngine
from model.engine.export import export_onnx
from model.engine.names import Precision
from model.engine.onnx_engine import graph_paths
from model.engine.open import open_engine
from model.engine.precision import AGREEMENT, distance
from model.errors import ModelError
from model.geometry import Crop
from model.network import Ldeq
from model.rwr.recurrence import Recurrence
from model.weights import load_weights, read_card, save_weights, verify
from tests.waiting import PROCESS_SECONDS

pytestmark = pytest.mark.slow

TINY = LdeqConfig(name="tiny", input_size=128, injection=16, width=16, increment=16, max_steps=3)


def exported(model: Ldeq, folder: Path) -> Path:
    """Write weights and graphs of a model that has learned nothing."""
    path = folder / "tiny.safetensors"
    with torch.no_grad():
        model.cell.head.weight.mul_(0.02)  # a random cell of full strength is chaotic: it amplifies rounding
    save_weights(path, model, {"purpose": "test"})
    export_onnx(path)
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    return exported(Ldeq(TINY), tmp_path_factory.mktemp("weights with spaces ü"))


@pytest.fixture
def weights(original: Path, tmp_path: Path) -> Path:
    for file in original.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / original.name


@pytest.fixture(scope="module")
def with_face_mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    model = Ldeq(replace(TINY, face_mesh=True))
    assert model.stem.mesh is not None
    for last in (model.stem.mesh.project, *model.cell.hourglass.inject):
        torch.nn.init.xavier_normal_(last.weight)
    return exported(model, tmp_path_factory.mktemp("face mesh"))


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (count, 128, 128, 3), dtype=np.uint8)


def test_card_lists_config_checksums_and_notes(weights: Path) -> None:
    card = read_card(weights)
    assert card.config == TINY
    assert card.notes == {"purpose": "test"}
    assert set(card.files) == {weights.name, *(path.name for path in graph_paths(weights))}
    for name in card.files:
        verify(card, weights.with_name(name))


def test_loaded_model_computes_what_the_saved_one_did(weights: Path) -> None:
    first, second = load_weights(weights), load_weights(weights)
    x = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(first.stem(x), second.stem(x))


@pytest.mark.parametrize("count", [1, 3])
def test_engines_agree(weights: Path, count: int) -> None:
    points = []
    for name in ("onnx", "torch"):
        engine = open_engine(weights, name, "cpu", threads=1)
        u = engine.encode(crops(count))
        z = engine.zero_state(count)
        for _ in range(3):
            z = engine.evaluate(z, u)
        landmarks, spread = engine.decode(z)
        assert landmarks.shape == (count, 98, 2)
        assert spread.shape == (count, 98)
        points.append(landmarks)
    np.testing.assert_allclose(points[0], points[1], atol=1e-4)


@pytest.mark.parametrize("name", ["onnx", "openvino", "bf16"])
@pytest.mark.slow
def test_engines_agree_on_face_mesh_features(with_face_mesh: Path, name: str) -> None:
    exact = open_engine(with_face_mesh, "torch", "cpu", threads=1)
    other = (
        CudaEngine(with_face_mesh, Precision.BFLOAT16, "cpu")
        if name == "bf16"
        else open_engine(with_face_mesh, name, "cpu", 1)
    )
    assert exact.encode(crops(2)).shape == (2, exact.config.injection + 26, 32, 32)
    tolerance = 1e-4 if name == "onnx" else AGREEMENT
    assert distance(exact, other) < tolerance


def test_rwr_runs_on_both_engines_alike(weights: Path) -> None:
    results = []
    for name in ("onnx", "torch"):
        engine = open_engine(weights, name, "cpu", threads=1)
        recurrence = Recurrence(engine)
        picture = crops(1)
        for shift in (0.0, 3.0, 9.0):
            solution = recurrence.solve(engine.encode(picture), Crop(100 + shift, 100.0, 80.0))
        results.append(solution)
    np.testing.assert_allclose(results[0].landmarks, results[1].landmarks, atol=1e-2)
    assert results[0].report.residuals == pytest.approx(results[1].report.residuals, abs=1e-4)


def test_auto_takes_torch_where_there_are_no_graphs(weights: Path) -> None:
    assert not open_engine(weights, device="cpu").name.startswith("torch")
    graph_paths(weights)[0].unlink()
    assert open_engine(weights, device="cpu").name.startswith("torch")


def test_damaged_weights_are_refused(weights: Path) -> None:
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="does not match its checksum"):
        load_weights(weights)


def test_damaged_graph_is_refused(weights: Path) -> None:
    cell = graph_paths(weights)[1]
    cell.write_bytes(cell.read_bytes()[:-100])
    with pytest.raises(ModelError, match="does not match its checksum"):
        open_engine(weights, "onnx", "cpu")


def edit_card(weights: Path, **config: object) -> None:
    path = weights.with_suffix(".json")
    values = json.loads(path.read_text())
    values["config"].update(config)
    path.write_text(json.dumps(values))


def test_wrong_shapes_are_refused(weights: Path) -> None:
    edit_card(weights, width=24)
    with pytest.raises(ModelError, match="does not fit the model its JSON describes"):
        load_weights(weights)


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json", '{"format": 9, "config": {}, "files": {}}'])
def test_broken_card_is_refused_in_one_sentence(weights: Path, text: str) -> None:
    weights.with_suffix(".json").write_text(text)
    with pytest.raises(ModelError, match=r"is not a weights description|has format 9"):
        read_card(weights)


def test_missing_files_are_named(weights: Path) -> None:
    with pytest.raises(ModelError, match="no weights at"):
        read_card(weights.with_name("absent.safetensors"))
    weights.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r"tiny\.json is missing"):
        read_card(weights)


def test_files_that_the_system_does_not_show_are_one_sentence(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no weights at"):
        open_engine(weights.with_name("x" * 300 + ".safetensors"))

    def refused(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("model.weights.sha256", refused)
    with pytest.raises(ModelError, match="cannot be read: Permission denied"):
        open_engine(weights, "onnx", "cpu")


@pytest.mark.process
def test_onnx_engine_needs_no_torch(weights: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom model.engine.open import open_engine\n"
        f"engine = open_engine(Path({str(weights)!r}), 'onnx', 'cpu')\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PROCESS_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
