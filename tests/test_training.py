"""Training: the data format, the augmentation's geometry, the loop, and the command."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.cli import main as cli
from app.cli import train as train_command
from app.cli.training_options import device_name
from app.core.errors import UserError
from model.config import LdeqConfig
from model.conventions import read_conversion
from model.errors import ModelError
from model.heatmap import decode
from model.network import Ldeq
from model.topology import MIRROR, POINTS, REGIONS
from model.training import loop
from model.training.augment import Augmentation, augment, augment_twice
from model.training.data import CANVAS, Faces, load_faces
from model.training.gradient import Gradient
from model.training.loop import train
from model.training.objective import LossWeights, Moves, landmark_loss, moved_state
from model.training.recipe import ALIGNMENTS, Recipe, Stage, conversion_for, recipe_for
from model.training.run import CHECKPOINT, Run
from model.training.semantic import ALIGNED, LabelSearch
from model.weights import load_weights, read_card, save_weights
from tests.training_fakes import GEOMETRY_ONLY, SIDE, StepClock, face, write_faces

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CONFIG = LdeqConfig(name="tiny", input_size=64, injection=8, width=16, increment=8, max_steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 12)


@pytest.fixture(scope="module")
def faces(folder: Path) -> Faces:
    return load_faces(folder, torch.device("cpu"))


def recipe(seconds: float, **changes: Any) -> Recipe:
    stage = Stage(1.0, CONFIG.input_size, 4, {})
    plain = Recipe(
        CONFIG, seconds / 60, (stage,), learning_rate=5e-3, warmup=0.0, ema_decay=0.9, augmentation=GEOMETRY_ONLY
    )
    return dataclasses.replace(plain, **changes)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a second of budget two training steps."""
    monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())


def test_faces_are_read_in_the_labels_order(faces: Faces) -> None:
    assert faces.images.shape == (12, CANVAS, CANVAS, 3)
    for row in (0, 5, 11):
        picture, points = face(row)
        assert np.array_equal(faces.images[row, :SIDE, :SIDE].numpy(), picture)
        assert np.allclose(faces.landmarks[row].numpy(), points)
    assert (faces.images[3, SIDE:, :SIDE] == faces.images[3, SIDE - 1, :SIDE]).all(), "edges are replicated"
    assert faces.draw_weights({"wflw": 3.0}).tolist() == [1.0, 3.0] * 6


@pytest.mark.parametrize(
    ("nose", "times"), [(0.0, 1.0), (0.45, 1.0), (-0.7, 2.5), (0.7, 2.5), (0.95, 4.0), (-2.0, 4.0)]
)
def test_faces_in_profile_are_drawn_more_often(faces: Faces, nose: float, times: float) -> None:
    """``nose``: where its tip lies between the middle and the ends of a contour that is turned by 30 degrees."""
    axis = torch.tensor([np.cos(np.pi / 6), np.sin(np.pi / 6)], dtype=torch.float32) * 80
    points = faces.landmarks.clone()
    left, right, tip = 0, 32, 54
    points[:, left], points[:, right], points[:, tip] = -axis, axis, nose * axis + axis.flip(0) * torch.tensor([-1, 1])
    turned = dataclasses.replace(faces, landmarks=points)
    assert turned.draw_weights({"wflw": 3.0}, turned=4.0).tolist() == pytest.approx([times, 3 * times] * 6)
    assert turned.draw_weights({"wflw": 3.0}).tolist() == [1.0, 3.0] * 6


def test_a_limit_takes_faces_from_all_over(folder: Path) -> None:
    some = load_faces(folder, torch.device("cpu"), 3)
    assert len(some) == 3
    assert np.allclose(some.landmarks[-1].numpy(), face(11)[1])


def test_faces_of_chosen_sources_are_taken_and_others_named(folder: Path) -> None:
    drawn = load_faces(folder, torch.device("cpu"), only=("drawn",))
    assert drawn.sources.tolist() == ["drawn"] * 6
    assert np.allclose(drawn.landmarks[1].numpy(), face(2)[1])
    assert len(load_faces(folder, torch.device("cpu"), limit=2, only=("drawn", "wflw"))) == 2
    with pytest.raises(ModelError, match="source 300w; there are drawn, wflw"):
        load_faces(folder, torch.device("cpu"), only=("300w",))


