"""What the live window shows, tested without a window."""

from __future__ import annotations

import errno
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import RecordingError
from app.core.frame import FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.gui.live.presenters import snapshot
from app.gui.live.presenters.banners import NO_CAMERA, OFFER_SECONDS, Banners
from app.gui.live.presenters.chooser import Ask, CameraChoice, choices
from app.gui.live.presenters.flicker import FlickerView, ModeFlicker
from app.gui.live.presenters.hints import Hint, HintKind
from app.gui.live.presenters.readouts import Facts, flicker_texts, headline, hud, rows, verdict
from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.settings import recordings_folder
from app.gui.live.presenters.snapshot import save_in_background, save_snapshot
from app.gui.live.presenters.state import RecordingState, SessionState
from app.gui.live.presenters.timing import CountMeter, Latency, LatencyMeter, RateMeter
from app.gui.presenters import actions
from app.gui.presenters.actions import ActionName
from app.gui.presenters.banner import Banner, Tone
from app.gui.presenters.picture import Placement, prepare
from app.gui.presenters.readouts import NOTHING
from app.sessions.recorder import RecordingSummary
from app.sources.base import SourceInfo
from app.sources.spec import CameraFormat, CameraSpec, DemoSpec, parse_source
from app.tracking.live import LiveState, LiveStatus
from model import files
from tests.gui_fakes import frame_result
from tests.waiting import PATIENCE_SECONDS

CAMERA = SourceInfo("Integrated Camera", 1280, 720, 30.0, None, True)
DEMO = SourceInfo("Demo clip", 1280, 720, 30.0, 300, True, True)


def running(info: SourceInfo = CAMERA, **changes: Any) -> SessionState:
    status = LiveStatus(LiveState.RUNNING, info, "onnxruntime, CPU", "", 100, 95, 5)
    return replace(SessionState(source=CameraSpec("0"), play=1, playing=True, status=status), **changes)


def facts(state: SessionState | None = None, result: FrameResult | None = None, **changes: Any) -> Facts:
    base = Facts(state or running(), result, FlickerView(), 30.0, Latency(0.031, 0.058), False, 100.0)
    return replace(base, **changes)


def values(given: Facts) -> dict[str, str]:
    return {row.name: row.value for row in rows(given)}


class TestRate:
    def test_counts_events_per_second(self) -> None:
        meter = RateMeter(2.0)
        for i in range(41):
            meter.tick(i * 0.05)
        assert meter.rate(2.0) == pytest.approx(20.0)

    def test_falls_when_nothing_comes_any_more(self) -> None:
        meter = RateMeter(2.0)
        for i in range(41):
            meter.tick(i * 0.05)
        assert (meter.rate(3.0) or 0) < 14
        assert 0 < (meter.rate(5.0) or 0) < 1

    def test_less_than_one_event_in_its_window_is_still_a_rate(self) -> None:
        meter = RateMeter(2.0)
        for time in (0.0, 4.0, 8.0):
            meter.tick(time)
        assert meter.rate(8.5) == pytest.approx(0.25)

    def test_one_event_is_no_rate(self) -> None:
        meter = RateMeter()
        meter.tick(1.0)
        assert meter.rate(1.0) is None


class TestCount:
    def test_grows_by_so_much_a_second(self) -> None:
        meter = CountMeter()
        assert [meter.rate(15 * i, i / 2) for i in range(4)] == [None, None, 30.0, 30.0]
        for i in range(4, 40):
            meter.rate(45 + 5 * (i - 3), i / 2)
        assert meter.rate(45 + 5 * 37, 20.0) == pytest.approx(10.0), "only the last seconds count"

    def test_begins_anew_with_the_number(self) -> None:
        meter = CountMeter()
        for i in range(5):
            meter.rate(100 * i, float(i))
        assert meter.rate(3, 5.0) is None
        assert meter.rate(33, 6.0) == 30.0


class TestLatency:
    def test_percentiles_of_the_last_seconds(self) -> None:
        meter = LatencyMeter(5.0)
        meter.add(0.0, 1.0)  # an old, slow one
        for i in range(100):
            meter.add(10.0 + i / 100, 10.0 + i / 100 + (i + 1) / 1000)
        latency = meter.latency(11.2)
        assert latency is not None
        assert latency.p50 == pytest.approx(0.0505, abs=1e-6)
        assert latency.p95 == pytest.approx(0.095, abs=1e-3)

    def test_nothing_painted_lately(self) -> None:
        meter = LatencyMeter(5.0)
        meter.add(0.0, 0.1)
        assert meter.latency(20.0) is None


