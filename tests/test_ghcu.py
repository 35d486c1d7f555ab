"""GHCU: what it learns, when it is believed, what it may touch, and its files."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from app.cli import main as cli
from app.core.frame import Frame
from app.core.modes import Mode
from app.core.settings import EngineSettings, TrackingSettings
from app.lab.accuracy import covered as covered_points
from app.tracking.pipeline import Pipeline, build_pipeline
from model.config import LdeqConfig
from model.conventions import to_300w
from model.engine.export import export_onnx
from model.engine.names import Device
from model.engine.open import open_engine
from model.errors import ModelError
from model.geometry import Crop
from model.network import Ldeq
from model.repair.export import export_ghcu
from model.repair.ghcu import Ghcu, GhcuConfig, ghcu_path, graph_path, is_ghcu, read_ghcu_card, shares
from model.repair.network import GhcuNetwork, Summary, fit_similarity, inverses, shape_model, summarise
from model.rwr.cold import cold_solve
from model.rwr.solution import Solution
from model.topology import MIRROR, POINTS
from model.training import ghcu as training
from model.training.ghcu import GhcuRecipe, choose_thresholds, train_ghcu
from model.training.spoil import mirror, spoil
from model.weights import save_weights
from tests.fakes import SquareDetector, SquareEngine, face_image, face_points
from tests.lab_fakes import write_pts
from tests.training_fakes import write_faces

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SIZE = 32
SHAPE = GhcuConfig(POINTS, SIZE, True, pool=4, channels=(8, 8), hidden=24, low=0.05, high=0.10)
TINY = LdeqConfig(name="tiny", input_size=64, injection=16, width=16, increment=8, max_steps=2)


def face_shapes(count: int) -> Tensor:
    """Points (count, 98, 2) on ellipses of any two axes, moved about: any few of them tell all others."""
    radius = 0.15 + 0.15 * torch.rand(count, 1, 2)
    return 0.5 + circle() * radius + 0.1 * (torch.rand(count, 1, 2) - 0.5)


def circle() -> Tensor:
    angle = torch.arange(POINTS) / POINTS * 2 * torch.pi
    return torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)


def heatmaps(points: Tensor, width: float = 0.8) -> Tensor:
    """Gaussians (n, k, SIZE, SIZE) of peak about 1; ``width`` in cells."""
    axis = (torch.arange(SIZE) + 0.5) / SIZE
    x, y = (torch.exp(-0.5 * ((axis - points[..., i, None]) * SIZE / width) ** 2) for i in (0, 1))
    return y[..., :, None] * x[..., None, :]


def test_the_share_rises_from_low_to_high() -> None:
    spread = np.array([0.0, 0.05, 0.0625, 0.1, 0.4, np.nan], np.float32)
    np.testing.assert_allclose(shares(spread, 0.05, 0.10), [0, 0, 0.25, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize(
    "values", [{"low": 0.2}, {"low": -0.1}, {"pool": 3}, {"channels": ()}, {"hidden": 0}, {"modes": 0}]
)
def test_impossible_shapes_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        replace(SHAPE, **values)  # type: ignore[arg-type]


@torch.no_grad()
def test_an_erased_point_comes_from_the_mean_face_turned() -> None:
    torch.manual_seed(0)
    turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    points = 0.5 + 0.3 * circle()[None] @ turn
    z = heatmaps(points)
    z[:, 5] = 0
    network = GhcuNetwork(SHAPE)
    network.mean_shape.copy_(circle())
    torch.testing.assert_close(network(z), points, atol=5e-3, rtol=0)


@torch.no_grad()
def test_erased_points_follow_what_the_others_say_of_this_face() -> None:
    torch.manual_seed(0)
    mean, modes = shape_model(face_shapes(400), torch.ones(400, POINTS), 4)
    network = GhcuNetwork(replace(SHAPE, modes=4))
    network.mean_shape.copy_(mean)
    network.modes.copy_(modes)
    new = face_shapes(32)
    z = heatmaps(new)
    z[:, 20:40] = 0
    found = network(z)
    network.modes.zero_()
    rigid = network(z)
    before, after = ((points - new).norm(dim=-1)[:, 20:40].mean() for points in (rigid, found))
    assert float(after) < 0.6 * float(before)


@torch.no_grad()
def test_the_fit_is_the_most_likely_face() -> None:
    torch.manual_seed(1)
    points, spread = 0.5 + 0.1 * torch.randn(1, POINTS, 2), 0.01 + 0.1 * torch.rand(1, POINTS)
    network = GhcuNetwork(replace(SHAPE, modes=6)).double()
    network.mean_shape.copy_(circle())
    network.modes.copy_(0.1 * torch.randn(6, 2 * POINTS))
    seen = Summary(torch.zeros(1, POINTS, 8, 8), points, spread, torch.ones(1, POINTS))
    seen = Summary(*(part.double() for part in seen))
    place = fit_similarity(network.mean_shape, seen.points, 1 / (seen.spread + 0.01) ** 2)
    error = (torch.exp(network.noise) * (seen.spread + 1e-3) / place.scale).repeat_interleave(2, dim=1)[0]
    residual = (place.undo(seen.points) - network.mean_shape).flatten()

    def cost(amounts: Tensor) -> Tensor:
        return (((residual - amounts @ network.modes) / error) ** 2).sum() + (amounts**2).sum()

    rows = torch.cat([network.modes.T / error[:, None], torch.eye(6)])
    best = torch.linalg.lstsq(rows, torch.cat([residual / error, torch.zeros(6)])).solution
    assert cost(best) < cost(torch.zeros(6).double())
    expected = place.apply(network.mean_shape + (best @ network.modes).view(1, POINTS, 2))
    torch.testing.assert_close(network.fit(seen), expected)


def test_matrices_are_inverted_by_products() -> None:
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(3, 40, 200, generator=generator) * torch.logspace(0, 2, 40)[:, None]
    matrices = torch.eye(40) + factor @ factor.transpose(1, 2)
    found = inverses(matrices)
    scale = matrices.diagonal(dim1=1, dim2=2).sqrt()
    product = (found @ matrices) * scale[:, :, None] / scale[:, None, :]
    torch.testing.assert_close(product, torch.eye(40).expand(3, -1, -1), atol=1e-4, rtol=0)


def test_the_mean_shape_follows_the_points_that_count() -> None:
    torch.manual_seed(0)
    shape = torch.rand(9, 2)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    points = (shape @ (1.7 * turn) + torch.tensor([0.3, -2.0]))[None].repeat(2, 1, 1)
    spoilt = points.clone()
    spoilt[1, 4:] = 7.0
    weights = torch.ones(2, 9)
    weights[1, 4:] = 0
    place = fit_similarity(shape, spoilt, weights)
    torch.testing.assert_close(place.apply(shape.expand(2, -1, -1)), points, atol=1e-4, rtol=0)
    torch.testing.assert_close(place.undo(points), shape.expand(2, -1, -1), atol=1e-4, rtol=0)


@pytest.mark.slow
def test_it_learns_to_place_spoilt_points_from_the_others() -> None:
    torch.manual_seed(0)
    shape = replace(SHAPE, pool=8)
    network = GhcuNetwork(shape)
    network.mean_shape.copy_(circle())
    untrained = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 120)
    recipe = GhcuRecipe(batch=32, kept=256, spoil_chance=0.9)
    kept = training._Kept(recipe.kept)
    points = face_shapes(256)
    maps, *others = summarise(heatmaps(points), shape)
    kept.add(maps.half(), *others, points, torch.ones(256, POINTS))
    for _ in range(120):
        training._step(network, optimiser, kept, recipe)
        schedule.step()
    new = face_shapes(128)
    seen, spoilt = spoil(summarise(heatmaps(new), shape), new, chance=1.0, radius=0.35)
    with torch.no_grad():
        before, after = ((net.correct(seen) - new).norm(dim=-1) for net in (untrained, network))
    assert float(after[spoilt].mean()) < 0.9 * float(before[spoilt].mean())
    assert float(after[~spoilt].mean()) < float(before[~spoilt].mean())


def test_kept_faces_are_the_newest() -> None:
    kept = training._Kept(5)
    for first in (0, 3, 6):
        kept.add(torch.arange(first, first + 3))
    assert len(kept) == 5
    assert set(kept.draw(200)[0].int().tolist()) == {4, 5, 6, 7, 8}


def test_spoiling_takes_neighbours_and_leaves_the_rest() -> None:
    torch.manual_seed(1)
    points = face_shapes(200)
    seen = summarise(heatmaps(points), SHAPE)
    left, near = spoil(seen, points, chance=0.8, radius=0.2)
    faces = near.any(dim=1)
    assert 0.6 < float(faces.float().mean()) < 0.95
    for before, after in zip(seen, left, strict=True):
        assert torch.equal(before[~near], after[~near])
    erased = near & (left.present == 0)
    assert 0 < int(erased.sum()) < int(near.sum())
    assert float(left.maps[erased].abs().max()) == 0
    moved = near & ~erased
    step = (left.points - seen.points)[moved]
    torch.testing.assert_close(step, step[:1].expand_as(step))
    row = int(faces.nonzero()[0])
    own = points[row][near[row]]
    assert float((own - own[:1]).norm(dim=-1).max()) <= 0.4, "within reach of one point"


def test_mirroring_what_was_seen_is_seeing_the_mirrored() -> None:
    torch.manual_seed(2)
    points = torch.rand(2, POINTS, 2)
    z = heatmaps(points)
    labels, counts = points + 0.01, torch.rand(2, POINTS)
    chosen = torch.tensor([True, False])
    seen, turned, weights = mirror(summarise(z, SHAPE), labels, counts, chosen)
    flipped = summarise(z[:, MIRROR].flip(3), SHAPE)
    for part, first, second in zip(seen, flipped, summarise(z, SHAPE), strict=True):
        torch.testing.assert_close(part[0], first[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(part[1], second[1])
    torch.testing.assert_close(turned[0], labels[0, MIRROR] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0]))
    assert torch.equal(turned[1], labels[1])
    assert torch.equal(weights[0], counts[0, MIRROR])


def test_thresholds_lie_where_the_unit_becomes_the_better_one() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.01, 0.11, (400, 20))
    truth = np.full((400, 20, 2), 0.5)

    def off(length: np.ndarray) -> np.ndarray:
        angle = rng.uniform(0, 2 * np.pi, length.shape)
        return truth + length[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    old = off(np.where(spread < 0.08, 0.01, 0.1))  # the network fails from 0.08 on
    new = off(np.full_like(spread, 0.02))
    low, high, notes = choose_thresholds(spread, old, new, truth, np.ones_like(spread))
    assert 0.055 < low <= 0.085 < high
    before, after = notes["error_all"]
    assert after < before
    assert notes["error_replaced"][1] < 0.5 * notes["error_replaced"][0]


@pytest.mark.parametrize("values", [{"minutes": 0}, {"batch": 0}, {"kept": 10}])
def test_impossible_recipes_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="recipe"):
        GhcuRecipe(**values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 24)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Tiny weights with a GHCU beside them, made by the command."""
    torch.manual_seed(5)
    model = Ldeq(TINY)
    with torch.no_grad():
        model.cell.head.weight.mul_(0.02)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, model, {})
    export_onnx(path)
    assert cli.main(["train-ghcu", "--weights", str(path), "--data", str(data), "--minutes", "0.01"]) == 0
    return path


