"""The mesh over brows, eyes and mouth follows motion that is finer than dense flow's patches."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.geometry import Crop
from model.mesh_motion import MOVING, TRIANGLES, _mesh, _summed, blurred, mesh_motion
from model.motion import FlowMotion, Motion
from model.topology import EYES, REGIONS
from tests.motion_fakes import FACE, MOUTH, PICTURE, SIZE, UNIT, Array, shown

UPPER_LIDS = np.r_[61:64, 69:72]
LOWER_LIDS = np.r_[65:68, 73:76]


STILL = np.zeros((98, 2))


def fitted(new: NDArray[np.uint8], start: Array = STILL) -> Array:
    return mesh_motion(blurred(PICTURE), blurred(new), FACE, STILL, start, UNIT)


def test_nothing_moves_in_a_picture_that_stands_still() -> None:
    assert np.abs(fitted(PICTURE)).max() < 0.01
    noise = np.random.default_rng(0).normal(0, 3, PICTURE.shape)
    noisy = np.clip(PICTURE * 0.97 + 6 + noise, 0, 255).astype(np.uint8)
    assert np.sqrt((fitted(noisy)[MOVING] ** 2).mean()) < 0.003 * UNIT


def test_lids_that_close_are_followed_closer_than_by_dense_flow() -> None:
    moves = STILL.copy()
    moves[UPPER_LIDS, 1] = 0.03 * UNIT
    new = shown(moves, 3.0)
    crop = Crop(SIZE / 2 - 0.5, SIZE / 2 - 0.5, SIZE)
    old, now = (np.repeat(picture[:, :, None], 3, axis=2) for picture in (PICTURE, new))
    motion = FlowMotion().parts(old, now, crop, FACE.astype(np.float64), FACE.astype(np.float64))
    assert isinstance(motion, Motion)
    alone = FlowMotion(expression_limit=np.inf)
    field = alone._field_to(old, now, crop, np.zeros(2))
    x, y = (FACE[UPPER_LIDS] / 2).astype(int).T
    dense = 2 * field.flow[y, x, 1]
    measured = motion.head + motion.local
    assert measured[UPPER_LIDS, 1].mean() > 1.2 * dense.mean()
    assert measured[LOWER_LIDS, 1].mean() < 0.35 * 0.03 * UNIT


def test_a_fast_mouth_is_found_from_a_start() -> None:
    moves = STILL.copy()
    moves[MOUTH, 1] = 0.06 * UNIT
    new = shown(moves, 6.0)
    near, far = (np.abs(fitted(new, share * moves) - moves)[MOUTH, 1].mean() for share in (0.7, 0.4))
    assert near < 0.8 * 0.3 * 0.06 * UNIT
    assert far < 0.8 * 0.6 * 0.06 * UNIT


def test_what_is_not_of_the_mesh_stays_as_it_was_given() -> None:
    start = np.random.default_rng(1).normal(size=(98, 2))
    others = np.setdiff1d(np.arange(98), MOVING)
    np.testing.assert_array_equal(fitted(PICTURE, start)[others], start[others])


@pytest.mark.parametrize("unit", [1e-3, 1e6])
def test_faces_of_no_size_and_plain_pictures_give_finite_motion(unit: float) -> None:
    spot = np.full((98, 2), 20, np.float32)
    assert np.isfinite(mesh_motion(PICTURE, PICTURE, spot, STILL, STILL, unit)).all()
    plain = np.full((SIZE, SIZE), 90, np.uint8)
    np.testing.assert_allclose(mesh_motion(plain, plain, FACE, STILL, STILL, UNIT), 0, atol=1e-6)


def test_a_covered_mouth_is_left_to_the_head() -> None:
    """A plain patch appears over the mouth: the picture tells nothing there."""
    new = PICTURE.copy()
    low, high = FACE[MOUTH].min(axis=0).astype(int) - 8, FACE[MOUTH].max(axis=0).astype(int) + 8
    new[low[1] : high[1], low[0] : high[0]] = 230
    assert np.sqrt((fitted(new)[MOUTH] ** 2).sum(axis=1)).mean() < 0.03 * UNIT
    assert np.abs(fitted(new)[EYES]).max() < 0.01 * UNIT


def test_sums_over_triangles_are_those_over_all_points_of_the_mesh() -> None:
    mesh, moving = _mesh(), {point: place for place, point in enumerate(MOVING.tolist())}
    random = np.random.default_rng(2)
    weights = np.zeros((len(TRIANGLES), mesh.shares.shape[1], 98))
    for triangle, corners in enumerate(TRIANGLES):
        weights[triangle, :, list(corners)] = mesh.shares
    np.testing.assert_allclose(mesh.points(FACE), np.einsum("tpl,la->atp", weights, FACE), rtol=1e-6)
    of_moving = weights[:, :, list(moving)]
    size = 2 * len(moving)
    slope = random.normal(size=(2, *weights.shape[:2])).astype(np.float32)
    curvature = np.stack([one * other for one in slope for other in slope]) @ mesh.products
    dense = np.einsum("atp,tpi,btp,tpj->iajb", slope, of_moving, slope, of_moving, optimize=True)
    dense, found = dense.reshape(size, size), _summed(mesh.pairs, curvature, mesh.prior.size)
    for part, square in mesh.systems:
        np.testing.assert_allclose(found[square].reshape(dense[part, part].shape), dense[part, part], atol=1e-4)
        dense[part, part] = 0
    assert not dense.any()  # what is solved for separately has nothing in common
    force = np.einsum("atp,tpi->ia", slope, of_moving)
    np.testing.assert_allclose(_summed(mesh.ends, slope @ mesh.shares.T, size), force.reshape(-1), atol=1e-4)


def test_the_mesh_knows_the_regions_that_move() -> None:
    moving = {region.name for region in REGIONS if set(region.points) <= set(MOVING.tolist())}
    assert moving == {"brows", "eyes", "mouth", "pupils"}