class TestReadouts:
    def test_a_tracked_face(self) -> None:
        shown = values(facts(result=frame_result()))
        assert shown["Tracking"] == "30.0 fps"
        assert shown["Latency"] == "31 / 58 ms"
        assert shown["Evaluations"] == "2"
        assert shown["Residual"] == "2.0e-02"
        assert shown["Uncertainty"] == "± 2.0 px", "the heatmaps' width"
        assert shown["Start"] == "warm"
        assert shown["Engine"] == "onnxruntime, CPU"
        assert shown["Skipped"] == "5 of 100"

    def test_a_calibrated_uncertainty_is_told_with_its_probability(self) -> None:
        plain = frame_result()
        estimate = replace(plain.faces[0].estimate, radius80=np.full(98, 3.25, np.float32))
        known = facts(result=replace(plain, faces=(replace(plain.faces[0], estimate=estimate),)))
        (row,) = (row for row in rows(known) if row.name == "Uncertainty")
        assert row.value == "± 3.2 px (80 %)"
        assert "80 %" in row.tooltip
        assert hud(known).mode == "● RwR   ◌ 80 % region"
        assert hud(facts(result=plain)).mode == "● RwR"

    def test_says_why_a_solve_was_cold(self) -> None:
        shown = values(facts(result=frame_result(tracking=TrackingSettings(rwr=False))))
        assert shown["Start"] == "cold, first frame"

    def test_size_asked_and_got(self) -> None:
        for size, ending in (((1280, 720), "30 fps"), ((640, 480), "(asked 640 \u00d7 480)")):
            camera = replace(CAMERA, requested=CameraFormat(*size))
            assert values(facts(running(camera)))["Source"].endswith(ending)

    def test_nothing_known_is_a_dash_and_never_an_error(self) -> None:
        empty = facts(SessionState(), fps=None, latency=None)
        assert {value for name, value in values(empty).items() if name != "Sharing"} == {NOTHING}
        assert [row.name for row in rows(empty)] == [row.name for row in rows(facts())]

    def test_no_face(self) -> None:
        assert hud(facts(result=frame_result(faces=0))).notice == "No face in view"
        assert hud(facts(result=frame_result(faces=2))).notice == "2 faces"
        assert hud(facts(result=frame_result())).notice == ""
        dark = Hint(HintKind.DARK, lost=True)
        assert hud(facts(result=frame_result(faces=0), hint=dark)).notice == dark.sentence()

    def test_figures_are_the_chosen_faces(self) -> None:
        several = frame_result(faces=3)
        of_second = facts(result=several, flicker=FlickerView(face=1), chosen_face=1)
        assert of_second.face is several.faces[1]
        assert hud(of_second).mode == "● RwR   #1 chosen"
        assert facts(result=several, flicker=FlickerView(face=7)).face is several.faces[0]

    def test_what_the_source_says_comes_first(self) -> None:
        state = running()
        assert isinstance(state.status, LiveStatus)
        noted = replace(state, status=replace(state.status, note="Connection lost; trying again."))
        assert hud(facts(noted, frame_result(faces=0))).notice == "Connection lost; trying again."

    def test_a_computer_that_skips_most_frames_is_told(self) -> None:
        slow = replace(facts(running(), frame_result(), fps=6.0), captured_fps=30.0)
        alone = "This computer skips most frames: choose a faster model in the preferences."
        assert hud(slow).notice == alone
        assert hud(replace(slow, result=frame_result(faces=2))).notice == alone
        comparing = replace(slow.state, tracking=TrackingSettings(compare=True))
        assert "stop comparing" in hud(replace(slow, state=comparing)).notice
        assert hud(replace(slow, result=frame_result(faces=0))).notice == "No face in view"
        assert hud(replace(slow, fps=24.0)).notice == "", "skipped at first, while the model loaded"
        assert hud(replace(slow, captured_fps=6.0)).notice == "", "the camera delivers no more"
        assert hud(replace(slow, captured_fps=None)).notice == "", "not counted long enough"

    def test_the_demo_is_always_labelled(self) -> None:
        assert hud(facts(running(DEMO))).demo
        assert not hud(facts(running(CAMERA))).demo

    def test_recording_shows_time_and_losses(self) -> None:
        recording = RecordingState(Path("a.mp4"), started=25.0)
        assert hud(facts(running(recording=recording))).recording == "REC 01:15"
        lossy = replace(recording, dropped=3)
        assert hud(facts(running(recording=lossy))).recording == "REC 01:15  \u00b7  3 dropped"

    def test_modes_on_the_picture(self) -> None:
        compare = TrackingSettings(rwr=False, compare=True)
        assert hud(facts()).mode == "● RwR"
        assert hud(facts(running(tracking=compare))).mode == "● Cold   ○ RwR"

    @pytest.mark.parametrize(
        ("state", "message"),
        [
            (SessionState(playing=True), "Looking for a camera…"),
            (SessionState(source=DemoSpec(), playing=True), "Opening Demo clip…"),
            (SessionState(source=CameraSpec("0"), playing=False), "Stopped. Press S to start."),
            (running(), "Loading the model…"),
        ],
    )
    def test_message_while_there_is_no_picture(self, state: SessionState, message: str) -> None:
        assert hud(facts(state)).message == message

    def test_headline(self) -> None:
        assert headline(facts()) == "Live  \u00b7  30 fps"
        assert headline(facts(SessionState())) == "Stopped"

    def test_verdict_only_for_modes_solved_on_the_same_frames(self) -> None:
        both = FlickerView(modes={Mode.RWR: ModeFlicker(recent=0.6), Mode.COLD: ModeFlicker(recent=1.0)})
        compare = running(tracking=TrackingSettings(compare=True))
        assert verdict(facts(compare, flicker=both)) == "RwR flickers 40% less than Cold"
        assert verdict(facts(flicker=both)) == ""
        worse = FlickerView(modes={Mode.RWR: ModeFlicker(recent=1.5), Mode.COLD: ModeFlicker(recent=1.0)})
        assert verdict(facts(compare, flicker=worse)) == "RwR flickers 50% more than Cold"

    def test_figures(self) -> None:
        view = FlickerView(modes={Mode.RWR: ModeFlicker(now=0.414, recent=71.47), Mode.COLD: ModeFlicker()})
        assert (flicker_texts(view, Mode.RWR).now, flicker_texts(view, Mode.RWR).recent) == ("0.41", "71.5")
        assert flicker_texts(view, Mode.COLD).now == NOTHING