@pytest.fixture
def weights(trained: Path, tmp_path: Path) -> Path:
    for file in trained.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / trained.name


@pytest.mark.slow
def test_a_ghcu_that_is_written_elsewhere_has_to_be_moved(
    weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train-ghcu", "--weights", str(weights), "--data", str(data), "--minutes", "0.01"]
    assert cli.main([*words, "--out", str(tmp_path / "other")]) == 0
    assert "put these and tiny-ghcu.json beside the weights, then use it:" in capsys.readouterr().out


@pytest.mark.slow
def test_one_face_is_too_few_to_learn_from(
    weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train-ghcu", "--weights", str(weights), "--data", str(data), "--minutes", "0.01", "--limit-faces", "1"]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "a GHCU needs 2 faces or more" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_the_command_leaves_weights_card_and_graph(trained: Path) -> None:
    path = ghcu_path(trained)
    card = read_ghcu_card(path)
    assert is_ghcu(path)
    assert not is_ghcu(trained)
    assert (card.config.landmarks, card.config.heatmap_size) == (POINTS, 16)
    assert set(card.files) == {path.name, graph_path(path).name}
    assert card.notes["solved_faces"] > 0


@pytest.mark.slow
def test_graph_and_network_agree(weights: Path) -> None:
    from safetensors.torch import load_file

    card = read_ghcu_card(ghcu_path(weights))
    network = GhcuNetwork(card.config)
    network.load_state_dict(load_file(card.path))
    torch.nn.init.normal_(network.head.weight, std=0.05)  # so short a training hardly moves a point
    from safetensors.torch import save_file

    save_file(network.state_dict(), card.path)
    from model.weights import sha256

    export_ghcu(replace(card, files={card.path.name: sha256(card.path)}))
    torch.manual_seed(0)
    z = torch.rand(3, POINTS, 16, 16)
    with torch.no_grad():
        expected = network(z).numpy()
    assert np.abs(expected - network.eval()(z * 0 + 1).detach().numpy()).max() > 1e-3
    np.testing.assert_allclose(Ghcu(weights, threads=1).points(z.numpy()), expected, atol=2e-5)
    np.testing.assert_allclose(Ghcu(weights, threads=1).points(z), expected, atol=2e-5)


@pytest.mark.parametrize("engine_name", ["onnx", "torch"])
def test_only_wide_heatmaps_lose_their_points(weights: Path, engine_name: str) -> None:
    engine = open_engine(weights, engine_name, "cpu", threads=1)
    crop = Crop(100.0, 80.0, 50.0)
    picture = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), dtype=np.uint8)
    solution = cold_solve(engine, engine.encode(picture), crop)
    ghcu = Ghcu(weights, threads=1)
    low, high = np.quantile(solution.uncertainty / crop.side, (0.4, 0.6))
    assert low < high
    ghcu._config = replace(ghcu._config, low=float(low), high=float(high))
    ghcu.points = lambda z: np.zeros((1, POINTS, 2), np.float32)  # type: ignore[assignment, method-assign]
    repaired = ghcu.repair_solution(solution, crop)
    wide = solution.uncertainty / crop.side > high
    same = solution.uncertainty / crop.side < low
    assert wide.any()
    assert same.any()
    np.testing.assert_allclose(repaired.landmarks[wide], np.tile([crop.left, crop.top], (wide.sum(), 1)), atol=1e-3)
    np.testing.assert_allclose(repaired.landmarks[same], solution.landmarks[same], atol=1e-3)
    assert repaired.state is solution.state
    assert repaired.report is solution.report
    np.testing.assert_array_equal(repaired.uncertainty, solution.uncertainty)


