"""A run over many videos: what it leaves out, does again, replaces and refuses."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.batch.inputs import find_inputs
from app.batch.job import BatchSettings, Job, JobState, OutputKind
from app.batch.names import output_names
from app.batch.report import FileReport
from app.batch.run import run_batch
from app.core.errors import RecordingError, UserError
from app.core.settings import TrackingSettings
from model.engine.names import Device
from tests.batch_fakes import FRAMES, Diary, InlineRunner, never, plan, videos, weights
from tests.recording_fakes import result
from tests.session_fakes import record

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path) -> BatchSettings:
    return BatchSettings((OutputKind.CSV,), engine=weights(tmp_path))


def run(
    folder: Path,
    settings: BatchSettings,
    out: str = "out",
    *,
    overwrite: bool = False,
    stopped: Callable[[], bool] = never,
    runner: InlineRunner | None = None,
) -> tuple[list[str], Any]:
    """Track everything in ``folder``; return the names that were tracked and the report."""
    runner = runner or InlineRunner()
    report = run_batch(
        plan([folder], folder.parent / out, settings, overwrite=overwrite), runner.open, Diary(), stopped
    )
    return runner.done, report


def states(report: Any) -> dict[str, Any]:
    return {file.video.rpartition("/")[2].rpartition("\\")[2]: file.state for file in report.files}


def test_names_as_long_as_a_file_system_takes_leave_room_for_what_belongs_to_them(
    tmp_path: Path, settings: BatchSettings
) -> None:
    stems = [f"{'Ж' * 124}{end}" for end in ("1", "2")]  # two bytes a letter
    videos(tmp_path / "in", **dict.fromkeys(stems, "ok"))
    done, report = run(tmp_path / "in", settings)
    assert [file.error for file in report.files] == ["", ""]
    assert len(set(done)) == 2
    assert all(name.startswith("Ж" * 100) for name in done)
    assert [file.state for file in run(tmp_path / "in", settings)[1].files] == [JobState.SKIPPED] * 2
    names = output_names(find_inputs([str(tmp_path / "in")], tmp_path / "out").inputs, {})
    assert all(len(os.fsencode(f"{name}_landmarks.mp4.json")) < 255 for name in names.values())


def test_a_second_run_does_what_the_first_could_not(tmp_path: Path, settings: BatchSettings) -> None:
    paths = videos(tmp_path / "in", a="ok", b="fail", c="ok")
    done, report = run(tmp_path / "in", settings)
    assert done == ["a", "b", "c"]
    assert states(report) == {"a.mp4": "done", "b.mp4": JobState.FAILED, "c.mp4": "done"}
    assert [file.outputs for file in report.files] == [
        [str(tmp_path / "out" / "a.csv")],
        [str(tmp_path / "out" / "unfinished" / "b.csv")],
        [str(tmp_path / "out" / "c.csv")],
    ]
    assert run(tmp_path / "in", settings)[0] == ["b"]
    paths["b"].write_text("ok", encoding="utf-8")
    done, report = run(tmp_path / "in", settings)
    assert done == ["b"]
    assert states(report) == {"a.mp4": JobState.SKIPPED, "b.mp4": "done", "c.mp4": JobState.SKIPPED}
    assert not (tmp_path / "out" / "unfinished").exists()
    before = (tmp_path / "out" / "a.csv").stat().st_mtime_ns
    done, report = run(tmp_path / "in", settings)
    assert done == []
    assert states(report) == {"a.mp4": JobState.SKIPPED, "b.mp4": JobState.SKIPPED, "c.mp4": JobState.SKIPPED}
    assert (tmp_path / "out" / "a.csv").stat().st_mtime_ns == before


def test_the_report(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok", b="fail")
    runner, diary = InlineRunner(), Diary()
    report = run_batch(plan([tmp_path / "in", "gone.mp4"], tmp_path / "out", settings), runner.open, diary, never)
    values = json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))
    assert (values["format"], values["version"]) == ("ldeq-live batch", 1)
    assert values["counts"] == {"done": 1, "failed": 2}
    assert values["settings"]["kinds"] == ["csv"]
    assert len(values["settings"]["weights_sha256"]) == 64
    by_name = {os.path.basename(file["video"]): file for file in values["files"]}
    assert by_name["a.mp4"]["frames"] == FRAMES
    assert by_name["a.mp4"]["engine"] == "fake, CPU"
    assert by_name["b.mp4"]["error"].endswith("cannot be read.")
    assert "no file" in by_name["gone.mp4"]["error"]
    assert [file.line for file in report.failed] == [file["error"] for file in values["files"] if file["error"]]
    assert report.lines()[0] == "3 videos: 1 done, 2 failed"
    assert "1 worker, weights on fake, CPU" in report.lines()[1]
    assert diary.begun == ["a", "b"]
    assert diary.told[:2] == [("a", 0, FRAMES), ("a", FRAMES, FRAMES)]


def test_what_was_stopped_is_begun_anew(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok", b="ok", c="ok")
    runner = InlineRunner()
    _, report = run(tmp_path / "in", settings, runner=runner, stopped=lambda: len(runner.done) == 1)
    assert states(report) == {"a.mp4": "done", "b.mp4": JobState.WAITING, "c.mp4": JobState.WAITING}
    assert "Run the same command again" in report.lines()[-1]
    assert run(tmp_path / "in", settings)[0] == ["b", "c"]


def test_a_touched_video_is_the_same_and_a_changed_one_is_not(
    tmp_path: Path, settings: BatchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = videos(tmp_path / "in", a="ok")["a"]
    monkeypatch.setattr("tests.batch_fakes.SourceIdentity.of", identity_with_checksum)
    run(tmp_path / "in", settings)
    monkeypatch.undo()
    os.utime(path, ns=(1, 1))
    assert run(tmp_path / "in", settings)[0] == []
    path.write_text("OK", encoding="utf-8")  # the same length
    done, report = run(tmp_path / "in", settings)
    assert done == []
    assert "another version of a.mp4" in report.failed[0].error
    assert run(tmp_path / "in", settings, overwrite=True)[0] == ["a"]
    assert run(tmp_path / "in", settings)[0] == []


def identity_with_checksum(job: Job) -> Any:
    from app.batch.job import SourceIdentity, content_checksum

    found = job.input.stat()
    return SourceIdentity(found.st_size, found.st_mtime_ns, content_checksum(job))


@pytest.mark.parametrize("change", ["tracking", "weights", "device", "symmetric"])
def test_results_of_other_settings_are_neither_taken_nor_lost(
    tmp_path: Path, settings: BatchSettings, change: str
) -> None:
    videos(tmp_path / "in", a="ok")
    run(tmp_path / "in", settings)
    before = (tmp_path / "out" / "a.csv").read_bytes()
    if change == "tracking":
        settings = replace(settings, tracking=TrackingSettings(rwr=False))
    elif change == "device":
        settings = replace(settings, engine=replace(settings.engine, device=Device.CPU))
    elif change == "symmetric":
        settings = replace(settings, engine=replace(settings.engine, symmetric=True))
    else:
        weights(tmp_path, "other numbers")
    done, report = run(tmp_path / "in", settings)
    assert done == []
    assert "other settings; choose another output folder, or give --overwrite" in report.failed[0].error
    assert (tmp_path / "out" / "a.csv").read_bytes() == before
    assert run(tmp_path / "in", settings, overwrite=True)[0] == ["a"]
    assert run(tmp_path / "in", settings)[0] == []


def test_threads_change_no_landmarks(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok")
    run(tmp_path / "in", settings)
    assert run(tmp_path / "in", replace(settings, engine=replace(settings.engine, threads=3)))[0] == []


@pytest.mark.parametrize("damage", ["output gone", "record gone", "record damaged", "output cut"])
def test_what_is_not_whole_is_not_taken(tmp_path: Path, settings: BatchSettings, damage: str) -> None:
    videos(tmp_path / "in", a="ok")
    run(tmp_path / "in", settings)
    output = tmp_path / "out" / "a.csv"
    (record,) = (tmp_path / "out" / ".batch" / "records").iterdir()
    if damage == "output gone":
        output.unlink()
        assert run(tmp_path / "in", settings)[0] == ["a"]
        return
    if damage == "output cut":
        output.write_bytes(output.read_bytes()[:-3])
    elif damage == "record gone":
        record.unlink()
    else:
        record.write_text('{"format": "ldeq-live batch record", "form": 1, "name": [', encoding="utf-8")
    done, report = run(tmp_path / "in", settings)
    assert done == []
    assert "was not written by a run" in report.failed[0].error
    assert run(tmp_path / "in", settings, overwrite=True)[0] == ["a"]
    assert run(tmp_path / "in", settings)[0] == []


def test_only_what_is_missing_is_made(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok")
    run(tmp_path / "in", settings)
    kinds = []

    def work(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
        kinds.append(job.kinds)
        job.unfinished(OutputKind.PARQUET).parent.mkdir(parents=True)
        job.unfinished(OutputKind.PARQUET).write_text("columns", encoding="utf-8")
        return replace(follow(job, stopped, tell), frames=1)

    from tests.batch_fakes import follow_orders as follow

    run(tmp_path / "in", replace(settings, kinds=(OutputKind.CSV, OutputKind.PARQUET)), runner=InlineRunner(work))
    assert kinds == [(OutputKind.PARQUET,)]


def test_folders_of_others_are_never_replaced(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok")
    precious = tmp_path / "out" / "a" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("years", encoding="utf-8")
    done, report = run(tmp_path / "in", replace(settings, kinds=(OutputKind.SESSION,)), overwrite=True)
    assert done == []
    assert report.failed[0].error.endswith("choose another folder.")
    assert precious.read_text(encoding="utf-8") == "years"


@pytest.mark.parametrize("call", ["record", "move"])
def test_a_disk_that_fails_at_the_end_fails_one_video(
    tmp_path: Path, settings: BatchSettings, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    videos(tmp_path / "in", a="ok", b="ok")
    real, wanted = os.replace, "a.csv.json" if call == "record" else "a.csv"

    def replacing(source: Any, target: Any) -> None:
        if os.path.basename(target) == wanted:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr("app.batch.records.os.replace", replacing)
    _, report = run(tmp_path / "in", settings)
    assert states(report) == {"a.mp4": JobState.FAILED, "b.mp4": "done"}
    assert "disk is full" in report.failed[0].error
    monkeypatch.undo()
    done, report = run(tmp_path / "in", settings)
    assert done == ["a"]
    assert states(report)["a.mp4"] == "done"


def write_session(job: Job, stopped: Any, tell: Any) -> Any:
    """Write a session whose landmarks are the video's text."""
    from app.batch.job import Outcome, SourceIdentity

    shutil.rmtree(job.unfinished(OutputKind.SESSION), ignore_errors=True)
    record(job.unfinished(OutputKind.SESSION), [result(0)])
    (job.unfinished(OutputKind.SESSION) / "note.txt").write_text(job.input.read_text(encoding="utf-8"))
    return Outcome(JobState.DONE, source=SourceIdentity.of(job), frames=1)