class TestBanners:
    def failed(self, play: int = 1, source: str = "camera:0") -> SessionState:
        status = LiveStatus(LiveState.FAILED, None, error="The camera is gone; plug it in again.")
        return SessionState(source=parse_source(source), play=play, playing=True, status=status)

    def test_a_failure_has_ways_out(self) -> None:
        banner = Banners().current(self.failed(), 0.0)
        assert banner is not None
        assert (banner.tone, banner.text) == (Tone.ERROR, "The camera is gone; plug it in again.")
        assert banner.offers == (ActionName.RETRY, ActionName.CHOOSE, ActionName.DEMO)
        assert set(banner.offers) <= set(actions.OFFERS)

    def test_a_broken_demo_does_not_offer_the_demo(self) -> None:
        banner = Banners().current(self.failed(source="demo"), 0.0)
        assert banner is not None
        assert ActionName.DEMO not in banner.offers

    def test_dismissed_until_it_happens_again(self) -> None:
        banners = Banners()
        first = banners.current(self.failed(), 0.0)
        assert first is not None
        banners.dismiss(first)
        assert banners.current(self.failed(), 1.0) is None
        assert banners.current(self.failed(play=2), 2.0) is not None

    def test_occasions_that_are_over_take_no_memory(self) -> None:
        banners = Banners()
        for play in range(20):
            banners.post(Banner(("said", play), Tone.INFO, "Something happened.", (), OFFER_SECONDS))
            for state in (running(), self.failed(play=play)):
                shown = banners.current(state, float(play))
                assert shown is not None
                banners.dismiss(shown)
        assert (len(banners._dismissed), len(banners._shown_since)) == (2, 2)

    def test_no_camera(self) -> None:
        banner = Banners().current(running(DEMO, no_camera=True), 0.0)
        assert banner is not None
        assert banner.text == NO_CAMERA == "No camera found; playing the demo clip instead."
        assert banner.offers == (ActionName.RETRY, ActionName.CHOOSE)

    def test_a_camera_that_another_program_uses_is_not_missing(self) -> None:
        refusal = "Webcam cannot be opened: check that no other program uses it."
        banner = Banners().current(running(DEMO, no_camera=True, refusal=refusal), 0.0)
        assert banner is not None
        assert banner.text == f"{refusal} The demo clip plays instead."

    def test_a_saved_recording_is_told_for_a_while(self) -> None:
        banners = Banners()
        state = running(finished=RecordingSummary(Path("x/a.mp4"), 90, 4, 3.0))
        banner = banners.current(state, 10.0)
        assert banner is not None
        assert banner.text == "Saved a.mp4: 3.0 s; 4 pictures are missing in its video."
        assert banners.current(state, 10.0 + OFFER_SECONDS + 0.1) is None

    def test_a_recording_saved_because_its_source_ended_is_told_first(self) -> None:
        banners = Banners()
        status = LiveStatus(LiveState.ENDED, CAMERA)
        state = running(status=status, finished=RecordingSummary(Path("x/a.mp4"), 90, 0, 3.0))
        saved = banners.current(state, 0.0)
        assert saved is not None
        assert saved.text.startswith("Saved a.mp4")
        ended = banners.current(state, OFFER_SECONDS + 0.1)
        assert ended is not None
        assert ended.text == "Integrated Camera has ended."

    def test_frames_that_could_not_be_written_are_told(self) -> None:
        banner = Banners().current(running(finished=RecordingSummary(Path("x/a.mp4"), 90, 0, 3.0, damaged=2)), 0.0)
        assert banner is not None
        assert banner.text == "Saved a.mp4: 3.0 s; 2 frames could not be written."

    def test_a_failed_recording_stays_until_dismissed(self) -> None:
        state = running(finished=RecordingSummary(Path("a.mp4"), 0, 0, 0.0, "The disk is full; free some space."))
        banners = Banners()
        banner = banners.current(state, 0.0)
        assert banner is not None
        assert (banner.tone, banner.text) == (Tone.ERROR, "The disk is full; free some space.")
        assert banners.current(state, 1e6) == banner

    def test_an_empty_recording_is_not_called_saved(self) -> None:
        banner = Banners().current(running(finished=RecordingSummary(Path("a.mp4"), 0, 0, 0.0)), 0.0)
        assert banner is not None
        assert "Nothing was recorded" in banner.text

    def test_trouble_comes_before_good_news(self) -> None:
        state = replace(self.failed(), finished=RecordingSummary(Path("a.mp4"), 90, 0, 3.0))
        banner = Banners().current(state, 0.0)
        assert banner is not None
        assert banner.tone == Tone.ERROR

    def test_a_camera_that_was_unplugged_while_recording_says_what_was_saved(self) -> None:
        banners, before = Banners(), running(finished=RecordingSummary(Path("a.mp4"), 90, 0, 3.0))
        assert banners.current(before, 0.0) is not None
        banners.outlook = "It continues."
        again = banners.current(replace(self.failed(), finished=before.finished), 5.0)
        assert again is not None
        assert again.text == "The camera is gone; plug it in again. It continues.", "that one was told before"
        failed = replace(self.failed(), finished=RecordingSummary(Path("b.mp4"), 60, 0, 2.0))
        for now in (10.0, 60.0):
            banner = banners.current(failed, now)
            assert banner is not None
            assert banner.text == "The camera is gone; plug it in again. Saved b.mp4: 2.0 s. It continues."
        back = banners.current(running(finished=failed.finished), 61.0)
        assert back is not None
        assert back.offers == (ActionName.OPEN_SESSION, ActionName.SHOW_FOLDER)

    def test_nothing_to_say(self) -> None:
        assert Banners().current(running(), 0.0) is None


