"""The laboratory measures what ``evaluate wflw-v`` measures, and delay besides."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import UserError
from app.lab.accuracy.predict import Predictor, RectPredictor, Smoother
from app.lab.accuracy.wflw_v import evaluate_video, find_videos
from app.lab.flicker.attribution import attribute_clip
from app.lab.flicker.clips import EncodedClip, encode_clip, find_clips
from app.lab.flicker.experiment import run_experiment
from app.lab.flicker.figures import ClipFigures, measure_track, summarise
from app.lab.flicker.grid import families_of, methods_of
from app.lab.flicker.methods import Method, Track, cold, filtered, rwr
from model.engine.base import State
from model.filters import Ema, OneEuro
from model.geometry import Crop
from model.metrics.lag import Speed
from model.rwr.recurrence import Recurrence
from model.rwr.settings import RELEASED, RwrSettings
from model.rwr.solution import Solution
from tests.fakes import SquareEngine
from tests.lab_fakes import add_video, clip_of, swinging

pytestmark = pytest.mark.slow

Points = NDArray[np.float32]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clips in two groups."""
    for name, frames in (("a", 12), ("b", 9), ("c", 8)):
        add_video(tmp_path, name, frames)
    (tmp_path / "drawn_ids.txt").write_text("c\n")
    (tmp_path / "filmed_ids.txt").write_text("a\nb\n")
    return tmp_path


def rect(recurrence: RwrSettings | None) -> Predictor:
    return RectPredictor(SquareEngine(), 1.25, recurrence)


