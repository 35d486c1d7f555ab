"""The hold-still test: known noise is found again, motion and blinks are left out, cards survive."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli.main import main
from app.core.errors import RecordingError, UserError
from app.core.frame import FaceResult, FrameResult
from app.core.modes import Mode
from app.core.runs import runs
from app.core.settings import TrackingSettings
from app.holdstill import card_file
from app.holdstill.card import Card, make_card
from app.holdstill.card_file import LARGEST, card_path, list_cards, read_card, write_card, write_new_card
from app.holdstill.comparison import Change, ModeChange, compare, compare_modes, flicker_interval
from app.holdstill.measurement import LONGEST_GAP, HoldStillError, measure
from app.holdstill.samples import RESTLESS_SPEED, Sampler
from app.holdstill.stillness import SPEED_SECONDS, blinking, follow_head, smooth, widened
from app.holdstill.text import card_lines, comparison_verdict, modes_verdict, near_floor, pace_text
from app.tracking.conditions import Conditions
from model.geometry import to_complex
from model.metrics.flicker_meter import METER
from model.topology import POINTS, REGIONS
from tests.holdstill_fakes import (
    CONDITIONS,
    FPS,
    Points,
    card,
    circumstances,
    figures,
    noisy,
    results,
    sampler,
    still_face,
)
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

COUNT = 300
ROOT2 = 2**0.5


def moved(path: Points) -> Points:
    """Return the still face carried along ``path`` (n, 2) in pixels."""
    return np.asarray(still_face() + path[:, None, :])


def sway(count: int, pixels: float, hertz: float) -> Points:
    time = np.arange(count) / FPS
    return np.stack([pixels * np.sin(2 * np.pi * hertz * time), 0 * time], -1)


def test_what_a_source_shows_again_counts_once() -> None:
    frames = results({Mode.RWR: noisy(150, 0.1)})
    again = [
        replace(result, frame=replace(result.frame, captured=result.frame.captured + 5)) for result in frames[:120]
    ]
    seen = measure(sampler([*frames, *again]).sitting())
    assert seen.stillness.seconds == pytest.approx(5, abs=0.1)
    assert seen.modes[0].frames == 150


def test_white_noise_of_known_size_is_found_again_in_percent_and_pixels() -> None:
    found = measure(sampler(results({Mode.RWR: noisy(COUNT, 0.2), Mode.COLD: noisy(COUNT, 0.5, 1)})).sitting())
    for figure, sigma in zip(found.modes, (0.2, 0.5), strict=True):
        # A point strays by sigma along both axes, and from frame to frame by the root of two more.
        assert figure.wander.pixels == pytest.approx(sigma * ROOT2, rel=0.03)
        assert figure.flicker.pixels == pytest.approx(sigma * 2, rel=0.02)
        # The face has 100 pixels between the eyes.
        assert figure.flicker.percent == pytest.approx(figure.flicker.pixels, rel=0.01)
        assert figure.frames == COUNT
    assert [figure.mode for figure in found.modes] == [Mode.RWR, Mode.COLD]
    assert [figure.evaluations for figure in found.modes] == [1, 3]


def test_every_region_has_its_own_noise() -> None:
    sigma = np.zeros(POINTS)
    for number, region in enumerate(REGIONS):
        sigma[list(region.points)] = 0.1 * (number + 1)
    (found,) = measure(sampler(results({Mode.RWR: noisy(COUNT, sigma)})).sitting()).modes
    expected = [0.1 * (number + 1) for number in range(len(REGIONS))]
    np.testing.assert_allclose(found.flicker.regions_pixels, np.array(expected) * 2, rtol=0.08)
    np.testing.assert_allclose(found.wander.regions_pixels, np.array(expected) * ROOT2, rtol=0.08)
    np.testing.assert_allclose(found.points, sigma * 2, rtol=0.25)


def test_slow_drift_of_single_points_is_wander_and_not_flicker() -> None:
    drift = np.zeros((COUNT, POINTS, 2))
    drift[:, list(REGIONS[4].points), 1] = 2 * np.sin(2 * np.pi * np.arange(COUNT) / COUNT)[:, None]
    (found,) = measure(sampler(results({Mode.RWR: drift})).sitting()).modes
    assert found.wander.regions_pixels[4] == pytest.approx(2 / ROOT2, rel=0.1)
    assert found.flicker.regions_pixels[4] < 0.05


def test_a_head_that_sways_slowly_adds_nothing() -> None:
    noise = noisy(COUNT, 0.3)
    still = measure(sampler(results({Mode.RWR: noise})).sitting())
    swaying = measure(sampler(results({Mode.RWR: noise}, moved(sway(COUNT, 2.0, 0.25)))).sitting())
    assert swaying.stillness.travel == pytest.approx(4, rel=0.1)
    assert 2 < swaying.stillness.speed < 5
    assert swaying.stillness.seconds == pytest.approx(10, abs=0.1)
    assert swaying.modes[0].wander.percent == pytest.approx(still.modes[0].wander.percent, rel=0.05)
    assert swaying.modes[0].flicker.percent == pytest.approx(still.modes[0].flicker.percent, rel=0.01)


def test_frames_in_which_the_head_moves_do_not_count() -> None:
    path = np.zeros((COUNT, 2))
    path[150:240] = sway(90, 20.0, 1.0)
    found = measure(sampler(results({Mode.RWR: noisy(COUNT, 0.2)}, moved(path))).sitting())
    assert found.stillness.seconds == pytest.approx(6.0, abs=0.2)
    assert found.modes[0].wander.pixels == pytest.approx(0.2 * ROOT2, rel=0.1)
    assert found.stillness.speed > 30


def test_the_speed_is_the_heads_95th_percentile() -> None:
    path = np.zeros((COUNT, 2))
    path[150:, 0] = 3.0
    found = measure(sampler(results({Mode.RWR: noisy(COUNT, 0.1)}, moved(path))).sitting())
    speed = follow_head(np.arange(COUNT) / FPS, to_complex(moved(path))).speed
    assert found.stillness.speed == pytest.approx(np.percentile(speed, 95), rel=0.05)
    assert found.stillness.speed < 0.8 * speed.max()
    assert np.count_nonzero(speed > 1e-6) / FPS == pytest.approx(SPEED_SECONDS, abs=0.1)


def test_flags_are_widened_in_time() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.9])
    flags = np.isin(times, (0.2, 0.6))
    assert times[widened(times, flags, 0.15)].tolist() == [0.1, 0.2, 0.3, 0.5, 0.6]
    assert times[widened(times, flags, 0.0)].tolist() == [0.2, 0.6]
    assert not widened(times, flags & False, 1.0).any()


def test_runs_of_flags() -> None:
    flags = np.array([False, True, True, False, True])
    assert runs(flags).tolist() == [[1, 3], [4, 5]]
    assert runs(~flags).tolist() == [[0, 1], [3, 4]]
    assert runs(flags & False).tolist() == runs(flags[:0]).tolist() == []


@pytest.mark.parametrize(
    ("broken", "counts"), [("", False), ("gap", True), ("face", True), ("motion", True), ("blink", False)]
)
def test_a_place_is_kept_within_a_stretch_of_stillness(broken: str, counts: bool) -> None:
    """Landmarks that settle elsewhere after a motion, a gap or in another face are not restless."""
    offset = np.random.default_rng(3).normal(size=(POINTS, 2))
    noise, faces = noisy(COUNT, 0.1), np.repeat(still_face()[None], COUNT, axis=0)
    noise[150:] += offset
    if broken == "motion":
        faces[140:150] += np.linspace(0, 30, 10)[:, None, None]
        faces[150:] += 30.0
    if broken == "blink":
        faces[145:150, 61:68, 1] = faces[145:150, [60]][..., 1]
        faces[145:150, 69:76, 1] = faces[145:150, [68]][..., 1]
    frames = results({Mode.RWR: noise}, faces)
    if broken == "gap":
        frames = [
            replace(r, frame=replace(r.frame, timestamp=r.frame.timestamp + (i >= 150))) for i, r in enumerate(frames)
        ]
    if broken == "face":
        frames = [
            replace(r, faces=tuple(replace(f, face=int(i >= 150)) for f in r.faces)) for i, r in enumerate(frames)
        ]
    wander = measure(sampler(frames).sitting()).modes[0].wander.pixels
    assert (wander < 0.2) is counts


def test_a_gap_counts_for_half_a_second() -> None:
    frames = results({Mode.RWR: noisy(COUNT, 0.1)})
    del frames[100:160]
    found = measure(sampler(frames).sitting())
    assert found.stillness.seconds == pytest.approx(COUNT / FPS - 61 / FPS + LONGEST_GAP)


def test_a_test_counts_no_longer_than_it_was_asked_for() -> None:
    collected = sampler(results({Mode.RWR: noisy(400, 0.1)})).sitting()
    found = measure(collected)
    assert collected.frames == COUNT + 1
    assert found.stillness.seconds == 10
    assert len(found.modes[0].seconds) == 10
    few = measure(sampler(results({Mode.RWR: noisy(275, 0.1)})).sitting())
    assert len(few.modes[0].seconds) == 9, "the tenth second has few frames"


def test_a_restless_person_is_told_to_repeat() -> None:
    frames = results({Mode.RWR: noisy(COUNT, 0.2)}, moved(sway(COUNT, 20.0, 0.7)))
    with pytest.raises(HoldStillError, match=r"The head moved too much: .* repeat the test"):
        measure(sampler(frames).sitting())


def test_blinks_are_left_out_and_counted() -> None:
    faces = np.repeat(still_face()[None], COUNT, axis=0)
    for start in (60, 150, 240):
        lids = [61, 62, 63, 65, 66, 67, 69, 70, 71, 73, 74, 75]
        middle = faces[start : start + 5, lids, 1].mean()
        faces[start : start + 5, lids, 1] = middle + 0.2 * (faces[start : start + 5, lids, 1] - middle)
    found = measure(sampler(results({Mode.RWR: noisy(COUNT, 0.2)}, faces)).sitting())
    assert found.stillness.blinks == 3
    assert found.modes[0].wander.regions_pixels[3] == pytest.approx(0.2 * ROOT2, rel=0.1)
    assert found.stillness.seconds == pytest.approx(10 - 3 * 11 / FPS, abs=0.1)


def test_eyes_too_unsure_to_tell_blinks_leave_nothing_out() -> None:
    faces = to_complex(still_face()[None] + noisy(COUNT, 8.0))
    assert not blinking(np.arange(COUNT) / FPS, faces).any()


def test_without_a_face_or_with_too_few_frames_there_are_no_figures() -> None:
    noise = {Mode.RWR: noisy(COUNT, 0.2)}
    with pytest.raises(HoldStillError, match="No face was in view"):
        measure(sampler(results(noise, face=None)).sitting())
    frames = results(noise)
    with pytest.raises(HoldStillError, match="No face was in view"):
        measure(sampler([*frames[:120], *(replace(result, faces=()) for result in frames[120:])]).sitting())
    with pytest.raises(HoldStillError, match=r"Only 3\.0 frames a second"):
        measure(sampler(results({Mode.RWR: noisy(30, 0.2)}, fps=3.0)).sitting())
    with pytest.raises(HoldStillError, match="No face was in view"):
        measure(Sampler().sitting())


def test_a_slow_tracker_finds_the_same_noise() -> None:
    (found,) = measure(sampler(results({Mode.RWR: noisy(60, 0.2)}, fps=6.0)).sitting()).modes
    assert found.wander.pixels == pytest.approx(0.2 * ROOT2, rel=0.05)
    assert found.flicker.pixels == pytest.approx(0.4, rel=0.05)


def test_flicker_must_have_been_measured() -> None:
    frames = results({Mode.RWR: noisy(COUNT, 0.2)})
    unmeasured = [
        replace(result, faces=tuple(replace(f, estimate=replace(f.estimate, flicker=None)) for f in result.faces))
        for result in frames
    ]
    with pytest.raises(HoldStillError, match="Flicker could not be measured"):
        measure(sampler(unmeasured).sitting())


def test_a_mode_that_came_late_is_left_out() -> None:
    frames = results({Mode.RWR: noisy(COUNT, 0.2), Mode.COLD: noisy(COUNT, 0.4)})
    for index in range(200):
        frames[index] = replace(frames[index], faces=tuple(replace(f, other=None) for f in frames[index].faces))
    assert [mode.mode for mode in measure(sampler(frames).sitting()).modes] == [Mode.RWR]


def test_the_largest_face_is_followed_and_no_other() -> None:
    noise = {Mode.RWR: noisy(COUNT, 0.2)}
    first, second = results(noise), results(noise, moved(np.full((COUNT, 2), 150.0)), face=7)
    both = [replace(a, faces=(*a.faces, *b.faces)) for a, b in zip(first, second, strict=True)]
    crossed = [replace(r, faces=r.faces[::-1]) if i % 2 else r for i, r in enumerate(both)]
    assert measure(sampler(crossed).sitting()).modes[0].wander.pixels == pytest.approx(0.2 * ROOT2, rel=0.05)


def test_pace_and_skipped_frames() -> None:
    """The rate is that of the clock on the wall, not the source's."""
    frames = results({Mode.RWR: noisy(COUNT, 0.2)})
    frames = [replace(r, frame=replace(r.frame, captured=100 + r.frame.timestamp * 0.5)) for r in frames]
    del frames[100:250:3]
    pace = measure(sampler(frames, late=0.05).sitting()).pace
    assert pace.skipped == 50
    assert pace.fps == pytest.approx(50, abs=0.2)
    assert (pace.latency_p50, pace.latency_p95) == pytest.approx((0.05, 0.05))
    assert measure(sampler(frames[:100]).sitting()).pace.skipped == 0