@pytest.mark.parametrize("fails", ["nothing", "removing", "moving"])
def test_a_session_is_replaced_as_a_whole_or_not_at_all(
    tmp_path: Path, settings: BatchSettings, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    settings = replace(settings, kinds=(OutputKind.SESSION,))
    video = videos(tmp_path / "in", a="first")["a"]
    session = tmp_path / "out" / "a"
    run(tmp_path / "in", settings, runner=InlineRunner(write_session))
    video.write_text("another", encoding="utf-8")
    real, before = os.replace, {path.name for path in session.iterdir()}

    def remove(path: Path, **_: Any) -> None:
        """Do what Windows does where another program has one of the files open."""
        if (path / "session.json").is_file():
            (path / "session.json").unlink()
            raise PermissionError(13, "Access is denied")

    def move(source: Any, target: Any) -> None:
        if Path(target) == session and "unfinished" in str(source):
            raise PermissionError(13, "Access is denied")
        real(source, target)

    def remove_silently(path: Path, *, ignore_errors: bool = False) -> None:
        try:
            remove(path)
        except PermissionError:
            if not ignore_errors:
                raise

    with monkeypatch.context() as system:
        if fails == "removing":
            system.setattr("shutil.rmtree", remove_silently)
        if fails == "moving":
            system.setattr("os.replace", move)
        _, report = run(tmp_path / "in", settings, overwrite=True, runner=InlineRunner(write_session))
    assert {path.name for path in session.iterdir()} == before
    replaced = fails != "moving"
    assert report.files[0].state == (JobState.DONE if replaced else JobState.FAILED)
    assert (session / "note.txt").read_text() == ("another" if replaced else "first")
    done, _ = run(tmp_path / "in", settings, overwrite=True, runner=InlineRunner(write_session))
    assert done == ([] if replaced else ["a"])
    assert not (tmp_path / "out" / ".batch" / "replaced").exists()


def test_two_runs_do_not_share_a_folder(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok")
    second: list[Any] = []

    def work(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
        with pytest.raises(UserError, match="Another run writes into") as caught:
            run(tmp_path / "in", settings)
        second.append(caught.value.exit_code)
        second.append(run(tmp_path / "in", settings, "elsewhere")[0])
        return follow_orders(job, stopped, tell)

    from tests.batch_fakes import follow_orders

    done, report = run(tmp_path / "in", settings, runner=InlineRunner(work))
    assert (done, second) == (["a"], [2, ["a"]])
    assert states(report) == {"a.mp4": "done"}
    assert run(tmp_path / "in", settings)[0] == []


def test_a_model_that_cannot_be_used_ends_the_run(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok", b="hopeless", c="ok")
    runner = InlineRunner()
    with pytest.raises(UserError, match="model cannot be used"):
        run(tmp_path / "in", settings, runner=runner)
    assert runner.done == ["a", "b"]
    values = json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))
    assert values["counts"] == {"done": 1, "failed": 1, "waiting": 1}


def test_folders_that_cannot_be_used(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok")
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match="file"):
        run(tmp_path / "in", settings, "file")
    (tmp_path / "talk").mkdir()
    (tmp_path / "talk" / "session.json").touch()
    with pytest.raises(UserError, match="is a session"):
        run(tmp_path / "in", settings, "talk")
    gone = replace(settings, engine=replace(settings.engine, weights=tmp_path / "gone.safetensors"))
    with pytest.raises(UserError, match=r"weights .* cannot be read"):
        run(tmp_path / "in", gone)


@pytest.mark.parametrize("folder", ["in", "in/../in"])
def test_an_input_is_never_an_output(tmp_path: Path, settings: BatchSettings, folder: str) -> None:
    paths = videos(tmp_path / "in", a="ok", a_landmarks="ok")
    runner = InlineRunner()
    inputs = plan(list(paths.values()), tmp_path / folder, replace(settings, kinds=(OutputKind.VIDEO,)), overwrite=True)
    report = run_batch(inputs, runner.open, Diary(), never)
    assert runner.done == ["a_landmarks"]
    assert "is an input" in report.failed[0].error
    assert paths["a_landmarks"].read_text(encoding="utf-8") == "ok"


def test_what_a_killed_run_on_a_cluster_has_left_is_removed(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok")
    workspace = tmp_path / "out" / ".batch" / "cluster" / "run" / "try"
    workspace.mkdir(parents=True)
    (workspace / "a.csv").touch()
    assert run(tmp_path / "in", settings)[0] == ["a"]
    assert not (tmp_path / "out" / ".batch" / "cluster").exists()


def test_a_skipped_video_keeps_its_figures(tmp_path: Path, settings: BatchSettings) -> None:
    videos(tmp_path / "in", a="ok")
    (first,) = run(tmp_path / "in", settings)[1].files
    (again,) = run(tmp_path / "in", settings)[1].files
    assert replace(again, state=first.state, seconds=first.seconds, tries=first.tries) == first


@pytest.mark.parametrize(
    ("with_face", "faces", "told"),
    [
        (8, 1, ""),
        (7, 1, ", a face in 7 of them"),
        (8, 2, ", 2 identities"),
        (3, 2, ", a face in 3 of them, 2 identities"),
        (0, 0, ", no face"),
    ],
)
def test_a_line_says_where_faces_are_missing(with_face: int, faces: int, told: str) -> None:
    report = FileReport("a.mp4", JobState.DONE, frames=8, with_face=with_face, faces=faces)
    assert report.line == f"a.mp4: done, 8 frames{told}"


@pytest.mark.parametrize(("tries", "told"), [(1, ""), (2, ", after 2 tries")])
def test_a_second_try_is_told(tries: int, told: str) -> None:
    assert FileReport("a.mp4", JobState.DONE, frames=8, with_face=8, tries=tries).line == f"a.mp4: done, 8 frames{told}"
