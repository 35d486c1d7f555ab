"""What the window remembers, and that nothing breaks where it cannot."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from app.core.errors import UserError
from app.core.modes import Baseline
from app.core.presets import PRESETS
from app.core.settings import TrackingSettings
from app.gui.live.presenters.preferences import Preferences
from app.gui.live.presenters.remembered import Memory, Remembered, default_path
from app.gui.live.presenters.share import ShareForm
from app.gui.presenters.palettes import Theme
from app.sessions.plan import RecordingChoices
from tests.waiting import PATIENCE_SECONDS, wait_until

EVERYTHING = Remembered(
    geometry="AdnQywAD",
    source="camera:1",
    tracking=TrackingSettings(
        rwr=False, compare=True, baseline=Baseline.EMA, max_faces=3, recurrence=PRESETS[0].settings
    ),
    compare_view="split",
    panels=("panel", "drawer"),
    theme=Theme.LIGHT,
    privacy=True,
    recording=RecordingChoices(video=False, annotated=True),
    mirror=True,
    folder=Path("/somewhere/Vidéos"),
    share=ShareForm(json_on=True, json_to="10.0.0.2:9000"),
    first_look_seen=True,
    tour_seen=True,
)


def everything_but(**changes: Any) -> dict[str, Any]:
    return {name: getattr(EVERYTHING, name) for name in Remembered.__slots__} | changes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "window.json"


def test_everything_comes_back(path: Path) -> None:
    memory = Memory(path)
    assert memory.current == Remembered()
    memory.update(**everything_but())
    assert memory.close(PATIENCE_SECONDS)
    again = Memory(path)
    assert again.current == EVERYTHING
    assert again.note == ""
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_nothing_is_written_for_nothing(path: Path) -> None:
    memory = Memory(path)
    memory.update(theme="system")
    assert memory.close(PATIENCE_SECONDS)
    assert not path.parent.exists()


def test_many_changes_are_one_writing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Remembered] = []
    monkeypatch.setattr(Memory, "_write", lambda self, current, changes: written.append(current))
    memory = Memory(path, quiet=30.0)
    for step in range(50):
        memory.update(geometry=str(step))
    assert memory.close(PATIENCE_SECONDS)
    assert written == [Remembered(geometry="49")]


def test_it_is_written_without_being_closed(path: Path) -> None:
    memory = Memory(path, quiet=0.0)
    memory.update(theme="light")
    wait_until(path.exists)
    memory.update(theme="dark")
    wait_until(lambda: json.loads(path.read_text())["theme"] == "dark")
    assert memory.close(PATIENCE_SECONDS)


def test_two_windows_keep_what_was_chosen_in_each(path: Path) -> None:
    first, second = Memory(path), Memory(path)
    first.update(theme=Theme.LIGHT, mirror=True)
    assert first.close(PATIENCE_SECONDS)
    second.update(privacy=True)
    second.update(mirror=False)
    assert second.close(PATIENCE_SECONDS)
    assert Memory(path).current == Remembered(theme=Theme.LIGHT, mirror=False, privacy=True)


def test_what_could_not_be_written_is_written_with_the_next(path: Path, tmp_path: Path) -> None:
    path.parent.write_text("in the way")
    memory = Memory(path, quiet=0.0)
    memory.update(theme=Theme.LIGHT)
    wait_until(lambda: memory._changed_at is None)
    path.parent.unlink()
    memory.update(privacy=True)
    assert memory.close(PATIENCE_SECONDS)
    assert Memory(path).current == Remembered(theme=Theme.LIGHT, privacy=True)


def test_changing_does_not_wait_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    freed: list[bool] = []
    monkeypatch.setattr(Memory, "_write", lambda self, current, changes: freed.append(free.wait(PATIENCE_SECONDS)))
    memory = Memory(path, quiet=0.0)
    for theme in ("dark", "light", "dark"):
        memory.update(theme=theme)
    free.set()
    assert memory.close(PATIENCE_SECONDS)
    assert freed
    assert all(freed), "the writer waited in vain for a caller that waited for it"
    memory.update(theme="light")  # too late, and harmless
    assert memory.current.theme == "dark"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2}',
        '{"theme": "dark"}',
        '{"version": 1, "theme": "pink"}',
        '{"version": 1, "privacy": "yes"}',
        '{"version": 1, "tracking": {"max_faces": 0}}',
        '{"version": 1, "tracking": {"recurrence": {"evaluations": 0}}}',
        '{"version": 1, "share": {"camera_picture": "face"}}',
        '{"version": 1, "folder": "here"}',
        "\x00\x01",
        "[" * 100000,
    ],
)
def test_a_damaged_file_is_set_aside(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    memory = Memory(path)
    assert memory.current == Remembered()
    aside = path.with_name("window-unreadable.json")
    assert str(aside) in memory.note
    assert aside.read_text() == text
    assert not path.exists()
    memory.update(theme="dark")
    assert memory.close(PATIENCE_SECONDS)
    assert Memory(path).current == Remembered(theme=Theme.DARK)


def test_bytes_that_are_no_text_are_set_aside_too(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\xff")
    memory = Memory(path)
    assert memory.current == Remembered()
    assert memory.note


def test_what_a_newer_version_added_is_ignored(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 1, "theme": "light", "hologram": true}')
    memory = Memory(path)
    assert memory.current == Remembered(theme=Theme.LIGHT)
    assert memory.note == ""


def test_a_folder_that_cannot_be_written_costs_the_memory_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "window.json")
    memory.update(theme="light")
    assert memory.close(PATIENCE_SECONDS)
    assert memory.current.theme == "light"


def test_the_command_line_wins() -> None:
    chosen = EVERYTHING.given(source="demo", rwr=True, max_faces=None, mirror=False, folder=Path("/x"), compare=None)
    assert (chosen.source, chosen.mirror, chosen.folder) == ("demo", False, Path("/x"))
    assert chosen.tracking == replace(EVERYTHING.tracking, rwr=True)
    assert EVERYTHING.given() == EVERYTHING
    with pytest.raises(UserError):
        EVERYTHING.given(max_faces=0)


def test_preferences_are_a_part_of_it() -> None:
    preferences = EVERYTHING.preferences
    assert preferences == Preferences(Theme.LIGHT, True, EVERYTHING.recording, True, 3, EVERYTHING.folder)
    crowd = Remembered(tracking=TrackingSettings(max_faces=64))
    assert crowd.preferences.max_faces == 8


def test_the_place_is_the_systems_and_not_the_persons_while_testing(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = default_path()
    assert path.parent == Path(platformdirs.user_config_dir("LDEQ Live", appauthor=False))
    assert path.is_relative_to(tmp_path_factory.getbasetemp())