def test_the_sampler_stops_after_its_seconds_and_says_how_it_goes() -> None:
    collected = sampler(results({Mode.RWR: noisy(COUNT // 2, 0.2)}))
    assert collected.progress == pytest.approx(0.5, abs=0.01)
    assert collected.face_in_view
    assert not collected.restless
    collected = sampler(results({Mode.RWR: noisy(400, 0.2)}))
    assert collected.progress == 1
    assert sampler(results({Mode.RWR: noisy(40, 0.2)}, fps=3.45)).progress == 1, "no frame at exactly ten seconds"
    assert not sampler(results({Mode.RWR: noisy(60, 0.2)}, face=None)).face_in_view
    frames = results({Mode.RWR: noisy(60, 0.2)})
    assert not sampler([*frames[:59], replace(frames[59], faces=())]).face_in_view


@pytest.mark.parametrize(("speed", "restless"), [(0.9 * RESTLESS_SPEED, False), (1.1 * RESTLESS_SPEED, True)])
def test_a_head_is_restless_from_a_speed_on(speed: float, restless: bool) -> None:
    path = np.outer(np.arange(30) / FPS, (0.0, speed))  # the face has 100 pixels between the eyes
    assert sampler(results({Mode.RWR: noisy(30, 0.01)}, moved(path))).restless is restless


def test_every_fifth_frame_is_judged_and_the_first_with_a_face() -> None:
    judged: list[int] = []

    def judge(result: FrameResult, face: FaceResult) -> Conditions:
        judged.append(result.frame.index)
        return CONDITIONS

    frames = results({Mode.RWR: noisy(13, 0.2)})
    collected = Sampler(judge=judge)
    for result in [*(replace(result, faces=()) for result in frames[:2]), *frames[2:]]:
        collected.add(result, result.frame.captured)
    assert judged == [2, 5, 10]


def test_a_mode_without_numbers_is_not_sampled_and_a_frame_without_the_chosen_one_neither() -> None:
    lost = np.full((1, POINTS, 2), np.nan)
    one, two = noisy(1, 0.1), noisy(1, 0.1, 1)
    frames = [*results({Mode.RWR: one, Mode.COLD: lost}), *results({Mode.RWR: lost, Mode.COLD: two}, first=1)]
    collected = sampler(frames).sitting()
    assert [list(sample.modes) for sample in collected.samples] == [[Mode.RWR]]
    assert collected.frames == 2


def test_real_conditions_are_measured() -> None:
    collected = Sampler()
    for result in results({Mode.RWR: noisy(COUNT, 0.1)}):
        collected.add(result, result.frame.captured)
    light = measure(collected.sitting()).light
    assert (light.light, light.cut_off) == (0, 0)
    assert light.inter_ocular == pytest.approx(100, rel=0.01)


def test_smoothing_leaves_lines_alone() -> None:
    times = np.sort(np.random.default_rng(0).uniform(0, 10, 200))
    level, slope = smooth(times, (3 + 2j * times)[:, None], 0.5)  # type: ignore[arg-type]
    np.testing.assert_allclose(level[:, 0], 3 + 2j * times, atol=1e-9)
    np.testing.assert_allclose(slope[:, 0], 2j, atol=1e-6)


def test_the_head_is_followed_through_turns_and_nearing() -> None:
    times = np.arange(COUNT) / FPS
    face = to_complex(still_face())
    turning = face.mean() + (face - face.mean()) * (1 + 0.02j * np.sin(0.5 * times) + 0.01 * times)[:, None]
    path = follow_head(times, turning)
    assert np.abs(path.landmarks - turning).max() < 0.02
    assert path.speed.max() < 1e-9


def test_of_two_tests_that_end_at_once_both_cards_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready, wrote = threading.Barrier(2), []
    free = card_file.card_path

    def found_free(folder: Path, made: Card) -> Path:
        path = free(folder, made)
        if not ready.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                ready.wait(PATIENCE_SECONDS)  # both have found it free
                ready.abort()
        return path

    monkeypatch.setattr(card_file, "card_path", found_free)
    made = make_card(figures(), circumstances(tmp_path))
    threads = [
        threading.Thread(target=lambda name=name: wrote.append(write_new_card(tmp_path, made.labelled(name))))  # type: ignore[misc]
        for name in ("Ada", "Grace")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert {file.card.label for file in list_cards(tmp_path)} == {"Ada", "Grace"}
    assert {file.path for file in list_cards(tmp_path)} == set(wrote)


def test_a_card_that_cannot_be_written_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, values: object) -> None:
        raise RecordingError("The disk is full.")

    monkeypatch.setattr(card_file, "write_json", full)
    with pytest.raises(RecordingError, match="disk is full"):
        write_new_card(tmp_path, make_card(figures(), circumstances(tmp_path)))
    assert not list(tmp_path.glob("*.json"))


def test_a_card_survives_the_disk(tmp_path: Path) -> None:
    made = make_card(figures(), circumstances(tmp_path)).labelled("  Ada,\n by the window ")
    assert made.label == "Ada, by the window"
    assert made.engine.sha256 == sha256(b"weights").hexdigest()
    path = card_path(tmp_path / "cards", made)
    write_card(path, made)
    read = read_card(path)
    assert json.loads(path.read_text())["settings"]["compare"] is True
    assert read.figures == made.figures
    assert read.mode(Mode.RWR) == made.mode(Mode.RWR)
    assert list(path.parent.iterdir()) == [path]
    second = card_path(tmp_path / "cards", made)
    assert second == path.with_name(f"{path.stem} (2).json")
    second.with_suffix(".png").write_bytes(b"a picture of a card")
    assert card_path(tmp_path / "cards", made) == path.with_name(f"{path.stem} (3).json")
    for created in ("2026-11-21T19:05:12+02:00", "2199-01-01T00:00:00+00:00"):
        later = replace(made, created=created)
        write_card(card_path(path.parent, later), later)
    years = [file.card.when.year for file in list_cards(path.parent)]
    assert (len(years), years[0]) == (3, 2199)
    assert years == sorted(years, reverse=True)


def test_weights_that_are_gone_are_said(tmp_path: Path) -> None:
    facts = circumstances(tmp_path)
    facts.weights.unlink()
    with pytest.raises(UserError, match="put the weights back"):
        make_card(figures(), facts)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda v: v.pop("format"), "no report card"),
        (lambda v: v.update(version=99), "another version"),
        (lambda v: v.pop("camera"), r"damaged \(Object missing required field camera"),
        (lambda v: v.update(created="yesterday"), "created is no date"),
        (lambda v: v.update(created="2026-11-21T19:05:12"), "no time zone"),
        (lambda v: v["figures"].update(modes=[]), "no modes"),
        (lambda v: v["figures"]["modes"][0]["flicker"].update(percent="a lot"), "got str at figures.modes"),
        (lambda v: v["figures"]["modes"][0]["flicker"].update(percent=-1), "negative"),
        (lambda v: v["figures"]["modes"][1]["wander"].update(regions_pixels=[-1] * 6), "negative"),
        (lambda v: v["figures"]["pace"].update(fps=1e12), "not possible"),
        (lambda v: v.update(label="x" * LARGEST), "no report card"),
        (lambda v: v["figures"]["modes"][0].update(points=[0.1]), "98 points"),
        (lambda v: v["figures"]["modes"][1]["wander"].update(regions_pixels=[1, 2]), "6 regions"),
        (lambda v: v["figures"]["pace"].update(skipped=1.5), "got float at figures.pace.skipped"),
        (lambda v: v["figures"]["light"].update(light=True), "got bool at figures.light.light"),
    ],
)
def test_damaged_and_foreign_cards_are_refused_in_one_sentence(tmp_path: Path, change: Any, sentence: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "card.json"
    write_card(path, card())
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=sentence) as told:
        read_card(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100000, b"{}", b"[]", b"NaN"])
