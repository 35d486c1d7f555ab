"""Files that break off anywhere, streams that drop, disks that fill and encoders that fail."""

from __future__ import annotations

import errno
import itertools
import os
import random
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import RecordingError, SourceError
from app.core.settings import TrackingSettings
from app.media.encoding import EXACT, LIVE
from app.media.safe_file import SafeFile
from app.media.video import VideoWriter
from app.sessions.events import read_events
from app.sessions.recorder import SessionRecorder
from app.sessions.session import open_session
from app.sources.spec import StreamSpec
from app.sources.stream import StreamSource
from app.sources.video import VideoSource
from app.tracking.live import LivePipeline, LiveState
from app.tracking.pipeline import Pipeline
from tests.fakes import SquareDetector, SquareEngine
from tests.recording_fakes import result
from tests.session_fakes import EXACT as EXACT_CHOICES
from tests.session_fakes import plan, record, scene, tracked
from tests.sources_fakes import HEAD, PATIENT, Server, read_all, write_video
from tests.waiting import PATIENCE_SECONDS, PROCESS_SECONDS, wait_until

pytestmark = pytest.mark.slow

OFFSETS = 50
FRAMES = 40
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def noisy(index: int) -> NDArray[np.uint8]:
    """A picture of noise, so that the file's bytes are pictures and not headers; its level tells its index."""
    noise = np.random.default_rng(index).integers(0, 60, (48, 64, 3))
    return (noise + 20 + 4 * index).astype(np.uint8)


def index_of(image: NDArray[np.uint8]) -> int:
    return round((float(image.mean()) - 49.5) / 4)


def ours(path: Path) -> Path:
    """Write a file as recordings are written."""
    with VideoWriter(path, 64, 48, encoding=EXACT if path.suffix == ".nut" else LIVE) as writer:
        for index in range(FRAMES):
            writer.write(noisy(index), index / 30)
    return path


def theirs(path: Path) -> Path:
    """Write a file as other programs do."""
    options = {"movflags": "+faststart"} if "fast" in path.stem else {}
    codec = {".avi": "mpeg4", ".webm": "libvpx", ".mpg": "mpeg2video", ".ts": "mpeg2video"}.get(path.suffix, "libx264")
    return write_video(path, [noisy(i) for i in range(FRAMES)], rate=Fraction(30), codec=codec, options=options)


WHOLE = {
    "our recording.mp4": ours,
    "our recording.mkv": ours,
    "our exact recording.nut": ours,
    "fast start.mp4": theirs,
    "index at the end.mp4": theirs,
    "matroska.mkv": theirs,
    "old.avi": theirs,
    "broadcast.ts": theirs,
}

INDEX_AT_THE_END = "index at the end.mp4"
"""Nothing can be read without it; our recordings have theirs there, too, but also what they were while written."""


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_off_anywhere_gives_its_beginning_or_one_sentence(name: str, tmp_path: Path) -> None:
    data = WHOLE[name](tmp_path / name).read_bytes()
    dice = random.Random(name)
    cut = tmp_path / f"cut {name}"
    lengths: list[int] = []
    sentences: list[str] = []
    for offset in sorted(dice.randrange(len(data)) for _ in range(OFFSETS)):
        cut.write_bytes(data[:offset])
        try:
            source = VideoSource(cut)
        except SourceError as error:
            sentences.append(str(error))
            lengths.append(0)
            continue
        frames = read_all(source)
        source.close()
        lengths.append(len(frames))
        assert 0 < len(frames) <= FRAMES
        assert all(b.timestamp > a.timestamp for a, b in itertools.pairwise(frames))
        # The last picture may be cut itself, and decoders show what they have of it; others lose a little.
        assert all(abs(index_of(frame.image) - place) <= 2 for place, frame in enumerate(frames[:-1]))
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)
    # What lies before the cut is there, whatever comes after; but for the form whose index is at its end.
    assert lengths == sorted(lengths)
    assert (lengths[-1] == 0) == (name == INDEX_AT_THE_END)


