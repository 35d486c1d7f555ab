"""The track command on fakes of the pipeline and, where it matters, of the source."""

from __future__ import annotations

import argparse
import csv
import json
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import av
import cv2
import numpy as np
import PIL.Image
import pillow_heif
import pyarrow.parquet
import pytest

from app.batch import track as batch_track
from app.batch.track import EVERY_FACE, TrackReport
from app.cli import track
from app.core.errors import RecordingError, SourceError, UserError
from app.core.frame import Frame, FrameResult
from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import EngineSettings, TrackingSettings
from app.media import outputs
from app.sessions import writer
from app.sessions.session import open_session
from app.sessions.video import SessionVideo
from app.sources.open import open_source
from app.sources.spec import SourceSpec, StreamSpec
from model.errors import ModelError
from model.weights import sha256
from tests.recording_fakes import (
    COLD_ESTIMATE,
    NTSC,
    FakePipeline,
    FileSource,
    PictureSource,
    make_video,
    picture,
    read_video,
    result,
)
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow


def parse(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    track.add_parser(parser.add_subparsers())
    return parser.parse_args(["track", *map(str, words)])


def run(
    *words: object, source: Any = None, pipeline: Any = None, stop: Any = None, tracked: list[Any] | None = None
) -> int:
    """Run the command; ``tracked`` collects the settings that the pipeline was built with."""

    def build(engine: EngineSettings, tracking: TrackingSettings) -> Any:
        if tracked is not None:
            tracked.append((engine, tracking))
        return pipeline or FakePipeline()

    return track.run(parse(*words), open_source=source or FileSource, build_pipeline=build, stop=stop)  # type: ignore[arg-type]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "in.mp4"
    make_video(path, [1001 * k for k in range(20)], Fraction(1, 30000), NTSC)
    return path


def test_writes_video_audio_and_tables(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, table, columns = tmp_path / "out.mp4", tmp_path / "out.csv", tmp_path / "out.parquet"
    pipeline = FakePipeline()
    assert run(video, "-o", out, "--csv", table, "--parquet", columns, pipeline=pipeline) == 0
    assert pipeline.closed
    before, after = read_video(video), read_video(out)
    assert (after.times, after.rate, after.audio) == (before.times, NTSC, before.audio)
    assert max(np.ptp(image) for image in after.images) > 60
    assert [float(row["time"]) for row in rows(table)] == pytest.approx([float(t) for t in before.times], abs=1e-6)
    assert [row["warm"] for row in rows(table)] == ["0"] + ["1"] * 19
    assert pyarrow.parquet.read_table(columns).num_rows == 20
    about = json.loads(pyarrow.parquet.read_schema(columns).metadata[b"ldeq-live"])
    assert (about["model"], about["weights"]) == ("ldeq-s", "ldeq-s.safetensors")
    assert about["weights_sha256"] == sha256(DEFAULT_WEIGHTS)
    assert about.keys() == {"application", "model", "weights", "weights_sha256", "engine"}
    summary = capsys.readouterr().out
    assert "Tracked 20 frames with ldeq-s on fake" in summary
    assert "1 face, at least one in 20 of 20 frames" in summary
    assert f"{(5 + 19 * 2) / 20:.2f} evaluations" in summary
    assert "1 cold start: first frame 1" in summary
    assert str(out) in summary
    assert str(columns) in summary


def test_each_photo_has_faces_of_its_own(video: Path) -> None:
    report = TrackReport()
    for index in range(3):
        found = result(index)
        report.add(replace(found, frame=replace(found.frame, continues=False)))
    plan = outputs.OutputPlan(None, (), False)
    assert "3 faces, at least one in 3 of 3 frames" in report.lines(1.0, False, plan, "ldeq-s")


def test_tables_alone_and_no_audio(video: Path, tmp_path: Path) -> None:
    assert run(video, "--csv", tmp_path / "only.csv") == 0
    assert len(rows(tmp_path / "only.csv")) == 20
    assert run(video, "-o", tmp_path / "mute.mp4", "--no-audio") == 0
    assert read_video(tmp_path / "mute.mp4").audio == []


def test_options_reach_the_settings(video: Path, tmp_path: Path) -> None:
    tracked: list[Any] = []
    run(video, "--csv", tmp_path / "a.csv", tracked=tracked)
    run(video, "--csv", tmp_path / "b.csv", "--rwr", "off", "--every-face", "--ghcu", tracked=tracked)
    words = (
        "--max-faces",
        3,
        "--engine",
        "torch",
        "--device",
        "cpu",
        "--threads",
        2,
        "--weights",
        tmp_path / "w.safetensors",
    )
    run(video, "--csv", tmp_path / "c.csv", *words, tracked=tracked)
    assert [(t.rwr, t.max_faces) for _, t in tracked] == [(True, 1), (False, EVERY_FACE), (True, 3)]
    assert [t.ghcu for _, t in tracked] == [False, True, False]
    engine = tracked[2][0]
    assert (engine.engine, engine.device, engine.threads) == ("torch", "cpu", 2)
    assert engine.weights == tmp_path / "w.safetensors"


def test_no_face_anywhere_is_said_and_the_video_is_written(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(video, "-o", tmp_path / "out.mp4", "--csv", tmp_path / "o.csv", pipeline=FakePipeline(blind=True)) == 0
    assert "No face was found in 20 frames" in capsys.readouterr().out
    assert len(read_video(tmp_path / "out.mp4").times) == 20
    assert {row["face"] for row in rows(tmp_path / "o.csv")} == {""}


class Interrupting(FakePipeline):
    """Behaves as if Ctrl-C were pressed while frame ``at`` is solved."""

    def __init__(self, interrupt: Callable[[], object], at: int = 8) -> None:
        super().__init__()
        self.interrupt, self.at = interrupt, at

    def process(self, frame: Frame) -> FrameResult:
        if frame.index == self.at:
            self.interrupt()
        return super().process(frame)


def test_ctrl_c_finishes_the_files(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mp4"
    before = signal.getsignal(signal.SIGINT)
    pipeline = Interrupting(lambda: signal.raise_signal(signal.SIGINT))
    assert run(video, "-o", out, "--csv", tmp_path / "out.csv", pipeline=pipeline) == 130
    assert signal.getsignal(signal.SIGINT) is before
    copy = read_video(out)
    assert len(copy.times) == len(rows(tmp_path / "out.csv")) == 9
    assert copy.audio[-1][0] <= copy.times[-1]
    assert "Interrupted after 9 frames" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows tells nobody that a terminal is closed")
def test_a_terminal_that_is_closed_finishes_the_files(video: Path, tmp_path: Path) -> None:
    def closed() -> None:
        signal.raise_signal(signal.SIGHUP)  # by the shell
        signal.raise_signal(signal.SIGHUP)  # by the system

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has ignored
    try:
        assert run(video, "--parquet", tmp_path / "out.parquet", pipeline=Interrupting(closed)) == 130
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").num_rows == 9


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows tells nobody that a terminal is closed")
def test_what_is_ignored_does_not_end_a_run(video: Path, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        pipeline = Interrupting(lambda: signal.raise_signal(signal.SIGHUP))
        assert run(video, "--csv", tmp_path / "out.csv", pipeline=pipeline) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert len(rows(tmp_path / "out.csv")) == 20


def test_a_second_ctrl_c_breaks_off(video: Path, tmp_path: Path) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(video, "-o", tmp_path / "out.mp4", pipeline=Interrupting(twice))
    assert len(read_video(tmp_path / "out.mp4").times) == 8


def test_stopping_from_another_thread(video: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    codes = []
    pipeline = Interrupting(stop.set, at=2)
    worker = threading.Thread(
        target=lambda: codes.append(run(video, "--csv", tmp_path / "o.csv", pipeline=pipeline, stop=stop))
    )
    worker.start()
    worker.join(PATIENCE_SECONDS)
    assert codes == [130]
    assert len(rows(tmp_path / "o.csv")) == 3


def test_a_source_that_breaks_leaves_what_was_tracked(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(SourceError, match="damaged"):
        run(video, "-o", out, "--csv", tmp_path / "o.csv", source=lambda spec: FileSource(video, breaks_after=12))
    assert len(read_video(out).times) == len(rows(tmp_path / "o.csv")) == 12
    assert "Tracked 12 frames" in capsys.readouterr().out


def test_a_pipeline_that_breaks_leaves_what_was_tracked(video: Path, tmp_path: Path) -> None:
    def broken() -> NoReturn:
        raise ZeroDivisionError

    pipeline = Interrupting(broken, at=5)
    with pytest.raises(ZeroDivisionError):
        run(video, "-o", tmp_path / "out.mp4", pipeline=pipeline)
    assert pipeline.closed
    assert len(read_video(tmp_path / "out.mp4").times) == 5


def test_an_empty_source_is_an_error(video: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures"):
        run(video, "-o", tmp_path / "out.mp4", source=lambda spec: PictureSource([]))
    assert not (tmp_path / "out.mp4").exists()


def test_unusable_weights_are_a_user_error(video: Path, tmp_path: Path) -> None:
    def build(engine: EngineSettings, tracking: TrackingSettings) -> Any:
        raise ModelError("no weights there")

    with pytest.raises(UserError, match="no weights there"):
        track.run(parse(video, "-o", tmp_path / "out.mp4"), open_source=FileSource, build_pipeline=build)  # type: ignore[arg-type]
    assert not (tmp_path / "out.mp4").exists()


def never(*_: object) -> NoReturn:
    raise AssertionError("work began before the outputs were checked")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to write"),
        (("-o", "in.mp4", "--overwrite"), "input itself"),
        (("-o", "./missing/../in.mp4", "--overwrite"), "input itself"),
        (("-o", "link.mp4", "--overwrite"), "input itself"),
        (("--csv", "folder/landmarks.csv", "--session", "folder", "--overwrite"), "in the way of the session"),
        (("--csv", "out.csv", "--session", "out.csv"), "in the way of the session"),
        (("-o", "missing/out.mp4"), "does not exist"),
        (("-o", "there.mp4"), "exists already"),
        (("-o", "out.avi"), "ends in"),
        (("-o", "out"), "ends in"),
        (("-o", "out.png"), "more than one"),
        (("-o", "ok.mp4", "--csv", "missing/out.csv"), "does not exist"),
        (("--csv", "out.txt"), "ends in .csv"),
        (("--parquet", "out.csv"), "ends in .parquet"),
        (("--csv", "folder.csv"), "folder"),
        (("--csv", "out.csv", "--max-faces", "0"), "At least 1 face"),
        (("--csv", "out.csv", "--threads", "0"), "threads"),
        (("--csv", "out.csv", "--no-audio"), "--no-audio concerns an annotated video"),
        (("--session", "talk."), "ends in a space or a dot"),
    ],
)
def test_bad_outputs_are_found_before_any_work(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.mp4").write_text("precious")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.mp4").hardlink_to(video)
    original = video.read_bytes()
    listing = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UserError, match=message) as caught:
        track.run(parse("in.mp4", *words), open_source=never, build_pipeline=never)
    assert caught.value.exit_code == 2
    assert video.read_bytes() == original
    assert (tmp_path / "there.mp4").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == listing


def test_an_output_that_links_to_itself_is_one_sentence(video: Path, tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    with pytest.raises(UserError, match=r"Cannot write .*loop\.csv: "):
        run(video, "--csv", tmp_path / "loop.csv")


def test_a_folder_that_nobody_may_read_is_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match="cannot be opened: Permission denied; check who may read it"):
        track.run(parse(folder, "--csv", tmp_path / "o.csv"), open_source=never, build_pipeline=never)


def test_overwriting_when_told_to(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("old")
    assert run(video, "-o", out, "--overwrite") == 0
    assert len(read_video(out).times) == 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("2.png", "10.png", "1.png"):
        cv2.imwrite(str(pictures / name), picture(int(name.split(".")[0])))
    return pictures


def test_pictures_are_not_put_into_the_session(folder: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    with pytest.raises(UserError, match="in the way of the session"):
        track.run(parse(folder, "-o", both, "--session", both), open_source=never, build_pipeline=never)


def folder_source(spec: SourceSpec) -> PictureSource:
    return PictureSource([picture(1), picture(2), picture(10)])


def brightness(path: Path) -> int:
    return int(np.median(np.asarray(cv2.imread(str(path)), np.float64)))


def test_a_folder_becomes_a_folder_under_the_same_names(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "annotated"
    assert run(folder, "-o", out, source=folder_source) == 0
    assert sorted(path.name for path in out.iterdir()) == ["1.png", "10.png", "2.png"]
    assert [brightness(out / f"{n}.png") for n in (1, 2, 10)] == [brightness(folder / f"{n}.png") for n in (1, 2, 10)]
    assert (cv2.imread(str(out / "1.png")) != cv2.imread(str(folder / "1.png"))).any()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_picture_that_does_not_fit_leaves_what_was_there(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        with pytest.raises(RecordingError, match="larger than this disk allows"):
            outputs.write_picture(path, picture(0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_videos_is_for_batch(video: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="use batch"):
        run(video.parent, "--csv", tmp_path / "out.csv")


def test_a_folder_becomes_a_video(folder: Path, tmp_path: Path) -> None:
    assert run(folder, "-o", tmp_path / "out.mp4", source=folder_source) == 0
    assert [float(time) for time in read_video(tmp_path / "out.mp4").times] == pytest.approx([0, 0.04, 0.08], abs=1e-4)


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "new"])
def test_a_picture_becomes_a_picture(folder: Path, tmp_path: Path, name: str) -> None:
    assert run(folder / "2.png", "-o", tmp_path / name, source=lambda spec: PictureSource([picture(2)])) == 0
    written = tmp_path / name / "2.png" if name == "new" else tmp_path / name
    assert cv2.imread(str(written)).shape == (48, 64, 3)


@pytest.mark.parametrize(("given", "output"), [(".", "."), ("1.png", "1.png"), ("1.png", ".")])
def test_pictures_are_never_written_over_the_input(folder: Path, given: str, output: str) -> None:
    with pytest.raises(RecordingError, match="input itself"):
        run(folder / given, "-o", folder / output, "--overwrite", source=never)


def real(*words: object) -> int:
    """Run the command with the application's own sources."""
    return track.run(parse(*words), build_pipeline=lambda engine, tracking: FakePipeline())


def test_the_applications_own_video_source(video: Path, tmp_path: Path) -> None:
    assert real(video, "-o", tmp_path / "out.mp4") == 0
    before, after = read_video(video), read_video(tmp_path / "out.mp4")
    assert (after.times, after.rate, after.audio) == (before.times, NTSC, before.audio)


def test_variable_times_and_late_starts_with_the_applications_own_source(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    make_video(path, [250, 283, 400, 1000, 1017, 2000], Fraction(1, 1000))
    assert real(path, "-o", tmp_path / "out.mp4", "--csv", tmp_path / "out.csv") == 0
    before, after = read_video(path), read_video(tmp_path / "out.mp4")
    zero = min(Fraction(0), before.times[0])
    assert after.times == [time - zero for time in before.times]
    assert [float(row["time"]) for row in rows(tmp_path / "out.csv")] == [float(time) for time in after.times]


def test_an_unreadable_picture_does_not_shift_the_names(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "2.png").write_bytes(b"no picture")
    assert real(folder, "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.png", "10.png"]
    assert brightness(tmp_path / "out" / "10.png") == brightness(folder / "10.png")
    assert "2.png" in capsys.readouterr().out


@pytest.mark.parametrize("size", [(17, 9), (10_000, 200)])
@pytest.mark.parametrize("name", ["out.png", "out.mp4"])
def test_tiny_and_huge_pictures(tmp_path: Path, size: tuple[int, int], name: str) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), picture(2, *size))
    assert real(tmp_path / "in.png", "-o", tmp_path / name) == 0
    out = tmp_path / name
    shape = cv2.imread(str(out)).shape if name.endswith("png") else read_video(out).images[0].shape
    even = (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert shape[:2] == (size[::-1] if name.endswith("png") else even)


def test_missing_and_broken_inputs_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    for name in ("missing.mp4", "broken.mp4"):
        with pytest.raises(SourceError):
            real(tmp_path / name, "-o", tmp_path / "out.mp4", "--csv", tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


def test_a_live_source_starts_at_zero_and_takes_the_pictures_it_gets(tmp_path: Path) -> None:
    def stream(spec: SourceSpec) -> PictureSource:
        assert spec == StreamSpec("rtsp://camera/1")
        return PictureSource([picture(k) for k in range(6)], live=True)

    assert run("rtsp://camera/1", "-o", tmp_path / "out.mp4", source=stream) == 0
    video = read_video(tmp_path / "out.mp4")
    assert [float(time) for time in video.times] == pytest.approx([k / 25 for k in range(6)], abs=1e-4)


def test_cold_solves_are_no_resets_where_rwr_is_off(
    tmp_path: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Cold(FakePipeline):
        def process(self, frame: Frame) -> FrameResult:
            return result(frame.index, frame.timestamp, faces=[COLD_ESTIMATE], image=frame.image)

    run(video, "--csv", tmp_path / "o.csv", "--rwr", "off", pipeline=Cold())
    summary = capsys.readouterr().out
    assert "5.00 evaluations" in summary
    assert "cold start" not in summary


def test_a_session_refers_to_the_input(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(video, "--session", tmp_path / "talk") == 0
    assert str(tmp_path / "talk") in capsys.readouterr().out
    session = open_session(tmp_path / "talk")
    assert (session.state, session.metadata.exact) == ("complete", True)
    assert session.video_path == video
    assert session.metadata.video.sha256 == sha256(video)
    assert session.frames.time.tolist() == pytest.approx([k * 1001 / 30000 for k in range(20)])
    assert session.recorded.faces == (3,)
    thumbnail = cv2.imread(str(session.folder / "thumbnail.jpg"))
    first = read_video(video).images[0]
    assert np.abs(thumbnail.mean(axis=(0, 1))[::-1] - first.mean(axis=(0, 1))).max() < 4
    assert session.metadata.engine.name == FakePipeline.engine_name
    assert "end of the input" in session.events[-1].text


@pytest.mark.parametrize(("words", "name"), [((), "video.mp4"), (("exact",), "video.nut")])
def test_a_session_with_a_copy_of_the_video(video: Path, tmp_path: Path, words: Any, name: str) -> None:
    assert run("--session", tmp_path / "talk", video, "--copy-video", *words) == 0
    session = open_session(tmp_path / "talk")
    assert session.video_path == tmp_path / "talk" / name
    assert session.metadata.exact == (name == "video.nut")
    assert len(list(session.pictures())) == 20


def test_pictures_and_live_sources_are_copied_into_a_session(folder: Path, tmp_path: Path) -> None:
    images = [picture(index) for index in range(4)]
    for live, name in ((False, "still"), (True, "live")):
        run("input", "--session", tmp_path / name, source=lambda spec, live=live: PictureSource(images, live))
        session = open_session(tmp_path / name)
        assert session.video_path == tmp_path / name / "video.mp4"
        assert session.frames.time.tolist() == pytest.approx([0, 0.04, 0.08, 0.12])


def test_a_folder_that_changes_while_it_is_opened(folder: Path, tmp_path: Path) -> None:
    """Pictures are named by their places, which are others now."""

    def meanwhile(spec: SourceSpec) -> Any:
        cv2.imwrite(str(folder / "0.png"), np.zeros((48, 64, 3), np.uint8))
        return open_source(spec)

    with pytest.raises(SourceError, match="other pictures than a moment ago"):
        run(folder, "-o", tmp_path / "drawn", source=meanwhile)
    assert not (tmp_path / "drawn").exists()


def test_an_output_that_cannot_be_created_leaves_no_others(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise RecordingError("the disk is full")

    words = (video, "--csv", tmp_path / "talk.csv", "--session", tmp_path / "talk")
    for module, name in ((writer, "TakeWriter"), (batch_track, "open_tracked_session"), (outputs, "open_table")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, refuse)
            with pytest.raises(RecordingError, match="the disk is full"):
                run(*words)
        assert sorted(tmp_path.iterdir()) == [video], name


def test_ctrl_c_finishes_a_session(video: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    class Stopping(FakePipeline):
        def process(self, frame: Frame) -> FrameResult:
            if self.processed == 4:
                stop.set()
            return super().process(frame)

    assert run(video, "--session", tmp_path / "talk", pipeline=Stopping(), stop=stop) == 130
    session = open_session(tmp_path / "talk")
    assert (session.state, len(session.frames)) == ("complete", 5)
    assert session.events[-1].text == "interrupted"


def test_a_source_that_breaks_leaves_a_session(video: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="damaged"):
        run(video, "--session", tmp_path / "talk", source=lambda spec: FileSource(spec, breaks_after=6))
    session = open_session(tmp_path / "talk")
    assert (session.state, len(session.frames)) == ("complete", 6)
    assert "damaged" in session.events[-1].text


def test_sessions_that_cannot_be_are_refused_before_any_work(video: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(RecordingError, match="holds files"):
        run(video, "--session", tmp_path / "full")
    with pytest.raises(RecordingError, match="is a file"):
        run(video, "--session", video)
    with pytest.raises(UserError, match="--session FOLDER, too"):
        run(video, "--csv", tmp_path / "out.csv", "--copy-video")
    run(video, "--session", tmp_path / "talk")
    with pytest.raises(UserError, match="session replay"):
        run(tmp_path / "talk", "--csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def disc(index: Any, size: Any = (64, 48)) -> Any:
    """Return a picture of a disc that moves slowly."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    inside = (columns - 20 - index) ** 2 + (rows - 20) ** 2 < 100
    return PIL.Image.fromarray(np.repeat((40 + 150 * inside).astype(np.uint8)[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("name", "kind"), [("in.jfif", "JPEG"), ("in.heic", "HEIF"), ("in.avif", "AVIF"), ("in", "PNG")]
)
def test_a_picture_of_any_name_gives_a_picture(tmp_path: Path, name: str, kind: str) -> None:
    pillow_heif.register_heif_opener()
    disc(0).save(tmp_path / name, kind)
    assert run(tmp_path / name, "-o", tmp_path / "out.jpg", source=open_source) == 0
    assert cv2.imread(str(tmp_path / "out.jpg")).shape == (48, 64, 3)


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    disc(0).save(path, save_all=True, append_images=[disc(i) for i in (2, 4, 6)], duration=[50, 100, 150, 50])
    assert run(path, "-o", tmp_path / "out.mp4", "--session", tmp_path / "s", source=open_source) == 0
    assert read_video(tmp_path / "out.mp4").times == pytest.approx([0, 0.05, 0.15, 0.3])
    session = open_session(tmp_path / "s")
    assert session.metadata.video.inside
    assert session.metadata.counts.pictures == 4
    with pytest.raises(RecordingError, match="more than one"):
        run(path, "-o", tmp_path / "out.png", source=open_source)


def test_photos_are_said_and_of_any_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for index, size in enumerate([(64, 48), (48, 64), (80, 48)]):
        disc(index, size).save(folder / f"{index}.jpg")
    words = ("-o", tmp_path / "out.mp4", "--csv", tmp_path / "out.csv", "--session", tmp_path / "s")
    assert run(folder, *words, source=open_source) == 0
    said = capsys.readouterr().out.splitlines()
    assert "The 3 pictures are taken as photos, each on its own, since their sizes differ." in said
    assert "The size of the pictures changes; the video shows all of them scaled into 64x48." in said
    assert [image.shape for image in read_video(tmp_path / "out.mp4").images] == [(48, 64, 3)] * 3
    assert open_session(tmp_path / "s").metadata.source.photos
    sizes = [(row["width"], row["height"]) for row in rows(tmp_path / "out.csv")]
    assert sizes == [("64", "48"), ("48", "64"), ("80", "48")]
    assert [row["file"] for row in rows(tmp_path / "out.csv")] == ["0.jpg", "1.jpg", "2.jpg"]


def test_adaptations_are_said_and_kept_in_the_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0, 32), format="rgb24")))
        container.mux(stream.encode(None))
    words = ("-o", tmp_path / "out.mp4", "--session", tmp_path / "s")
    assert run(path, *words, source=open_source) == 0
    assert "Pictures were made of square pixels." in capsys.readouterr().out.splitlines()
    assert read_video(tmp_path / "out.mp4").images[0].shape == (48, 64, 3)
    session = open_session(tmp_path / "s")
    assert session.metadata.source.adaptations == ("square pixels",)
    with SessionVideo(path, np.zeros(1)) as video:
        assert video.read(0).shape == (48, 64, 3)


def test_what_the_format_cannot_hold_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "speech.mov"
    make_video(source, range(10), Fraction(1, 25), Fraction(25), audio="pcm_mulaw")
    assert run(source, "-o", tmp_path / "out.mp4") == 0
    assert "What .mp4 cannot hold was left out (.mkv holds more): audio in pcm_mulaw." in capsys.readouterr().out