def test_data_that_is_not_there_or_not_whole_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"labels\.npz"):
        load_faces(tmp_path, torch.device("cpu"))
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "faces-1.tar").unlink()
    with pytest.raises(ModelError, match="6 labelled pictures are in no tar"):
        load_faces(tmp_path, torch.device("cpu"))


def test_other_labels_take_the_place_of_the_folders_own(folder: Path, tmp_path: Path) -> None:
    with np.load(folder / "labels.npz") as labels:
        other = dict(labels)
    np.savez(tmp_path / "other.npz", **{**other, "landmarks": other["landmarks"] + 3})
    moved = load_faces(folder, torch.device("cpu"), labels_path=tmp_path / "other.npz")
    assert np.allclose(moved.landmarks.numpy(), other["landmarks"] + 3)
    with pytest.raises(ModelError, match=r"none\.npz"):
        load_faces(folder, torch.device("cpu"), labels_path=tmp_path / "none.npz")


def dotted(count: int) -> tuple[Faces, tuple[int, ...]]:
    """Return pictures with three marked landmarks, each dot of its own colour, and random weights."""
    marked = (0, 60, 76)
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    spots = ((100, 90), (220, 95), (150, 205))
    random = np.random.default_rng(3)
    images = np.zeros((count, CANVAS, CANVAS, 3), np.uint8)
    points = random.uniform(110, 190, (count, POINTS, 2)).astype(np.float32)
    for spot, colour, landmark in zip(spots, colours, marked, strict=True):
        points[:, landmark] = spot
        for picture in images:
            cv2.circle(picture, spot, 4, colour, -1)
    torch.manual_seed(0)
    weights = torch.rand(count, POINTS)
    return Faces(torch.from_numpy(images), torch.from_numpy(points), weights, np.full(count, "wflw")), marked


def dot_positions(crop: torch.Tensor) -> list[NDArray[np.float64]]:
    """Return the centres of the three dots in crop units, in the order of :func:`dotted`."""
    size = crop.shape[-1]
    axis = (np.arange(size) + 0.5) / size
    masks = crop.double().numpy()
    return [np.array([(mask.sum(0) * axis).sum(), (mask.sum(1) * axis).sum()]) / mask.sum() for mask in masks]


@pytest.mark.parametrize("damage", ["", "text", "half"])
def test_damaged_labels_are_one_sentence(folder: Path, tmp_path: Path, damage: str) -> None:
    path, whole = tmp_path / "labels.npz", (folder / "labels.npz").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "half" else damage.encode())
    with pytest.raises(ModelError, match="is not a labels file, or is damaged"):
        load_faces(folder, torch.device("cpu"), labels_path=path)
    with pytest.raises(ModelError, match="is not a conversion"):
        read_conversion(path)


def test_a_damaged_tar_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.npz").write_bytes((folder / "labels.npz").read_bytes())
    (tmp_path / "faces-0.tar").write_bytes(b"no tar" * 100)
    with pytest.raises(ModelError, match=r"faces-0\.tar cannot be read, or is damaged"):
        load_faces(tmp_path, torch.device("cpu"))


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_a_damaged_picture_is_one_sentence(folder: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "labels.npz").write_bytes((folder / "labels.npz").read_bytes())
    with tarfile.open(tmp_path / "faces-0.tar", "w") as tar:
        entry = tarfile.TarInfo("faces/face003.webp")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    with pytest.raises(ModelError, match=r"face003\.webp is not a picture of at most"):
        load_faces(tmp_path, torch.device("cpu"))