def test_files_that_are_no_json_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "hold-still x.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match="no report card"):
        read_card(path)
    assert list_cards(tmp_path) == ()
    with pytest.raises(UserError, match="Cannot read"):
        read_card(tmp_path / "missing.json")


def test_a_card_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_card(path, card())
    before = path.read_bytes()
    with pytest.raises(RecordingError):
        write_card(path / "below.json", card())
    assert path.read_bytes() == before


def test_modes_of_one_card_are_compared_second_by_second() -> None:
    made = card(rwr=0.1, cold=0.2)
    change = compare_modes(made, Mode.COLD, Mode.RWR)
    assert change is not None
    assert change.sure
    assert change.flicker[0].ratio == pytest.approx(0.5, rel=0.05)
    assert [row.name for row in change.wander] == ["overall", *(region.name for region in REGIONS)]
    assert modes_verdict(made) == "RwR flickers 50% less than Cold"
    same = card(rwr=0.1, cold=0.1)
    assert modes_verdict(same) == "RwR and Cold: no sure difference in flicker"
    assert compare_modes(made, Mode.RWR, "ema") is None
    worse = compare_modes(made, Mode.RWR, Mode.COLD)
    assert worse is not None
    assert worse.sure
    first, second = made.figures.modes
    uneven = replace(made, figures=replace(made.figures, modes=(first, replace(second, seconds=second.seconds[1:]))))
    unpaired = compare_modes(uneven, Mode.RWR, Mode.COLD)
    assert unpaired is not None
    assert not unpaired.sure, "the seconds are not the same"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (0.2, 0.1, "50% less than"),
        (0.2, 0.201, "about as much as"),
        (0.2, 0.3, "50% more than"),
        (0.2, 0.4, "2.0 \u00d7 as much as"),
        (0.0, 0.0, "about as much as"),
        (0.0, 0.1, "inf \u00d7 as much as"),
    ],
)
def test_a_sure_change_is_told_in_words(before: float, after: float, says: str) -> None:
    change = ModeChange(Mode.RWR, Mode.RWR, (Change("overall", before, after),), (), True)
    assert comparison_verdict(change) == f"RwR flickers on B {says} on A"
    assert comparison_verdict(replace(change, sure=False)) == "RwR: no sure difference in flicker"


