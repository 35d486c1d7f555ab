"""Files that are there as a whole or not at all, and JSON that is checked when it is read."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.core import files as app_files
from app.core.errors import RecordingError
from app.core.files import check_folder, check_writable, make_folder, unique_path, write_json
from app.core.text_table import table
from app.media.outputs import OutputPlan
from app.media.tables import open_table
from app.sessions import durability
from app.sessions.durability import FolderSync, sync_files
from app.sessions.form import is_session
from model import files, json_files
from model.files import is_folder, is_there
from model.json_files import JsonError, from_plain, from_plain_exactly, read_json, read_object
from tests.waiting import PATIENCE_SECONDS, wait_until


@dataclass(frozen=True, slots=True)
class Inner:
    size: int
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Outer:
    where: Path
    inner: Inner
    names: tuple[str, ...] = ()


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def told_fsync(descriptor: int) -> None:
        steps.append("fsync")
        fsync(descriptor)

    def told_replace(source: Path, target: Path) -> None:
        steps.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(os, "replace", told_replace)
    files.write_whole(tmp_path / "a.bin", b"new")
    assert steps[:2] == ["fsync", "replace"]
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with files.open_whole(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_that_write_the_same_file_write_a_whole_one_each(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with files.open_whole(path) as file:
        file.write(b"the earlier one")
        other = threading.Thread(target=files.write_whole, args=(path, b"another"))
        other.start()
        other.join()
        assert path.read_bytes() == b"another"
    assert path.read_bytes() == b"the earlier one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_another_program_holds_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a virus scanner does on Windows, which renames no file that is open."""
    held, replace = [True, True], os.replace
    paused: list[float] = []

    def busy(source: Path, target: Path) -> None:
        if held and held.pop():
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(time, "sleep", paused.append)
    monkeypatch.setattr(files, "WINDOWS", False)
    with pytest.raises(PermissionError):
        files.write_whole(tmp_path / "a", b"never")
    monkeypatch.setattr(files, "WINDOWS", True)
    files.write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert paused == [files.PAUSES[0]]
    held[:] = [True] * 9
    with pytest.raises(PermissionError):
        files.write_whole(tmp_path / "a", b"never")
    assert paused[1:] == list(files.PAUSES)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_tried_once_where_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    class Windows:
        """What tempfile sees of a Windows whose folders can be listed, but not written to."""

        name, O_TEMPORARY = "nt", 0

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def open(self, path: object, *rest: object) -> int:
            tried.append(path)
            raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(tempfile, "_os", Windows())
    monkeypatch.setattr(tempfile, "TMP_MAX", 50)  # is 2^31 there
    monkeypatch.setattr(tempfile, "TemporaryFile", tempfile.NamedTemporaryFile)
    monkeypatch.setattr(app_files, "os", Windows())
    with pytest.raises(RecordingError, match="permission is denied"):
        check_folder(tmp_path, tmp_path / "out.mp4")
    assert len(tried) == 1
    monkeypatch.undo()
    check_folder(tmp_path, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()), daemon=True)
    reader.start()
    check_writable(path, overwrite=True)
    write_json(path, {"nme": 4.5})
    reader.join(PATIENCE_SECONDS)
    assert json.loads(read[0]) == {"nme": 4.5}
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_what_a_link_points_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    folder, link = tmp_path / "elsewhere", tmp_path / "settings.json"
    folder.mkdir()
    (folder / "settings.json").write_text("old")
    link.symlink_to(folder / "settings.json")
    check_writable(link, overwrite=True)
    write_json(link, {"theme": "dark"})
    assert link.is_symlink()
    assert json.loads((folder / "settings.json").read_text()) == {"theme": "dark"}


def test_names_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 120 + ".json")
    json_files.write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}


def test_json_may_begin_with_an_editors_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": "ä"}', encoding="utf-8-sig")
    assert read_json(path) == {"a": "ä"}


def test_a_refusal_of_windows_may_be_another_program() -> None:
    assert app_files._denied("linux") == "permission is denied; choose a folder you may write to"
    assert app_files._denied("win32").endswith(", or close the program that has it open")


def test_a_table_that_cannot_take_its_place_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Access is denied")

    made = open_table(tmp_path / "landmarks.parquet")
    monkeypatch.setattr("app.media.tables.move_whole", refuse)
    with pytest.raises(RecordingError, match=r"is denied; .*; the table is in .*landmarks\.parquet\.part\.$"):
        made.close()
    assert (tmp_path / "landmarks.parquet.part").stat().st_size > 1000


