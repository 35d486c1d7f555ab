"""The batch command: its options, exit codes and Ctrl-C, and the real model on two tiny clips."""

from __future__ import annotations

import argparse
import io
import json
import signal
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import pytest

from app.batch.job import BatchSettings, Job, JobState, OutputKind
from app.batch.report import FileReport
from app.batch.track import EVERY_FACE
from app.batch.worker import track_job
from app.cli import batch, track
from app.cli.batch_progress import BatchProgress
from app.core.errors import UserError
from app.core.frame import Frame, FrameResult
from app.core.places import DEMO_CLIP
from app.core.settings import EngineSettings, TrackingSettings
from app.sessions.session import open_session
from model.engine.names import EngineName
from model.errors import ModelError
from tests.batch_fakes import InlineRunner, videos, weights
from tests.recording_fakes import NTSC, FakePipeline, make_video, read_video


def parse(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    batch.add_parser(parser.add_subparsers())
    return parser.parse_args(["batch", *map(str, words)])


def run(*words: object, runner: InlineRunner | None = None) -> Any:
    return batch.run(parse(*words), open_runner=(runner or InlineRunner()).open)


@pytest.fixture
def model(tmp_path: Path) -> tuple[str, Path]:
    return ("--weights", weights(tmp_path).weights)


def test_exit_codes_and_words(tmp_path: Path, model: tuple[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    videos(tmp_path / "in", a="ok", b="ok")
    words = (tmp_path / "in", "-o", tmp_path / "out", "--csv", *model)
    assert run(*words) == 0
    said = capsys.readouterr()
    assert "2 videos: 2 done" in said.out
    assert f"Written: {tmp_path / 'out'}" in said.out
    assert "a.mp4: done, 8 frames, 16.0 fps" in said.err
    videos(tmp_path / "in", c="fail")
    assert run(*words) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"{tmp_path / 'in' / 'c.mp4'} cannot be read."]
    assert "3 videos: 2 skipped, 1 failed" in said.out


def test_ctrl_c_leaves_the_rest_for_the_next_run(
    tmp_path: Path, model: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    videos(tmp_path / "in", a="ok", b="ok")

    class Interrupted(InlineRunner):
        def run(self, jobs: Sequence[Job], stopped: Callable[[], bool], progress: Any) -> Any:
            for ended in super().run(jobs, stopped, progress):
                signal.raise_signal(signal.SIGINT)
                yield ended

    words = (tmp_path / "in", "-o", tmp_path / "out", "--csv", *model)
    assert run(*words, runner=Interrupted()) == 130
    assert "2 videos: 1 done, 1 waiting" in capsys.readouterr().out
    assert run(*words) == 0
    assert "2 videos: 1 done, 1 skipped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "out"), "nothing to track"),
        (("in", "-o", "out", "--csv", "--copy-video"), "give --session, too"),
        (("in", "-o", "out", "--max-faces", "0"), "At least 1 face"),
        (("in", "-o", "out", "--threads", "0"), "threads"),
        (("-o", "out", "--ray", "in"), "--ray took in for an address; put --ray behind the inputs"),
        (("in", "-o", "out", "--csv", "--no-audio"), "--no-audio concerns an annotated video"),
        (("in", "-o", "out", "--list", "gone.txt"), "cannot be read"),
    ],
)
def test_bad_options_are_found_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    videos(tmp_path / "in", a="ok")
    runner = InlineRunner()
    with pytest.raises(UserError, match=message):
        run(*words, runner=runner)
    assert runner.done == []
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_home_of_nobody_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    videos(tmp_path / "in", a="fail")
    assert run("in", "-o", "~nobody-at-all/out", runner=InlineRunner()) == 1
    assert (tmp_path / "~nobody-at-all" / "out" / "batch.json").is_file()


def settings_of(*words: object) -> BatchSettings:
    return batch._settings(parse("in", "-o", "out", *words))


def test_options_reach_the_settings(tmp_path: Path) -> None:
    assert settings_of().kinds == (OutputKind.SESSION,)
    assert settings_of("--video", "--csv").kinds == (OutputKind.VIDEO, OutputKind.CSV)
    found = settings_of("--session", "--parquet", "--copy-video", "exact", "--rwr", "off", "--every-face", "--ghcu")
    assert (found.kinds, found.copy) == ((OutputKind.SESSION, OutputKind.PARQUET), "exact")
    assert (found.tracking.rwr, found.tracking.max_faces, found.tracking.ghcu) == (False, EVERY_FACE, True)
    found = settings_of("--video", "--no-audio", "--engine", "torch", "--threads", "2", "--max-faces", "3")
    assert (found.audio, found.engine.engine, found.engine.threads) == (False, "torch", 2)
    assert found.tracking.max_faces == 3


def fake_tracker(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
    return track_job(job, stopped, tell, lambda engine, tracking: FakePipeline())


def test_outputs_of_every_kind(tmp_path: Path, model: tuple[str, Path]) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    video = tmp_path / "in" / "sub" / "talk.mov"
    make_video(video, [1001 * k for k in range(12)], Fraction(1, 30000), NTSC)
    words = (tmp_path / "in", "-o", tmp_path / "out", "--session", "--video", "--csv", "--parquet", *model)
    assert run(*words, runner=InlineRunner(fake_tracker)) == 0
    out = tmp_path / "out" / "sub"
    assert sorted(path.name for path in out.iterdir()) == ["talk", "talk.csv", "talk.parquet", "talk_landmarks.mp4"]
    session = open_session(out / "talk")
    assert (session.state, session.video_path, len(session.frames)) == ("complete", video, 12)
    before, after = read_video(video), read_video(out / "talk_landmarks.mp4")
    assert (after.times, after.audio) == (before.times, before.audio)
    report = json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))
    assert (report["files"][0]["frames"], report["files"][0]["with_face"]) == (12, 12)
    assert run(*words, runner=(runner := InlineRunner(fake_tracker))) == 0
    assert runner.done == []