@pytest.mark.parametrize(
    ("method", "predictor"),
    [
        (cold(), lambda: rect(None)),
        (rwr(SquareEngine(), RwrSettings(), "RwR"), lambda: rect(RwrSettings())),
        (rwr(SquareEngine(), RELEASED, "released"), lambda: rect(RELEASED)),
        (filtered("EMA", "EMA 0.5", lambda: Ema(0.5), {}), lambda: Smoother(rect(None), Ema(0.5))),
        (filtered("1 euro", "1 euro", lambda: OneEuro(4, 5), {}), lambda: Smoother(rect(None), OneEuro(4, 5))),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_figures_are_those_of_evaluate(folder: Path, method: Method, predictor: Callable[[], Predictor]) -> None:
    clips = [encode_clip(SquareEngine(), files) for files in find_clips(folder)]
    expected = {files.name: evaluate_video(predictor(), files) for files in find_videos(folder)}
    for clip in clips:
        own = measure_track(method.track(clip), clip)
        other = expected[own.clip]
        assert (own.nme, own.nme_eyes_mouth) == (other.nme, other.nme_eyes_mouth)
        assert own.nmf == pytest.approx(other.nmf, rel=1e-12)
        assert (own.frames, own.evaluations) == (other.frames, other.evaluations)


def test_recurrences_are_told_when_each_frame_was_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float | None] = []
    solve = Recurrence.solve

    def noting(own: Recurrence, u: State, crop: Crop, image: Any = None, seconds: float | None = None) -> Solution:
        seen.append(seconds)
        return solve(own, u, crop, image, seconds)

    monkeypatch.setattr(Recurrence, "solve", noting)
    files = find_clips(folder)[0]
    clip = encode_clip(SquareEngine(), files)
    rwr(SquareEngine(), RwrSettings(), "RwR").track(clip)
    evaluate_video(rect(RwrSettings()), files.files)
    assert seen == [*clip.times, *clip.times]
    attribute_clip(SquareEngine(), clip)
    assert len(seen) > 2 * len(clip.times)
    assert seen == [*clip.times] * (len(seen) // len(clip.times))


def test_a_filter_goes_on_where_a_clips_clock_stands_still() -> None:
    clip = clip_of(swinging())
    method = filtered("1 euro", "1 euro", lambda: OneEuro(4, 5), {})
    stopped = replace(clip, times=(*clip.times[:20], *clip.times[19:-1]))
    np.testing.assert_allclose(method.track(stopped).landmarks, method.track(clip).landmarks, atol=1e-3)


def test_the_files_that_macos_puts_beside_each_are_no_data(folder: Path) -> None:
    expected = find_clips(folder), find_videos(folder)
    for path in [path for path in folder.rglob("*.*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    assert (find_clips(folder), find_videos(folder)) == expected


def test_groups_come_from_the_id_files(folder: Path) -> None:
    assert [(clip.files.name, clip.group) for clip in find_clips(folder)] == [
        *(("c", "drawn"), ("a", "filmed"), ("b", "filmed")),
    ]
    other = folder / "mine.txt"
    other.write_text("b\n")
    assert [(clip.files.name, clip.group) for clip in find_clips(folder, [other])] == [("b", "mine")]
    with pytest.raises(UserError, match=r"names the clip b a second time"):
        find_clips(folder, [other, folder / "filmed_ids.txt"])
    for path in folder.glob("*_ids.txt"):
        path.unlink()
    assert {clip.group for clip in find_clips(folder)} == {"all"}


def test_only_the_first_frames(folder: Path) -> None:
    clip = encode_clip(SquareEngine(), find_clips(folder)[1], frames=5)
    assert (len(clip.times), len(clip.crops), len(clip.images), len(clip.u)) == (5, 5, 5, 5)
    assert clip.cold.shape == clip.truth.shape == (5, 98, 2)
    with pytest.raises(UserError, match="at least 3"):
        encode_clip(SquareEngine(), find_clips(folder)[1], frames=2)


@pytest.mark.parametrize("labels", [24, 10])
def test_a_video_of_another_length_than_its_labels_is_refused(folder: Path, labels: int) -> None:
    for kind in ("landmarks", "bboxes"):
        values = np.load(folder / kind / "a.npy")
        np.save(folder / kind / "a.npy", np.concatenate([values, values])[:labels])
    with pytest.raises(UserError, match=rf"a.mp4 has 12 frames, but .*a.npy labels {labels}"):
        encode_clip(SquareEngine(), find_clips(folder)[1])
    assert len(encode_clip(SquareEngine(), find_clips(folder)[1], frames=9).times) == 9


def figures_of(landmarks: NDArray[np.floating], clip: EncodedClip) -> ClipFigures:
    return measure_track(Track(landmarks.astype(np.float32), clip.cold_evaluations), clip)


def test_lag_needs_a_clip_that_moves() -> None:
    moving, still = clip_of(swinging()), clip_of(swinging(size=0.01))
    assert figures_of(swinging(late=1), moving).lag == pytest.approx(1, abs=0.05)
    assert math.isnan(figures_of(swinging(late=1, size=0.01), still).lag)
    # The face is rigid: there is no expression whose lag could be told.
    assert math.isnan(figures_of(swinging(late=1), moving).lag_expressions)


def test_regions_and_nad() -> None:
    clip = clip_of(swinging(9))
    found = swinging(9)
    found[4, 76:96] += (5, 0)  # one jump of the mouth; the eye corners are 100 apart, the box 200 x 200
    own = figures_of(found, clip)
    assert own.regions["mouth"].nme == pytest.approx(100 * 5 / 100 / 9, rel=1e-3)
    assert own.regions["mouth"].nmf == pytest.approx(25600 / 200 * np.sqrt(25 * 2 / 8), rel=1e-3)
    assert own.regions["eyes"].nme == pytest.approx(0, abs=1e-4)
    assert set(own.regions) == {"contour", "brows", "nose", "eyes", "mouth", "pupils"}
    assert set(own.nad) == {1, 2, 4}
    assert own.nad[1] == pytest.approx(own.nmf / np.sqrt(2))


def test_group_figures_are_means_over_clips() -> None:
    clips = [clip_of(swinging(40)), clip_of(swinging(20)), clip_of(swinging(30), "other")]
    cold = [figures_of(clip.truth + np.array([2, 0]), clip) for clip in clips]
    own = [
        figures_of(clip.truth + np.array([offset, 0]), clip)
        for clip, offset in zip(clips, (1.0, 2.0, 4.0), strict=True)
    ]
    groups = summarise(own, cold)
    assert groups["g"].clips == 2
    assert groups["g"].nme == pytest.approx(1.5, rel=1e-4)
    assert groups["g"].nme_ratio == pytest.approx(0.75, rel=1e-4)
    assert groups["other"].nme_ratio == pytest.approx(2, rel=1e-4)
    assert set(groups["g"].nad) == {1, 2, 4, 8}
    assert groups["g"].regions["nose"].nme == pytest.approx(1.5, rel=1e-4)


def talking(frames: int = 60, late: float = 0.0, size: float = 6.0) -> NDArray[np.float64]:
    """A head that moves in time and a mouth that is late, still in the middle third."""
    t = np.arange(frames) - late
    rest = np.random.default_rng(3).uniform(-5, 5, (98, 2))
    points = swinging(frames) + rest
    points[:, 76:96, 1] += (size * np.sin(t / 2) * ((t < frames / 3) | (t > 2 * frames / 3)))[:, None]
    return points


def test_lag_and_error_of_a_region_by_its_speed() -> None:
    clip = clip_of(talking())
    cold, own = figures_of(talking(late=0.2), clip), figures_of(talking(late=1.2), clip)
    group = summarise([own], [cold])["g"]
    assert set(group.speeds) == {"eyes", "brows", "mouth"}
    mouth = group.speeds["mouth"]
    assert sum(each.frames for each in mouth.values()) == 60
    assert mouth[Speed.FAST].lag == pytest.approx(1.2, abs=0.1)
    assert mouth[Speed.FAST].lag_more == pytest.approx(1.0, abs=0.1)
    assert mouth[Speed.FAST].nme_ratio > 3
    assert mouth[Speed.STILL].frames > 10
    eyes = group.speeds["eyes"]
    assert eyes[Speed.FAST].frames == 0
    assert math.isnan(eyes[Speed.FAST].nme_ratio)
    held_back = summarise([own], [cold], picture_late=2)["g"].speeds["mouth"][Speed.FAST]
    assert held_back.lag == pytest.approx(mouth[Speed.FAST].lag + 2)


def test_the_worst_clip_is_named() -> None:
    clips = [clip_of(swinging(40)), clip_of(swinging(20))]
    cold = [figures_of(clip.truth + np.array([2, 0]), clip) for clip in clips]
    own = [figures_of(clip.truth + np.array([offset, 0]), clip) for clip, offset in zip(clips, (1, 3), strict=True)]
    group = summarise(own, cold)["g"]
    assert group.worst_nme.clip == "clip of 20"
    assert group.worst_nme.ratio == pytest.approx(1.5, rel=1e-4)
    assert group.worst_eyes_mouth.ratio == pytest.approx(1.5, rel=1e-4)


def test_mean_lag_leaves_out_still_clips_and_weighs_slow_ones_less() -> None:
    still, slow, fast = (clip_of(swinging(size=size)) for size in (0.01, 0.7, 20))
    clips = [still, slow, fast]
    cold = [figures_of(clip.truth, clip) for clip in clips]
    sizes, delays = (0.01, 0.7, 20), (3, 2, 1)
    own = [
        figures_of(swinging(late=late, size=size), clip) for clip, size, late in zip(clips, sizes, delays, strict=True)
    ]
    group = summarise(own, cold)["g"]
    assert 1 < group.lag < 1.5
    assert group.lag_more == pytest.approx(group.lag, abs=1e-3)


def test_methods_are_measured_against_cold(folder: Path) -> None:
    engine = SquareEngine()
    methods = [cold(), rwr(engine, RELEASED, "released")]
    base, released = run_experiment(engine, find_clips(folder), methods, frames=6, attribution=False).results
    assert (base.name, released.name) == ("cold", "released")
    assert set(base.groups) == {"drawn", "filmed"}
    assert base.groups["filmed"].nmf_ratio == 1
    # The fake's cold solve takes 6 evaluations, a warm frame 2.
    assert released.groups["filmed"].evaluations == pytest.approx((6 + 5 * 2) / 6)


def test_an_experiment_runs_every_method_on_every_clip(folder: Path) -> None:
    engine = SquareEngine()
    methods = methods_of(engine, families_of(["ema"]))
    measured = run_experiment(engine, find_clips(folder)[:2], methods, frames=5, attribution=False)
    assert measured.groups == ["drawn", "filmed"]
    assert [each.name for each in measured.results] == [method.name for method in methods]
    assert {len(each.clips) for each in measured.results} == {2}
    assert measured.results[0].groups["drawn"].nme_ratio == 1
    assert measured.attribution == ()
    assert measured.named("EMA 0.5") is not None
    assert measured.named("none such") is None


def test_one_clip_is_in_memory_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[weakref.ref[EncodedClip]] = []

    def noting(*arguments: Any) -> EncodedClip:
        gc.collect()
        assert not any(clip() is not None for clip in encoded)
        clip = encode_clip(*arguments)
        encoded.append(weakref.ref(clip))
        return clip

    monkeypatch.setattr("app.lab.flicker.experiment.encode_clip", noting)
    engine = SquareEngine()
    run_experiment(engine, find_clips(folder), [cold(), rwr(engine, RELEASED, "released")], frames=4)
    assert len(encoded) == 3