def test_a_folder_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="its folder is a file"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(RecordingError, match="its folder does not exist"):
        write_json(tmp_path / "nowhere" / "a.json", {})


def test_dataclasses_come_back(tmp_path: Path) -> None:
    value = Outer(Path("some where/ä"), Inner(3), ("\udcff", "ö"))
    path = tmp_path / "a.json"
    json_files.write_json(path, value)
    assert from_plain(Outer, read_object(path)) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"where": "a"}, "missing required field inner"),
        ({"where": "a", "inner": {"size": "3"}}, "Expected int, got str at inner.size"),
        ({"where": "a", "inner": {"size": True}}, "Expected int, got bool at inner.size"),
        ({"where": 3, "inner": {"size": 3}}, "Expected Path, got int at where"),
        ([], "Expected object, got array"),
    ],
)
def test_what_does_not_fit_is_named(value: object, says: str) -> None:
    with pytest.raises(JsonError, match=says):
        from_plain(Outer, value)


def test_unknown_fields() -> None:
    assert from_plain(Inner, {"size": 1, "later": 2}) == Inner(1)
    with pytest.raises(JsonError, match="unknown settings: 'later'"):
        from_plain_exactly(Inner, {"size": 1, "later": 2})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00"])
def test_what_is_no_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(JsonError, match="not JSON"):
        read_json(path)


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="float values"):
        json_files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_synced_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "video.mp4").write_bytes(b"pictures")
    synced: list[Path] = []
    twice = threading.Event()

    def told(path: Path) -> None:
        synced.append(path)
        if len(synced) == 2:
            twice.set()

    monkeypatch.setattr(durability, "sync_file", told)
    monkeypatch.setattr(durability, "SYNC_SECONDS", 0.001)
    sync = FolderSync(tmp_path)
    assert twice.wait(PATIENCE_SECONDS)
    sync.close()
    sync.close()
    assert set(synced) == {tmp_path / "video.mp4"}


def test_a_folder_that_is_gone_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[Path] = []

    def gone(folder: Path) -> None:
        tries.append(folder)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(durability, "sync_files", gone)
    monkeypatch.setattr(durability, "SYNC_SECONDS", 0.001)
    sync = FolderSync(tmp_path)
    wait_until(lambda: len(tries) >= 3)
    sync.close()
    assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no file that is open")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_that_vanishes_meanwhile_is_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"landmarks{suffix}"
    made = open_table(path)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(RecordingError, match="vanished while it was written; choose a folder that stays"):
        made.close()


def test_files_and_their_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "replays").mkdir()
    (tmp_path / "a.csv").write_text("x")
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    sync_files(tmp_path)
    assert len(calls) == (1 if os.name == "nt" else 2)


def test_a_file_that_is_renamed_later_is_not_opened_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows would not rename it then."""
    synced: list[str] = []
    monkeypatch.setattr(durability, "sync_file", lambda path: synced.append(path.name))
    (tmp_path / "landmarks.csv").touch()
    landmarks = open_table(tmp_path / "landmarks.parquet")
    with files.open_whole(tmp_path / "session.json"):
        sync_files(tmp_path)
    landmarks.close()
    sync_files(tmp_path)
    assert sorted(synced) == ["landmarks.csv", "landmarks.csv", "landmarks.parquet", "session.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows says that such a file is not there")
def test_where_the_system_lets_nobody_look_is_one_sentence(tmp_path: Path) -> None:
    """So it is below a folder without permission, and, which root can test, with a name that is too long."""
    folder = tmp_path / ("a" * 300)
    plans = [
        OutputPlan(view=folder / "a.mp4"),
        OutputPlan(tables=(folder / "a.csv",)),
        OutputPlan(session=folder),
        OutputPlan(tables=(folder.with_suffix(".csv"),)),
    ]
    for plan in plans:
        with pytest.raises(RecordingError, match=r"Cannot write .+ too long; choose another place"):
            plan.check()
    path = unique_path(folder, "session", "")
    with pytest.raises(RecordingError, match="too long"):
        make_folder(path)
    assert not is_session(folder)
    assert not is_there(folder)
    assert not is_folder(folder)


def test_a_table_is_plain_text() -> None:
    lines = table(("name", "value"), [("[red]a", "1.5"), ("longer name", "22.25"), ("none",)]).splitlines()
    assert lines == [
        "name         value",
        "------------ -----",
        "[red]a         1.5",
        "longer name  22.25",
        "none",
    ]
