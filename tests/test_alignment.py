"""Semantic alignment: the search finds the place that the formulas say, and the files it leaves."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from app.cli import main as cli
from model.config import LdeqConfig
from model.errors import ModelError
from model.heatmap import mirrored_mean
from model.network import Ldeq
from model.topology import MIRROR, POINTS, REGIONS
from model.training import semantic
from model.training.alignment import AlignmentSettings, Noise, align, fit_noise
from model.training.data import Faces
from model.training.frozen import PLAIN, cold_heatmaps, from_crop, plain_crops
from model.training.semantic import ALIGNED, LabelSearch, movements, search_labels, without_common, write_labels
from model.weights import save_weights
from tests.training_fakes import write_faces

pytestmark = pytest.mark.slow

SIZE = 32
TINY = LdeqConfig(name="tiny", input_size=64, injection=16, width=16, increment=8)


def gaussians(places: Tensor, width_x: float, width_y: float | None = None) -> Tensor:
    """Heatmaps (n, k, SIZE, SIZE) of peak about 1 at places (n, k, 2) in crop units; widths in cells."""
    axis = (torch.arange(SIZE) + 0.5) / SIZE
    x = torch.exp(-0.5 * ((axis - places[..., :1]) * SIZE / width_x) ** 2)
    y = torch.exp(-0.5 * ((axis - places[..., 1:]) * SIZE / (width_y or width_x)) ** 2)
    return y[..., :, None] * x[..., None, :]


def noise(label: float, network: float, width: float, points: int = 1) -> Noise:
    """In cells."""
    return Noise(*(torch.full((points,), value / SIZE) for value in (label, network, width)))


@pytest.mark.parametrize(("label", "network"), [(0.5, 0.5), (0.3, 0.6), (0.6, 0.3)])
def test_a_gaussian_heatmap_and_a_label_meet_where_their_variances_say(label: float, network: float) -> None:
    torch.manual_seed(0)
    labels = 0.4 + 0.2 * torch.rand(40, 1, 2)
    seen = labels + (torch.rand(40, 1, 2) - 0.5) * 1.6 / SIZE
    settings = AlignmentSettings(floor=1e-4)
    found = align(gaussians(seen, 1.0), labels, torch.ones(40, 1), noise(label, network, 1.0), settings)
    share = label**2 / (label**2 + network**2)
    torch.testing.assert_close(found, labels + share * (seen - labels), atol=0.06 / SIZE, rtol=0)


def test_the_search_finds_the_best_of_the_written_formula() -> None:
    """Against the formula spelt out for one odd heatmap, candidate by candidate."""
    rng = np.random.default_rng(3)
    axis = np.arange(SIZE) + 0.5
    heatmap = sum(
        a * np.exp(-0.5 * (((axis - x) / w) ** 2 + ((axis[:, None] - y) / v) ** 2))
        for a, x, y, w, v in [(1, 15.2, 16.9, 0.8, 1.3), (0.6, 17.4, 15.1, 1.5, 0.7), (0.02, 9, 25, 6, 6)]
    ) + 0.003 * rng.random((SIZE, SIZE))
    label, s1, s2, width, patch, floor = np.array([16.3, 15.8]), 0.7, 0.55, 0.9, 3, 0.05
    best, lowest = None, math.inf
    steps = 4
    for row in range(12, 20):
        for column in range(12, 20):
            part = heatmap[row - patch : row + patch + 1, column - patch : column + patch + 1]
            part = part / part.sum()
            for i in range(steps):
                for j in range(steps):
                    at = np.array([column + (j + 0.5) / steps, row + (i + 0.5) / steps])
                    line = [
                        np.exp(-0.5 * ((np.arange(-patch, patch + 1) + 0.5 + whole - place) / width) ** 2)
                        for whole, place in ((column, at[0]), (row, at[1]))
                    ]
                    ideal = line[1][:, None] * line[0]
                    ideal = (1 - floor) * ideal / ideal.sum() + floor / ideal.size
                    pearson = ((part - ideal) ** 2 / ideal).sum()
                    cost = ((at - label) ** 2).sum() / s1**2 + math.log(1 + pearson) / s2**2
                    if cost < lowest and abs(at - label).max() < 0.06 * SIZE:
                        best, lowest = at, cost
    found = align(
        torch.tensor(heatmap, dtype=torch.float32)[None, None],
        torch.tensor(label / SIZE, dtype=torch.float32)[None, None],
        torch.ones(1, 1),
        noise(s1, s2 * width, width),
        AlignmentSettings(patch=patch, floor=floor, steps=steps, seen=0.0),
    )
    assert best is not None
    np.testing.assert_allclose(found[0, 0].numpy() * SIZE, best, atol=0.5 / steps)  # the parabola's refinement
    assert np.abs(best - label).max() > 0.3


def test_untrusted_labels_move_further_and_unknown_ones_stay() -> None:
    labels = torch.full((1, 3, 2), 0.5)
    seen = labels + 1.0 / SIZE
    weights = torch.tensor([[1.0, 0.4, 0.0]])
    found = align(gaussians(seen, 1.0), labels, weights, noise(0.5, 0.5, 1.0, 3), AlignmentSettings())
    moved = (found - labels).norm(dim=-1)[0]
    assert 0 < moved[0] < 0.85 * moved[1]
    assert moved[2] == 0


def test_a_point_seen_elsewhere_altogether_stays() -> None:
    labels = torch.full((1, 1, 2), 0.5)
    seen = labels + torch.tensor([10.0, 0.0]) / SIZE
    assert torch.equal(
        align(gaussians(seen, 1.0), labels, torch.ones(1, 1), noise(2, 0.1, 1), AlignmentSettings()), labels
    )


def test_no_point_leaves_its_window() -> None:
    labels = torch.full((1, 1, 2), 0.5)
    seen = labels + torch.tensor([3.0, 0.0]) / SIZE
    settings = AlignmentSettings(window=0.05)
    found = align(gaussians(seen, 1.0), labels, torch.ones(1, 1), noise(5.0, 0.1, 1.0), settings)
    assert 0.03 < float((found - labels)[0, 0, 0]) <= 0.05 + 1e-6


def test_along_an_edge_the_label_decides_and_across_it_the_network() -> None:
    """A contour point's heatmap is long along the contour: there the network knows little."""
    labels = torch.full((1, 1, 2), 0.5)
    seen = labels + 1.0 / SIZE
    found = align(gaussians(seen, 3.0, 0.8), labels, torch.ones(1, 1), noise(0.5, 0.5, 0.8), AlignmentSettings())
    along, across = ((found - labels)[0, 0] * SIZE).tolist()
    assert across > 0.1
    assert abs(along) < across / 2