def test_what_was_begun_stays_until_it_is_done_anew(tmp_path: Path, model: tuple[str, Path]) -> None:
    make_video(tmp_path / "a.mp4", [512 * k for k in range(12)], Fraction(1, 15360))
    words = (tmp_path / "a.mp4", "-o", tmp_path / "out", *model)

    def work(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
        frames: list[Frame] = []
        return track_job(job, lambda: len(frames) == 5, tell, lambda *settings: Counting(frames))

    class Counting(FakePipeline):
        def __init__(self, frames: list[Frame]) -> None:
            super().__init__()
            self.frames = frames

        def process(self, frame: Frame) -> FrameResult:
            self.frames.append(frame)
            return super().process(frame)

    assert run(*words, runner=InlineRunner(work)) == 0  # nobody pressed Ctrl-C here, only this work was told to stop
    assert not (tmp_path / "out" / "a").exists()
    begun = open_session(tmp_path / "out" / "unfinished" / "a")
    assert (len(begun.frames), begun.events[-1].text) == (5, "interrupted")
    assert run(*words, runner=InlineRunner(fake_tracker)) == 0
    assert len(open_session(tmp_path / "out" / "a").frames) == 12
    assert not (tmp_path / "out" / "unfinished").exists()


def outcome(job: Job, **more: Any) -> Any:
    def build(engine: EngineSettings, tracking: TrackingSettings) -> Any:
        raise more["error"]

    return track_job(job, lambda: False, lambda frames, total: None, build)


def test_no_error_leaves_a_worker(tmp_path: Path, model: tuple[str, Path]) -> None:
    make_video(tmp_path / "a.mp4", [512 * k for k in range(3)], Fraction(1, 15360))
    job = Job(tmp_path / "a.mp4", "a", (OutputKind.CSV,), tmp_path / "out", settings_of("--csv"))
    found = outcome(job, error=ModelError("no graph"))
    assert (found.state, found.fatal, "no graph" in found.error) == ("failed", True, True)
    found = outcome(job, error=ZeroDivisionError("oh\nno"))
    assert (found.state, found.fatal) == ("failed", False)
    assert found.error.endswith("unexpected error (ZeroDivisionError: oh).")
    assert "Traceback" in found.details
    assert "fewer --workers" in outcome(job, error=MemoryError()).error
    assert "damaged or incomplete" in outcome_of_garbage(tmp_path, job)


def outcome_of_garbage(folder: Path, job: Job) -> Any:
    from dataclasses import replace

    (folder / "b.mp4").write_bytes(b"nothing")
    return outcome(replace(job, input=folder / "b.mp4"), error=AssertionError).error


def test_a_video_that_changes_while_it_is_tracked_is_no_result(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    make_video(video, [512 * k for k in range(3)], Fraction(1, 15360))
    job = Job(video, "a", (OutputKind.CSV,), tmp_path / "out", settings_of("--csv"))

    def build(engine: EngineSettings, tracking: TrackingSettings) -> Any:
        with video.open("ab") as file:
            file.write(b"more")
        return FakePipeline()

    found = track_job(job, lambda: False, lambda frames, total: None, build)
    assert (found.state, found.source) == ("failed", None)
    assert "was changed while it was tracked" in found.error


def test_all_workers_take_the_engine_that_track_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.batch.resources import resolve_engine
    from app.core.settings import EngineSettings
    from model.engine import open as opening
    from model.engine.choice import Choice, Place

    known, measured = {}, []

    def measure(place: Place, open_one: Any) -> tuple[Choice, None]:
        measured.append(place.threads)
        known[place.threads] = Choice(EngineName.OPENVINO, {})
        return known[place.threads], None

    monkeypatch.setattr(opening, "remembered", lambda place: known.get(place.threads))
    monkeypatch.setattr(opening, "measure", measure)
    monkeypatch.setattr(opening, "default_threads", lambda: 4)
    monkeypatch.setattr(opening, "candidates", lambda: ("onnx",))
    assert resolve_engine(EngineSettings()) == EngineSettings(engine=EngineName.ONNX)
    no_graphs = EngineSettings(tmp_path / "w.safetensors")
    assert resolve_engine(no_graphs) == EngineSettings(no_graphs.weights, EngineName.TORCH)
    monkeypatch.setattr(opening, "candidates", lambda: ("onnx", "openvino"))
    for _ in range(2):
        assert resolve_engine(EngineSettings()) == EngineSettings(engine=EngineName.OPENVINO)
    assert resolve_engine(EngineSettings(threads=2)) == EngineSettings(engine=EngineName.OPENVINO, threads=2)
    assert measured == [4, 2]  # once each, then remembered
    assert resolve_engine(EngineSettings(engine=EngineName.TORCH)) == EngineSettings(engine=EngineName.TORCH)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    paths = videos(tmp_path / "in", a="x" * 300, b="y" * 100)
    tasks = [Job(path, name, (OutputKind.CSV,), tmp_path, settings_of()) for name, path in paths.items()]
    screen = Terminal()
    with BatchProgress(screen) as progress:
        progress.begin(tasks)
        progress.progress(tasks[0], 0, 40)
        progress.progress(tasks[0], 20, 40)
        assert "0 of 2 videos  38%" in screen.getvalue().replace(":", "")
        assert "20/40" in screen.getvalue()
        progress.end(tasks[0], FileReport("a.mp4", JobState.DONE, frames=40, seconds=2.0))
        progress.end(tasks[1], FileReport("b.mp4", JobState.FAILED, error="b.mp4 is broken."))
        assert progress.fps > 0
    text = screen.getvalue()
    assert "2 of 2 videos, 1 failed" in text
    assert "a.mp4: done, 40 frames, 20.0 fps" in text
    assert "b.mp4 is broken." in text


def cut_demo(path: Path, start: int, count: int) -> None:
    """Write some pictures of the demo clip, small, so that the real model has little to do."""
    with av.open(str(DEMO_CLIP)) as clip, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for frame in islice(clip.decode(video=0), start, start + count):
            image = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24", width=640, height=360), format="rgb24")
            out.mux(stream.encode(image))
        out.mux(stream.encode(None))


@pytest.mark.process
def test_the_same_landmarks_as_track_bit_for_bit_with_any_number_of_workers(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    cut_demo(folder / "a.mp4", 0, 6)
    cut_demo(folder / "b.mp4", 5, 4)
    parser = argparse.ArgumentParser()
    track.add_parser(parser.add_subparsers())
    for name in ("a", "b"):
        table = tmp_path / f"{name}.parquet"
        assert track.run(parser.parse_args(["track", str(folder / f"{name}.mp4"), "--parquet", str(table)])) == 0
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        assert batch.run(parse(folder, "-o", out, "--session", "--parquet", "--workers", workers)) == 0
        for name in ("a", "b"):
            assert (out / f"{name}.parquet").read_bytes() == (tmp_path / f"{name}.parquet").read_bytes()
        sessions = [open_session(out / name) for name in ("a", "b")]
        assert [(session.state, session.metadata.exact) for session in sessions] == [("complete", True)] * 2
        assert [len(session.frames) for session in sessions] == [6, 4]
        assert sessions[0].recorded.faces
