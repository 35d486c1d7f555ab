"""The recipe of the shipped weights: its encoder, its labels, its runs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from app.cli import main as cli
from app.cli import train as train_command
from app.core.errors import EXIT_BAD_INPUT
from app.core.places import FACE_MESH
from model.conventions import SHIFT_300W, WFLW_SHIFT, moved_right, to_300w
from model.errors import ModelError
from model.network import Ldeq, Stem, normalise_image
from model.topology import POINTS
from model.training.augment import Augmentation
from model.training.average import averaged
from model.training.data import SEEN_ELSEWHERE, Faces, load_faces
from model.training.face_mesh import published_encoder
from model.training.recipe import (
    Recipe,
    continuation_for,
    lightening_for,
    narrowing_for,
    recipe_for,
    recipes_for,
    with_profiles,
)
from model.training.relabel import LIFTED, relabelled
from model.training.run import CHECKPOINT, Run
from model.training.whole import (
    BEGUN,
    FIRST,
    REFINED,
    RELABELLED,
    Workshop,
    from_finished,
    from_nothing,
    lightened_from,
    narrowed_from,
)
from model.weights import load_weights, read_card, save_weights
from tests.training_fakes import TINY, StepClock, faces_of, of_shape, some_faces, tiny_recipe, write_faces

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


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
    found = relabelled(Ldeq(TINY).eval(), faces, 64, batch=1)
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


def check_labels_moved(out: Path, faces: Faces) -> None:
    with np.load(out / RELABELLED) as found:
        assert not np.allclose(found["landmarks"][1], faces.landmarks[1])


def test_weights_are_made_in_two_runs_that_go_on_where_they_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
    faces = some_faces()
    lines: list[str] = []
    weights = from_nothing(
        Workshop(faces, tmp_path, report=lines.append), tiny_recipe(2), tiny_recipe(2), encoder=FACE_MESH
    )
    assert read_card(weights).config.face_mesh
    check_labels_moved(tmp_path, faces)
    before = read_card(weights).files
    again: list[str] = []
    shop = Workshop(faces, tmp_path, report=again.append)
    assert from_nothing(shop, tiny_recipe(2), tiny_recipe(2), encoder=FACE_MESH) == weights
    assert read_card(weights).files == before
    assert all(line.startswith("resumed") for line in again)
    assert not any(line.startswith("resumed") for line in lines)


def test_finished_weights_take_the_place_of_the_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
    init = tmp_path / "finished.safetensors"
    save_weights(init, Ldeq(dataclasses.replace(TINY, face_mesh=False)).eval(), {})
    recipe = dataclasses.replace(tiny_recipe(2), face_mesh_rate=5.0)
    shop = Workshop(some_faces(), tmp_path / "run")
    weights = from_finished(shop, recipe, init, FACE_MESH)
    assert weights.parent == shop.out / REFINED
    assert not (shop.out / FIRST).exists()
    before = read_card(weights).files
    assert from_finished(shop, recipe, weights, FACE_MESH) == weights
    assert read_card(weights).files == before


def check_goes_on(make: Callable[[], Path], recipe: Recipe, lines: list[str]) -> None:
    """Check that weights have the recipe's shape and that making them again goes on where they are finished."""
    weights = make()
    assert read_card(weights).config == recipe.model
    before = read_card(weights).files
    assert read_card(make()).files == before
    assert lines[-1].startswith("resumed")


def test_a_narrowed_model_begins_with_its_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
    teacher = tmp_path / "teacher.safetensors"
    wide = dataclasses.replace(TINY, injection=16, width=32, increment=16, input_size=128)
    save_weights(teacher, Ldeq(wide).eval(), {})
    recipe = of_shape(tiny_recipe(2), face_mesh=False)
    lines: list[str] = []
    shop = Workshop(some_faces(), tmp_path / "run", report=lines.append)
    check_goes_on(lambda: narrowed_from(shop, recipe, teacher), recipe, lines)
    check_labels_moved(shop.out, shop.faces)


def test_a_light_model_learns_from_its_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
    teacher = tmp_path / "teacher.safetensors"
    save_weights(teacher, Ldeq(TINY).eval(), {})
    recipe = of_shape(tiny_recipe(2), light=True)
    lines: list[str] = []
    shop = Workshop(some_faces(), tmp_path / "run", report=lines.append)
    check_goes_on(lambda: lightened_from(shop, recipe, teacher), recipe, lines)


