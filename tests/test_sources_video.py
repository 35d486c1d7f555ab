"""Video files: exact times, turned and odd pictures, and files that are not what they should be."""

from __future__ import annotations

import gc
import itertools
import weakref
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.core.errors import SourceError
from app.sources.paced import PacedSource
from app.sources.presentation import Presentation
from app.sources.video import VideoSource
from tests.sources_fakes import numbered, read_all, write_video

pytestmark = pytest.mark.slow

NTSC = Fraction(30000, 1001)


def test_ntsc_rate_and_times_are_exact(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "ntsc.mp4", [numbered(i) for i in range(40)], rate=NTSC))
    frames = read_all(source)
    assert source.rate == NTSC
    assert source.info.fps == 30000 / 1001
    assert source.info.frames == 40
    assert not source.info.live
    assert [f.index for f in frames] == list(range(40))
    assert [Fraction(f.timestamp).limit_denominator(30000) for f in frames] == [i / NTSC for i in range(40)]
    assert source.note == ""
    assert source.read() is None


def test_one_damaged_part_is_told_as_one(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", [numbered(i) for i in range(3)]))
    source.damaged = 1
    assert "1 part of it could not be decoded and was left out" in source.note
    source.damaged = 2
    assert "2 parts of it could not be decoded and were left out" in source.note
    source.close()


def test_pictures_are_rgb_in_order(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    frames = read_all(VideoSource(write_video(tmp_path / "a.mp4", [red, numbered(9)])))
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8
    assert np.abs(frames[0].image.reshape(-1, 3).mean(0) - [255, 0, 0]).max() < 6
    assert abs(frames[1].image.mean() - 65) < 4


def test_variable_frame_rate_keeps_every_time(tmp_path: Path) -> None:
    times = [0, 1, 2, 10, 11, 40, 41, 100]
    path = write_video(tmp_path / "vfr.mkv", [numbered(i) for i in range(8)], rate=Fraction(50), times=times)
    source = VideoSource(path)
    assert [f.timestamp for f in read_all(source)] == pytest.approx([t / 50 for t in times], abs=1e-9)
    assert not source.truncated


@pytest.mark.parametrize(("degrees", "mirrored"), [(90, False), (-90, False), (180, False), (0, True), (90, True)])
def test_display_matrix_is_applied(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = (255, 0, 0)  # top left red, top right green, bottom left blue
    picture[:24, 32:] = (0, 255, 0)
    picture[24:, :32] = (0, 0, 255)
    path = write_video(tmp_path / "turned.mp4", [picture] * 3, rotation=degrees, mirrored=mirrored)
    source = VideoSource(path)
    image = read_all(source)[0].image
    # FFmpeg's convention: the angle turns the shown picture counter-clockwise; mirroring comes after turning.
    expected = np.rot90(picture, degrees // 90)
    if mirrored:
        expected = expected[:, ::-1]
    else:
        with av.open(str(path)) as container:
            assert abs(next(container.decode(video=0)).rotation) == abs(degrees)
    assert image.shape == expected.shape
    assert (source.info.height, source.info.width) == expected.shape[:2]
    corners = [(0.2, 0.2), (0.2, 0.8), (0.8, 0.2), (0.8, 0.8)]
    for down, across in corners:
        row, column = int(down * image.shape[0]), int(across * image.shape[1])
        assert np.abs(image[row, column].astype(int) - expected[row, column]).max() < 40


@pytest.mark.parametrize(("width", "height"), [(17, 9), (63, 47), (1, 1)])
def test_odd_sizes(tmp_path: Path, width: int, height: int) -> None:
    pictures = [numbered(i, width, height) for i in range(3)]
    path = write_video(tmp_path / "odd.mkv", pictures, codec="ffv1", pixels="bgr0")
    frames = read_all(VideoSource(path))
    assert len(frames) == 3
    assert np.array_equal(frames[2].image, pictures[2])


def test_file_cut_off_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    whole = write_video(tmp_path / "whole.mp4", list(noise), options={"movflags": "+faststart"})
    cut = tmp_path / "cut.mp4"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    source = VideoSource(cut)
    frames = read_all(source)
    assert 10 < len(frames) < 45
    assert source.truncated
    assert "cut off" in source.note
    assert f"{len(frames)} of 60" in source.note
    assert source.read() is None
    intact = VideoSource(whole)
    assert len(read_all(intact)) == 60
    assert not intact.truncated


def test_matroska_cut_off(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    data = write_video(tmp_path / "whole.mkv", list(noise)).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) // 2])
    source = VideoSource(cut)
    assert 10 < len(read_all(source)) < 45
    assert source.truncated


def test_damage_in_the_middle_does_not_end_the_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / "hurt.mp4", list(noise), codec="mpeg4")
    data = bytearray(path.read_bytes())
    middle = len(data) // 3
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    frames = read_all(VideoSource(path))
    assert len(frames) > 40
    assert frames[-1].timestamp == pytest.approx(59 / 30)
    assert all(b.timestamp > a.timestamp for a, b in itertools.pairwise(frames))


def test_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    data = write_video(tmp_path / "a.mp4", [numbered(i) for i in range(20)]).read_bytes()
    path = tmp_path / "b.mp4"
    path.write_bytes(data[: len(data) // 2])  # the index is at the end
    with pytest.raises(SourceError, match="cannot be read as a video"):
        VideoSource(path)


def test_unusable_files_give_one_sentence(tmp_path: Path) -> None:
    empty, rubbish, sound = tmp_path / "empty.mp4", tmp_path / "rubbish.mp4", tmp_path / "sound.wav"
    empty.touch()
    rubbish.write_bytes(np.random.default_rng(1).bytes(20000))
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    for path, words in (
        (empty, "is empty"),
        (rubbish, "cannot be read as a video"),
        (sound, "has no video track"),
        (tmp_path / "missing.mp4", "There is no file"),
        (tmp_path, "is not a file"),
    ):
        with pytest.raises(SourceError, match=words) as caught:
            VideoSource(path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(".")
        assert path.name in str(caught.value)


def test_close_ends_reading_and_may_be_repeated(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", [numbered(i) for i in range(10)]))
    assert source.read() is not None
    source.close()
    source.close()
    assert source.read() is None
    assert source.info.frames == 10
    assert source.note == ""


def living_frames() -> int:
    """Return how many of PyAV's frames there are; other tests may have left some."""
    # type(), since isinstance() would wake lazy modules that other tests imported
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


@pytest.mark.slow
def test_a_picture_is_freed_at_once_and_not_by_the_garbage_collector(tmp_path: Path) -> None:
    """A decoded frame that hangs in a ring of references costs megabytes until the collector comes by."""
    path = write_video(tmp_path / "a.mp4", [numbered(i) for i in range(5)], rotation=90)
    gc.collect()
    before = living_frames()
    with av.open(str(path)) as container:
        presentation = Presentation(container.streams.video[0])
        frames = list(container.decode(video=0))
    gc.collect()
    gc.disable()
    try:
        for frame in frames:
            presentation.picture(frame)
        del frame
        frames.clear()
        assert living_frames() <= before
    finally:
        gc.enable()


def test_a_closed_file_leaves_nothing_behind_for_the_garbage_collector(tmp_path: Path) -> None:
    """A loop opens its file again every few seconds; each opening holds tens of megabytes of the decoder's pictures."""
    path = write_video(tmp_path / "a.mp4", [numbered(i) for i in range(9)])
    gc.collect()
    gc.disable()
    try:
        for seek in (False, True):
            source = VideoSource(path)
            source.read()
            if seek:
                source.seek(0.1)
            source.close()
            gone = weakref.ref(source)
            del source
            assert gone() is None
    finally:
        gc.enable()


def test_a_browsers_recording_has_its_true_rate_and_length(tmp_path: Path) -> None:
    """As MediaRecorder writes it: a live Matroska stream without length, index and rate."""
    times = [0, 37, 78, 107, 137, 166, 210, 250, 291, 330]
    path = tmp_path / "a.webm"
    pictures = [numbered(i) for i in range(10)]
    write_video(path, pictures, rate=Fraction(1000), times=times, codec="libvpx", options={"live": "1"})
    source = VideoSource(path)
    assert source.info.fps == pytest.approx(9 / 0.330, rel=1e-3)
    assert source.info.frames == 10
    assert source.duration == pytest.approx(0.330 + 0.330 / 9, abs=1e-3)
    source.seek(0.2)
    frame = source.read()
    assert frame is not None
    assert frame.timestamp == pytest.approx(0.166)
    played = PacedSource(lambda: VideoSource(path), loop=True)
    assert played.playback is not None
    assert played.playback.duration == source.duration
    played.close()


def test_a_declared_rate_that_is_that_of_the_clock(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mkv", [numbered(i) for i in range(10)], rate=Fraction(1000), times=range(0, 400, 40)
    )
    assert VideoSource(path).info.fps == pytest.approx(25)


def test_a_file_without_time_stamps_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mjpeg"
    write_video(path, [numbered(i) for i in range(5)], codec="mjpeg", pixels="yuvj420p")
    source = VideoSource(path)
    assert source.info.remark == "a.mjpeg has no time stamps: 25 frames per second are assumed."
    assert [frame.timestamp for frame in read_all(source)] == pytest.approx([i / 25 for i in range(5)])
    assert source.duration == pytest.approx(0.2)


def test_the_second_of_two_joined_recordings_keeps_its_own_pace(tmp_path: Path) -> None:
    """Its times begin again; frames that are further apart than usual stay so."""
    first, second = tmp_path / "a.ts", tmp_path / "b.ts"
    write_video(first, [numbered(i) for i in range(60)])
    write_video(second, [numbered(i) for i in range(60)], times=range(0, 180, 3))
    (tmp_path / "ab.ts").write_bytes(first.read_bytes() + second.read_bytes())
    times = [frame.timestamp for frame in read_all(VideoSource(tmp_path / "ab.ts"))]
    steps = np.diff(times)
    assert len(times) == 120
    assert steps[:59] == pytest.approx(1 / 30, abs=1e-3)
    assert steps[60:] == pytest.approx(1 / 10, abs=1e-3)


def test_a_gap_is_a_gap_where_the_format_allows_no_leaps(tmp_path: Path) -> None:
    times = [0, 1, 2, 3000, 3001]
    for name, last in (("a.mkv", 3001 / 30), ("a.ts", 4 / 30)):
        source = VideoSource(write_video(tmp_path / name, [numbered(i) for i in range(5)], times=times))
        frames = read_all(source)
        assert frames[-1].timestamp - frames[0].timestamp == pytest.approx(last, abs=2e-3)
        assert not source.note
