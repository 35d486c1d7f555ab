"""Playing a file back: exact seeks, pauses, steps and speed, with times and indices that only ever grow."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.core.errors import SourceError, UserError
from app.core.frame import Frame
from app.core.places import PORTRAIT
from app.media.encoding import EXACT
from app.media.video import VideoWriter
from app.sources.base import Playable, Playback, Seekable
from app.sources.demo import DemoClip
from app.sources.images import PHOTO_SECONDS, ImageSource, open_folder, open_picture
from app.sources.open import open_source
from app.sources.paced import PacedSource
from app.sources.spec import parse_source
from app.sources.video import VideoSource
from tests.sources_fakes import FakeClock, ScriptedSource, fake_clock, read_all, write_video
from tests.waiting import PATIENCE_SECONDS

LONG = 90
"""Frames of the long clip; x264 puts no second key frame into it unless told to."""


def coded(index: int) -> np.ndarray:
    """A picture that tells its index exactly: seven black or white stripes are its bits."""
    image = np.zeros((48, 112, 3), np.uint8)
    for bit in range(7):
        image[:, bit * 16 : bit * 16 + 16] = 235 if index >> bit & 1 else 20
    return image


def number(frame: Frame | None) -> int:
    assert frame is not None
    return sum(1 << bit for bit in range(7) if frame.image[24, bit * 16 + 8].mean() > 128)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("playback") / "clip.mp4", [coded(i) for i in range(LONG)])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return fake_clock(monkeypatch)


def paced(path: Path) -> PacedSource:
    source = open_source(parse_source(str(path)), realtime=True, loop=True)
    assert isinstance(source, PacedSource)
    return source


def check_growing(frames: Sequence[Frame | None]) -> None:
    assert [f.index for f in frames] == list(range(frames[0].index, frames[0].index + len(frames)))
    assert all(b.timestamp > a.timestamp for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("order", [range(0, LONG, 7), range(LONG - 1, -1, -11), (89, 0, 45, 44, 46, 45, 89, 88)])
def test_seek_in_a_video_is_exact(clip: Path, order: range) -> None:
    source = VideoSource(clip)
    assert isinstance(source, Seekable)
    assert (source.start, source.duration) == (0.0, pytest.approx(3.0))
    for k in order:
        source.seek(k / 30)
        frame = source.read()
        assert (number(frame), frame.index, frame.timestamp) == (k, k, pytest.approx(k / 30))
        source.seek(k / 30 + 0.03)  # still within the same frame
        assert number(source.read()) == k
        following = source.read()
        assert following is None if k == LONG - 1 else number(following) == k + 1


def test_seek_beyond_both_ends_gives_the_ends(clip: Path) -> None:
    source = VideoSource(clip)
    for moment, expected in ((-5.0, 0), (1e9, LONG - 1), (3.0, LONG - 1)):
        source.seek(moment)
        assert number(source.read()) == expected
    assert source.read() is None
    assert not source.truncated
    source.seek(1.0)  # and back from the end
    assert [number(f) for f in read_all(source)] == list(range(30, LONG))


def test_seek_in_a_file_that_begins_late(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    times = [150 + i for i in range(60)]
    write_video(path, [coded(i) for i in range(60)], times=times)
    source = VideoSource(path)
    assert source.start == pytest.approx(5.0, abs=1e-3)
    for k in (59, 3, 30, 31):
        source.seek(5.0 + (k + 0.5) / 30)
        assert number(source.read()) == k


def test_seek_in_a_file_of_changing_rate(tmp_path: Path) -> None:
    times = [0, 1, 2, 10, 11, 40, 41, 100]
    path = write_video(tmp_path / "vfr.mkv", [coded(i) for i in range(8)], rate=Fraction(50), times=times)
    source = VideoSource(path)
    for moment, expected in ((0.1, 2), (0.2, 3), (0.79, 4), (0.8, 5), (1.99, 6), (2.0, 7)):
        source.seek(moment)
        assert number(source.read()) == expected, moment


def test_file_without_index_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", [coded(i) for i in range(40)])
    source = VideoSource(path)
    first = [number(f) for f in read_all(source)]
    assert first == list(range(40))
    for k in (20, 5, 39):
        source.seek(source.start + (k + 0.5) / 30 if source.rate == 30 else k / float(source.rate or 25) + 0.01)
        assert number(source.read()) == k


def test_closed_file_is_not_searched(clip: Path) -> None:
    source = VideoSource(clip)
    source.close()
    source.seek(1.0)
    assert source.read() is None


def test_file_that_vanished_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", [coded(i) for i in range(9)]))
    monkeypatch.setattr(source, "_jump", lambda moment: False)
    source.path = tmp_path / "gone.mp4"
    with pytest.raises(SourceError, match=r"gone\.mp4 cannot be searched; it may be damaged: open it again\.$"):
        source.seek(0.1)


def test_folder_and_demo_are_searched_exactly(tmp_path: Path) -> None:
    for i in range(12):
        cv2.imwrite(str(tmp_path / f"{i}.png"), coded(i))
    (tmp_path / "7.png").write_bytes(b"no picture")
    folder = open_folder(tmp_path)
    assert folder.duration == pytest.approx(12 * PHOTO_SECONDS)
    for k in (11, 0, 5, 6):
        folder.seek(k * PHOTO_SECONDS)
        assert number(folder.read()) == k
    folder.seek(7 * PHOTO_SECONDS)
    assert number(folder.read()) == 8  # the next that can be read
    folder.seek(7 * PHOTO_SECONDS)
    folder.read()
    assert len(folder.skipped) == 1
    demo = DemoClip()
    frames = [demo.read() for _ in range(3)]
    demo.seek(1 / 30)
    again = demo.read()
    assert np.array_equal(again.image, frames[1].image)  # noise and all
    assert again.index == 1


def test_paused_source_waits_and_plays_on_at_once(clip: Path, clock: FakeClock) -> None:
    source = paced(clip)
    assert isinstance(source, Playable)
    frames = [source.read() for _ in range(5)]
    source.pause(True)
    assert source.playback == Playback(pytest.approx(4 / 30), pytest.approx(3.0), True, 1.0)  # type: ignore[arg-type]
    clock.doings = [60.0, lambda: source.pause(False)]
    clock.waits.clear()
    frames += [source.read() for _ in range(5)]
    assert [number(f) for f in frames] == list(range(10))
    check_growing(frames)
    assert frames[9].timestamp == pytest.approx(9 / 30)  # the pause is not in the times
    assert clock.waits == pytest.approx([1 / 30] * 4)  # and nothing is hurried after it
    assert not source.broken_between(-1, 9)


def test_pause_in_the_middle_of_a_wait_keeps_the_frame(clip: Path, clock: FakeClock) -> None:
    source = paced(clip)
    source.read()
    clock.doings = [0.01, lambda: source.pause(True), 5.0, lambda: source.pause(False)]
    assert number(source.read()) == 1
    assert clock.now == pytest.approx(105.01)


def test_seek_while_playing_goes_on_there(clip: Path, clock: FakeClock) -> None:
    source = paced(clip)
    frames = [source.read() for _ in range(4)]
    source.seek_to(0.5)
    source.seek_to(2.0)  # the newest wins
    assert source.playback == Playback(2.0, pytest.approx(3.0), False, 1.0)  # type: ignore[arg-type]
    clock.waits.clear()
    frames += [source.read() for _ in range(3)]
    assert [number(f) for f in frames] == [0, 1, 2, 3, 60, 61, 62]
    check_growing(frames)
    assert np.diff([f.timestamp for f in frames]) == pytest.approx(1 / 30)
    assert clock.waits == pytest.approx([1 / 30] * 2)  # the frame sought comes at once
    assert source.broken_between(3, 4)
    assert not source.broken_between(4, 6)
    assert not source.broken_between(-1, 3)


def test_seek_and_steps_while_paused_show_their_frames(clip: Path, clock: FakeClock) -> None:
    source = paced(clip)
    frames = [source.read()]
    source.pause(True)
    doings = [lambda: source.seek_to(1.0), lambda: source.step(1), lambda: source.step(-1), lambda: source.step(-1)]
    doings += [lambda: source.step(5), lambda: source.step(-3)]
    for doing in doings:
        clock.doings = [1.0, doing]
        frames.append(source.read())
    assert [number(f) for f in frames] == [0, 30, 31, 30, 29, 34, 31]
    check_growing(frames)
    assert [source.broken_between(k - 1, k) for k in range(1, 7)] == [True, False, True, True, False, True]
    playback = source.playback
    assert playback is not None
    assert playback.paused
    assert playback.position == pytest.approx(31 / 30)
    clock.doings = [1.0, lambda: (source.seek_to(2.0), source.step(1), source.step(1))]
    assert number(source.read()) == 62
    clock.doings = [1.0, lambda: (source.seek_to(2.0), source.step(-2))]
    assert number(source.read()) == 58


def test_the_picture_in_view_can_be_had_again(clip: Path, clock: FakeClock) -> None:
    source = paced(clip)
    source.read()
    source.show_again()  # it plays: the next picture comes anyway
    assert number(source.read()) == 1
    source.pause(True)
    clock.doings = [1.0, source.show_again]
    again = source.read()
    assert (number(again), again.index) == (1, 2)
    assert source.broken_between(1, 2)
    clock.doings = [1.0, lambda: (source.seek_to(1.0), source.show_again())]
    assert number(source.read()) == 30  # what was asked for meanwhile comes first


def test_step_pauses_what_plays(clip: Path, clock: FakeClock) -> None:
    source = paced(clip)
    source.read()
    clock.doings = [0.01, lambda: source.step(1), 0.5]
    assert number(source.read()) == 1
    assert source.playback is not None
    assert source.playback.paused
    clock.doings = [5.0, lambda: source.step(-10)]
    assert number(source.read()) == 0  # there is nothing before the first


def test_speed_changes_the_waits_and_not_the_times(clip: Path, clock: FakeClock) -> None:
    source = paced(clip)
    for speed in (0.25, 0.5, 1.5, 2.0):
        source.set_speed(speed)
        source.read()
        clock.waits.clear()
        frames = [source.read() for _ in range(3)]
        assert np.diff([f.timestamp for f in frames]) == pytest.approx(1 / 30)
        assert clock.waits == pytest.approx([1 / 30 / speed] * 3)
        assert source.playback is not None
        assert source.playback.speed == speed
    clock.doings = [0.01, lambda: source.set_speed(0.25)]  # after 0.6 of a frame at double speed
    source.read()
    assert clock.waits[-1] == pytest.approx((1 / 30 - 0.02) * 4)
    for wrong in (0.0, 0.1, 3.0, -1.0, float("nan")):
        with pytest.raises(UserError, match=r"speed must be from 0\.25 to 2"):
            source.set_speed(wrong)


def test_seam_of_a_loop_is_a_break_unless_it_is_seamless(tmp_path: Path, clock: FakeClock) -> None:
    path = write_video(tmp_path / "a.mp4", [coded(i) for i in range(3)])
    source = paced(path)
    frames = [source.read() for _ in range(7)]
    assert [number(f) for f in frames] == [0, 1, 2, 0, 1, 2, 0]
    check_growing(frames)
    assert np.diff([f.timestamp for f in frames]) == pytest.approx(1 / 30)
    assert clock.waits == pytest.approx([1 / 30] * 6)
    assert [source.broken_between(k - 1, k) for k in range(7)] == [False, False, False, True, False, False, True]
    cv2.imwrite(str(tmp_path / "one.png"), coded(1))
    still = paced(tmp_path / "one.png")
    for _ in range(4):
        still.read()
    assert not still.broken_between(-1, 3)
    assert still.playback is None


def test_demo_goes_on_over_its_seam(clock: FakeClock) -> None:
    demo = PacedSource(DemoClip, loop=True)
    demo.read()
    demo.seek_to(10.95)
    frames = [demo.read() for _ in range(4)]
    check_growing(frames)
    assert demo.broken_between(0, 1)
    assert not demo.broken_between(1, 4)
    assert demo.playback is not None
    assert demo.playback.position < 0.2


def test_a_picture_that_is_shown_on_and_on_is_no_photo_among_others(clock: FakeClock) -> None:
    source = open_source(parse_source(str(PORTRAIT)), realtime=True, loop=True)
    frames = [source.read() for _ in range(3)]
    assert [frame is not None and frame.continues for frame in frames] == [False, True, True]
    assert not source.info.photos  # or a replay would solve each of them on its own
    source.close()


def test_a_single_picture_is_read_once(clock: FakeClock) -> None:
    opened: list[ImageSource] = []

    def reopen() -> ImageSource:
        opened.append(open_picture(PORTRAIT))
        return opened[-1]

    source = PacedSource(reopen, loop=True)
    frames = [source.read() for _ in range(5)]
    check_growing(frames)
    first = frames[0]
    assert first is not None
    assert all(frame is not None and frame.image is first.image for frame in frames)
    assert [frame is not None and frame.continues for frame in frames] == [False, True, True, True, True]
    assert len(opened) == 1
    source.close()
    assert source.read() is None


def test_the_next_loop_is_opened_before_the_seam_and_beside_the_reader(clip: Path, clock: FakeClock) -> None:
    reader, opened, again = threading.current_thread(), [], threading.Event()

    def reopen() -> VideoSource:
        opened.append((VideoSource(clip), threading.current_thread() is reader))
        if len(opened) > 1:
            again.set()
        return opened[-1][0]

    source = PacedSource(reopen, loop=True)
    for _ in range(LONG):
        source.read()
    assert again.wait(PATIENCE_SECONDS)  # although the reader has yet to reach the seam
    assert [number(source.read()) for _ in range(2)] == [0, 1]
    assert [by_reader for _, by_reader in opened] == [True, False]
    again.clear()
    for _ in range(LONG - 2):
        source.read()
    assert again.wait(PATIENCE_SECONDS)
    source.close()
    assert all(inner.read() is None for inner, _ in opened[:2])


def test_a_loop_that_cannot_be_opened_again_is_one_sentence(clip: Path, clock: FakeClock) -> None:
    sources = iter([VideoSource(clip)])

    def reopen() -> VideoSource:
        try:
            return next(sources)
        except StopIteration:
            raise SourceError("It is gone.") from None

    source = PacedSource(reopen, loop=True)
    for _ in range(LONG):
        source.read()
    with pytest.raises(SourceError, match=r"^It is gone\.$"):
        source.read()


def test_what_cannot_be_searched_just_plays(clock: FakeClock) -> None:
    source = PacedSource(lambda: ScriptedSource(4, "end"))
    assert source.playback is None
    source.pause(True)
    source.step(1)
    source.seek_to(1.0)
    assert [f.index for f in read_all(source)] == [0, 1, 2, 3]


def test_any_steering_from_another_thread_ends_well(clip: Path) -> None:
    """Real threads and clock: whatever is pressed, frames grow, and at the end the last wish holds."""
    source = paced(clip)
    seen: list[Frame] = []
    arrived = threading.Condition()

    def read() -> None:
        while (frame := source.read()) is not None:
            with arrived:
                seen.append(frame)
                arrived.notify_all()

    reader = threading.Thread(target=read)
    reader.start()
    random = np.random.default_rng(0)
    doings = [
        lambda: source.pause(True),
        lambda: source.pause(False),
        lambda: source.seek_to(float(random.uniform(0, 3))),
        lambda: source.step(int(random.integers(-3, 4))),
        lambda: source.set_speed(float(random.choice([0.25, 1.0, 2.0]))),
    ]
    for _ in range(120):
        doings[int(random.integers(len(doings)))]()
        assert source.playback is not None
    source.pause(True)
    source.seek_to(1.0)
    with arrived:
        assert arrived.wait_for(lambda: bool(seen) and number(seen[-1]) == 30, PATIENCE_SECONDS)
    source.close()
    reader.join(PATIENCE_SECONDS)
    assert not reader.is_alive()
    check_growing(seen)


@pytest.mark.parametrize("cut", [1.0, 0.6])
def test_recordings_are_searched_even_where_they_broke_off(tmp_path: Path, cut: float) -> None:
    """Files as the recorder writes them, whole and as a crash leaves them: no index, and no end declared."""
    path = tmp_path / "recording.nut"
    with VideoWriter(path, 112, 48, encoding=EXACT, frame_rate=Fraction(30)) as writer:
        for i in range(60):
            writer.write(coded(i), i / 30)
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * cut)])
    source = VideoSource(path)
    frames = [number(frame) for frame in read_all(source)]
    assert frames == list(range(len(frames)))
    assert len(frames) == 60 if cut == 1.0 else 20 < len(frames) < 50
    for k in (len(frames) - 1, 0, 17, len(frames) - 2):
        source.seek(k / 30)
        assert number(source.read()) == k