def test_sure_faces_cost_nothing(weights: Path) -> None:
    ghcu = Ghcu(weights, threads=1)
    ghcu.points = lambda z: pytest.fail("not needed")  # type: ignore[assignment, method-assign]
    spread = np.zeros(POINTS, np.float32)
    solution = Solution(np.zeros((POINTS, 2), np.float32), spread, None, None, spread)  # type: ignore[arg-type]
    assert ghcu.repair_solution(solution, Crop(0.0, 0.0, 10.0)) is solution


def test_heatmaps_that_only_rwr_has_widened_keep_their_points(weights: Path) -> None:
    ghcu = Ghcu(weights, threads=1)
    ghcu.points = lambda z: pytest.fail("not needed")  # type: ignore[assignment, method-assign]
    sure, wide = np.zeros(POINTS, np.float32), np.full(POINTS, 9.0, np.float32)
    solution = Solution(np.zeros((POINTS, 2), np.float32), wide, None, None, sure)  # type: ignore[arg-type]
    assert ghcu.repair_solution(solution, Crop(0.0, 0.0, 10.0)) is solution


def test_files_that_do_not_fit_are_refused(weights: Path) -> None:
    graph = graph_path(ghcu_path(weights))
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-10])
    with pytest.raises(ModelError, match="does not match its checksum"):
        Ghcu(weights)
    graph.write_bytes(whole)
    card = ghcu_path(weights).with_suffix(".json")
    values = json.loads(card.read_text())
    card.write_text(json.dumps({**values, "trained_on": "0" * 64}))
    with pytest.raises(ModelError, match="trained on other weights"):
        Ghcu(weights)
    for text in ("", "{}", json.dumps({**values, "config": {"colour": 1}})):
        card.write_text(text)
        with pytest.raises(ModelError, match=r"not a description of a GHCU|unknown settings"):
            Ghcu(weights)
    card.unlink()
    with pytest.raises(ModelError, match="train-ghcu"):
        Ghcu(weights)