class TestChooser:
    def test_cameras_by_name_and_the_rest(self) -> None:
        menu = choices([CameraChoice(CameraSpec("0"), "HD Webcam"), CameraChoice(CameraSpec("2"), "Phone")])
        assert [(str(choice.opens), choice.label) for choice in menu[:2]] == [
            ("camera:0", "HD Webcam"),
            ("camera:2", "Phone"),
        ]
        assert [choice.opens for choice in menu[2:]] == [Ask.FILE, Ask.ADDRESS, DemoSpec()]

    def test_says_when_there_is_none_or_it_still_looks(self) -> None:
        assert choices([])[0].label == "No camera found"
        assert choices(None)[0].label == "Looking for cameras…"
        assert choices(None)[0].opens is None


def test_every_key_is_used_once_and_explained() -> None:
    keys = [action.key for action in actions.ACTIONS]
    assert len(set(keys)) == len(keys)
    assert {"R", "C", "M", "S", "Space", "P", "?"} <= set(keys)
    for action in actions.ACTIONS:
        assert action.help
        assert action.tooltip.endswith(f"({action.key})")


def test_settings_default_to_the_videos_folder(tmp_path: Path) -> None:
    assert recordings_folder(Remembered()).name == "LDEQ Live"
    assert recordings_folder(Remembered(folder=tmp_path)) == tmp_path


