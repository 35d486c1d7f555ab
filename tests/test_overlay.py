"""Drawing results on pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.modes import Mode
from app.media.overlay import OTHER_COLOUR, describe, draw_overlay
from model.geometry import Crop
from model.topology import POINTS, REGIONS
from tests.recording_fakes import estimate, landmarks

SIDE = 300.0


def face(
    points: NDArray[np.float32] | None = None,
    spread: float = 2.0,
    other: Estimate | None = None,
    centre: tuple[float, float] = (320.0, 240.0),
) -> FaceResult:
    points = landmarks(centre, SIDE / 2.5) if points is None else points
    return FaceResult(0, Crop(*centre, SIDE), estimate(points=points, spread=spread), other)


def shown(
    *faces: FaceResult, width: int = 640, height: int = 480, text: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image = np.full((height, width, 3), 60, np.uint8)
    image.setflags(write=False)
    return image, draw_overlay(FrameResult(Frame(0, 0.0, image, 0.0), faces), text=text)


def test_draws_on_a_copy_of_the_frame() -> None:
    image, drawn = shown(face())
    assert (image == 60).all()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (drawn != 60).any()


def test_every_landmark_has_its_regions_colour() -> None:
    points = np.stack([20 + 60.0 * (np.arange(POINTS) % 10), 20 + 45.0 * (np.arange(POINTS) // 10)], -1)
    _, drawn = shown(face(points.astype(np.float32)))
    for region in REGIONS:
        for index in region.points:
            if index in REGIONS[-1].points or not region.paths:
                x, y = points[index].astype(int)
                assert tuple(drawn[y, x]) == region.colour
    counts = {region.name: int((drawn == region.colour).all(axis=-1).sum()) for region in REGIONS}
    assert all(counts.values()), counts


def test_a_more_uncertain_landmark_has_a_wider_halo() -> None:
    changed = [int((shown(face(spread=spread))[1] != 60).any(axis=-1).sum()) for spread in (1.0, 6.0, 12.0)]
    assert changed[0] < changed[1] < changed[2]


def test_the_halo_is_the_region_of_80_percent_where_it_is_known() -> None:
    plain, radii = face(spread=2.0), np.full(98, 9.0, np.float32)
    known = replace(plain, estimate=replace(plain.estimate, radius80=radii))
    assert (shown(known)[1] == shown(face(spread=9.0))[1]).all()
    assert not (shown(known)[1] == shown(plain)[1]).all()


def test_halos_are_bounded_when_uncertainty_is_not() -> None:
    _, wild = shown(face(spread=np.inf))
    _, none = shown(face(spread=np.nan))
    assert (wild == none).all()
    assert (wild[:60] == 60).all()


def test_the_other_mode_is_drawn_in_its_own_colour() -> None:
    moved = estimate(Mode.COLD, landmarks((330.0, 250.0), SIDE / 2.5))
    assert not (shown(face())[1] == OTHER_COLOUR).all(axis=-1).any()
    assert (shown(face(other=moved))[1] == OTHER_COLOUR).all(axis=-1).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -1e30])
def test_points_that_are_nowhere_are_left_out(value: Any) -> None:
    points = landmarks((320.0, 240.0), SIDE / 2.5)
    points[40:60] = value
    _, drawn = shown(face(points))
    assert (drawn != 60).any()
    points[:] = value
    _, drawn = shown(face(points))
    assert (drawn == 60).all()


def test_a_face_outside_the_picture_changes_nothing() -> None:
    _, drawn = shown(face(centre=(-400.0, 240.0)))
    assert (drawn == 60).all()


def test_figures_stand_in_the_lower_left_corner() -> None:
    _, bare = shown(face())
    _, drawn = shown(face(), text=True)
    rows, columns = np.nonzero((bare != drawn).any(axis=-1))
    assert rows.min() > 440
    assert columns.max() < 400


@pytest.mark.parametrize("size", [(17, 9), (1, 1), (159, 2000)])
def test_small_pictures_carry_no_text(size: tuple[int, int]) -> None:
    width, height = size
    _, drawn = shown(width=width, height=height, text=True)
    assert (drawn == 60).all()
    shown(face(centre=(width / 2, height / 2)), width=width, height=height, text=True)


def test_many_faces_fill_no_more_than_a_third_of_the_picture() -> None:
    faces = [face() for _ in range(60)]
    _, bare = shown(*faces)
    _, drawn = shown(*faces, text=True)
    rows = np.nonzero((bare != drawn).any(axis=(1, 2)))[0]
    near_crop_corner = rows < 120
    assert rows[~near_crop_corner].min() > 480 * 0.6


def test_description_names_mode_flicker_and_evaluations() -> None:
    assert describe(estimate()) == "RwR  flicker 0.42 %  2 evaluations"
    cold = estimate(Mode.COLD)
    silent = Estimate(Mode.COLD, cold.landmarks, cold.uncertainty, cold.report, None)
    assert describe(silent) == "Cold  5 evaluations"