@pytest.mark.parametrize(("name", "change"), [("name", lambda names: names[[0, 0, *range(2, 12)]]), ("source", len)])
def test_labels_that_name_faces_twice_or_too_few_are_one_sentence(
    folder: Path, tmp_path: Path, name: str, change: Callable[[Any], Any]
) -> None:
    with np.load(folder / "labels.npz") as labels:
        values = dict(labels)
    np.savez(tmp_path / "other.npz", **(values | {name: np.atleast_1d(change(values[name])).astype(str)}))
    with pytest.raises(ModelError, match="name of its own and a source for each face"):
        load_faces(folder, torch.device("cpu"), labels_path=tmp_path / "other.npz")


def test_labels_of_other_faces_are_not_taken(faces: Faces, tmp_path: Path) -> None:
    np.savez(tmp_path / "aligned.npz", landmarks=np.zeros((len(faces) + 2, 98, 2)), searches=np.array(1))
    with pytest.raises(ModelError, match="resume with the same faces"):
        LabelSearch(faces, (0.5,), tmp_path, resume=True)


def test_landmarks_stay_on_their_features() -> None:
    faces, marked = dotted(6)
    crops, moved, kept = augment(faces, 256, 2.2, GEOMETRY_ONLY)
    assert crops.shape == (6, 3, 256, 256)
    assert torch.equal(kept, faces.weights)
    for crop, landmarks in zip(crops, moved.numpy(), strict=True):
        for landmark, dot in zip(marked, dot_positions(crop), strict=True):
            assert np.abs(landmarks[landmark] - dot).max() < 1.5 / 256
    assert float(moved.std(dim=0)[list(marked)].min()) > 0.01, "every face is moved another way"


def test_mirrored_landmarks_and_weights_change_places() -> None:
    faces, marked = dotted(4)
    settings = dataclasses.replace(GEOMETRY_ONLY, mirror_chance=1.0)
    crops, moved, kept = augment(faces, 256, 2.2, settings)
    assert torch.equal(kept, faces.weights[:, torch.as_tensor(MIRROR)])
    for crop, landmarks in zip(crops, moved.numpy(), strict=True):
        for landmark, dot in zip(marked, dot_positions(crop), strict=True):
            # What was point 0 is now seen where point 32 belongs.
            assert np.abs(landmarks[MIRROR[landmark]] - dot).max() < 1.5 / 256


def test_the_full_augmentation_keeps_shape_and_range(faces: Faces) -> None:
    torch.manual_seed(0)
    always = Augmentation(
        colour_chance=1, grey_chance=0.5, blur_chance=1, low_resolution_chance=1, noise_chance=1, occluder_chance=1
    )
    crops, points, _ = augment(faces, 64, 1.25, always)
    assert torch.isfinite(crops).all()
    assert float(crops.min()) >= 0
    assert float(crops.max()) <= 255
    assert crops.shape == (12, 3, 64, 64)
    assert 0.4 < float(points.mean()) < 0.6


def test_two_photographs_share_the_geometry_and_nothing_else(faces: Faces) -> None:
    torch.manual_seed(0)
    noisy = dataclasses.replace(GEOMETRY_ONLY, noise_chance=1.0)
    earlier, now, points, _ = augment_twice(faces, 64, 1.25, noisy)
    assert points.shape == (12, POINTS, 2)
    difference = now - earlier
    assert 0.5 < float(difference.std()) < 20, "the noise is drawn anew"
    assert abs(float(difference.mean())) < 0.2
    torch.manual_seed(0)
    still = augment_twice(faces, 64, 1.25, GEOMETRY_ONLY)
    assert torch.equal(still[0], still[1])


def blobs(count: int) -> torch.Tensor:
    """Return a state with a blob of peak 1 in the middle of each heatmap."""
    axis = torch.linspace(-1, 1, 33)
    blob = torch.exp(-(axis[:, None] ** 2 + axis[None] ** 2) * 60)
    return blob.expand(count, POINTS, 33, 33).clone()