def test_points_at_the_edge_of_the_crop_are_searched_too() -> None:
    labels = torch.tensor([[[0.01, 0.99], [1.02, 0.5]]])
    found = align(gaussians(labels, 1.0), labels, torch.ones(1, 2), noise(0.5, 0.5, 1.0, 2), AlignmentSettings())
    assert torch.isfinite(found).all()
    assert (found - labels).abs().max() < 0.06


def test_noise_is_told_apart_by_its_share() -> None:
    torch.manual_seed(1)
    labels = 0.3 + 0.4 * torch.rand(4000, 2, 2)
    points = labels + torch.randn(4000, 2, 2) * torch.tensor([[0.02], [0.005]])
    points[::10] += 0.5  # faces that are labelled wrongly must not count
    labels[:, :, 0][::7] = torch.nan
    weights = torch.ones(4000, 2)
    weights[::7] = 0
    found = fit_noise(points, torch.full((4000, 2), 0.03), labels.nan_to_num(), weights, share=0.36)
    np.testing.assert_allclose(found.label.numpy(), [0.6 * 0.02, 0.6 * 0.005], rtol=0.1)
    np.testing.assert_allclose(found.network.numpy(), [0.8 * 0.02, 0.8 * 0.005], rtol=0.1)
    np.testing.assert_allclose(found.width.numpy(), 0.03)