class Mover:
    """A GHCU that moves every point 6 pixels to the right."""

    def __init__(self) -> None:
        self.opened = 0

    def open(self) -> Mover:
        self.opened += 1
        return self

    def repair_solution(self, solution: Solution, crop: Crop) -> Solution:
        return replace(solution, landmarks=solution.landmarks + np.array([6.0, 0.0], np.float32))


def test_the_pipeline_reports_repaired_points_and_carries_the_solvers_own() -> None:
    mover = Mover()
    pictures = [face_image(640, 360, 300, 180, 120)] * 4
    results = {}
    for on in (False, True):
        settings = TrackingSettings(compare=True, ghcu=on)
        pipeline = Pipeline(SquareEngine(), SquareDetector(), settings, open_ghcu=mover.open)  # type: ignore[arg-type]
        frames = [pipeline.process(Frame(i, i / 30, picture, 0.0)) for i, picture in enumerate(pictures)]
        results[on] = frames[1].faces[0]
        recurrence = pipeline._faces[0].recurrence
        assert recurrence._memory is not None
        centre = recurrence._memory.landmarks[:, 0].mean()
        assert abs(centre - results[False].estimate.landmarks[:, 0].mean()) < 1.5
    assert mover.opened == 1, "opened once, and only where it is wanted"
    plain, repaired = results[False], results[True]
    assert (repaired.estimate.mode, repaired.other and repaired.other.mode) == (Mode.RWR, Mode.COLD)
    assert repaired.estimate.landmarks[:, 0].mean() - plain.estimate.landmarks[:, 0].mean() == pytest.approx(6, abs=1)


