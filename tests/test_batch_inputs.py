"""Which videos a person means, and what their outputs are called."""

from __future__ import annotations

import io
import os
from pathlib import Path, PurePath
from typing import Any

import pytest

from app.batch.inputs import Input, find_inputs, read_list
from app.batch.job import OutputKind
from app.batch.names import output_names
from app.core.errors import UserError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        *("in/b.mp4", "in/a.MOV", "in/note.txt", "in/.hidden.mp4", "in/.cache/x.mp4"),
        *("in/sub/c.mkv", "in/sub/deep/d.avi", "in/talk/session.json", "in/talk/video.mp4", "in/out/a.mp4"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def places(found: Any) -> list[str]:
    return [video.place.as_posix() for video in found.inputs]


def test_a_folder_is_searched_with_all_below_it(tree: Path) -> None:
    found = find_inputs(["in"], tree / "in" / "out")
    assert places(found) == ["a.MOV", "b.mp4", "sub/c.mkv", "sub/deep/d.avi"]
    assert all(video.path.is_absolute() and video.path.is_file() for video in found.inputs)
    assert found.sessions == [tree / "in" / "talk"]
    assert found.missing == {}


def test_a_file_that_is_named_is_tried_whatever_it_is_called(tree: Path) -> None:
    assert places(find_inputs(["in/note.txt", "in/.hidden.mp4"], tree / "out")) == ["note.txt", ".hidden.mp4"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.mp4", ["b.mp4"]),
        ("in/*", ["a.MOV", "b.mp4", "a.mp4", "c.mkv", "deep/d.avi"]),
        ("in/**/?.*", ["a.MOV", "b.mp4", "sub/c.mkv", "sub/deep/d.avi", "out/a.mp4"]),
        ("in/sub/**/d.*", ["d.avi"]),
        ("in/**/*.mp4", ["b.mp4", "out/a.mp4"]),
    ],
)
def test_patterns_that_no_shell_expanded(tree: Path, pattern: str, expected: list[str]) -> None:
    found = find_inputs([pattern], tree / "elsewhere")
    assert sorted(places(found)) == sorted(expected)


def test_outputs_are_no_inputs(tree: Path) -> None:
    found = find_inputs(["in/**/*.mp4"], tree / "in" / "out")
    assert places(found) == ["b.mp4"]
    assert found.sessions == [tree / "in" / "talk"]


@pytest.mark.parametrize("outputs", ["in", "in/sub"])
def test_the_output_folder_is_not_searched(tree: Path, outputs: str) -> None:
    found = find_inputs(["in/sub"], tree / outputs)
    assert "choose another output folder" in found.missing["in/sub"]
    assert found.inputs == []


@pytest.mark.parametrize("outputs", ["in/sub/../out", "link/out"])
def test_the_output_folder_is_not_searched_whatever_it_is_called(tree: Path, outputs: str) -> None:
    (tree / "link").symlink_to(tree / "in")
    for words in (["in"], ["in/**/*.mp4"], ["link"], ["sub/../in"]):
        found = find_inputs(words, tree / outputs)
        assert "a.mp4" not in {video.path.name for video in found.inputs}


def test_a_video_has_one_path_wherever_one_stands(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = tree / "results"
    (video,) = find_inputs(["in/sub/c.mkv"], outputs).inputs
    monkeypatch.chdir(tree / "in" / "talk")
    for word in ("../sub/c.mkv", "../sub/*.mkv", str(tree / "in" / "talk" / ".." / "sub" / "c.mkv")):
        assert find_inputs([word], outputs).inputs == [video]
    assert {each.path for each in find_inputs([".."], outputs).inputs} > {video.path}


def test_videos_of_one_name_are_told_apart_by_their_folders(tree: Path) -> None:
    assert places(find_inputs(["in/b.mp4", "in/sub/c.mkv", "in/sub"], tree / "out")) == [
        "b.mp4",
        "sub/c.mkv",
        "deep/d.avi",
    ]


def test_a_name_with_brackets_is_a_name_first(tree: Path) -> None:
    (tree / "in" / "take[1].mp4").touch()
    assert places(find_inputs(["in/take[1].mp4"], tree / "out")) == ["take[1].mp4"]


def test_a_pattern_may_follow_a_folder_with_brackets(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "in").rename(tree / "[in]")
    assert places(find_inputs(["[in]/*.mp4"], tree / "out")) == ["b.mp4"]
    monkeypatch.chdir(tree / "[in]")
    assert places(find_inputs(["s*/*.mkv"], tree / "out")) == ["c.mkv"]


def test_each_video_comes_once(tree: Path) -> None:
    (tree / "link.mp4").symlink_to(tree / "in" / "b.mp4")
    found = find_inputs(["in/b.mp4", "in", "./in/../in/b.mp4", "link.mp4"], tree / "in" / "out")
    assert places(found) == ["b.mp4", "a.MOV", "sub/c.mkv", "sub/deep/d.avi"]
    assert found.missing == {}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("gone.mp4", "no file or folder gone.mp4"),
        ("in/*.webm", "matches no video or picture"),
        ("in/.cache/nothing", "no file or folder"),
        ("in/talk", "session replay"),
        ("x" * 300, "no file or folder"),
        ("nul\0byte", "no file or folder"),
    ],
)
def test_what_leads_to_no_video_is_said(tree: Path, word: Any, sentence: str) -> None:
    found = find_inputs([word, "in/b.mp4"], tree / "out")
    assert sentence in found.missing[word]
    assert places(found) == ["b.mp4"]


