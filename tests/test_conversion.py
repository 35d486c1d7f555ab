"""The conversion to 300W's points that depends on the shape of the face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.conventions import (
    MOST_SCORE,
    OFFSETS_300W,
    ShapeConversion,
    face_frame,
    read_conversion,
)
from model.errors import ModelError
from model.geometry import from_complex, to_complex
from model.topology import LEFT_EYE_OUTER, MIRROR, POINTS, RIGHT_EYE_OUTER, TO_68
from model.training.conversion import fit_conversion, try_modes

Points = NDArray[np.float64]


def faces(count: int) -> tuple[Points, Points]:
    """Return faces that differ in width, place, size and turn, and labels of which the contour's follow the width."""
    rng = np.random.default_rng(1)
    upright = rng.uniform(0.3, 0.7, (POINTS, 2))
    upright[[LEFT_EYE_OUTER, RIGHT_EYE_OUTER]] = [[0.4, 0.4], [0.6, 0.4]]
    upright = (upright + (upright[MIRROR] * [-1, 1] + [1, 0])) / 2
    contour = np.arange(POINTS) < 33
    wide = rng.normal(size=count)
    points = np.repeat(upright[None], count, axis=0)
    points[:, contour, 0] += 0.05 * wide[:, None] * (points[:, contour, 0] - 0.5)
    _, eyes = face_frame(points)
    offset = np.zeros((count, 68), complex)
    offset[:, :17] = 0.01j * wide[:, None]
    labels = points[:, TO_68] + from_complex(offset * eyes[:, None])
    turn = np.exp(1j * rng.normal(0, 0.3, count)) * rng.uniform(0.8, 1.2, count)
    place = rng.normal(0, 0.05, (count, 1)) + 0.5

    def placed(given: Points) -> Points:
        return from_complex((to_complex(given) - (0.5 + 0.5j)) * turn[:, None] + place + 0.5j)

    return placed(points), placed(labels)


def test_offsets_that_follow_the_shape_are_learned() -> None:
    points, labels = faces(200)
    errors = try_modes(points, labels, (0, 1, 3))
    assert errors[1] < 0.15 * errors[0]
    conversion = fit_conversion(points, labels, 1)
    assert float(np.abs(conversion(points) - labels).max()) < 0.004
    assert conversion(points).dtype == np.float32


def test_without_modes_offsets_are_constant() -> None:
    points, _ = faces(50)
    labels = points[:, TO_68]
    conversion = fit_conversion(points, labels, 0)
    np.testing.assert_allclose(from_complex(conversion.offsets.view(np.complex128))[0], -OFFSETS_300W, atol=1e-9)
    np.testing.assert_allclose(conversion(points), labels, atol=1e-6)


def test_turned_and_mirrored_faces_are_converted_alike() -> None:
    points, labels = faces(200)
    conversion = fit_conversion(points, labels, 2)
    turned = from_complex(to_complex(points) * 2j)
    expected = from_complex(to_complex(conversion(points).astype(np.float64)) * 2j)
    np.testing.assert_allclose(conversion(turned), expected, atol=1e-5)


def test_shapes_beyond_all_that_was_learned_are_not_extrapolated() -> None:
    points, labels = faces(200)
    conversion = fit_conversion(points, labels, 1)
    shapes = face_frame(points)[0]
    far = conversion.mean + 100 * (shapes[:1] - conversion.mean)
    assert float(np.abs(conversion.scores(far)).max()) == MOST_SCORE


def test_the_face_frame_has_its_eyes_one_apart() -> None:
    points, _ = faces(3)
    shapes, eyes = face_frame(points)
    between = to_complex(shapes.reshape(3, POINTS, 2))
    np.testing.assert_allclose(between[:, RIGHT_EYE_OUTER] - between[:, LEFT_EYE_OUTER], 1)
    np.testing.assert_allclose(eyes, to_complex(points[:, RIGHT_EYE_OUTER] - points[:, LEFT_EYE_OUTER]))


def test_a_conversion_is_read_as_it_was_written(tmp_path: Path) -> None:
    points, labels = faces(30)
    conversion = fit_conversion(points, labels, 2)
    path = tmp_path / "conversion.npz"
    conversion.write(path)
    np.testing.assert_array_equal(read_conversion(path)(points), conversion(points))


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    with pytest.raises(ModelError, match=r"other\.npz"):
        read_conversion(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"other\.npz"):
        read_conversion(path)
    ShapeConversion(np.zeros(196), np.zeros((2, 196)), np.zeros((2, 136))).write(path)
    with pytest.raises(ModelError, match="98 to 68"):
        read_conversion(path)