def test_moved_states_move_faces_as_a_whole_and_one_region_besides() -> None:
    torch.manual_seed(1)
    rigid = Moves(shift=0.05, scale=0.0, turn=0.0, region_chance=0.0)
    before = blobs(40)
    shift = decode(moved_state(before, 0.5, rigid), True)[0] - decode(before, True)[0]
    moved = shift.abs().amax(dim=(1, 2)) > 1e-4
    assert 10 <= int(moved.sum()) <= 30, "half of the faces"
    assert float((shift - shift[:, :1]).abs().max()) < 1e-3, "all landmarks of a face alike"

    regional = Moves(shift=0.0, scale=0.0, turn=0.0, region_chance=1.0, region_shift=0.05)
    shift = (decode(moved_state(before, 1.0, regional), True)[0] - decode(before, True)[0]).abs().amax(dim=(0, 2))
    (own,) = (region for region in REGIONS if float(shift[list(region.points)].min()) > 1e-3)
    others = [point for point in range(POINTS) if point not in own.points]
    assert float(shift[others].max()) < 1e-4


def test_the_flicker_part_counts_the_change_of_the_error() -> None:
    now, earlier = blobs(1), blobs(1).roll(3, dims=3)
    truth = decode(now, True)[0]
    weights = torch.ones(1, POINTS)
    still = landmark_loss(now, truth, weights, True, LossWeights(0.0, 0.5), now)
    changed = landmark_loss(now, truth, weights, True, LossWeights(0.0, 0.5), earlier)
    assert float(still) == pytest.approx(0.015, abs=2e-3)  # the root's own floor, 1e-4 crop sides twice
    assert float(changed - still) == pytest.approx(0.5 * 100 * 3 / 33, rel=0.02)


def test_errors_count_relative_to_the_distance_of_the_eyes() -> None:
    z = blobs(2)
    truth = decode(z, True)[0]
    truth[:, 60], truth[:, 72] = torch.tensor([0.3, 0.4]), torch.tensor([0.7, 0.4])
    truth[1, 72, 0] = 0.5
    wrong = torch.tensor([0.04, 0.01])
    truth[:, 0, 0] += wrong
    only = torch.zeros(2, POINTS)
    only[:, 0] = 1
    found = float(landmark_loss(z, truth, only, True, LossWeights(0.0, 0.0)))
    assert found == pytest.approx(100 * (0.04 / 0.4 + 0.01 / 0.2) / (1 / 0.4 + 1 / 0.2), rel=0.02)
    floor = float(landmark_loss(z, truth, only, True, LossWeights(0.0, 0.0, least_eyes=0.4)))
    assert floor == pytest.approx(100 * (0.04 + 0.01) / 2, rel=0.02)


def test_workers_share_the_weights_and_average_their_gradients(faces: Faces) -> None:
    run = Run.begin(recipe(1), torch.device("cpu"), None, workers=2)
    first, second = run.workers
    chosen = torch.arange(8)
    loop._step(run, recipe(1), faces, chosen, recipe(1).stages[0], loop.landmarks_objective)
    for own, shared in zip(second.parameters(), first.parameters(), strict=True):
        assert own.data_ptr() == shared.data_ptr()
    for worker, value in zip(run.workers, (1.0, 3.0), strict=True):
        for parameter in worker.parameters():
            parameter.grad = torch.full_like(parameter, value)
    run.gather_gradients(2)
    assert all((parameter.grad == 2.0).all() for parameter in first.parameters() if parameter.grad is not None)


@pytest.mark.usefixtures("steps")
def test_the_loss_falls(faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    lines: list[str] = []
    path = train(faces, recipe(11), tmp_path, report=lines.append)
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert len(losses) > 20
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:5])
    model = load_weights(path)
    assert model.config == CONFIG
    assert read_card(path).notes["samples"] == 4 * len(losses)
    assert json.loads((tmp_path / "recipe.json").read_text())["model"]["name"] == "tiny"


@pytest.mark.usefixtures("steps")
def test_a_resumed_run_goes_on_where_it_was(faces: Faces, tmp_path: Path) -> None:
    train(faces, recipe(4), tmp_path / "parts", report=lambda line: None)
    first = torch.load(tmp_path / "parts" / CHECKPOINT, weights_only=True)
    lines: list[str] = []
    train(faces, recipe(8), tmp_path / "parts", resume=True, report=lines.append)
    second = torch.load(tmp_path / "parts" / CHECKPOINT, weights_only=True)
    assert lines[0].startswith(f"resumed at step {first['steps']}")
    assert second["steps"] == 2 * first["steps"]
    assert second["seconds"] == pytest.approx(8)
    log = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert [entry["steps"] for entry in log] == [first["steps"], second["steps"]]