class TestPicture:
    def test_keeps_the_shape(self) -> None:
        placement = Placement.fit(200, 100, 400, 400)
        assert (placement.left, placement.top, placement.scale) == (0, 100, 2)

    def test_places_pixel_centres(self) -> None:
        placement = Placement.fit(200, 100, 400, 400)
        assert placement.place(np.array([[0.0, 0.0], [199.0, 99.0]])).tolist() == [[1, 101], [399, 299]]

    def test_mirrors_points_with_the_picture(self) -> None:
        image = np.zeros((10, 20, 3), np.uint8)
        image[4, 3] = (200, 100, 50)
        picture = prepare(frame_result(image=image), (20, 10), mirrored=True)
        row, column = np.argwhere(picture.pixels[:, :, 2] == 200)[0]
        placed = Placement.fit(20, 10, 20, 10, mirrored=True).place(np.array([[3.0, 4.0]]))
        assert placed.tolist() == [[column + 0.5, row + 0.5]]

    @pytest.mark.parametrize("size", [(17, 9), (1, 300), (4000, 30)])
    def test_fits_any_picture(self, size: tuple[int, int]) -> None:
        image = np.full((size[1], size[0], 3), (10, 20, 30), np.uint8)
        picture = prepare(frame_result(image=image), (640, 480), mirrored=False)
        height, width, _ = picture.pixels.shape
        assert 1 <= width <= 640
        assert 1 <= height <= 480
        assert picture.pixels[0, 0].tolist() == [30, 20, 10, 255]


class TestSnapshot:
    def read(self, path: Path) -> NDArray[Any]:
        image = cv2.imread(str(path))
        assert image is not None
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def test_two_pictures_one_clean(self, tmp_path: Path) -> None:
        result = frame_result()
        annotated, clean = save_snapshot(result, tmp_path / "new")
        assert np.array_equal(self.read(clean), result.frame.image)
        assert not np.array_equal(self.read(annotated), result.frame.image)

    def test_never_overwrites(self, tmp_path: Path) -> None:
        for _ in range(3):
            save_snapshot(frame_result(), tmp_path)
        assert len(list(tmp_path.glob("*.png"))) == 6

    def test_a_folder_that_cannot_be_is_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(RecordingError, match="choose"):
            save_snapshot(frame_result(), tmp_path / "file" / "folder")

    def test_a_full_disk_leaves_no_part_of_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = files.write_whole

        def full(path: Path, data: bytes) -> None:
            if "clean" in path.name:
                raise OSError(errno.ENOSPC, "no space left")
            whole(path, data)

        monkeypatch.setattr(files, "write_whole", full)
        with pytest.raises(RecordingError, match="disk is full"):
            save_snapshot(frame_result(), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_two_at_the_same_moment_are_both_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        both = threading.Barrier(2)

        def drawn(result: FrameResult, **options: Any) -> NDArray[np.uint8]:
            both.wait(PATIENCE_SECONDS)
            return result.frame.image

        monkeypatch.setattr(snapshot, "draw_overlay", drawn)
        with ThreadPoolExecutor(2) as threads:
            saved = list(threads.map(lambda _: save_snapshot(frame_result(), tmp_path), range(2)))
        assert len(set(itertools.chain(*saved))) == len(list(tmp_path.glob("*.png"))) == 4

    def test_whatever_goes_wrong_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(result: FrameResult, **options: Any) -> NDArray[np.uint8]:
            raise MemoryError

        said: list[tuple[Path | None, str]] = []
        monkeypatch.setattr(snapshot, "draw_overlay", broken)
        save_in_background(
            frame_result(), tmp_path, lambda path, error: said.append((path, error)), background=lambda job: job()
        )
        assert said == [(None, "The snapshot could not be saved; the log has the details.")]