def test_a_repair_that_is_not_there_is_refused_before_the_first_frame(weights: Path) -> None:
    ghcu_path(weights).with_suffix(".json").unlink()
    with pytest.raises(ModelError, match="train-ghcu"):
        build_pipeline(EngineSettings(weights, device=Device.CPU), TrackingSettings(ghcu=True))


def test_evaluation_reports_the_repaired_points(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), face_image(320, 240, 160, 120, 100))
    write_pts(folder / "one.pts", to_300w(face_points(160, 120, 100)))
    card = ghcu_path(weights).with_suffix(".json")
    values = json.loads(card.read_text())
    command = ["evaluate", "300w", "--root", str(folder), "--weights", str(weights), "--device", "cpu", "--json"]
    errors = {}
    for name, low, words in (("plain", 0.0, []), ("none", 0.9, ["--ghcu"]), ("all", 0.0, ["--ghcu"])):
        card.write_text(json.dumps({**values, "config": {**values["config"], "low": low, "high": low + 1e-4}}))
        out = tmp_path / f"{name}.json"
        assert cli.main([*command, str(out), *words]) == 0
        found = json.loads(out.read_text())
        assert found["settings"]["ghcu"] == bool(words)
        errors[name] = found["inter_pupil"]["nme"]
    assert errors["none"] == pytest.approx(errors["plain"], rel=1e-9)
    assert abs(errors["all"] - errors["plain"]) > 1e-4


def test_the_window_opens_with_the_repair_on(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.gui import display as system
    from app.gui import window

    opened: list[TrackingSettings] = []
    monkeypatch.setattr(system, "window_problem", lambda *_: None)
    monkeypatch.setattr(window, "run_window", lambda settings, _: opened.append(settings.chosen.tracking) or 0)
    for words in ([], ["--ghcu"]):
        assert cli.main(["live", "--source", "demo", "--weights", str(weights), *words]) == 0
    assert [tracking.ghcu for tracking in opened] == [False, True]


def test_training_needs_the_points_of_the_model(data: Path, trained: Path, tmp_path: Path) -> None:
    from model.training.data import Faces, load_faces

    faces = load_faces(data, torch.device("cpu"), limit=4)
    part = Faces(faces.images, faces.landmarks[:, :68], faces.weights[:, :68], faces.sources)
    with pytest.raises(ModelError, match="finds 98 points"):
        train_ghcu(trained, part, GhcuRecipe(minutes=0.01), tmp_path)


def test_summaries_hold_the_mass_by_area() -> None:
    z = heatmaps(torch.full((1, POINTS, 2), 0.5))
    seen: Summary = summarise(z, SHAPE)
    torch.testing.assert_close(seen.maps.sum(dim=(2, 3)), torch.ones(1, POINTS))
    torch.testing.assert_close(seen.maps[0, 0, :4, :4].sum(), torch.tensor(0.25), atol=1e-3, rtol=0)


def test_what_covers_a_face_covers_the_points_under_it() -> None:
    rng = np.random.default_rng(0)
    picture, other = np.full((64, 64, 3), 100, np.uint8), np.full((64, 64, 3), 200, np.uint8)
    points = face_points(0.5, 0.5, 0.6).astype(np.float64)
    counts = []
    for _ in range(20):
        changed, covered = covered_points.cover(picture, other, points, rng)
        columns, rows = (points * 64).astype(int).T
        under = (changed != picture).any(axis=-1)[rows, columns]
        assert (under == covered).mean() > 0.9, "but for points within a pixel of the edge"
        counts.append(int(covered.sum()))
    assert min(counts) < 20 < max(counts)
    assert (picture == 100).all()


def test_faces_are_the_units_of_the_covered_points_figures() -> None:
    face, covered = np.array([0, 0, 2]), np.array([[True, False], [True, True], [False, True]])
    values = np.array([[3.0, 99.0], [6.0, 9.0], [99.0, 4.0]])
    found = covered_points.Measured(face, covered, values, values, {}, np.zeros(0))
    np.testing.assert_allclose(covered_points.per_face(found, values, covered), [6.0, np.nan, 4.0])
