"""Folders of pictures in a batch: which belong together, what is written, what is told, and what the next run does."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet
import pytest

from app.batch.cluster import HERE, RayCluster
from app.batch.inputs import find_inputs, read_list
from app.batch.job import Job, OutputKind
from app.batch.names import output_names
from app.batch.worker import track_job
from app.cli import batch, track
from app.cli.batch_progress import BatchProgress
from app.cli.main import _escape_unprintable as escape_unprintable
from app.core.frame import FaceResult, Frame, FrameResult
from app.core.modes import Mode
from app.core.places import PORTRAIT
from app.sources.demo import DemoClip
from app.sources.picture_files import read_picture
from model.geometry import Crop
from tests.batch_fakes import InlineRunner, weights
from tests.ray_fakes import FakeRay
from tests.recording_fakes import FakePipeline, estimate, landmarks, picture


def parse(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    batch.add_parser(parser.add_subparsers())
    return parser.parse_args(["batch", *map(str, words)])


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path, *words: str) -> dict[str, list[str]]:
    """Return the pictures by the name of their outputs."""
    inputs = find_inputs([str(folder / word) for word in words], folder / "out").inputs
    names = output_names(inputs, {})
    return {names[each.path]: [path.name for path in each.pictures] for each in inputs}


def test_pictures_of_a_folder_belong_together(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a 10.JPG", "photos/a 2.jpg", "photos/.thumb.png", "photos/note.txt", "photos/p1/ü.png")
    touch(tmp_path, "photos/p1/day.2/x.heic", "photos/.cache/y.png", "photos/fifo.d/nothing", "out/z.png")
    expected = {"photos": ["a 2.jpg", "a 10.JPG"], "p1": ["ü.png"], "p1/day.2": ["x.heic"]}
    assert found(tmp_path, "photos") == expected
    assert found(tmp_path, "photos", "photos/p1", "photos/a 2.jpg") == expected


def test_pictures_that_are_named_belong_to_their_folder(tmp_path: Path) -> None:
    touch(tmp_path, "p/one/1.jpg", "p/one/2.jpg", "p/one/3.jpg", "p/two/1.jpg", "p/two/clip.mp4", "p/all/9.png")
    assert found(tmp_path, "p/one/3.jpg", "p/one/1.jpg") == {"one": ["1.jpg", "3.jpg"]}
    assert found(tmp_path, "p/*/1.*", "p/all") == {"one": ["1.jpg"], "two": ["1.jpg"], "all": ["9.png"]}
    (tmp_path / "list.txt").write_text("p/two/1.jpg\np/two/clip.mp4\np/one/2.jpg\n", encoding="utf-8")
    named = find_inputs(read_list(str(tmp_path / "list.txt")), tmp_path / "out")
    assert output_names(named.inputs, {}) == {
        tmp_path / "p/two": "two",
        tmp_path / "p/two/clip.mp4": "two/clip",
        tmp_path / "p/one": "one",
    }


def test_a_folder_with_videos_is_one_of_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, "talks/a.mp4", "talks/poster.jpg", "talks/frames/1.png", "talks/frames/2.png")
    inputs = find_inputs([str(tmp_path / "talks")], tmp_path / "out")
    assert [each.path.name for each in inputs.inputs] == ["a.mp4"]
    assert inputs.beside == {str(tmp_path / "talks"): 3}
    assert found(tmp_path, "talks", "talks/frames") == {"a": [], "frames": ["1.png", "2.png"]}
    assert found(tmp_path, "talks/*") == {"a": []}
    assert found(tmp_path, "talks/**/*.*g") == {"talks": ["poster.jpg"], "talks/frames": ["1.png", "2.png"]}


def test_names_stay_when_other_folders_come(tmp_path: Path) -> None:
    touch(tmp_path, "p/a/1.jpg", "p/a/b/1.jpg", "p/a.mp4")
    inputs = find_inputs([str(tmp_path / "p" / name) for name in ("a", "a.mp4")], tmp_path / "out").inputs
    names = output_names(inputs[:1], {str(tmp_path / "p" / "a"): "a"})
    assert names == {tmp_path / "p" / "a": "a"}
    inputs = find_inputs([str(tmp_path / "p" / "a"), str(tmp_path / "p" / "a" / "b")], tmp_path / "out").inputs
    assert list(output_names(inputs, {str(tmp_path / "p" / "a"): "old"}).values()) == ["old", "b"]


class Faceless(FakePipeline):
    """Finds a face in every picture that is not black; its landmarks tell how bright."""

    def process(self, frame: Frame) -> FrameResult:
        if not frame.image.any():
            return FrameResult(frame, ())
        points = landmarks(radius=float(frame.image.mean()) / 10)
        return FrameResult(frame, (FaceResult(0, Crop(32.0, 24.0, 40.0), estimate(Mode.COLD, points)),))


def work(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
    return track_job(job, stopped, tell, lambda engine, tracking: Faceless())


def run(*words: object, work: Callable[..., Any] = work) -> tuple[list[str], int]:
    """Return the names of what was tracked, and the exit code."""
    runner = InlineRunner(work)
    return runner.done, batch.run(parse(*words), open_runner=runner.open)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos that look like frames of a video, one without a face and two that cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in (1, 2, 3, 10):
        save(folder / f"{index}.png", picture(5))
    save(folder / "4.png", np.zeros((48, 64, 3), np.uint8))
    (folder / "5.png").write_bytes(b"nothing")
    (folder / "6.png").write_bytes((folder / "1.png").read_bytes()[:60])
    return folder


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image[..., ::-1])[1].tobytes())


@pytest.fixture
def model(tmp_path: Path) -> tuple[str, Path]:
    return ("--weights", weights(tmp_path).weights)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def files(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "batch.json").read_text(encoding="utf-8"))["files"]
    return found


def test_one_table_names_every_picture(
    tmp_path: Path, photos: Path, model: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    save(photos / "p 1" / "über.jpg", picture(6))
    out = tmp_path / "out"
    assert run(photos, "-o", out, *model) == (["photos", "p 1"], 0)
    assert [(row["file"], row["frame"], bool(row["face"])) for row in rows(out / "photos.csv")] == [
        *(("1.png", "0", True), ("2.png", "1", True), ("3.png", "2", True), ("4.png", "3", False)),
        ("10.png", "6", True),
    ]
    assert [row["file"] for row in rows(out / "p 1.csv")] == ["über.jpg"]
    said = capsys.readouterr()
    assert f"{photos}: done, 5 pictures" in said.err
    assert "a face in 4 of them (none in 4.png), 4 faces; 2 pictures could not be read" in said.err
    assert "2 folders: 2 done" in said.out
    assert "6 pictures in" in said.out
    told, other = files(out)
    assert (told["pictures"], told["frames"], told["with_face"], told["faces"]) == (7, 5, 4, 4)
    assert told["without_face"] == ["4.png"]
    assert list(told["unreadable"]) == ["5.png", "6.png"]
    assert "cannot be read as a picture" in told["unreadable"]["5.png"]
    assert (other["pictures"], other["without_face"], other["unreadable"]) == (1, [], {})


def test_the_next_run_leaves_out_what_is_done(tmp_path: Path, photos: Path, model: tuple[str, Path]) -> None:
    out = tmp_path / "out"
    words = (photos, "-o", out, *model)
    save(photos / "b" / "1.png", picture(3))
    assert run(*words)[0] == ["photos", "b"]
    (before, _) = files(out)
    assert run(*words) == ([], 0)
    (again, _) = files(out)
    assert again | {"state": before["state"], "seconds": before["seconds"], "tries": before["tries"]} == before | {
        "remarks": []
    }
    assert run(*words, "--parquet", "--csv")[0] == ["photos", "b"]
    os.utime(photos / "1.png", ns=(1, 1))
    assert run(*words)[0] == []
    (photos / "b" / "1.png").rename(photos / "b" / "2.png")
    assert run(*words) == ([], 1)
    assert "b.csv was made from other pictures of b; choose another" in files(out)[1]["error"]
    assert run(*words, "--overwrite")[0] == ["b"]
    assert [row["file"] for row in rows(out / "b.csv")] == ["2.png"]


def test_a_folder_without_readable_pictures_stops_nothing(
    tmp_path: Path, model: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, "p/a/1.jpg", "p/a/2.jpg")
    save(tmp_path / "p" / "b" / "1.png", picture(3))
    assert run(tmp_path / "p", "-o", tmp_path / "out", *model) == (["a", "b"], 1)
    assert f"{tmp_path / 'p' / 'a'} holds no pictures that can be read." in capsys.readouterr().err
    assert list(files(tmp_path / "out")[0]["unreadable"]) == ["1.jpg", "2.jpg"]
    assert (tmp_path / "out" / "b.csv").is_file()


def test_annotated_copies_of_pictures(tmp_path: Path, photos: Path, model: tuple[str, Path]) -> None:
    save(tmp_path / "v.1" / "x.jpg", picture(3))
    out = tmp_path / "out"
    words = (photos, tmp_path / "v.1", "-o", out, "--video", "--parquet", *model)
    assert run(*words)[0] == ["photos", "v.1"]
    assert sorted(path.name for path in (out / "photos_landmarks").iterdir()) == [
        *("1.png", "10.png", "2.png", "3.png", "4.png"),
    ]
    assert [path.name for path in (out / "v.1_landmarks").iterdir()] == ["x.jpg"]
    table = pyarrow.parquet.read_table(out / "photos.parquet")
    assert table["file"].to_pylist() == ["1.png", "2.png", "3.png", "4.png", "10.png"]
    assert run(*words)[0] == []
    (photos / "2.png").unlink()
    assert run(*words) == ([], 1)
    assert run(*words, "--overwrite") == (["photos"], 0)
    assert sorted(path.name for path in (out / "photos_landmarks").iterdir()) == ["1.png", "10.png", "3.png", "4.png"]
    (out / "photos_landmarks" / "10.png").unlink()
    assert run(*words) == ([], 1)
    assert run(*words, "--overwrite") == ([], 1)  # what was changed since may be a person's own
    assert "photos_landmarks was not written by a run" in files(out)[0]["error"]


def test_sessions_are_of_videos(tmp_path: Path, photos: Path, model: tuple[str, Path]) -> None:
    assert run(photos, "-o", tmp_path / "out", "--session", *model)[0] == ["photos"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".batch", "batch.json", "photos.csv"]


def test_pictures_left_out_beside_videos_are_told(
    tmp_path: Path, model: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, "talks/a.mp4", "talks/poster.jpg")
    run(tmp_path / "talks", "-o", tmp_path / "out", *model)
    assert f"1 picture was left out of {tmp_path / 'talks'}, which holds videos" in capsys.readouterr().out


def test_a_picture_that_changes_while_the_folder_is_tracked(
    tmp_path: Path, photos: Path, model: tuple[str, Path]
) -> None:
    class Changing(Faceless):
        def process(self, frame: Frame) -> FrameResult:
            save(photos / "10.png", picture(frame.index + 5, 80, 60))
            return super().process(frame)

    def work(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
        return track_job(job, stopped, tell, lambda engine, tracking: Changing())

    assert run(photos, "-o", tmp_path / "out", *model, work=work) == (["photos"], 1)
    assert "was changed while it was tracked" in files(tmp_path / "out")[0]["error"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    job = Job(
        tmp_path, "p", (OutputKind.CSV,), tmp_path, batch._settings(parse("x", "-o", "out")), (tmp_path / "1.png",)
    )
    outcome = work(job, lambda: False, lambda frames, total: None)
    assert outcome.error == f"{tmp_path / '1.png'} cannot be read: No such file or directory; check the file."


def test_progress_counts_folders_and_pictures(tmp_path: Path, photos: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    (each,) = find_inputs([str(photos)], tmp_path / "out").inputs
    job = Job(photos, "photos", (OutputKind.CSV,), tmp_path, batch._settings(parse("x", "-o", "out")), each.pictures)
    screen = Terminal()
    with BatchProgress(screen) as progress:
        progress.begin([job])
        progress.progress(job, 3, 7)
    assert "0 of 1 folders" in screen.getvalue()
    assert "per second" in screen.getvalue()
    assert "3/7" in screen.getvalue()


@pytest.mark.process
def test_the_same_landmarks_as_track_has_for_each_picture_alone(tmp_path: Path) -> None:
    clip = DemoClip()
    folder = tmp_path / "photos"
    for index in (1, 2, 3):  # alike and numbered, so that track would take them for a video
        frame = clip.read()
        assert frame is not None
        save(folder / f"{index}.png", frame.image)
    clip.close()
    save(folder / "4.jpg", np.rot90(read_picture(PORTRAIT)))
    out = tmp_path / "out"
    assert batch.run(parse(folder, "-o", out, "--parquet", "--csv", "--every-face", "--workers", 1)) == 0
    whole = pyarrow.parquet.read_table(out / "photos.parquet").to_pylist()
    assert [(row["file"], row["reset_reason"]) for row in whole] == [
        (name, "first frame") for name in ("1.png", "2.png", "3.png", "4.jpg")
    ]
    parser = argparse.ArgumentParser()
    track.add_parser(parser.add_subparsers())
    for row in whole:
        table = tmp_path / f"{row['frame']}.parquet"
        words = ["track", str(folder / row["file"]), "--parquet", str(table), "--every-face"]
        assert track.run(parser.parse_args(words)) == 0
        (alone,) = pyarrow.parquet.read_table(table).to_pylist()
        assert alone == row | {"frame": 0, "time": 0.0}


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.batch.job.SHARE", 3)


KINDS = ("--csv", "--parquet", "--video")


def test_parts_of_a_large_folder_make_what_one_job_makes(
    tmp_path: Path, photos: Path, model: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "1.png").rename(photos / "0.png")
    (photos / "6.png").rename(photos / "1.png")
    save(photos / "a, 'b'.png", picture(7, 80, 60))  # no quotation mark: Windows has no such names
    save(photos / "ü.png", picture(8))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(photos, "-o", whole, *KINDS, *model) == (["photos"], 0)
    monkeypatch.setattr("app.batch.job.SHARE", 3)
    done, code = run(photos, "-o", parts, *KINDS, *model)
    assert (done, code) == ([f".batch/parts/photos/{number}" for number in (1, 2, 3)], 0)
    assert (parts / "photos.csv").read_bytes() == (whole / "photos.csv").read_bytes()
    tables = [pyarrow.parquet.read_table(out / "photos.parquet") for out in (whole, parts)]
    assert tables[0].equals(tables[1], check_metadata=True)
    copies = [{path.name: path.read_bytes() for path in (out / "photos_landmarks").iterdir()} for out in (whole, parts)]
    assert copies[0] == copies[1]
    assert len(copies[0]) == 7
    (one,), (joined,) = files(whole), files(parts)
    for name in ("state", "frames", "with_face", "faces", "without_face", "unreadable", "pictures", "engine"):
        assert one[name] == joined[name], name
    assert sorted(path.name for path in (parts / ".batch").iterdir()) == ["lock", "records"]
    assert sorted(path.name for path in (parts / ".batch" / "records").iterdir()) == [
        *("photos.csv.json", "photos.parquet.json", "photos_landmarks.json"),
    ]
    assert run(photos, "-o", parts, *KINDS, *model) == ([], 0)
    for path in photos.iterdir():
        os.utime(path, ns=(1, 1))
    assert run(photos, "-o", parts, *KINDS, *model) == ([], 0)
    monkeypatch.setattr("app.batch.job.SHARE", 200)


@pytest.mark.usefixtures("small_shares")
def test_finished_parts_are_not_done_again(
    tmp_path: Path, photos: Path, model: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (photos, "-o", out, *KINDS, *model)

    def killed(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
        if job.part == "3 of 3":
            raise KeyboardInterrupt
        return work(job, stopped, tell)

    with pytest.raises(KeyboardInterrupt):
        run(*words, work=killed)
    assert f"{photos} (1 of 3): done, 2 pictures" in capsys.readouterr().err
    (told,) = files(out)
    assert (told["state"], told["frames"], told["pictures"]) == ("stopped", 4, 7)
    save(photos / "1.png", picture(9))
    assert run(*words) == ([".batch/parts/photos/1", ".batch/parts/photos/3"], 0)
    said = capsys.readouterr()
    assert f"{photos}: done, 5 pictures, a face in 4 of them" in said.err
    assert "1 folder: 1 done" in said.out
    assert "3 pictures in" in said.out
    assert len(rows(out / "photos.csv")) == 5


@pytest.mark.usefixtures("small_shares")
def test_parts_of_folders_in_each_other_do_not_touch(tmp_path: Path, model: tuple[str, Path]) -> None:
    for folder in ("in/p", "in/p/1"):
        for index in range(4):
            save(tmp_path / folder / f"{index}.png", picture(index + 3))
    words = (tmp_path / "in", "-o", tmp_path / "out", "--csv", *model)

    def failing(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
        return track_job(job, stopped, tell, _no_memory) if job.name.endswith("/2") else work(job, stopped, tell)

    run(*words, work=failing)
    assert run(*words) == ([".batch/parts/p/2", ".batch/parts/p/1/2"], 0)


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are text there")
@pytest.mark.usefixtures("small_shares")
def test_names_that_are_no_text(tmp_path: Path, model: tuple[str, Path]) -> None:
    name = os.fsdecode(b"caf\xe9")
    for index in range(4):
        save(tmp_path / "in" / name / f"{name}{index}.png", picture(index) if index else np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "in" / name / "cut.png").write_bytes(b"")
    out = tmp_path / "out"
    for done in ([f".batch/parts/{name}/1", f".batch/parts/{name}/2"], []):
        escape_unprintable()
        assert run(tmp_path / "in", "-o", out, *KINDS, *model) == (done, 0)
    assert [row["file"] for row in rows(out / f"{name}.csv")] == [f"caf?{index}.png" for index in range(4)]
    (told,) = files(out)
    assert (told["without_face"], list(told["unreadable"])) == ([f"{name}0.png"], ["cut.png"])


@pytest.mark.usefixtures("small_shares")
def test_a_kill_before_parts_are_joined(
    tmp_path: Path, photos: Path, model: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (photos, "-o", tmp_path / "out", "--csv", *model)
    with monkeypatch.context() as context:
        context.setattr("app.batch.parts.PartedJob.join", lambda parted: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(*words)
    assert run(*words) == ([], 0)
    assert len(rows(tmp_path / "out" / "photos.csv")) == 5


@pytest.mark.usefixtures("small_shares")
def test_a_part_without_readable_pictures_is_no_failure(tmp_path: Path, photos: Path, model: tuple[str, Path]) -> None:
    for name in ("1.png", "2.png"):
        (photos / name).write_bytes(b"nothing")
    out = tmp_path / "out"
    assert run(photos, "-o", out, *KINDS, *model)[1] == 0
    assert [(row["file"], row["frame"], row["time"]) for row in rows(out / "photos.csv")] == [
        *(("3.png", "2", "0.000000"), ("4.png", "3", "2.000000"), ("10.png", "6", "8.000000")),
    ]
    assert pyarrow.parquet.read_table(out / "photos.parquet")["time"].to_pylist() == [0.0, 2.0, 8.0]
    assert list(files(out)[0]["unreadable"]) == ["1.png", "2.png", "5.png", "6.png"]


@pytest.mark.usefixtures("small_shares")
def test_a_part_that_fails_fails_the_folder_and_the_next_run_does_it_again(
    tmp_path: Path, photos: Path, model: tuple[str, Path]
) -> None:
    words = (photos, "-o", tmp_path / "out", "--csv", *model)

    def failing(job: Job, stopped: Callable[[], bool], tell: Any) -> Any:
        return work(job, stopped, tell) if job.part != "2 of 3" else track_job(job, stopped, tell, _no_memory)

    assert run(*words, work=failing) == ([f".batch/parts/photos/{number}" for number in (1, 2, 3)], 1)
    (told,) = files(tmp_path / "out")
    assert (told["state"], "not enough memory" in told["error"], told["outputs"]) == ("failed", True, [])
    assert run(*words) == ([".batch/parts/photos/2"], 0)


def _no_memory(*settings: Any) -> Any:
    raise MemoryError


@pytest.mark.usefixtures("small_shares")
def test_parts_on_a_cluster(tmp_path: Path, photos: Path, model: tuple[str, Path]) -> None:
    out, ray = tmp_path / "out", FakeRay(dying={".batch/parts/photos/2": 1})

    def cluster(jobs: Any) -> RayCluster:
        return RayCluster(ray, work, HERE, most=2, is_reachable=ray.reached)  # type: ignore[arg-type]

    assert batch.run(parse(photos, "-o", out, *KINDS, *model), open_runner=cluster) == 0
    assert len(rows(out / "photos.csv")) == 5
    assert len(list((out / "photos_landmarks").iterdir())) == 5
    (told,) = files(out)
    assert (told["state"], told["tries"]) == ("done", 2)
    assert not (out / ".batch" / "cluster").exists()