def test_new_face_mesh_features_learn_faster() -> None:
    recipe = dataclasses.replace(tiny_recipe(1), face_mesh_rate=5.0)
    run = Run.begin(recipe, torch.device("cpu"), None)
    run.set_learning_rate(recipe)
    own, mesh = run.optimiser.param_groups
    assert mesh["lr"] == 5 * own["lr"] == 5 * recipe.learning_rate
    assert len(own["params"]) + len(mesh["params"]) == len(list(run.model.parameters()))


def test_a_first_model_begins_with_the_published_features(tmp_path: Path) -> None:
    run = Run.begin(tiny_recipe(1), torch.device("cpu"), None, 1, FACE_MESH)
    published = published_encoder(FACE_MESH).state_dict()
    assert isinstance(run.model.stem, Stem)
    assert run.model.stem.mesh is not None
    for name, value in run.model.stem.mesh.encoder.state_dict().items():
        torch.testing.assert_close(value, published[name])
    path = tmp_path / "plain.safetensors"
    plain = Ldeq(dataclasses.replace(TINY, face_mesh=False)).eval()
    save_weights(path, plain, {})
    more = Run.begin(tiny_recipe(1), torch.device("cpu"), path, 1, FACE_MESH).model.eval()
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
    assert refinement.stages[-1].geometry < 1


@pytest.mark.parametrize("finished", [False, True])
def test_the_command_makes_every_file(finished: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_faces(tmp_path / "faces", 4)
    monkeypatch.setattr("model.training.recipe.recipes_for", lambda *_: (tiny_recipe(1), tiny_recipe(1)))
    monkeypatch.setattr("model.training.recipe.continuation_for", lambda *_: tiny_recipe(1))
    words = ["train", "--recipe", "ldeq-s-mesh", "--data", str(folder), "--out", str(tmp_path / "run")]
    if finished:
        init = tmp_path / "finished.safetensors"
        save_weights(init, Ldeq(TINY).eval(), {})
        words += ["--init", str(init)]
    assert cli.main([*words, "--device", "cpu"]) == 0
    assert (tmp_path / "run" / FIRST).exists() != finished
    check_files(tmp_path / "run")


def test_the_command_makes_a_light_model_of_its_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_faces(tmp_path / "faces", 4)
    teacher, out = tmp_path / "teacher.safetensors", tmp_path / "run"
    save_weights(teacher, Ldeq(TINY).eval(), {})
    light = of_shape(tiny_recipe(1), light=True)
    monkeypatch.setattr("model.training.recipe.lightening_for", lambda *_: light)
    monkeypatch.setattr("model.training.recipe.continuation_for", lambda *_: light)
    words = ["train", "--recipe", "ldeq-s-light", "--data", str(folder), "--device", "cpu", "--out"]
    assert cli.main([*words, str(out), "--init", str(teacher)]) == 0
    check_files(out)
    assert cli.main([*words, str(out), "--resume"]) == 0
    further = tmp_path / "further"
    assert cli.main([*words, str(further), "--init", str(out / REFINED / "tiny.safetensors")]) == 0
    assert not (further / BEGUN).exists()
    check_files(further)


def test_the_command_takes_a_narrow_model_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_faces(tmp_path / "faces", 4)
    narrow = of_shape(tiny_recipe(1), face_mesh=False)
    wide = dataclasses.replace(narrow.model, name="wide", injection=16, width=32, increment=16)
    for name, config in (("teacher", wide), ("narrow", narrow.model)):
        save_weights(tmp_path / f"{name}.safetensors", Ldeq(config).eval(), {})
    monkeypatch.setattr("model.training.recipe.narrowing_for", lambda *_: narrow)
    monkeypatch.setattr("app.core.places.DEFAULT_WEIGHTS", tmp_path / "teacher.safetensors")
    words = ["train", "--recipe", "ldeq-xs", "--data", str(folder), "--device", "cpu", "--out", str(tmp_path / "run")]
    assert cli.main([*words, "--init", str(tmp_path / "narrow.safetensors")]) == 0
    assert not (tmp_path / "run" / BEGUN).exists()
    assert (tmp_path / "run" / RELABELLED).is_file()
    check_files(tmp_path / "run")
    assert cli.main([*words, "--resume"]) == 0


def check_files(out: Path) -> None:
    (card,) = (out / REFINED).glob("tiny.json")
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
    assert tuple(train_command.MAKERS) == train_command.RECIPES
    whole = (recipes_for(name)[1] for name in ("ldeq-s", "ldeq-s-mesh"))
    made = *whole, lightening_for("ldeq-s-light"), narrowing_for("ldeq-xs")
    assert tuple(recipe.model.name for recipe in made) == train_command.RECIPES


def test_what_a_run_without_a_checkpoint_has_left_is_not_taken_for_that_of_other_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(TINY, face_mesh=False)
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "other")]
    for path in paths:
        save_weights(path, Ldeq(config).eval(), {})
    shop = Workshop(faces_of("wflw", "ensemble-a"), tmp_path / "run", report=lambda line: None)

    def made(weights: Path) -> tuple[torch.Tensor, torch.Tensor]:
        begun = shop.begun(config, weights, lambda teacher, shape: teacher)
        return shop.relabelled(weights, 64).landmarks, load_weights(begun).state_dict()["cell.head.weight"]

    (first, begun), (same, begun_same), (second, begun_second) = made(paths[0]), made(paths[0]), made(paths[1])
    assert torch.equal(first, same)
    assert torch.equal(begun, begun_same)
    assert not torch.equal(first, second)
    assert not torch.equal(begun, begun_second)
    (tmp_path / "run" / REFINED).mkdir()
    (tmp_path / "run" / REFINED / CHECKPOINT).touch()  # from here on the run goes on with what it has
    (third, begun_third) = made(paths[0])
    assert torch.equal(third, second)
    assert torch.equal(begun_third, begun_second)


