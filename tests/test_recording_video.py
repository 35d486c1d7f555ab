"""The video file: exact times, audio, odd sizes, and what is left when the process or the disk dies."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import av
import numpy as np
import pytest

from app.core.errors import RecordingError
from app.core.places import ROOT
from app.media.clock import probe_timing
from app.media.encoding import SCRUB
from app.media.safe_file import SafeFile
from app.media.streams import StreamCopy
from app.media.video import VideoWriter, letterbox
from tests.recording_fakes import NTSC, make_video, picture, read_video
from tests.waiting import PROCESS_SECONDS

pytestmark = pytest.mark.slow

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")


def copy(source: Path, target: Path, frames: int | None = None) -> None:
    """Decode ``source`` and write it with its own clock and audio, as the track command does."""
    timing = probe_timing(source)
    assert timing is not None
    video = read_video(source)
    height, width = video.images[0].shape[:2]
    writer = VideoWriter(
        target,
        width,
        height,
        time_base=timing.time_base,
        frame_rate=timing.frame_rate,
        copy=StreamCopy(source, timing.start),
    )
    last = 0.0
    for time, image in list(zip(video.times, video.images, strict=True))[:frames]:
        last = float(time - timing.start)
        writer.write(image, last)
    writer.close(copy_end=None if frames is None else last)


VARIABLE = np.cumsum(np.random.default_rng(3).integers(200, 4000, 40)).tolist()


@pytest.mark.parametrize(
    ("name", "pts", "base", "rate"),
    [
        ("ntsc.mp4", [1001 * k for k in range(40)], Fraction(1, 30000), NTSC),
        ("film.mp4", [1001 * k for k in range(40)], Fraction(1, 24000), Fraction(24000, 1001)),
        ("pal.mov", [512 * k for k in range(40)], Fraction(1, 12800), Fraction(25)),
        ("variable.mp4", VARIABLE, Fraction(1, 15360), Fraction(30)),
        ("broadcast.ts", [3003 * k for k in range(40)], Fraction(1, 90000), NTSC),
        ("screen.mkv", [0, 40, 41, 90, 400, 1700, 1733], Fraction(1, 1000), Fraction(30)),
    ],
)
def test_times_and_audio_are_exactly_the_sources(tmp_path: Path, name: str, pts: Any, base: Any, rate: Any) -> None:
    source, target = tmp_path / name, tmp_path / "out.mp4"
    make_video(source, pts, base, rate)
    copy(source, target)
    before, after = read_video(source), read_video(target)
    zero = min(probe_timing(source).start, before.times[0])
    assert after.times == [time - zero for time in before.times]
    assert len(after.images) == len(pts)
    assert after.indices == [k % 20 for k in range(len(pts))]
    assert len(after.audio) == len(before.audio) > 0
    if name != "broadcast.ts":  # there every packet carries a header that MP4 keeps elsewhere
        assert [data for _, data in after.audio] == [data for _, data in before.audio]
    drift = [abs(a - (b - zero)) for (a, _), (b, _) in zip(after.audio, before.audio, strict=True)]
    assert max(drift) <= Fraction(1, 48000)


def test_29_97_stays_29_97(tmp_path: Path) -> None:
    make_video(tmp_path / "in.mp4", [1001 * k for k in range(30)], Fraction(1, 30000), NTSC)
    copy(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert read_video(tmp_path / "out.mp4").rate == NTSC


def test_audio_ends_with_the_pictures_where_tracking_stopped_early(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make_video(source, list(range(100)), Fraction(1, 25), Fraction(25))
    copy(source, tmp_path / "out.mp4", frames=25)
    video = read_video(tmp_path / "out.mp4")
    assert len(video.times) == 25
    assert 0.9 < video.audio[-1][0] <= 1.0


def test_audio_that_the_format_cannot_hold_is_named(tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    make_video(source, list(range(10)), Fraction(1, 25), Fraction(25), audio="pcm_mulaw")
    audio = StreamCopy(source)
    with VideoWriter(tmp_path / "out.mp4", 64, 48, copy=audio) as writer:
        writer.write(picture(0), 0.0)
    assert audio.left_out == ("audio in pcm_mulaw",)
    assert len(read_video(tmp_path / "out.mp4").times) == 1


@pytest.mark.parametrize("size", [(17, 9), (65, 48), (64, 49), (1, 1)])
def test_odd_sizes_lose_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    image = np.full((height, width, 3), 40, np.uint8)
    image[-1], image[:, -1] = 200, 200
    with VideoWriter(tmp_path / "out.mp4", width, height) as writer:
        for k in range(3):
            writer.write(image, k / 30)
    shown = read_video(tmp_path / "out.mp4").images[0]
    assert shown.shape == (height + height % 2, width + width % 2, 3)
    assert shown[height - 1, width - 1].mean() > 150
    if min(size) > 5:
        assert shown[2, 2].mean() < 90


def test_colours_survive(tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :32], image[:, 32:64], image[:, 64:] = (220, 40, 40), (40, 200, 60), (50, 70, 210)
    with VideoWriter(tmp_path / "out.mp4", 96, 64) as writer:
        writer.write(image, 0.0)
    shown = read_video(tmp_path / "out.mp4").images[0].astype(int)
    for column in (16, 48, 80):
        assert np.abs(shown[32, column] - image[32, column]).max() < 12


def test_times_that_stand_still_move_on(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 64, 48) as writer:
        for k, time in enumerate((0.0, 0.0, -1.0, 0.5)):
            writer.write(picture(k), time)
    video = read_video(tmp_path / "out.mp4")
    assert video.indices == [0, 1, 2, 3]
    assert video.times[3] == Fraction(1, 2)


@pytest.mark.parametrize("time", [float("nan"), float("inf")])
def test_bad_frames_are_refused_and_the_file_goes_on(tmp_path: Path, time: Any) -> None:
    with VideoWriter(tmp_path / "out.mp4", 64, 48) as writer:
        writer.write(picture(0), 0.0)
        with pytest.raises(ValueError, match="time"):
            writer.write(picture(1), time)
        with pytest.raises(ValueError, match="expected a picture"):
            writer.write(picture(1, 60, 40), 0.1)
        writer.write(picture(2), 0.1)
    assert read_video(tmp_path / "out.mp4").indices == [0, 2]


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("missing/out.mp4", (64, 48), "does not exist"),
        ("file/out.mp4", (64, 48), "folder is a file"),
        ("folder.mp4", (64, 48), "it is a folder"),
        ("there.mp4", (64, 48), "exists already"),
        ("out.avi", (64, 48), "ends in"),
        ("out.mp4", (20000, 48), "smaller pictures"),
    ],
)
def test_outputs_that_cannot_be(tmp_path: Path, name: str, size: tuple[int, int], words: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "there.mp4").write_text("precious")
    with pytest.raises(RecordingError, match=words):
        VideoWriter(tmp_path / name, *size)
    assert (tmp_path / "there.mp4").read_text() == "precious"


@posix_only
def test_a_folder_that_vanishes_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    writer = VideoWriter(folder / "out.mp4", 64, 48)
    writer.write(picture(0), 0.0)
    shutil.rmtree(folder)
    writer.write(picture(1), 0.1)
    with pytest.raises(RecordingError, match="vanished"):
        writer.close()
    writer.close()


def run_child(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        cwd=ROOT,
        check=False,
    )


KILLED = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from app.media.streams import StreamCopy
from app.media.safe_file import SafeFile
from app.media.video import VideoWriter
import av
import numpy as np
source, target = Path(sys.argv[1]), Path(sys.argv[2])
audio = StreamCopy(source) if sys.argv[3] == "audio" else None
writer = VideoWriter(target, 64, 48, copy=audio)
for k in range(90):
    writer.write(np.full((48, 64, 3), 20 + 10 * (k % 20), np.uint8), k / 30)
os.kill(os.getpid(), signal.SIGKILL)
"""


