"""The corrupted-label experiment: its noise, its groups, and that it finds what a search does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from app.lab.accuracy import corrupted
from app.lab.accuracy.corrupted import Corruption, Direction, Seen, directions, groups, measure, search
from model.topology import POINTS, REGIONS, inter_ocular
from model.training.alignment import AlignmentSettings
from model.training.data import Faces

SIZE = 48
FACES = 30
SETTINGS = AlignmentSettings(label_share=0.5, floor=1e-3)


def seen_with(network: float, *, width: float = 1.0) -> Seen:
    """Return faces whose heatmaps are Gaussians beside the labels, off by ``network`` cells along each axis."""
    torch.manual_seed(0)
    labels = 0.3 + 0.4 * torch.rand(1, POINTS, 2).repeat(FACES, 1, 1) + 0.02 * torch.randn(FACES, POINTS, 2)
    labels[:, 60], labels[:, 72] = torch.tensor([0.3, 0.4]), torch.tensor([0.7, 0.4])
    places = labels + torch.randn(labels.shape) * network / SIZE
    axis = (torch.arange(SIZE) + 0.5) / SIZE
    lines = [torch.exp(-0.5 * ((axis - places[..., i, None]) * SIZE / width) ** 2) for i in (0, 1)]
    heatmaps = lines[1][..., :, None] * lines[0][..., None, :]
    faces = Faces(torch.empty(0), labels, torch.ones(FACES, POINTS), np.array(["wflw"] * FACES))
    return Seen(heatmaps, labels, faces)


def test_directions_follow_the_lines_of_the_face() -> None:
    landmarks = np.random.default_rng(0).random((2, POINTS, 2))
    lines = directions(landmarks)
    np.testing.assert_allclose(np.linalg.norm(lines[:, :96], axis=-1), 1)
    np.testing.assert_array_equal(lines[:, 96:], 0)

    def unit(first: int, last: int) -> Tensor:
        step = landmarks[:, last] - landmarks[:, first]
        return step / np.linalg.norm(step, axis=-1, keepdims=True)

    for point, first, last in ((0, 0, 1), (5, 4, 6), (32, 31, 32), (60, 67, 61), (67, 66, 60), (54, 53, 54)):
        np.testing.assert_allclose(lines[:, point], unit(first, last))


@pytest.mark.parametrize("direction", list(Direction))
def test_noise_is_as_large_as_asked_and_goes_where_it_should(
    direction: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = seen_with(0.0)
    given: list[Tensor] = []
    monkeypatch.setattr(
        corrupted, "search", lambda seen, labels, settings: given.append(labels) or (labels, seen.labels)
    )
    found = measure(seen, Corruption(2.0, direction), SETTINGS)
    clean = seen.labels.numpy().astype(np.float64)
    noise = (given[0].numpy() - clean) / inter_ocular(clean)[:, None, None] * 100
    lines = directions(clean)
    part = np.abs((noise * lines).sum(axis=-1))[:, :96]
    length = np.linalg.norm(noise, axis=-1)[:, :96]
    assert float(np.sqrt((length**2).mean())) == pytest.approx(2.0, rel=0.03)
    np.testing.assert_allclose(part, length if direction == Direction.ALONG else 0, atol=1e-3)
    assert not noise[:, 96:].any()
    nose = found["nose"]
    assert nose.taken_back is not None
    assert nose.best is not None
    assert nose.before.value == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.1)
    assert nose.after.value == pytest.approx(nose.before.value, rel=1e-3)
    assert nose.taken_back.value == pytest.approx(0, abs=1e-3)
    assert nose.best.value == pytest.approx(1, abs=1e-3), "this network knows the clean labels"
    other = nose.across if direction == Direction.ALONG else nose.along
    assert other.value == pytest.approx(0, abs=1e-3)


def test_a_search_that_knows_the_truth_takes_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = seen_with(0.0)
    monkeypatch.setattr(corrupted, "search", lambda seen, labels, settings: (seen.labels, seen.labels))
    for found in measure(seen, Corruption(1.0, Direction.ALONG), SETTINGS).values():
        assert found.taken_back is not None
        assert found.taken_back.value == pytest.approx(1)
        assert found.after.value == pytest.approx(0, abs=1e-6)


def test_of_independent_errors_the_search_takes_back_its_share() -> None:
    """Label and network err alike: half of the way is best, and the search goes about half of it in any direction."""
    percent = 100 / (0.4 * SIZE)  # a cell along one axis
    seen = seen_with(math.sqrt(0.5))
    along, across = (measure(seen, Corruption(percent, way), SETTINGS)["contour"] for way in Direction)
    assert along.taken_back is not None
    assert across.taken_back is not None
    for found in (along, across):
        assert found.best is not None
        assert found.taken_back is not None
        assert found.best.value == pytest.approx(0.5, abs=0.05)
        assert found.taken_back.value == pytest.approx(0.45, abs=0.06)
        assert found.after.value < found.before.value
    assert along.taken_back.value == pytest.approx(across.taken_back.value, abs=0.05)


def test_clean_labels_move_towards_the_network_and_nothing_is_taken_back() -> None:
    found = measure(seen_with(0.5), None, SETTINGS)["mouth"]
    assert found.before.value == 0
    assert found.after.value == pytest.approx(0.5 * 0.5 * math.sqrt(math.pi / 2) / (0.4 * SIZE) * 100, rel=0.15)
    assert found.taken_back is None


def test_the_search_leaves_out_what_all_faces_have_in_common() -> None:
    seen = seen_with(0.0)
    shifted = Seen(seen.heatmaps.roll(1, dims=3), seen.labels, seen.faces)
    found, network = search(shifted, seen.labels, SETTINGS)
    assert float((found - seen.labels).abs().max()) < 0.1 / SIZE
    assert float((network - seen.labels).abs().max()) < 0.1 / SIZE


def test_every_label_on_a_line_is_in_one_region_and_one_third() -> None:
    seen = seen_with(0.3)
    seen.faces.weights[3, 10] = 0
    chosen = groups(seen)
    regions = [region.name for region in REGIONS if region.paths]
    expected = np.ones((FACES, POINTS), np.int64)
    expected[:, 96:] = 0
    expected[3, 10] = 0
    np.testing.assert_array_equal(sum(chosen[name].astype(int) for name in regions), expected)
    thirds = [chosen[name] for name in chosen if name not in regions]
    np.testing.assert_array_equal(sum(third.astype(int) for third in thirds), expected)