def test_the_command_averages_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_faces(tmp_path / "faces", 4)
    models = [Ldeq(TINY).eval() for _ in range(2)]
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "other")]
    for path, model in zip(paths, models, strict=True):
        save_weights(path, model, {})
    words = ["train", "--data", str(folder), "--device", "cpu", "--out", str(tmp_path / "mean"), "--average"]
    assert cli.main([*words, *map(str, paths)]) == 0
    mean = load_weights(tmp_path / "mean" / f"{TINY.name}.safetensors").state_dict()
    for name, value in models[0].state_dict().items():
        expected = (value + models[1].state_dict()[name]) / 2 if value.is_floating_point() else value
        torch.testing.assert_close(mean[name], expected)
    assert (tmp_path / "mean" / f"{TINY.name}-cell-int8.onnx").is_file()
    assert cli.main([*words, *map(str, paths)]) != 0
    assert "exists already; choose another name." in capsys.readouterr().err


@pytest.mark.parametrize(
    "more",
    [
        ["--resume"],
        ["--init", "a.safetensors"],
        ["--minutes", "5"],
        ["--learning-rate", "0.1"],
        ["--input-size", "98"],
        ["--profiles", "2"],
        ["--landmarks", "68"],
        ["--semantic-alignment"],
        ["--gradient", "jfb"],
        ["--validate-list", "list.txt", "--validate-images", "."],
        ["--workers", "1"],
    ],
    ids=lambda more: more[0],
)
def test_an_average_takes_nothing_that_is_for_training(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", str(tmp_path), "--out", str(tmp_path / "mean"), "--average", "a", "b"]
    assert cli.main([*words, *more]) == EXIT_BAD_INPUT
    assert f"--average trains nothing, so {more[0]} would do nothing" in capsys.readouterr().err


def test_only_runs_of_one_model_are_averaged(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "other")]
    for path, config in zip(paths, (TINY, dataclasses.replace(TINY, increment=24)), strict=True):
        save_weights(path, Ldeq(config).eval(), {})
    with pytest.raises(ModelError, match="another shape"):
        averaged(paths)
    with pytest.raises(ModelError, match="at least two"):
        averaged(paths[:1])


def test_profiles_are_drawn_as_often_as_asked_for() -> None:
    recipe = with_profiles(continuation_for("ldeq-s"), 2.0)
    assert {stage.turned for stage in recipe.stages} == {2.0}
    assert {stage.turned for stage in continuation_for("ldeq-s").stages} == {4.0}