@posix_only
@pytest.mark.parametrize(
    ("suffix", "sound"), [(".mp4", "silent"), (".mp4", "audio"), (".mov", "audio"), (".mkv", "audio")]
)
@pytest.mark.process
def test_a_killed_recording_plays_up_to_its_last_second(tmp_path: Path, suffix: str, sound: str) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    make_video(source, list(range(100)), Fraction(1, 25), Fraction(25))
    done = run_child(KILLED, str(source), str(target), sound)
    assert done.returncode == -9, done.stderr
    video = read_video(target)
    assert video.times[0] == 0
    assert 2.0 <= video.times[-1] < 3.0
    assert video.indices == [k % 20 for k in range(len(video.times))]
    if sound == "audio":
        assert video.audio[-1][0] >= 1.9


FULL = """
import resource, signal, sys
import av
import numpy as np
from pathlib import Path
from app.core.errors import RecordingError
from app.media.safe_file import SafeFile
from app.media.video import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
random = np.random.default_rng(0)
writer = VideoWriter(Path(sys.argv[1]), 160, 120)
written = 0
try:
    for k in range(300):
        writer.write(random.integers(0, 255, (120, 160, 3), dtype=np.uint8), k / 30)
        written = k
except RecordingError as error:
    print(written, error)
try:
    writer.close()
except RecordingError as error:
    print(error)
"""