@pytest.mark.parametrize("values", [{"window": 0}, {"steps": 0}, {"floor": 0}, {"label_share": 1}, {"seen": 1}])
def test_impossible_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ModelError, match=r"window|floor"):
        AlignmentSettings(**values)  # type: ignore[arg-type]


def faces(count: int) -> Faces:
    torch.manual_seed(2)
    landmarks = torch.rand(count, POINTS, 2) * 100 + 60
    landmarks[:, 60], landmarks[:, 72] = torch.tensor([80.0, 100.0]), torch.tensor([140.0, 100.0])
    images = torch.randint(0, 255, (count, 320, 320, 3), dtype=torch.uint8)
    sources = np.array(["wflw", "300w"])[np.arange(count) % 2]
    return Faces(images, landmarks, torch.ones(count, POINTS), sources)


def test_crops_are_plain_and_points_go_there_and_back() -> None:
    some = faces(3)
    crops, points = plain_crops(some, 64, 1.25)
    assert crops.shape == (3, 3, 64, 64)
    low, high = points.amin(dim=1), points.amax(dim=1)
    torch.testing.assert_close((low + high) / 2, torch.full((3, 2), 0.5))
    torch.testing.assert_close((high - low).amax(dim=1), torch.full((3,), 0.8))
    torch.testing.assert_close(from_crop(points, some.landmarks, 1.25), some.landmarks, atol=1e-3, rtol=0)
    assert torch.equal(crops, plain_crops(some, 64, 1.25)[0]), "PLAIN must leave nothing to chance"
    assert PLAIN.occluder_chance == 0


def test_a_frozen_model_sees_what_the_solver_reaches() -> None:
    torch.manual_seed(4)
    model = Ldeq(TINY).eval()
    z = cold_heatmaps(model, torch.rand(2, 3, 64, 64) * 255)
    assert z.shape == (2, POINTS, 16, 16)
    assert z.dtype == torch.float32
    torch.testing.assert_close(z.amax(dim=(2, 3)), torch.ones(2, POINTS))


