"""The recipe of the shipped weights: its encoder, its labels, its runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from app.cli import main as cli
from app.cli import train as train_command
from app.core.errors import EXIT_BAD_INPUT
from app.core.places import FACE_MESH
from model.config import LdeqConfig
from model.conventions import SHIFT_300W, moved_right, to_300w
from model.errors import ModelError
from model.network import Ldeq, normalise_image
from model.topology import POINTS
from model.training import whole
from model.training.augment import Augmentation
from model.training.data import SEEN_ELSEWHERE, WFLW_SHIFT, Faces, load_faces
from model.training.face_mesh import published_encoder
from model.training.recipe import Recipe, Stage, recipe_for
from model.training.relabel import LIFTED, relabelled
from model.training.whole import FIRST, REFINED, RELABELLED, recipes_for, train_narrowed, train_whole
from model.weights import load_weights, read_card, save_weights
from tests.test_training import GEOMETRY_ONLY, StepClock, face, write_faces

pytestmark = pytest.mark.slow

CONFIG = LdeqConfig(
    name="tiny", input_size=64, injection=8, width=16, increment=8, max_steps=2, face_mesh=True, half_pixel=True
)


def faces_of(*sources: str) -> Faces:
    drawn = [face(seed) for seed in range(len(sources))]
    return Faces(
        torch.from_numpy(np.stack([picture for picture, _ in drawn])),
        torch.from_numpy(np.stack([points for _, points in drawn])),
        torch.ones(len(sources), POINTS),
        np.array(sources),
    )


@torch.inference_mode()
def test_the_encoder_computes_what_the_published_network_does() -> None:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    graph = core.read_model(FACE_MESH)
    ends = {}  # the last activation of each side
    for operator in graph.get_ordered_ops():
        if operator.get_type_name() == "PRelu" and (side := operator.output(0).get_shape()[3]) in (48, 24, 12, 6):
            ends[side] = operator.output(0)
    graph.add_outputs(list(ends.values()))
    run = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    picture = np.random.default_rng(0).integers(0, 255, (1, 192, 192, 3), dtype=np.uint8)
    expected = list(run([picture.astype(np.float32) / 255]).values())[-len(ends) :]
    found = published_encoder(FACE_MESH)(normalise_image(torch.from_numpy(picture)))
    for reference, feature in zip(expected, found, strict=True):
        assert feature.shape == reference.shape
        near = feature.shape[2] // 2  # the other border is padded with another colour
        error = np.abs(feature.numpy() - reference)[:, :, :near, :near]
        assert error.max() < 0.02 * np.abs(reference).max()


def test_another_file_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        published_encoder(tmp_path / "none.tflite")
    (tmp_path / "other.tflite").write_bytes(FACE_MESH.with_name("face_detection_short_range.tflite").read_bytes())
    with pytest.raises(ModelError, match="not MediaPipe"):
        published_encoder(tmp_path / "other.tflite")


def test_labels_of_networks_move_halfway_and_those_of_people_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = faces_of("wflw", "ensemble-utk", "300w", "ensemble-wider")
    centre = torch.full((1, POINTS, 2), 0.5)
    monkeypatch.setattr("model.training.relabel.mirrored_points", lambda *_: centre)
    found = relabelled(Ldeq(CONFIG).eval(), faces, 64, batch=1)
    low, high = faces.landmarks.amin(dim=1), faces.landmarks.amax(dim=1)
    halfway = (faces.landmarks + ((low + high) / 2)[:, None]) / 2
    assert torch.equal(found.landmarks[0], faces.landmarks[0])
    for row in (1, 3):
        torch.testing.assert_close(found.landmarks[row], halfway[row])
    people = np.setdiff1d(np.arange(POINTS), LIFTED)
    assert torch.equal(found.landmarks[2, people], faces.landmarks[2, people])
    torch.testing.assert_close(found.landmarks[2, LIFTED], halfway[2, LIFTED])


def test_wflw_labels_move_to_where_mirror_images_agree() -> None:
    faces = faces_of("wflw", "300w")
    step = faces.mirror_consistent().landmarks - faces.landmarks
    distance = (faces.landmarks[0, 72] - faces.landmarks[0, 60]).norm()
    torch.testing.assert_close(step[0, :, 0], (-WFLW_SHIFT * distance).expand(POINTS), atol=1e-4, rtol=0)
    assert not step[0, :, 1].any()
    assert not step[1].any()


def test_68_points_are_learned_where_mirror_images_agree() -> None:
    faces = faces_of("wflw", "300w")
    found = faces.of_300w()
    assert found.sources.tolist() == ["300w"]
    written = to_300w(faces.landmarks[1:])
    torch.testing.assert_close(moved_right(found.landmarks, SHIFT_300W), written, atol=1e-2, rtol=0)


def test_faces_of_the_test_set_teach_nothing(tmp_path: Path) -> None:
    folder = write_faces(tmp_path / "faces", 3, ["face0.webp", f"{SEEN_ELSEWHERE[0]}.webp", "face2.webp"])
    assert load_faces(folder, torch.device("cpu")).weights.amax(dim=1).tolist() == [1, 0, 1]


def test_narrowed_augmentation_keeps_the_middle() -> None:
    whole_range = Augmentation()
    half = whole_range.narrowed(0.5)
    assert (half.shift, half.rotation) == (whole_range.shift / 2, whole_range.rotation / 2)
    assert half.scale_low**2 == pytest.approx(whole_range.scale_low)
    assert half.colour_chance == whole_range.colour_chance
    assert whole_range.narrowed(1.0) == whole_range


def tiny_recipe(steps: int) -> Recipe:
    stages = (Stage(0.5, 64, 2, {}), Stage(0.5, 64, 2, {}, geometry=0.5))
    return Recipe(CONFIG, steps / 120, stages, learning_rate=1e-3, warmup=0.0, augmentation=GEOMETRY_ONLY)


def test_weights_are_made_in_two_runs_that_go_on_where_they_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
    faces = faces_of("wflw", "ensemble-utk", "wflw", "ensemble-utk")
    lines: list[str] = []
    recipes = tiny_recipe(2), tiny_recipe(2)
    weights = train_whole(faces, recipes, tmp_path, encoder=FACE_MESH, report=lines.append)
    assert load_weights(weights).stem.mesh is not None
    with np.load(tmp_path / RELABELLED) as found:
        assert not np.allclose(found["landmarks"][1], faces.landmarks[1])
    before = read_card(weights).files
    again: list[str] = []
    assert train_whole(faces, recipes, tmp_path, encoder=FACE_MESH, report=again.append) == weights
    assert read_card(weights).files == before
    assert all(line.startswith("resumed") for line in again)
    assert not any(line.startswith("resumed") for line in lines)


def test_finished_weights_take_the_place_of_the_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
    init = tmp_path / "finished.safetensors"
    save_weights(init, Ldeq(dataclasses.replace(CONFIG, face_mesh=False)).eval(), {})
    faces = faces_of("wflw", "ensemble-utk", "wflw", "ensemble-utk")
    recipe = dataclasses.replace(tiny_recipe(2), face_mesh_rate=5.0)
    out = tmp_path / "run"
    weights = train_whole(faces, (recipe, recipe), out, encoder=FACE_MESH, init=init)
    assert weights.parent == out / REFINED
    assert not (out / FIRST).exists()
    before = read_card(weights).files
    assert train_whole(faces, (recipe, recipe), out, encoder=FACE_MESH, init=weights) == weights
    assert read_card(weights).files == before


def test_a_narrowed_model_begins_with_its_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
    teacher = tmp_path / "teacher.safetensors"
    wide = dataclasses.replace(CONFIG, injection=16, width=32, increment=16, input_size=128)
    save_weights(teacher, Ldeq(wide).eval(), {})
    faces = faces_of("wflw", "ensemble-utk", "wflw", "ensemble-utk")
    recipe = tiny_recipe(2)
    recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, face_mesh=False))
    lines: list[str] = []
    weights = train_narrowed(faces, recipe, tmp_path / "run", teacher=teacher, report=lines.append)
    assert read_card(weights).config == recipe.model
    with np.load(tmp_path / "run" / RELABELLED) as found:
        assert not np.allclose(found["landmarks"][1], faces.landmarks[1])
    before = read_card(weights).files
    again = train_narrowed(faces, recipe, tmp_path / "run", teacher=teacher, report=lines.append)
    assert read_card(again).files == before
    assert lines[-1].startswith("resumed")


def test_new_face_mesh_features_learn_faster() -> None:
    from model.training.loop import _set_learning_rate, _start

    recipe = dataclasses.replace(tiny_recipe(1), face_mesh_rate=5.0)
    run = _start(recipe, torch.device("cpu"), None)
    _set_learning_rate(run.optimiser, recipe, 0.0)
    own, mesh = run.optimiser.param_groups
    assert mesh["lr"] == 5 * own["lr"] == 5 * recipe.learning_rate
    assert len(own["params"]) + len(mesh["params"]) == len(list(run.model.parameters()))


def test_a_first_model_begins_with_the_published_features(tmp_path: Path) -> None:
    from model.training.loop import _start

    run = _start(tiny_recipe(1), torch.device("cpu"), None, 1, FACE_MESH)
    published = published_encoder(FACE_MESH).state_dict()
    assert run.model.stem.mesh is not None
    for name, value in run.model.stem.mesh.encoder.state_dict().items():
        torch.testing.assert_close(value, published[name])
    path = tmp_path / "plain.safetensors"
    plain = Ldeq(dataclasses.replace(CONFIG, face_mesh=False)).eval()
    save_weights(path, plain, {})
    more = _start(tiny_recipe(1), torch.device("cpu"), path, 1, FACE_MESH).model.eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        u, v = plain.stem(x), more.stem(x)
        torch.testing.assert_close(
            more.cell(more.zero_state(v), v), plain.cell(plain.zero_state(u), u), atol=1e-4, rtol=0
        )


def test_both_runs_share_budget_and_model() -> None:
    first, refinement = recipes_for("ldeq-s", 30)
    assert first.minutes + refinement.minutes == pytest.approx(30)
    assert first.model == refinement.model == recipe_for("ldeq-s").model
    larger = recipes_for("ldeq-s-mesh")[1].model
    assert larger == dataclasses.replace(first.model, name="ldeq-s-mesh", face_mesh=True)
    assert refinement.stages[-1].geometry < 1


def test_the_command_makes_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_faces(tmp_path / "faces", 4)
    monkeypatch.setattr(whole, "recipes_for", lambda *_, **__: (tiny_recipe(1), tiny_recipe(1)))
    words = ["train", "--recipe", "ldeq-s", "--data", str(folder), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert cli.main(words) == 0
    (card,) = (tmp_path / "run" / "refined").glob("tiny.json")
    assert set(json.loads(card.read_text())["files"]) == {
        "tiny.safetensors",
        "tiny-stem.onnx",
        "tiny-cell.onnx",
        "tiny-cell-int8.onnx",
    }


@pytest.mark.parametrize("more", [["--learning-rate", "1e-3"], ["--landmarks", "68"]])
def test_a_recipe_takes_no_choices_that_it_makes_itself(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--recipe", "ldeq-s", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert cli.main([*words, *more]) == EXIT_BAD_INPUT
    assert more[0] in capsys.readouterr().err


def test_the_command_offers_exactly_the_recipes() -> None:
    assert [recipes_for(name)[0].model.name for name in train_command.RECIPES] == list(train_command.RECIPES)