def test_folders_that_nobody_may_read_are_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name in ("sub", "locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    (tree / "locked").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    found = find_inputs(["in", "locked"], tree / "out")
    assert places(found) == ["a.MOV", "b.mp4", "out/a.mp4"]
    assert found.unread == [str(tree / "in" / "sub")]
    assert found.missing == {"locked": "locked cannot be searched: Permission denied; check who may read it."}


def test_lists(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tree / "in" / "list.txt"
    listed.write_text("# my videos\n\n b.mp4 \nsub\n", encoding="utf-8")
    assert places(find_inputs(read_list(str(listed)), tree / "out")) == ["b.mp4", "c.mkv", "deep/d.avi"]
    monkeypatch.setattr("sys.stdin", io.StringIO("in/b.mp4\n"))
    assert read_list("-") == ["in/b.mp4"]
    with pytest.raises(UserError, match=r"list .*gone.txt cannot be read"):
        read_list("gone.txt")


def test_lists_of_odd_names_and_encodings(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "in" / "powershell.txt").write_text("b.mp4\r\nsub\r\n", encoding="utf-16")
    assert places(find_inputs(read_list("in/powershell.txt"), tree / "out")) == ["b.mp4", "c.mkv", "deep/d.avi"]
    (tree / "in" / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom*\nmoov\0")
    with pytest.raises(UserError, match=r"film.mp4 is no list; give a text file with an input in each line"):
        read_list("in/film.mp4")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9.mp4\n"), encoding="utf-8", errors="strict"))
    assert read_list("-") == [b"caf\xe9.mp4".decode("utf-8", "surrogateescape")]


def named(*names: str, recorded: dict[int, str] | None = None) -> list[str]:
    videos = [Input(Path("/v", str(index), name), PurePath(name)) for index, name in enumerate(names)]
    found = output_names(videos, {str(videos[index].path): name for index, name in (recorded or {}).items()})
    return [found[video.path] for video in videos]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.mp4", "sub/a.mp4", "b.v2.mov"], ["a", "sub/a", "b.v2"]),
        (["a.mp4", "a.mov", "A.mkv"], ["a", "a-2", "A-3"]),
        (["a.mp4", "a/b.mp4", "a/c.mp4"], ["a", "a-2/b", "a-2/c"]),
        (["a/b.mp4", "a.mp4"], ["a/b", "a-2"]),
        (["a.mp4", "a.csv.mp4", "a_landmarks.mp4.mp4"], ["a", "a.csv-2", "a_landmarks.mp4-2"]),
        (["a.csv.mp4", "a.mp4"], ["a.csv", "a-2"]),
        (["unfinished.mp4", "batch.json.mp4", ".batch.mp4"], ["unfinished-2", "batch.json-2", ".batch-2"]),
        (["unfinished/a.mp4"], ["unfinished-2/a"]),
        (["talk .mp4", "talk..mp4", "talk.mp4", "day 1 /a.mp4"], ["talk", "talk-2", "talk-3", "day 1/a"]),
    ],
)
def test_every_video_has_a_name_of_its_own(names: list[str], expected: list[str]) -> None:
    found = named(*names)
    assert found == expected
    paths = [f"{name}{ending}".casefold() for name in found for ending in (kind.ending for kind in OutputKind)]
    assert len(paths) == len(set(paths))


def test_names_stay_when_other_videos_come() -> None:
    assert named("a.mp4", "a.mov") == ["a", "a-2"]
    assert named("a.mp4", "a.mov", recorded={1: "a"}) == ["a-2", "a"]
    assert named("a.mp4", "a.mov", recorded={0: "old", 1: "a-2"}) == ["old", "a-2"]