class Seer:
    """Stands for a trained network: it sees every point a step right of and below its label, or left and above."""

    def __init__(self, given: Faces, steps: Tensor) -> None:
        self.config = LdeqConfig(input_size=4 * SIZE)
        labels = plain_crops(given, 8, self.config.crop_scale)[1]
        self.places = labels + steps[:, None, None]
        self.calls = 0

    def heatmaps(self, model: object, crops: Tensor) -> Tensor:
        """Called for a batch of one, plain and mirrored in turn."""
        places = self.places[(self.calls // 2) % len(self.places)][None]
        mirrored = self.calls % 2
        self.calls += 1
        if mirrored:
            places = places[:, MIRROR].clone()
            places[..., 0] = 1 - places[..., 0]
        return gaussians(places, 1.0)


def moved_by(
    given: Faces, steps: Tensor, monkeypatch: pytest.MonkeyPatch
) -> tuple[Tensor, list[semantic.Movement], list[int]]:
    """Return how far labels moved, in crop sides, where the network sees them some steps away."""
    seer = Seer(given, steps)
    monkeypatch.setattr(semantic, "cold_heatmaps", seer.heatmaps)
    done: list[int] = []
    settings = AlignmentSettings(label_share=0.5, floor=1e-3)
    found, table = search_labels(seer, given, settings, batch=1, report=done.append)  # type: ignore[arg-type]
    assert found.images is given.images
    side = (given.landmarks.amax(dim=1) - given.landmarks.amin(dim=1)).amax(dim=1) * seer.config.crop_scale
    return (found.landmarks - given.landmarks) / side[:, None, None], table, done


def test_labels_move_part_of_the_way_to_what_the_network_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    given = faces(8)
    steps = 0.02 * torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(2)  # nothing in common on either source
    moved, table, done = moved_by(given, steps, monkeypatch)
    assert float((moved / steps[:, None, None]).mean()) == pytest.approx(0.5, abs=0.03)
    assert done == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {row.source for row in table} == {"wflw", "300w"}
    assert {row.region for row in table} == {region.name for region in REGIONS}
    assert all(0.3 * row.apart < row.median < 0.7 * row.apart for row in table)
    assert all(row.bias < 0.2 * row.median for row in table)


def test_where_people_and_the_network_always_differ_people_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    moved, table, _ = moved_by(faces(6), torch.full((6,), 0.02), monkeypatch)
    assert float(moved.norm(dim=-1).mean()) < 0.1 * 0.02
    assert all(row.bias == pytest.approx(row.median, rel=0.2) for row in table), "but the table tells of it"


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_what_steps_have_in_common_is_measured_along_the_eyes(turn: float) -> None:
    given = faces(4)
    rotation = torch.tensor([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    landmarks = given.landmarks.clone()
    landmarks[1::2] = landmarks[1::2] @ rotation
    given = replace(given, landmarks=landmarks, sources=np.array(["wflw"] * 4))
    step = torch.tensor([3.0, 1.0]).repeat(4, POINTS, 1)
    step[1::2] = step[1::2] @ rotation
    step[:, 7] = 0  # stayed
    step[0, 9], step[1, 9] = torch.tensor([8.0, 0.0]), torch.tensor([-8.0, 0.0]) @ rotation
    step[2:, 9] = 0
    found = without_common(given, landmarks + step)
    torch.testing.assert_close(found[:, 10:], landmarks[:, 10:], atol=1e-3, rtol=0)
    assert torch.equal(found[:, 7], landmarks[:, 7])
    torch.testing.assert_close(found[:, 9], landmarks[:, 9] + step[:, 9], atol=1e-3, rtol=0)


def test_movement_without_a_common_direction_has_no_bias() -> None:
    given = faces(400)
    torch.manual_seed(0)
    found = given.landmarks + torch.randn_like(given.landmarks) * 3
    for row in movements(given, found, given.landmarks):
        assert row.median == pytest.approx(100 * 3 * math.sqrt(2 * math.log(2)) / 60, rel=0.05)
        assert row.bias < 0.2 * row.median
        assert row.apart == 0


def test_mirrored_heatmaps_are_turned_back() -> None:
    places = 0.2 + 0.6 * torch.rand(1, POINTS, 2)
    mirrored = places[:, MIRROR].clone()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    mean = mirrored_mean(gaussians(places, 1.0), gaussians(mirrored, 1.0))
    torch.testing.assert_close(mean, gaussians(places, 1.0), atol=1e-5, rtol=0)


def test_models_that_cannot_search_are_refused() -> None:
    some = faces(1)
    for config, message in (
        (LdeqConfig.from_dict({**TINY.to_dict(), "half_pixel": False}), "half-pixel"),
        (LdeqConfig.from_dict({**TINY.to_dict(), "landmarks": 68}), "finds 68 points"),
    ):
        with pytest.raises(ModelError, match=message):
            search_labels(Ldeq(config), some)


def test_found_labels_are_written_in_the_form_of_the_given_ones(tmp_path: Path) -> None:
    landmarks = np.random.default_rng(0).random((4, POINTS, 2)).astype(np.float32)
    given = tmp_path / "labels.npz"
    weight = np.full((4, POINTS), 0.6, np.float16)
    np.savez(given, name=np.array(list("abcd")), landmarks=landmarks, weight=weight, source=np.array(["wflw"] * 4))
    out = tmp_path / "found.npz"
    write_labels(given, out, torch.from_numpy(landmarks + 1))
    with np.load(given) as before, np.load(out) as after:
        np.testing.assert_allclose(after["landmarks"], before["landmarks"] + 1)
        for name in ("name", "weight", "source"):
            np.testing.assert_array_equal(after[name], before[name])
            assert after[name].dtype == before[name].dtype
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.npz", "labels.npz"]
    with pytest.raises(ModelError, match="not"):
        write_labels(given, out, torch.zeros(3, POINTS, 2))


def test_found_labels_of_some_sources_leave_the_others_alone(tmp_path: Path) -> None:
    landmarks = np.random.default_rng(0).random((4, POINTS, 2)).astype(np.float32)
    given, out = tmp_path / "labels.npz", tmp_path / "found.npz"
    sources = np.array(["wflw", "300w", "wflw", "300w"])
    np.savez(given, name=np.array(list("abcd")), landmarks=landmarks, weight=np.ones((4, POINTS)), source=sources)
    write_labels(given, out, torch.from_numpy(landmarks[1::2] + 1), ["300w"])
    with np.load(out) as after:
        np.testing.assert_allclose(after["landmarks"][0::2], landmarks[0::2])
        np.testing.assert_allclose(after["landmarks"][1::2], landmarks[1::2] + 1)


class Searcher:
    """Stands in for the search: moves every label by one pixel more each time, always from the given ones."""

    def __init__(self) -> None:
        self.given: list[Tensor] = []

    def __call__(self, model: Ldeq, given: Faces, input_size: int) -> tuple[Faces, list[semantic.Movement]]:
        self.given.append(given.landmarks)
        moved = replace(given, landmarks=given.landmarks + len(self.given))
        return moved, [semantic.Movement("wflw", "nose", 3, 0.5, 1.0, 0.1, 1.5)]


def test_labels_are_searched_when_due_and_a_resumed_run_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher, given, lines = Searcher(), faces(2), list[str]()
    monkeypatch.setattr(semantic, "search_labels", searcher)

    def moved(search: LabelSearch, progress: float) -> float:
        now = search.labels_at(progress, None, 64, lines.append)  # type: ignore[arg-type]
        return float((now.landmarks - given.landmarks).mean())

    search = LabelSearch(given, (0.5, 0.75), tmp_path, resume=False)
    assert [moved(search, progress) for progress in (0.0, 0.49, 0.5, 0.6, 0.75, 0.9)] == [0, 0, 1, 1, 2, 2]
    assert all(torch.equal(labels, given.landmarks) for labels in searcher.given), "never a search on a search"
    assert len(lines) == 2
    assert "wflw nose 0.50" in lines[0]
    resumed = LabelSearch(given, (0.5, 0.75), tmp_path, resume=True)
    assert moved(resumed, 0.8) == 2
    assert len(searcher.given) == 2, "what was found before is not searched again"
    afresh = LabelSearch(given, (0.5,), tmp_path, resume=False)
    assert moved(afresh, 0.1) == 0
    assert not (tmp_path / ALIGNED).exists(), "what another run has left is not for this one"
    assert moved(LabelSearch(given, (0.5,), tmp_path, resume=True), 0.1) == 0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("data") / "faces", 6)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, Ldeq(TINY), {})
    return path


def test_the_command_writes_labels_and_says_how_far_they_moved(
    data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "aligned.npz"
    words = ["align", "--data", str(data), "--weights", str(weights), "--device", "cpu"]
    assert cli.main([*words, "-o", str(out), "--sources", "wflw"]) == 0
    text = capsys.readouterr().out
    assert "wflw contour" in text
    assert "drawn" not in text
    with np.load(data / "labels.npz") as before, np.load(out) as after:
        assert sorted(before.files) == sorted(after.files)
        np.testing.assert_array_equal(after["landmarks"][0::2], before["landmarks"][0::2])
    assert cli.main([*words, "-o", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert cli.main([*words, "-o", str(tmp_path / "part.npz"), "--limit-faces", "2"]) == 0
    assert not (tmp_path / "part.npz").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-o", "labels.txt"], ".npz"),
        (["-o", "a.npz", "--label-share", "1.5"], "label_share"),
        (["-o", "a.npz", "--sources", "wlfw"], "source wlfw; there are drawn, wflw"),
        (["-o", "a.npz", "--limit-faces", "0"], "--limit-faces must be positive"),
    ],
)
def test_bad_align_options_are_one_sentence(
    words: list[str],
    sentence: str,
    data: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["align", "--data", str(data), "--weights", str(weights), "--device", "cpu", *words]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