def test_a_recording_that_lost_its_end_is_searched_and_says_so(tmp_path: Path) -> None:
    path = ours(tmp_path / "a.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    source = VideoSource(path)
    frames = read_all(source)
    assert source.truncated
    assert f"cut off: {len(frames)} frames could be read" in source.note
    source.seek(frames[10].timestamp)
    again = source.read()
    assert again is not None
    assert (again.index, index_of(again.image)) == (10, 10)
    source.close()
    assert path.read_bytes() == data[: len(data) * 3 // 4], "reading changes nothing"


@pytest.mark.parametrize("suffix", [".mp4", ".nut"])
def test_a_session_whose_video_lost_its_end_shows_the_rest(suffix: str, tmp_path: Path) -> None:
    results = tracked(30)
    session = record(tmp_path / "session", results, EXACT_CHOICES if suffix == ".nut" else None)
    path = session.video_path
    assert path is not None
    assert path.suffix == suffix
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    shown = [number for number, _ in open_session(tmp_path / "session").pictures()]
    assert shown == list(range(len(shown)))
    assert len(shown) > 10
    with open_session(tmp_path / "session").open_video() as video:
        assert video.read(29) is None
        assert video.read(5) is not None


def test_a_stream_that_drops_while_it_is_recorded(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.flv", [scene(i) for i in range(12)], codec="flv1", options={"flvflags": "no_duration_filesize"}
    )
    part = HEAD + b"\r\n" + path.read_bytes()
    server = Server(part, part[: len(part) // 2], None, part)
    recorder = SessionRecorder(tmp_path / "session", plan(size=(160, 120)))
    live = LivePipeline(
        lambda: StreamSource(StreamSpec(server.url), PATIENT),
        lambda: Pipeline(SquareEngine(), SquareDetector(), TrackingSettings()),
        TrackingSettings(),
    )
    try:
        live.add_consumer(recorder.offer)
        live.start()
        wait_until(lambda: live.status.state not in ("opening", "running"))
    finally:
        server.close()
    summary = recorder.stop(PATIENCE_SECONDS)
    status = live.status
    assert (summary.error, summary.frames) == (None, status.processed)
    assert 24 < status.captured < 36
    assert "2 attempts to restore it failed" in status.error
    assert "\n" not in status.error
    assert len(open_session(tmp_path / "session").frames) == summary.frames


def test_a_file_that_is_cut_while_it_plays(tmp_path: Path) -> None:
    path = theirs(tmp_path / "fast.mp4")
    size = path.stat().st_size
    source = VideoSource(path)
    with path.open("r+b") as file:
        file.truncate(size * 2 // 3)
    live = LivePipeline(
        lambda: source, lambda: Pipeline(SquareEngine(), SquareDetector(), TrackingSettings()), TrackingSettings()
    )
    live.start()
    wait_until(lambda: live.status.state not in ("opening", "running"))
    assert live.status.state == LiveState.ENDED
    assert 0 < live.status.processed < FRAMES
    assert source.truncated
    assert "cut off" in source.note


FULL = """
import resource, signal, sys
from pathlib import Path
from app.core.frame import Frame
from app.sessions import recorder as recording
from app.sessions.plan import RecordingChoices
from tests.session_fakes import plan, tracked
from dataclasses import replace
import numpy as np
recording.PICTURE_SECONDS = 3600.0  # none is refused on a busy computer
results = tracked(60)
noise = np.random.default_rng(0)
results = [
    replace(item, frame=replace(item.frame, image=noise.integers(0, 255, (120, 160, 3), dtype=np.uint8)))
    for item in results
]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
recorder = recording.SessionRecorder(Path(sys.argv[1]), plan(RecordingChoices(annotated=True), size=(160, 120)))
import time
for item in results:
    recorder.offer(item)
    time.sleep(0.002)
summary = recorder.stop(60.0)
print(summary.error)
"""


@posix_only
@pytest.mark.parametrize("limit", [0, 5_000, 200_000])
@pytest.mark.process
def test_a_disk_that_fills_while_a_session_is_recorded(limit: int, tmp_path: Path) -> None:
    """No file may grow beyond ``limit`` bytes: the same errors as on a full disk, at moments of our choice."""
    root = Path(__file__).resolve().parent.parent
    folder = tmp_path / "session"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder), str(limit)],
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        # Coverage's own file in the child would not fit either
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        cwd=root,
        check=False,
    )
    if limit <= 300:  # not even the tables' first lines fit: said before anything is recorded
        assert "RecordingError: Cannot write" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    sentence = done.stdout.strip().splitlines()[-1]
    assert sentence.startswith("Cannot write")
    assert sentence.endswith((".", "choose another folder."))
    assert "Traceback" not in done.stderr
    session = open_session(folder)
    assert session.state == "recovered"
    assert len(session.frames) > 0
    if session.metadata.video is not None and limit > 40_000:
        shown = [number for number, _ in session.pictures()]
        assert shown == list(range(len(shown)))
        assert shown


FULL_FOR_A_MOMENT = """
import resource, signal, sys
from pathlib import Path
from app.core.errors import RecordingError
from app.sessions.events import Event, EventLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = EventLog(Path(sys.argv[1]))
log.write(Event(0.0, 0, 0, "first"))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (70, hard))
try:
    log.write(Event(1.0, 1, 1, "second"))
except RecordingError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.write(Event(2.0, 2, 2, "third"))
log.close()
"""


@posix_only
@pytest.mark.process
def test_an_event_that_a_full_disk_took_in_part_is_told_and_completed(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", FULL_FOR_A_MOMENT, str(tmp_path / "events.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_SECONDS, cwd=root, check=True)
    assert "Cannot write" in done.stdout
    assert [event.kind for event in read_events(tmp_path / "events.jsonl")] == ["first", "second", "third"]


class BrokenEncoder:
    """Stands in for PyAV's stream: fails from the ``bad``-th picture on, once ``until`` is set."""

    def __init__(self, real: object, bad: int, error: Exception, until: threading.Event) -> None:
        self._real, self._bad, self._error, self._until = real, bad, error, until

    def encode(self, frame: object) -> object:
        self._bad -= 1
        if self._bad < 0:
            self._until.wait(PATIENCE_SECONDS)
            raise self._error
        return self._real.encode(frame)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


ERRORS = {
    "ffmpeg": lambda: av.error.UnknownError(errno.EINVAL, "Generic error in an external library"),
    "memory": lambda: MemoryError(),
    "type": lambda: RuntimeError("encoder is gone"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_encoder_that_fails_costs_pictures_and_no_landmarks_that_wait(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, offered = VideoWriter._open_stream, threading.Event()

    def broken(self: VideoWriter, rate: Fraction, threads: int) -> object:
        return BrokenEncoder(real(self, rate, threads), 20, ERRORS[kind](), offered)

    monkeypatch.setattr(VideoWriter, "_open_stream", broken)
    monkeypatch.setattr("app.sessions.recorder.PICTURE_SECONDS", 60.0)  # none is refused on a busy computer
    recorder = SessionRecorder(tmp_path / "session", plan(size=(160, 120)))
    for index in range(30):
        recorder.offer(result(index, image=scene(index)))
    offered.set()
    summary = recorder.stop(PATIENCE_SECONDS)
    monkeypatch.undo()
    session = open_session(tmp_path / "session")
    assert len(session.frames) == len(session.recorded.estimates.row) == 30
    shown = [number for number, _ in session.pictures()]
    assert shown == list(range(len(shown)))
    assert len(shown) in (19, 20), "the encoder holds at most one back"
    assert session.metadata.counts.dropped == 10
    assert summary.error is not None
    assert "the video encoder said" in summary.error
    assert "\n" not in summary.error


def test_an_encoder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: VideoWriter, rate: Fraction, threads: int) -> object:
        raise av.error.EncoderNotFoundError(errno.EINVAL, "Encoder not found")

    monkeypatch.setattr(VideoWriter, "_open_stream", missing)
    recorder = SessionRecorder(tmp_path / "session", plan(size=(160, 120)))
    for index in range(10):
        recorder.offer(result(index, image=scene(index)))
    summary = recorder.stop(PATIENCE_SECONDS)
    assert summary.error is not None
    assert "Encoder not found" in summary.error
    assert len(open_session(tmp_path / "session").frames) == 10


@posix_only
def test_a_folder_that_is_deleted_while_it_is_recorded_into(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    recorder = SessionRecorder(folder, plan(size=(160, 120)))
    for index in range(10):
        recorder.offer(result(index, image=scene(index)))
    wait_until(lambda: recorder.frames == 10)
    folder.rename(tmp_path / "gone")  # at once: it could not be emptied while something is written into it
    for index in range(10, 20):
        recorder.offer(result(index, image=scene(index)))
    summary = recorder.stop(PATIENCE_SECONDS)
    assert summary.error is not None
    assert summary.error.startswith(("Cannot write", str(folder)))


def test_a_disk_that_is_slow_loses_pictures_and_no_landmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gate, put = threading.Event(), SafeFile._put

    def slow(self: SafeFile, position: int, data: bytes) -> None:
        gate.wait(PATIENCE_SECONDS)
        put(self, position, data)

    monkeypatch.setattr(SafeFile, "_put", slow)
    monkeypatch.setattr("app.sessions.recorder.PICTURES_WAITING", 8)
    recorder = SessionRecorder(tmp_path / "session", plan(size=(160, 120)))
    for index in range(60):
        recorder.offer(result(index, image=scene(index)))
    dropped = recorder.dropped
    gate.set()
    summary = recorder.stop(PATIENCE_SECONDS)
    assert dropped > 20
    assert (summary.error, summary.frames) == (None, 60)
    session = open_session(tmp_path / "session")
    assert len(session.recorded.estimates.row) == 60
    assert len([number for number, _ in session.pictures()]) == session.metadata.counts.pictures < 60


def test_an_error_of_the_disk_has_a_way_out() -> None:
    from app.core.files import failure

    for code in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.ENOENT, errno.EDQUOT, errno.EMFILE):
        error = failure(Path("a.mp4"), OSError(code, os.strerror(code)))
        assert isinstance(error, RecordingError)
        assert str(error).count(".") <= 2
        assert ";" in str(error)
