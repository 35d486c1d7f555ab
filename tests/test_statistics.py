"""Bootstrap intervals: what they cover, what they keep, and what they cannot say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.errors import ModelError
from model.metrics.accuracy import accuracy, areas, failures
from model.metrics.confidence import Figure, accuracy_figures, difference_figure, mean_figure, ratio_figure


def skewed(count: int, seed: int) -> np.ndarray:
    """Errors as faces have them: many small, a few large; their true mean is 5."""
    return np.random.default_rng(seed).gamma(2.0, 2.5, count)


def test_figures_are_those_of_the_metrics() -> None:
    errors = skewed(200, 0) / 100
    plain, figures = accuracy(errors), accuracy_figures(errors)
    assert figures.faces == plain.faces
    for name in ("nme", "fr10", "auc10"):
        figure = getattr(figures, name)
        assert figure.value == pytest.approx(getattr(plain, name), rel=1e-9)
        assert figure.low < figure.value < figure.high


def test_interval_of_a_mean_covers_the_truth_as_often_as_it_says() -> None:
    figures = [mean_figure(skewed(60, seed)) for seed in range(25)]
    # 95 % of 25 is 24; a binomial with that share is below 20 once in a thousand.
    assert sum(figure.low <= 5 <= figure.high for figure in figures) >= 20


def test_interval_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(1).normal(10, 2, 400)
    figure = mean_figure(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert figure.value == pytest.approx(values.mean())
    assert (figure.low, figure.high) == pytest.approx((figure.value - half, figure.value + half), abs=0.1 * half)


def test_the_same_values_give_the_same_interval() -> None:
    assert mean_figure(skewed(50, 3)) == mean_figure(skewed(50, 3))


def test_pairs_make_a_ratio_surer_than_the_means_do() -> None:
    baseline = skewed(80, 4)
    values = 1.02 * baseline + np.random.default_rng(5).normal(0, 0.05, 80)
    ratio = ratio_figure(values, baseline)
    assert ratio.value == pytest.approx(values.mean() / baseline.mean())
    assert 1.01 < ratio.low < ratio.value < ratio.high < 1.03
    alone = mean_figure(values)
    assert (ratio.high - ratio.low) < 0.1 * (alone.high - alone.low) / alone.value
    difference = difference_figure(values, baseline)
    assert difference.value == pytest.approx((values - baseline).mean())
    assert 0 < difference.low < difference.high


def test_the_order_of_pairs_matters() -> None:
    baseline = skewed(80, 6)
    paired, shuffled = ratio_figure(baseline * 1.1, baseline), ratio_figure(baseline[::-1] * 1.1, baseline)
    assert (paired.low, paired.high) == pytest.approx((1.1, 1.1))
    assert shuffled.high - shuffled.low > 0.1


def test_missed_faces_fail_and_have_no_error() -> None:
    errors = np.array([0.02, 0.04, np.inf, 0.06])
    figures = accuracy_figures(errors)
    assert figures.nme.value == pytest.approx(4.0)
    assert figures.fr10.value == pytest.approx(25.0)
    assert figures.auc10.value == pytest.approx((0.8 + 0.6 + 0 + 0.4) / 4, abs=2e-3)
    np.testing.assert_array_equal(failures(errors), [0, 0, 1, 0])
    assert areas(errors)[2] == 0


def test_units_not_measured_do_not_count() -> None:
    values = skewed(30, 7)
    gaps = np.insert(values, 3, np.nan)
    assert mean_figure(gaps) == mean_figure(values)
    assert ratio_figure(gaps, np.ones(31)) == ratio_figure(values, np.ones(30))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], (math.nan, None)), ([3.0], (3.0, None)), ([0.0, 0.0, 0.0], (0.0, (0.0, 0.0)))],
)
def test_what_has_no_spread(values: list[float], expected: tuple[float, tuple[float, float] | None]) -> None:
    figure = mean_figure(np.array(values))
    assert (figure.value == expected[0]) or (math.isnan(figure.value) and math.isnan(expected[0]))
    assert figure.interval == expected[1]


def test_a_baseline_of_zeros_has_no_ratio() -> None:
    figure = ratio_figure(np.array([1.0, 2.0]), np.zeros(2))
    assert not math.isfinite(figure.value)
    assert figure.interval is None
    rare = ratio_figure(np.array([1.0, 1, 1, 1]), np.array([0.0, 0, 0, 1]))
    assert rare.value == 4
    assert rare.interval is None, "a third of the resamples divide by zero"


def test_pairs_of_unlike_length_are_refused() -> None:
    with pytest.raises(ModelError, match="not 3 and 2"):
        ratio_figure(np.ones(3), np.ones(2))


def test_text() -> None:
    assert Figure(4.8246, 4.551, 5.109).text(2) == "4.82 [4.55, 5.11]"
    assert Figure(4.8246).text(1) == "4.8"
