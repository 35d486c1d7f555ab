"""The recurrence weight: high at rest and where heatmaps are ambiguous, low where a landmark surely moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import ModelError
from model.rwr.weight import (
    AMBIGUITY_LIMITS,
    JITTER,
    LARGEST_NOISE,
    LEAST_NOISE,
    NOISE_GAIN,
    OUTLIER,
    SURE_JUMP,
    Adaptation,
    AdaptiveWeight,
)
from model.topology import REGIONS

BASE = 2.0
SPREAD = np.full(98, 0.02)
MOUTH = next(list(region.points) for region in REGIONS if region.name == "mouth")
CONTOUR = next(list(region.points) for region in REGIONS if region.name == "contour")
LIP, *OTHER_LIPS = MOUTH
OTHERS_SHARE = Adaptation().region / len(MOUTH)
OWN_SHARE = 1 - Adaptation().region + OTHERS_SHARE
"""What a value of one landmark of the mouth counts for the others of the mouth and for itself."""


def after_noise(weight: AdaptiveWeight, frames: int = 60, seed: int = 0) -> NDArray[np.float64]:
    """Feed innovations that are noise alone and return the last weights."""
    random = np.random.default_rng(seed)
    for _ in range(frames):
        weights = weight.update(random.normal(0, 0.003, (98, 2)), SPREAD)
    return weights


def test_noise_keeps_the_weight() -> None:
    weights = after_noise(AdaptiveWeight(BASE, Adaptation()))
    assert np.mean(weights) > 0.9 * BASE
    assert weights.max() <= BASE + 1e-9


def test_a_motion_that_goes_on_lowers_its_regions_weight_and_no_other() -> None:
    weight = AdaptiveWeight(BASE, Adaptation())
    after_noise(weight)
    random = np.random.default_rng(1)
    for _ in range(3):
        innovation = random.normal(0, 0.003, (98, 2))
        innovation[MOUTH] += (0.0, 0.015)
        weights = weight.update(innovation, SPREAD)
    assert weights[MOUTH].max() < 0.6 * BASE
    assert weights[CONTOUR].mean() > 0.85 * BASE
    assert 1 / (1 + weights[MOUTH].min()) == pytest.approx(Adaptation().following)


def test_a_jump_larger_than_any_noise_is_followed_at_once() -> None:
    weight = AdaptiveWeight(BASE, Adaptation())
    settled(weight, SPREAD)
    innovation = np.zeros((98, 2))
    innovation[MOUTH] = (0.0, SURE_JUMP)
    weights = weight.update(innovation, SPREAD)
    np.testing.assert_allclose(weights[MOUTH], 0.0, atol=1e-9)
    np.testing.assert_allclose(weights[CONTOUR], BASE, rtol=1e-6)
    # The solution was all picture, as after a cold frame, and the motion is no longer pending.
    weights = weight.update(np.zeros((98, 2)), SPREAD)
    np.testing.assert_allclose(weights[MOUTH], 1 / (1 + 1 / (BASE * (1 + BASE))))
    np.testing.assert_allclose(weights[CONTOUR], BASE, rtol=1e-6)


def test_the_jump_of_one_landmark_counts_by_its_regions_share() -> None:
    weight = AdaptiveWeight(BASE, Adaptation(noise=1e6, motion=1e7))
    settled(weight, SPREAD)
    innovation = np.zeros((98, 2))
    innovation[LIP] = (SURE_JUMP, 0.0)
    jump = (np.sqrt(OWN_SHARE) * SURE_JUMP - LARGEST_NOISE) / (SURE_JUMP - LARGEST_NOISE)
    picture = 1 / (1 + BASE)
    weights = weight.update(innovation, SPREAD)
    assert 1 / (1 + weights[LIP]) == pytest.approx(picture + (1 - picture) * jump, rel=1e-6)
    np.testing.assert_allclose(weights[[*OTHER_LIPS, *CONTOUR]], BASE, rtol=1e-6)


def pulled(share: float, kept: float = 1 / (1 + BASE)) -> float:
    """Return the weight of a landmark whose tracking signal lies by ``share`` between noise and sure motion."""
    return 1 / (kept + (Adaptation().following - kept) * share) - 1


@pytest.mark.parametrize("memory", [1.0, 0.5])
def test_the_tracking_signal_is_over_what_noise_would_give(memory: float) -> None:
    """Trigg and Leach: the mean of white noise has memory / (2 - memory) of its variance."""
    weight = AdaptiveWeight(BASE, Adaptation(memory=memory, region=0.0))
    settled(weight, SPREAD)
    innovation = np.zeros((98, 2))
    innovation[LIP] = (0.0, 2 * LEAST_NOISE / np.sqrt(memory * (2 - memory)))  # a signal of 4, midway
    weights = weight.update(innovation, SPREAD)
    assert weights[LIP] == pytest.approx(pulled(0.5), rel=1e-6)
    np.testing.assert_allclose(np.delete(weights, LIP), BASE, rtol=1e-6)


def test_the_tracking_signal_is_shared_by_a_region() -> None:
    weight = AdaptiveWeight(BASE, Adaptation(memory=1.0))
    settled(weight, SPREAD)
    innovation = np.zeros((98, 2))
    innovation[LIP] = (0.0, np.sqrt(3 / OTHERS_SHARE) * LEAST_NOISE)  # a signal of 3 for the others
    weights = weight.update(innovation, SPREAD)
    assert weights[LIP] == pytest.approx(pulled(1.0), rel=1e-6)
    np.testing.assert_allclose(weights[OTHER_LIPS], pulled(0.25), rtol=1e-6)
    np.testing.assert_allclose(weights[CONTOUR], BASE, rtol=1e-6)


def test_an_outlier_raises_the_noise_only_so_far() -> None:
    weight = AdaptiveWeight(BASE, Adaptation(memory=1.0, region=0.0))
    settled(weight, SPREAD)
    outlier, midway = np.zeros((98, 2)), np.zeros((98, 2))
    outlier[LIP] = (0.9 * LARGEST_NOISE, 0.0)
    assert weight.update(outlier, SPREAD)[LIP] == pytest.approx(pulled(1.0), rel=1e-6)
    noise = (1 + NOISE_GAIN * (OUTLIER**2 - 1)) * LEAST_NOISE**2
    midway[LIP] = (2 * np.sqrt(noise), 0.0)
    reference = Adaptation().following + 1 / (BASE * (1 + BASE))
    assert weight.update(midway, SPREAD)[LIP] == pytest.approx(pulled(0.5, reference / (1 + reference)), rel=1e-6)


def test_a_landmark_that_is_followed_more_than_motion_asks_for_is_followed_no_less() -> None:
    weight = AdaptiveWeight(BASE, Adaptation(following=0.0))
    first = weight.update(np.full((98, 2), 0.02), SPREAD)
    np.testing.assert_allclose(first, 1 / (1 + 1 / (BASE * (1 + BASE))))


def test_rest_after_a_motion_raises_the_weight_again() -> None:
    weight = AdaptiveWeight(BASE, Adaptation())
    after_noise(weight)
    for _ in range(3):
        moving = weight.update(np.full((98, 2), 0.01), SPREAD).mean()
    assert moving < 0.6 * BASE
    assert after_noise(weight, 20, seed=2).mean() > 0.9 * BASE


def settled(weight: AdaptiveWeight, spread: NDArray[np.float64], doubt: float = 0.0) -> NDArray[np.float64]:
    """Let the weight, and the noise at its least, settle on innovations of nothing; return the weight."""
    for _ in range(400):
        weights = weight.update(np.zeros((98, 2)), spread, np.full(98, doubt))
    return weights


def test_ambiguous_heatmaps_lean_more_on_the_last_frame() -> None:
    spread = SPREAD.copy()
    spread[:20] *= 2
    spread[20:40] *= 100
    weights = settled(AdaptiveWeight(BASE, Adaptation(ambiguity=1.0)), spread)
    np.testing.assert_allclose(weights[40:], BASE, rtol=1e-6)
    ambiguity = np.repeat([2.0, AMBIGUITY_LIMITS[1]], 20)
    np.testing.assert_allclose(weights[:40] * (1 + weights[:40]), ambiguity * BASE * (1 + BASE), rtol=1e-6)
    np.testing.assert_allclose(settled(AdaptiveWeight(BASE, Adaptation(ambiguity=0.0)), spread), BASE, rtol=1e-6)


def test_a_doubtful_motion_is_followed_in_the_same_frame_by_its_region_alone() -> None:
    weight = AdaptiveWeight(BASE, Adaptation())
    settled(weight, SPREAD)
    doubt = np.zeros(98)
    doubt[LIP] = 2 * JITTER
    weights = weight.update(np.zeros((98, 2)), SPREAD, doubt)
    # The reference's variance: what the last solution had, what moving adds at rest, and the doubt.
    variance = 1 / (1 + BASE) + 1 / (BASE * (1 + BASE))
    assert weights[LIP] == pytest.approx(1 / (variance + 4 * OWN_SHARE), rel=1e-6)
    np.testing.assert_allclose(weights[OTHER_LIPS], 1 / (variance + 4 * OTHERS_SHARE), rtol=1e-6)
    np.testing.assert_allclose(weights[CONTOUR], BASE, rtol=1e-6)


def test_after_a_cold_frame_the_reference_is_as_uncertain_as_that_frame() -> None:
    weight = AdaptiveWeight(BASE, Adaptation())
    first = weight.update(np.zeros((98, 2)), SPREAD)
    np.testing.assert_allclose(first, 1 / (1 + 1 / (BASE * (1 + BASE))))
    assert (settled(weight, SPREAD) > first).all()


def test_a_reset_forgets_the_motion_and_the_noise() -> None:
    weight = AdaptiveWeight(BASE, Adaptation())
    for _ in range(3):
        weight.update(np.full((98, 2), 0.02), SPREAD)
    weight.reset()
    anew = AdaptiveWeight(BASE, Adaptation())
    for _ in range(3):
        np.testing.assert_array_equal(
            weight.update(np.full((98, 2), 0.006), SPREAD), anew.update(np.full((98, 2), 0.006), SPREAD)
        )


def test_heatmaps_without_any_spread_have_weights() -> None:
    assert np.isfinite(AdaptiveWeight(BASE, Adaptation()).update(np.zeros((98, 2)), np.zeros(98))).all()


def test_no_weight_stays_none() -> None:
    weights = AdaptiveWeight(0.0, Adaptation()).update(np.full((98, 2), 0.02), SPREAD)
    np.testing.assert_allclose(weights, 0.0, atol=1e-12)


def test_68_points_share_by_their_own_regions() -> None:
    weight = AdaptiveWeight(BASE, Adaptation(), landmarks=68)
    innovation = np.zeros((68, 2))
    for _ in range(10):
        weight.update(innovation, np.full(68, 0.02))
    innovation[48:68] = (0.0, 0.03)  # the mouth of the 300W scheme
    weights = weight.update(innovation, np.full(68, 0.02))
    assert weights[48:68].max() < weights[:48].min()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ambiguity": -1.0}, "must lie in"),
        ({"memory": 0.0}, "must lie in"),
        ({"memory": 1.5}, "must lie in"),
        ({"following": 1.5}, "must lie in"),
        ({"region": -0.5}, "must lie in"),
        ({"noise": 6.0, "motion": 6.0}, "below the motion limit"),
    ],
)
def test_impossible_adaptations_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Adaptation(**arguments)