@posix_only
@pytest.mark.process
def test_a_full_disk_ends_with_one_sentence_and_a_playable_file(tmp_path: Path) -> None:
    done = run_child(FULL, str(tmp_path / "out.mp4"))
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.strip().splitlines()
    written, sentence = first.split(" ", 1)
    assert sentence.startswith(f"Cannot write {tmp_path / 'out.mp4'}")
    assert sentence.endswith(".")
    assert "Cannot write" in second
    frames = len(read_video(tmp_path / "out.mp4").times)
    assert frames > 0
    assert frames >= int(written) - 20


def test_a_disk_that_fills_while_the_index_is_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", 64, 48)
    for k in range(20):
        writer.write(picture(k), k / 30)
    put, failed = SafeFile._put, list[int]()

    def fail_once(self: Any, position: int, data: bytes) -> None:
        if b"moov" in data and not failed:
            failed.append(position)
            raise OSError(errno.ENOSPC, "No space left on device")
        put(self, position, data)

    monkeypatch.setattr(SafeFile, "_put", fail_once)
    with pytest.raises(RecordingError, match="the disk is full"):
        writer.close()
    assert failed
    video = read_video(tmp_path / "out.mp4")
    assert video.indices == list(range(len(video.times)))
    assert video.times[-1] > Fraction(1, 3)


def test_an_encoder_that_cannot_be_opened_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> NoReturn:
        raise ValueError("no such encoder")

    monkeypatch.setattr(VideoWriter, "_open_stream", missing)
    with pytest.raises(RecordingError, match="no such encoder"):
        VideoWriter(tmp_path / "out.mp4", 64, 48)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_takes_back_what_was_not_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    file = SafeFile(path)
    file.write(b"0123456789")
    file.mark()
    file.seek(2)
    file.write(b"xx")
    file.seek(0, 2)
    file.write(b"half")
    put, failures = SafeFile._put, [OSError(errno.ENOSPC, "full")]

    def fail(self: Any, position: int, data: bytes) -> None:
        if failures:
            raise failures.pop()
        put(self, position, data)

    monkeypatch.setattr(SafeFile, "_put", fail)
    assert file.write(b"more") == 4
    assert file.error.errno == errno.ENOSPC
    assert path.read_bytes() == b"0123456789"
    file.write(b"ignored")
    assert file.tell() == 25
    file.close()
    assert path.read_bytes() == b"0123456789"


def test_letterbox_keeps_the_shape_of_things() -> None:
    boxed = letterbox(np.full((50, 100, 3), 255, np.uint8), 100, 100)
    assert boxed.shape == (100, 100, 3)
    assert (boxed[25:75] == 255).all()
    assert (boxed[:25] == 0).all()
    assert (boxed[75:] == 0).all()
    same = picture(1)
    assert letterbox(same, 64, 48) is same
    assert letterbox(np.ones((1, 5000, 3), np.uint8), 64, 48).shape == (48, 64, 3)


def test_key_frames_come_by_time_whatever_rate_was_declared(tmp_path: Path) -> None:
    """As when a browser's recording with a rate of "1000" is annotated."""
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 64, 48, frame_rate=Fraction(1000), encoding=SCRUB) as writer:
        for index in range(60):
            writer.write(np.full((48, 64, 3), index, np.uint8), index / 20)
    with av.open(str(path)) as container:
        keys = [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.is_keyframe]  # type: ignore[operator]
    assert keys[0] == 0
    assert np.diff([*keys, 3.0]).max() <= 0.5 + 1e-6
    assert len(keys) <= 7