def test_a_cards_sentences_tell_what_is_out_of_the_ordinary() -> None:
    made = card()
    low, high = (
        replace(made.figures.modes[0], flicker=replace(made.figures.modes[0].flicker, percent=p))
        for p in (0.014, 0.016)
    )
    assert (near_floor(low), near_floor(high)) == (True, False)
    pace = replace(made.figures.pace, latency_p50=0.02, latency_p95=0.05, skipped=3)
    told = pace_text(replace(made, figures=replace(made.figures, pace=pace)))
    assert "3 frames skipped, latency 20 / 50 ms" in told
    assert "1280 \u00d7 720, 30 fps (asked 1920 \u00d7 1080, 30 fps)" in told
    assert "asked" not in pace_text(replace(made, camera=replace(made.camera, asked=made.camera.got)))


def test_cards_are_compared_with_what_else_was_different() -> None:
    first = card("window", rwr=0.2)
    second = replace(card("lamp", camera="Old webcam", rwr=0.4), settings={"rwr": True, "compare": False})
    compared = compare(first, second)
    assert [change.after for change in compared.modes] == [Mode.RWR, Mode.COLD]
    assert compared.modes[0].sure
    assert compared.modes[0].flicker[0].ratio == pytest.approx(2, rel=0.05)
    assert not compared.modes[1].sure
    assert compared.differences == ("camera: HD Webcam \u2192 Old webcam", "compare: true \u2192 false")
    assert compare(first, first).differences == ()
    assert compare(second, first).modes[0].sure
    assert compare(first, replace(first, settings={**first.settings, "new": 1})).differences == (
        "new: default \u2192 1",
    )
    measured_otherwise = replace(first, software=replace(first.software, flicker_meter=METER - 1))
    assert compare(measured_otherwise, first).differences == (f"flicker meter: {METER - 1} \u2192 {METER}",)