@pytest.mark.usefixtures("steps")
def test_an_interrupted_run_keeps_every_step(faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, calls = loop._step, 0

    def interrupted(*arguments: object) -> float:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(faces, recipe(10), tmp_path, report=lambda line: None)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["steps"] == 2


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_a_resumed_run_equals_an_uninterrupted_one(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    calls = 0

    def interrupted(*arguments: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:
            torch.rand(3)  # what the broken step drew is drawn again
            raise end
        return loop.landmarks_objective(*arguments)

    def run(name: str, **more: Any) -> dict[str, Any]:
        monkeypatch.setattr("model.training.loop.time.perf_counter", StepClock())
        train(faces, recipe(4, augmentation=Augmentation()), tmp_path / name, report=lambda line: None, **more)
        state: dict[str, Any] = torch.load(tmp_path / name / CHECKPOINT, weights_only=True)
        return state

    whole = run("whole")
    with pytest.raises(end):
        run("parts", objective=interrupted)
    parts = run("parts", resume=True)
    assert (parts["steps"], parts["seconds"]) == (whole["steps"], whole["seconds"])
    for kind in ("model", "average"):
        assert all(torch.equal(parts[kind][name], value) for name, value in whole[kind].items())
    assert torch.equal(parts["random"], whole["random"])


@pytest.mark.usefixtures("steps")
def test_a_run_interrupted_in_its_last_validation_still_gives_its_last_weights(faces: Faces, tmp_path: Path) -> None:
    def interrupted(model: Ldeq) -> dict[str, float]:
        raise KeyboardInterrupt

    train(faces, recipe(2), tmp_path, report=lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        train(faces, recipe(4), tmp_path, resume=True, validate=interrupted, report=lambda line: None)
    path = train(faces, recipe(4), tmp_path, resume=True, report=lambda line: None)
    average = torch.load(tmp_path / CHECKPOINT, weights_only=True)["average"]
    saved = load_weights(path).state_dict()
    assert all(torch.equal(saved[name], value) for name, value in average.items())
    written = path.stat().st_mtime_ns
    train(faces, recipe(4), tmp_path, resume=True, report=lambda line: None)
    assert path.stat().st_mtime_ns == written


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize("part", ["loss", "gradient"])
def test_a_step_that_is_not_finite_changes_nothing(faces: Faces, tmp_path: Path, part: str) -> None:
    seen: list[list[torch.Tensor]] = []

    def objective(model: Ldeq, recipe: Recipe, faces: Faces, stage: Stage) -> float:
        seen.append([parameter.detach().clone() for parameter in model.parameters()])
        value = loop.landmarks_objective(model, recipe, faces, stage)
        if len(seen) != 3:
            return value
        if part == "loss":
            return float("nan")
        next(model.parameters()).grad.fill_(float("nan"))  # type: ignore[union-attr]
        return value

    path = train(faces, recipe(3), tmp_path, objective=objective, report=lambda line: None)
    assert all(map(torch.equal, seen[2], seen[3]))
    assert not any(map(torch.equal, seen[3], seen[4]))
    assert all(value.isfinite().all() for value in load_weights(path).state_dict().values())


@pytest.mark.usefixtures("steps")
def test_the_figures_of_a_validation_are_kept(faces: Faces, tmp_path: Path) -> None:
    path = train(faces, recipe(1), tmp_path, validate=lambda model: {"nme": 12.5}, report=lambda line: None)
    assert read_card(path).notes["nme"] == 12.5
    assert json.loads((tmp_path / "log.jsonl").read_text())["nme"] == 12.5


def test_a_wrong_resume_says_so(faces: Faces, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing to resume"):
        train(faces, recipe(1), tmp_path, resume=True, report=lambda line: None)
    (tmp_path / CHECKPOINT).unlink(missing_ok=True)
    train(faces, recipe(0.01), tmp_path, report=lambda line: None)
    other = recipe(1, model=dataclasses.replace(CONFIG, width=24))
    with pytest.raises(ModelError, match="another model"):
        train(faces, other, tmp_path, resume=True, report=lambda line: None)


def test_weights_to_start_from_must_fit(faces: Faces, tmp_path: Path) -> None:
    start = tmp_path / "start.safetensors"
    save_weights(start, Ldeq(dataclasses.replace(CONFIG, width=24)), {})
    with pytest.raises(ModelError, match="does not fit"):
        train(faces, recipe(1), tmp_path / "out", init=start, report=lambda line: None)


def write_list(folder: Path) -> Path:
    """Write two of the faces as a WFLW list with pictures."""
    folder.mkdir()
    lines = []
    for row in (0, 1):
        picture, points = face(row)
        cv2.imwrite(str(folder / f"{row}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        box = [*points.min(axis=0), *points.max(axis=0)]
        numbers = " ".join(f"{value:.3f}" for value in [*points.reshape(-1), *box])
        lines.append(f"{numbers} 0 0 0 0 0 0 {row}.png")
    path = folder / "list.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.usefixtures("steps")
def test_a_full_disk_ends_training_in_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from model.training import recipe as recipes

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(recipes, "recipe_for", lambda name, minutes: recipe(minutes * 60))
    line = ["train", "--data", str(folder), "--out", str(tmp_path / "out"), "--device", "cpu", "--workers", "1"]
    assert cli.main([*line, "--minutes", "0.01"]) == 0
    before = (tmp_path / "out" / CHECKPOINT).read_bytes()
    monkeypatch.setattr("model.training.run.open_whole", lambda path: Full())
    assert cli.main([*line, "--minutes", "0.02", "--resume"]) != 0
    said = capsys.readouterr()
    assert "add --resume to go on from" in said.out
    assert said.err.splitlines()[-1].endswith("out: the disk is full; free some space or choose another folder.")
    assert (tmp_path / "out" / CHECKPOINT).read_bytes() == before


@pytest.mark.usefixtures("steps")
def test_the_command_trains_validates_exports_and_resumes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from model.training import recipe as recipes

    monkeypatch.setattr(recipes, "recipe_for", lambda name, minutes: recipe((minutes or 1) * 60))
    labelled = write_list(tmp_path / "labelled")
    out = tmp_path / "out"
    line = ["train", "--data", str(folder), "--out", str(out), "--device", "cpu"]
    line += ["--validate-list", str(labelled), "--validate-images", str(labelled.parent)]
    assert cli.main([*line, "--minutes", "0.02", "--limit-faces", "8"]) == 0
    printed = capsys.readouterr().out
    assert "8 faces" in printed
    assert "nme" in printed
    card = read_card(out / "tiny.safetensors")
    assert {"tiny.safetensors", "tiny-stem.onnx", "tiny-cell.onnx"} == set(card.files)
    assert card.notes["nme"] > 0

    assert cli.main([*line, "--minutes", "0.04"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*line, "--minutes", "0.04", "--resume"]) == 0
    assert "resumed" in capsys.readouterr().out


def test_validation_measures_the_model_it_is_given(tmp_path: Path) -> None:
    from app.lab.accuracy.validation import WflwValidation

    labelled = write_list(tmp_path / "labelled")
    validate = WflwValidation(labelled, labelled.parent, CONFIG)
    assert len(validate) == 2
    model = Ldeq(CONFIG).eval()
    figures = validate(model)
    assert set(figures) == {"nme", "fr10", "auc10"}
    assert figures["nme"] > 10, "an untrained model finds nothing"
    assert validate(model) == figures


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--minutes", "0"], "--minutes must be positive"),
        (["--minutes", "nan"], "--minutes must be positive"),
        (["--minutes", "inf"], "--minutes must be positive and finite, not inf"),
        (["--limit-faces", "-1"], "--limit-faces must be positive"),
        (["--validate-list", "x"], "both --validate-list"),
        ([], "no training faces"),
    ],
)
def test_the_command_says_what_is_wrong(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["train", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert cli.main([*line, *options]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1


def test_an_output_that_is_a_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").touch()
    assert cli.main(["train", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "choose another place" in capsys.readouterr().err


def test_cuda_is_taken_where_it_is_and_refused_where_not() -> None:
    assert device_name("auto", True) == "cuda"
    assert device_name("auto", False) == "cpu"
    assert device_name("cpu", True) == "cpu"
    with pytest.raises(UserError, match="doctor"):
        device_name("cuda", False)


@pytest.mark.usefixtures("steps")
def test_implicit_gradients_train_too(faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    lines: list[str] = []
    train(faces, recipe(11, gradient=Gradient.IMPLICIT), tmp_path, report=lines.append)
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert json.loads((tmp_path / "recipe.json").read_text())["gradient"] == Gradient.IMPLICIT


@pytest.mark.usefixtures("steps")
def test_labels_are_searched_within_a_run_and_kept_for_its_end(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_on: list[torch.Tensor] = []
    step = loop._step

    def noted(run: Run, plan: Recipe, now: Faces, *rest: object) -> float:
        trained_on.append(now.landmarks)
        return step(run, plan, now, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "_step", noted)
    lines: list[str] = []
    train(faces, recipe(4, alignments=(0.5,)), tmp_path, report=lines.append)
    assert sum("labels searched" in line for line in lines) == 1
    assert trained_on[0] is faces.landmarks
    with np.load(tmp_path / ALIGNED) as found:
        np.testing.assert_array_equal(found["landmarks"], trained_on[-1].numpy())


def test_a_new_run_forgets_labels_that_another_has_left(faces: Faces, tmp_path: Path) -> None:
    moved = faces.landmarks.numpy() + 5
    np.savez(tmp_path / ALIGNED, landmarks=moved, searches=np.array(1))
    assert torch.equal(LabelSearch(faces, (0.5,), tmp_path, resume=True)._faces.landmarks, torch.from_numpy(moved))
    LabelSearch(faces, (0.5,), tmp_path, resume=False)  # interrupted before its first search
    again = LabelSearch(faces, (0.5,), tmp_path, resume=True)
    assert again._faces is faces
    assert again._done == 0


def test_options_reach_the_recipe(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Recipe] = []
    monkeypatch.setattr(train_command, "train_recipe", lambda args, plan: planned.append(plan) or 0)
    words = ["train", "--data", str(folder), "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    more = ["--semantic-alignment", "--landmarks", "68", "--input-size", "128", "--learning-rate", "2e-4"]
    assert cli.main([*words, *more, "--gradient", "implicit", "--minutes", "3"]) == 0
    plain, changed = planned
    assert plain == recipe_for("ldeq-s")
    assert (changed.model.landmarks, changed.model.input_size, changed.model.name) == (68, 128, "ldeq-s-68")
    assert {stage.input_size for stage in changed.stages} == {128}
    assert changed.stages == tuple(
        dataclasses.replace(stage, input_size=128) for stage in conversion_for("ldeq-s").stages
    )
    assert (changed.alignments, changed.learning_rate, changed.gradient, changed.minutes) == (
        ALIGNMENTS,
        2e-4,
        Gradient.IMPLICIT,
        3.0,
    )


def test_torch_that_cannot_tell_of_bfloat16_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    from model.training import autocast

    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", object())  # as built for Apple's processors
    monkeypatch.setattr(autocast, "cpu_has_bfloat16", autocast.cpu_has_bfloat16.__wrapped__)
    with autocast.autocast("cpu"):
        assert not torch.is_autocast_enabled("cpu")


def test_an_unknown_gradient_is_refused() -> None:
    with pytest.raises(ModelError, match="jfb, implicit"):
        recipe(1, gradient="guess")


def test_the_command_offers_exactly_the_presets() -> None:
    assert [recipe_for(name).model.name for name in train_command.CONFIGS] == list(train_command.CONFIGS)
