"""What the laboratory tries, and what it makes of the figures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from app.core.errors import UserError
from app.lab.flicker.clips import EncodedClip
from app.lab.flicker.experiment import MethodResult
from app.lab.flicker.grid import KEYS, RELEASED_NAME, RWR_NAME, families_of, is_baseline, methods_of
from app.lab.flicker.methods import COLD, held_back
from app.lab.flicker.page import page
from app.lab.flicker.report import methods_table, printed, speeds_table, tuned_table, values
from app.lab.flicker.tuning import nearest_filters, tune
from model.rwr.settings import RELEASED, RwrSettings
from tests.fakes import SquareEngine
from tests.lab_fakes import RWR, clip_of, experiment, result, swinging

EMA, LATE = "EMA", "Savitzky-Golay, picture held back"


def test_the_grid_holds_what_the_application_runs() -> None:
    methods = methods_of(SquareEngine())
    names = [method.name for method in methods]
    assert len(set(names)) == len(names)
    assert names[0] == COLD
    found = {method.name: method.settings for method in methods}
    assert found[RWR_NAME] == asdict(RwrSettings())
    assert found[RELEASED_NAME] == asdict(RELEASED)
    # No setting is tried twice under two names.
    everything = [json.dumps([method.family, dict(method.settings)]) for method in methods]
    assert len(set(everything)) == len(everything)


def test_methods_are_chosen_by_key() -> None:
    families = families_of(["kalman", "rwr"])
    assert [family.key for family in families] == ["rwr", "kalman"]
    methods = methods_of(SquareEngine(), families)
    assert {method.family for method in methods} == {COLD, *(family.title for family in families)}
    assert [is_baseline(family.title) for family in families] == [False, True]
    with pytest.raises(UserError, match=r"no method 'magic'; choose from rwr, .*kalman"):
        families_of(["ema", "magic"])


def noisy(frames: int = 24) -> EncodedClip:
    clip = clip_of(swinging(frames))
    noise = np.random.default_rng(0).normal(0, 1, clip.truth.shape)
    return replace(clip, cold=(clip.truth + noise).astype(np.float32))


def test_every_filter_of_the_grid_runs() -> None:
    clip = noisy()
    filters = [method for method in methods_of(SquareEngine()) if is_baseline(method.family)]
    assert len({method.family for method in filters}) == 6
    for method in filters:
        track = method.track(clip)
        assert track.landmarks.shape == clip.truth.shape, method.name
        assert np.isfinite(track.landmarks).all(), method.name
        assert np.abs(track.landmarks - clip.truth).mean() < 10, method.name
        assert (track.evaluations == clip.cold_evaluations).all(), method.name


def test_a_picture_held_back_takes_away_the_filters_delay_but_not_its_own() -> None:
    t = np.arange(12.0)
    line = swinging(12, size=0) + np.stack([t**2, 3 * t], axis=-1)[:, None]
    clip = clip_of(line)
    method = held_back("f", "n", window=5, degree=2, latency=2)
    # A parabola is what the fit reproduces, at every age and both ends.
    assert np.abs(method.track(clip).landmarks - line).max() < 1e-2


def names(results: Sequence[MethodResult]) -> list[str]:
    return [each.name for each in results]


def test_filters_as_still_and_as_accurate_are_named() -> None:
    own = result("RwR", RWR_NAME, **RWR)
    measured = experiment(
        own,
        result(EMA, "equal", nmf=42.0, nme=5.05),
        result(EMA, "too wrong", nmf=30.0, nme=5.1),
        result(EMA, "too restless", nmf=43.0, nme=5.0),
        result(LATE, "late", late=2, nmf=20.0, nme=4.9),
        result(LATE, "later", late=3, nmf=10.0, nme=4.9),
        result("RwR", "other RwR", nmf=1.0, nme=1.0),
    )
    found = nearest_filters(measured, "real")
    assert found is not None
    assert (found.tried, names(found.live), names(found.late)) == (3, ["equal"], ["late", "later"])
    assert found.sentence == (
        "real: 1 of 3 live filters reach RwR's NMF at no larger NME: equal; "
        "of those that hold the picture back, 2 do, at least 2 frames late."
    )


def test_the_nearest_filter_is_named_where_none_is_as_good() -> None:
    own = result("RwR", RWR_NAME, **RWR)
    near, far = result(EMA, "near", nmf=42.0, nme=5.555), result(EMA, "far", nmf=10.0, nme=9.0)
    found = nearest_filters(experiment(own, far, near), "real")
    assert found is not None
    assert found.sentence == (
        "real: none of 2 live filters reaches RwR's NMF at no larger NME; the nearest, near, has 1.100 x its NME."
    )
    found = nearest_filters(experiment(own, result(EMA, "restless", nmf=50.0, nme=1.0)), "animated")
    assert found is not None
    assert found.sentence.endswith("nor that NMF at any NME.")
    assert nearest_filters(experiment(own), "real") is None
    assert nearest_filters(experiment(near), "real") is None


def test_filters_are_tuned_twice() -> None:
    measured = experiment(
        result("RwR", RWR_NAME, **RWR),
        result(EMA, "gentle", nmf=80.0, nme=4.9),
        result(EMA, "at the limit", nmf=60.0, nme=5.05),
        result(EMA, "strong", nmf=40.0, nme=6.0),
        result(EMA, "stronger", nmf=30.0, nme=7.0),
        result("Kalman, constant velocity", "hopeless", nmf=99.0, nme=9.0),
    )
    ema, kalman = tune(measured, "real")
    assert ema.steadiest is not None
    assert ema.most_accurate is not None
    assert (ema.steadiest.name, ema.most_accurate.name) == ("at the limit", "strong")
    assert (kalman.steadiest, kalman.most_accurate) == (None, None)


def test_a_held_back_picture_counts_as_lag() -> None:
    assert result(LATE, "late", late=2).groups["real"].lag_more == pytest.approx(2)


def test_tables_and_json() -> None:
    own = result("RwR", RWR_NAME, **{**RWR, "lag_expressions": math.nan})
    measured = experiment(own, result(EMA, "near", nmf=42.0, nme=5.555))
    header, rows = methods_table(measured.results, "real")
    assert all(len(row) == len(header) for row in rows)
    assert dict(zip(header[:5], rows[1], strict=False))["NME"] == "5.05"
    assert "-" in rows[1]
    header, rows = speeds_table(measured.results, "real")
    assert all(len(row) == len(header) for row in rows)
    assert tuple(rows[0][:3]) == ("cold", "brows", "10")
    text = printed(measured)
    assert "real, by speed of the true motion:" in text
    assert "real, mean of 2, NME in %" in text
    assert "real: none of 1 live filters reaches RwR's NMF" in text
    ready = json.loads(json.dumps(values(measured, {"date": "today"}), allow_nan=False))
    assert ready["date"] == "today"
    assert ready["methods"][1]["groups"]["real"]["lag_expressions"] is None
    assert ready["methods"][1]["clips"][0]["nad"] == {"1": 70.0, "2": 50.0, "4": 30.0}
    assert ready["methods"][1]["clips"][0]["speeds"]["mouth"]["fast"] == {"frames": 5, "nme": 4.0, "lag": 0.0}
    assert ready["methods"][1]["groups"]["real"]["speeds"]["mouth"]["fast"]["frames"] == 10
    assert ready["methods"][1]["groups"]["real"]["worst_nme"] == {"clip": "a", "ratio": 1.01}
    assert len(ready["verdicts"]) == 2


def test_without_rwr_nothing_is_set_against_it() -> None:
    near, hopeless = result(EMA, "near", nmf=42.0, nme=5.02), result("Kalman, constant velocity", "k", nme=9.0)
    with_rwr = experiment(result("RwR", RWR_NAME, **RWR), near, hopeless)
    assert tuned_table(with_rwr, "real")[1][1][5:] == ("none", "-", "-", "-")
    header, rows = tuned_table(experiment(near, hopeless), "real")
    assert [row[1] for row in rows] == ["near", "none"]
    assert {len(header), *map(len, rows)} == {5}
    about: dict[str, Any] = {"weights": {"file": "w", "sha256": None}, "engine": "fake", "date": "today"}
    about["settings"] = {"frames": None, "scale": 1.25}
    assert "tuned on these clips" in page(with_rwr, {}, about)
    assert "tuned on these clips" not in page(experiment(result("RwR", RWR_NAME, **RWR)), {}, about)


def test_keys_are_words_for_a_command_line() -> None:
    assert all(key == key.lower() and " " not in key for key in KEYS)