@pytest.mark.parametrize(("light", "differences"), [(109.0, ()), (110.5, ()), (112.0, ("light: 100 \u2192 112",))])
def test_conditions_differ_by_a_tenth_of_the_larger(light: float, differences: tuple[str, ...]) -> None:
    first, second = (
        replace(made, figures=replace(made.figures, light=replace(made.figures.light, light=value)))
        for made, value in ((card(), 100.0), (card(), light))
    )
    assert compare(first, second).differences == differences


def test_few_seconds_have_no_interval() -> None:
    short = figures(seconds=3).modes[0]
    assert flicker_interval(short).interval is None
    long = figures().modes[0]
    interval = flicker_interval(long).interval
    assert interval is not None
    assert interval[0] < long.flicker.percent < interval[1]


def test_the_command_prints_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    write_card(first, card("Ada"))
    write_card(second, card("Grace", rwr=0.4))
    assert main(["card", str(first)]) == 0
    printed = capsys.readouterr().out
    assert "Ada" in printed
    assert "RwR flicker" in printed
    assert main(["card", str(first), str(second)]) == 0
    printed = capsys.readouterr().out
    assert "RwR flickers on B" in printed
    assert "Nothing else was different." in printed
    assert main(["card", str(tmp_path / "none.json")]) == 2
    assert "choose a report card" in capsys.readouterr().err


def test_a_card_says_when_the_person_moved() -> None:
    path = np.zeros((COUNT, 2))
    path[100:250] = sway(150, 20.0, 1.0)
    found = measure(sampler(results({Mode.RWR: noisy(COUNT, 0.2)}, moved(path))).sitting())
    lines = card_lines(replace(card(), figures=found))
    assert any("You moved: repeat the test" in line for line in lines)


def test_settings_of_any_depth_are_kept(tmp_path: Path) -> None:
    tracking = TrackingSettings(rwr=False, compare=True)
    made = make_card(figures(), circumstances(tmp_path, tracking))
    assert made.settings["rwr"] is False
    assert made.settings["rival"] == "opposite"  # the word that files have had from the start
    assert "recurrence" in made.settings
