"""Expressions and noise in a measured motion: what is kept of either, in any pose."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.places import CANONICAL_FACE
from model.expressions import _modes, expression
from model.topology import MIRROR, REGIONS, TO_68

Array = NDArray[np.float64]

FACE: Array = np.loadtxt(CANONICAL_FACE, delimiter=",", skiprows=1)
UPPER_LIDS, LOWER_LIP, CHIN = [61, 62, 63, 69, 70, 71], [*range(83, 88), *range(93, 96)], list(range(12, 21))


def closing_lids() -> Array:
    moves = np.zeros((98, 2))
    moves[UPPER_LIDS, 1] = 0.04
    return moves


def opening_mouth() -> Array:
    moves = np.zeros((98, 2))
    moves[LOWER_LIP, 1], moves[CHIN, 1] = 0.05, 0.04
    return moves


def rms(motion: Array) -> float:
    return float(np.sqrt((motion**2).sum(axis=1).mean()))


@pytest.mark.parametrize(("moves", "where"), [(closing_lids(), UPPER_LIDS), (opening_mouth(), LOWER_LIP)])
def test_an_expression_is_kept(moves: Array, where: list[int]) -> None:
    kept = expression(moves, FACE)
    assert kept[where, 1].mean() > 0.75 * moves[where, 1].mean()
    assert rms(kept - moves) < 0.55 * rms(moves)


def test_noise_of_a_resting_face_is_not() -> None:
    random = np.random.default_rng(0)
    for _ in range(10):
        noise = random.normal(0, 0.002, (98, 2))
        assert rms(expression(noise, FACE)) < 0.25 * rms(noise)


def test_of_a_noisy_expression_the_noise_is_less() -> None:
    random, moves = np.random.default_rng(1), opening_mouth()
    noise = random.normal(0, 0.008, (98, 2))
    found, clean = expression(moves + noise, FACE), expression(moves, FACE)
    assert rms(found - clean) < 0.6 * rms(noise)
    nose = list(next(region.points for region in REGIONS if region.name == "nose"))
    assert rms(found[nose]) < 0.6 * rms(noise[nose])


def test_the_pose_of_the_face_does_not_matter() -> None:
    moves = opening_mouth() + np.random.default_rng(2).normal(0, 0.005, (98, 2))
    turn = 130 * np.array([[np.cos(0.7), np.sin(0.7)], [-np.sin(0.7), np.cos(0.7)]])
    turned = expression(moves @ turn, FACE @ turn + (400, -90))
    np.testing.assert_allclose(turned, expression(moves, FACE) @ turn, rtol=1e-9, atol=1e-9)


def test_a_mirrored_face_moves_mirrored() -> None:
    moves = closing_lids()
    moves[UPPER_LIDS[:3]] = 0
    flipped = expression(moves[MIRROR] * (-1, 1), FACE[MIRROR] * (-1, 1))
    np.testing.assert_allclose(flipped, expression(moves, FACE)[MIRROR] * (-1, 1), atol=1e-5)


def test_the_coefficients_that_are_written_are_those_that_are_read() -> None:
    modes = _modes()
    np.testing.assert_allclose(modes.write @ modes.read, np.eye(len(modes.strengths)), atol=1e-4)
    assert (np.diff(modes.strengths) <= 0).all()
    assert modes.strengths[-1] > 0


def test_other_landmarks_and_faces_of_no_size_keep_their_motion() -> None:
    moves = opening_mouth()
    np.testing.assert_array_equal(expression(moves[TO_68], FACE[TO_68]), moves[TO_68])
    np.testing.assert_array_equal(expression(moves, np.full((98, 2), 7.0)), moves)
