"""Crops that are turned with the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from model.geometry import Crop, wrapped

ANGLES = [-170.0, -90.0, 30.0, 45.0, 90.0, 180.0]


@pytest.mark.parametrize("angle", ANGLES)
def test_mapping_there_and_back_is_nothing(angle: float) -> None:
    crop = Crop(320.0, 200.0, 150.0, angle)
    points = np.random.default_rng(1).uniform(0, 1, (98, 2))
    np.testing.assert_allclose(crop.to_crop(crop.to_frame(points)), points, atol=1e-5)


def test_a_crop_turned_clockwise_by_90_degrees_has_its_top_at_the_right() -> None:
    crop = Crop(100.0, 100.0, 60.0, 90.0)
    np.testing.assert_allclose(crop.to_frame(np.array([0.5, 0.0])), (130, 100), atol=1e-4)
    np.testing.assert_allclose(crop.to_frame(np.array([0.0, 0.5])), (100, 70), atol=1e-4)


@pytest.mark.parametrize("angle", ANGLES)
def test_pixels_come_from_where_the_points_are(angle: float) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    x, y = 170, 105
    cv2.circle(image, (x, y), 4, (255, 255, 255), -1)
    crop = Crop(160.0, 120.0, 96.0, angle)
    pixels = crop.extract(image, 96)[..., 0].astype(float)
    rows, columns = np.mgrid[:96, :96]
    found = np.array([(pixels * columns).sum(), (pixels * rows).sum()]) / pixels.sum()
    np.testing.assert_allclose((found + 0.5) / 96, crop.to_crop(np.array([x, y], float)), atol=2e-3)


@pytest.mark.parametrize("angle", ANGLES)
def test_a_face_that_is_turned_has_the_turned_crop_of_the_upright_one(angle: float) -> None:
    points = np.random.default_rng(2).normal((50, 80), (20, 30), (98, 2))
    upright = Crop.around_points(points, 1.25)
    square = Crop(0.0, 0.0, 1.0, angle)
    turned = square.to_frame(points + 0.5).astype(np.float64)
    crop = Crop.around_points(turned, 1.25, angle)
    assert crop.side == pytest.approx(upright.side, rel=1e-5)
    np.testing.assert_allclose(crop.to_crop(turned), upright.to_crop(points), atol=1e-5)


def test_only_a_turned_crop_has_another_upright_one() -> None:
    crop = Crop(1.0, 2.0, 3.0)
    assert crop.upright is crop
    assert Crop(1.0, 2.0, 3.0, 40.0).upright == crop


@pytest.mark.parametrize(
    ("degrees", "expected"), [(0, 0), (180, 180), (-180, 180), (190, -170), (-190, 170), (360, 0), (725, 5)]
)
def test_angles_are_wrapped_into_one_turn(degrees: float, expected: float) -> None:
    assert wrapped(degrees) == expected
