"""Network, decode, crop geometry, topology, configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.config import PRESETS, LdeqConfig, preset
from model.errors import ModelError
from model.geometry import Crop
from model.heatmap import MASS_FLOOR, decode
from model.network import Ldeq, Stem
from model.topology import LEFT_EYE_OUTER, MIRROR, POINTS, REGION_OF_POINT, REGIONS, RIGHT_EYE_OUTER, TO_68

SMALL = LdeqConfig(name="tiny", input_size=64, injection=16, width=16, increment=8)


def test_released_size_has_the_published_number_of_parameters() -> None:
    model = Ldeq(preset("ldeq-l"))
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(21.8, abs=0.05)


@torch.inference_mode()
def test_cell_keeps_the_state_shape_and_every_peak_at_one() -> None:
    torch.manual_seed(0)
    model = Ldeq(SMALL).eval()
    u = model.stem(torch.randn(2, 3, 64, 64))
    z = model.cell(model.zero_state(u), u)
    assert z.shape == (2, POINTS, 16, 16)
    torch.testing.assert_close(z.amax(dim=(2, 3)), torch.ones(2, POINTS))
    assert z.min() >= 0


@torch.inference_mode()
def test_a_model_that_gets_face_mesh_features_begins_as_it_was() -> None:
    torch.manual_seed(0)
    plain, larger = Ldeq(SMALL).eval(), Ldeq(replace(SMALL, face_mesh=True)).eval()
    assert not larger.load_state_dict(plain.state_dict(), strict=False).unexpected_keys
    x = torch.randn(2, 3, 64, 64)
    u, more = plain.stem(x), larger.stem(x)
    assert more.shape[1] == larger.config.encoding > plain.config.encoding == u.shape[1]
    assert torch.equal(larger.cell(larger.zero_state(more), more), plain.cell(plain.zero_state(u), u))


@torch.inference_mode()
def test_the_cell_gets_the_face_mesh_features_as_they_were() -> None:
    torch.manual_seed(0)
    model = Ldeq(replace(SMALL, face_mesh=True)).eval()
    x = torch.randn(2, 3, 64, 64)
    taken: list[Sequence[torch.Tensor]] = []
    model.cell.hourglass.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[1]))
    u = model.stem(x)
    model.cell(model.zero_state(u), u)
    assert isinstance(model.stem, Stem)
    assert model.stem.mesh is not None
    features = model.stem.mesh.encoder(x)[1:]
    assert [feature.shape[2] for feature in features] == [8, 4, 2]
    for feature, found, norm in zip(features, taken[0], list(model.stem.mesh.norms)[1:], strict=True):
        torch.testing.assert_close(found, norm(feature))


def gaussian(x: float, y: float, size: int, sigma: float, offset: float) -> np.ndarray:
    axis = np.arange(size) + offset
    heatmap = np.exp(-((axis[None, :] - x) ** 2 + (axis[:, None] - y) ** 2) / (2 * sigma**2))
    return heatmap.astype(np.float32)[None, None]


@pytest.mark.parametrize("half_pixel", [True, False])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_decode_reads_place_and_spread_of_a_gaussian(half_pixel: bool, backend: str) -> None:
    heatmap = gaussian(20.3, 41.8, 64, 2.0, 0.5 if half_pixel else 0.0)
    points, spread = decode(torch.from_numpy(heatmap) if backend == "torch" else heatmap, half_pixel)
    np.testing.assert_allclose(np.asarray(points)[0, 0] * 64, [20.3, 41.8], atol=2e-3)
    assert float(spread[0, 0]) * 64 == pytest.approx(2.0, abs=1e-2)


@pytest.mark.parametrize("backend", [np.asarray, torch.from_numpy])
def test_decode_draws_heatmaps_without_mass_to_the_corner(backend: Callable[[np.ndarray], np.ndarray]) -> None:
    heatmaps = np.zeros((1, 2, 8, 8), np.float32)
    heatmaps[0, 1, 5, 3] = MASS_FLOOR
    points, spread = decode(backend(heatmaps), True)
    np.testing.assert_allclose(np.asarray(points)[0], [(0, 0), (3.5 / 16, 5.5 / 16)])
    assert float(spread[0, 0]) == 0


def test_crop_maps_there_and_back() -> None:
    crop = Crop.around_box(100, 50, 180, 150, 1.25)
    assert (crop.centre_x, crop.centre_y, crop.side) == (140, 100, 125)
    points = np.array([[100.0, 50.0], [140.0, 100.0]])
    np.testing.assert_allclose(crop.to_frame(crop.to_crop(points)), points, atol=1e-4)
    np.testing.assert_allclose(crop.to_crop(points)[1], [0.5, 0.5])


@pytest.mark.parametrize("side", [64.0, 100.0, 300.0, 1000.0])
def test_extracted_crop_shows_the_point_where_the_geometry_says(side: float) -> None:
    image = np.zeros((1200, 1400, 3), np.uint8)
    x, y = 700, 520
    half = max(3, round(side / 40))
    image[y - half : y + half + 1, x - half : x + half + 1] = 255
    crop = Crop(690.0, 540.0, side)
    size = 128
    picture = crop.extract(image, size)
    assert picture.shape == (size, size, 3)
    weight = picture[:, :, 0].astype(float)
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    found = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    expected = crop.to_crop(np.array([[x, y]]))[0] * size - 0.5
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_crop_outside_the_picture_replicates_the_edge() -> None:
    image = np.full((20, 20, 3), 77, np.uint8)
    assert (Crop(-50.0, 200.0, 30.0).extract(image, 64) == 77).all()


@pytest.mark.parametrize(
    "values", [(0, 0, 0), (0, 0, -3), *np.where(np.eye(4), np.nan, 1.0), *np.where(np.eye(4), np.inf, 1.0)]
)
def test_impossible_crops_are_refused(values: Sequence[float]) -> None:
    with pytest.raises(ModelError, match="not a crop"):
        Crop(*values)


def test_mirror_is_an_involution_that_keeps_regions() -> None:
    assert sorted(MIRROR) == list(range(POINTS))
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(POINTS))
    regions = np.array(REGION_OF_POINT)
    np.testing.assert_array_equal(regions[MIRROR], regions)
    assert MIRROR[LEFT_EYE_OUTER] == RIGHT_EYE_OUTER
    assert [int(MIRROR[i]) for i in (0, 16, 33, 38, 51, 57, 64, 66, 76, 79, 85, 88, 94, 96)] == [
        *(32, 16, 46, 50, 51, 57, 68, 74, 82, 79, 85, 92, 94, 97)
    ]


def test_regions_share_out_every_point_once() -> None:
    assert sorted(point for region in REGIONS for point in region.points) == list(range(POINTS))


def test_the_68_points_are_distinct_and_leave_out_the_pupils() -> None:
    assert len(set(TO_68.tolist())) == len(TO_68) == 68
    assert not {96, 97} & set(TO_68.tolist())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input_size": 100}, "multiple of 64"),
        ({"width": 30}, "multiple of 8 groups"),
        ({"kernel": 4}, "3 or 5"),
        ({"solver": "newton"}, "newton. at solver"),
        ({"colour": "red"}, "colour"),
        ({"width": "wide"}, "got str at width"),
    ],
)
def test_impossible_models_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        LdeqConfig.from_dict(values)


def test_config_survives_json() -> None:
    for config in PRESETS.values():
        assert LdeqConfig.from_dict(config.to_dict()) == config
