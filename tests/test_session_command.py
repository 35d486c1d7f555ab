"""``main.py session`` on sessions with known content."""

from __future__ import annotations

import argparse
import errno
import json
import re
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import platformdirs
import pytest

from app.cli import session as command
from app.cli.main import main
from app.core.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, UserError
from app.core.modes import Baseline
from app.core.presets import PRESETS
from app.core.settings import TrackingSettings
from app.sessions import metadata
from app.sessions.session import Session, open_session
from tests.recording_fakes import read_video, result
from tests.session_fakes import EXACT, record, square_pipeline, told, tracked

pytestmark = pytest.mark.slow


def run(*words: object, stop: threading.Event | None = None) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return command.run(parser.parse_args(["session", *map(str, words)]), build=square_pipeline, stop=stop)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return record(tmp_path_factory.mktemp("recorded") / "talk", tracked(8, {4: TrackingSettings(rwr=False)}), EXACT)


@pytest.fixture
def folder(recorded: Session, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded.folder, tmp_path / "talk"))


def test_events_are_printed_or_written(recorded: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("events", recorded.folder) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(recorded.events)
    assert run("events", recorded.folder, "--kinds", "settings") == EXIT_OK
    (line,) = capsys.readouterr().out.splitlines()[2:]
    (event,) = (event for event in recorded.events if event.kind == "settings")
    assert line.split()[1:] == [str(event.frame), "settings", "rwr:", "on", "→", "off"]
    assert run("events", recorded.folder, "--kinds", "closure") == EXIT_OK
    assert "no such events" in capsys.readouterr().out
    table = tmp_path / "events.csv"
    assert run("events", recorded.folder, "--csv", table) == EXIT_OK
    assert [line.split(",")[3] for line in table.read_text().splitlines()[1:]] == [e.kind for e in recorded.events]
    with pytest.raises(UserError, match="no take"):
        run("events", recorded.folder, "--take", "other")


def test_list_shows_sessions_newest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        record(tmp_path / "LDEQ Live" / name, [result(0), result(1)])
    (tmp_path / "LDEQ Live" / "bad").mkdir()
    (tmp_path / "LDEQ Live" / "bad" / "session.json").write_text("{}")
    assert run("list", tmp_path / "LDEQ Live") == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5  # with the two of the header
    assert sum("Camera, complete" in line for line in lines) == 2
    assert sum("choose another folder" in line for line in lines) == 1
    monkeypatch.setattr(platformdirs, "user_videos_dir", lambda: str(tmp_path))
    assert run("list") == EXIT_OK
    assert capsys.readouterr().out.splitlines() == lines
    assert run("list", tmp_path / "nothing") == EXIT_OK
    assert "no sessions" in capsys.readouterr().out


def test_info_says_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", folder) == EXIT_OK
    out = capsys.readouterr().out
    assert "talk: complete, 0.27 s, 8 frames" in out
    assert "replays are exact" in out
    assert "take recorded: RwR, Cold" in out
    assert "change 1" in out


def test_info_checks_every_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    assert run("info", folder, "--verify") == EXIT_OK
    assert "every file matches" in capsys.readouterr().out
    (folder / "video.nut").write_bytes(b"x")
    (folder / "events.jsonl").unlink()
    assert run("info", folder, "--verify") == EXIT_FAILURE
    assert "damaged or missing: events.jsonl, video.nut" in capsys.readouterr().out
    with monkeypatch.context() as disk:
        disk.setattr(metadata, "sha256", unreadable)
        assert run("info", folder, "--verify") == EXIT_FAILURE
    assert "damaged or missing: landmarks.csv, " in capsys.readouterr().out
    run("replay", record(folder.parent / "other", tracked(3)).folder, "--name", "mine")
    (folder.parent / "other" / "replays" / "mine" / "frames.csv").write_text("")
    assert run("info", folder.parent / "other", "--verify") == EXIT_FAILURE
    assert "damaged or missing: replays/mine/frames.csv" in capsys.readouterr().out


def test_a_replay_as_recorded_is_the_same_bit_for_bit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replay", folder, "--as-recorded") == EXIT_OK
    assert "the same, bit for bit, in all 8 common frames" in capsys.readouterr().out
    assert open_session(folder).take_names == ("recorded", "as-recorded")


def test_options_of_a_replay_reach_its_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--rwr", "on", "--rival", "ema", "--preset", "fast", "--weight", "3", "--max-faces", "2", "--name", "mine")
    assert run("replay", folder, *words) == EXIT_OK
    take = open_session(folder).take("mine")
    fast = next(preset.settings for preset in PRESETS if preset.name == "fast")
    recurrence = replace(fast, recurrence_weight=3.0)
    assert take.tracking == TrackingSettings(compare=True, baseline=Baseline.EMA, max_faces=2, recurrence=recurrence)
    assert take.modes == ("rwr", "ema")
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("mo")}
    assert rows["mode"] == ["RwR", "EMA"]
    assert rows["model"] == ["ldeq-s", "ldeq-s"]
    assert run("info", folder) == EXIT_OK
    assert re.search(r"take mine: RwR, flicker .*; EMA, flicker", capsys.readouterr().out)
    assert run("replay", folder, "--rwr", "off") == EXIT_OK
    assert open_session(folder).take("cold").tracking == TrackingSettings(rwr=False)
    with pytest.raises(UserError, match="has a replay named mine already"):
        run("replay", folder, "--name", "mine")


def test_a_replay_runs_the_recorded_model_unless_another_is_named(folder: Path) -> None:
    facts = folder / "session.json"
    facts.write_text(facts.read_text(encoding="utf-8").replace("ldeq-s.safetensors", "ldeq-xs.safetensors"), "utf-8")
    run("replay", folder, "--rwr", "off", "--symmetric", "--name", "recorded-model")
    run("replay", folder, "--rwr", "off", "--model", "ldeq-s", "--name", "named-model")
    titles = [open_session(folder).take(name).engine.title for name in ("recorded-model", "named-model")]
    assert titles == ["ldeq-xs, symmetric", "ldeq-s"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--as-recorded", "--rwr", "off"), "leave out --rwr"),
        (("--as-recorded", "--max-faces", "2"), "leave out --max-faces"),
        (("--as-recorded", "--no-ghcu"), "leave out --ghcu"),
        (("--as-recorded", "--model", "ldeq-xs"), "leave out --model"),
        (("--as-recorded", "--symmetric"), "leave out --symmetric"),
        (("--rwr", "off", "--weight", "2"), "--weight sets RwR, which does not run here"),
        (("--rwr", "off", "--rival", "ema", "--preset", "calm"), "--preset sets RwR, which does not run here"),
        (("--max-faces", "-1"), "At least 1 face"),
        (("--max-faces", "0"), "At least 1 face"),
        (("--name", "../x"), "cannot name a replay"),
    ],
)
def test_options_that_cannot_be_are_one_sentence(folder: Path, words: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        run("replay", folder, *words)


def test_a_wrong_time_is_one_sentence(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["session", "export", str(folder), str(tmp_path / "a.mp4"), "--from", "1:30"]) == 2
    assert "argument --from: give seconds such as 12.5, not '1:30'" in capsys.readouterr().err


def test_a_wrong_budget_is_one_sentence_with_an_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["session", "replay", str(folder), "--evaluations", "0"]) == 2
    err = capsys.readouterr().err
    assert "at least 1 evaluation" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("action", ["list", "info", "compare"])
def test_what_writes_no_session_ends_at_the_first_interrupt(
    folder: Path, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("app.cli.session.open_session", interrupted)
    monkeypatch.setattr("app.cli.session.list_sessions", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(action, folder)


@pytest.mark.parametrize("words", [("replay",), ("export", "OUT")])
def test_a_stop_keeps_nothing(folder: Path, tmp_path: Path, words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    stop.set()
    name, *rest = words
    assert run(name, folder, *[tmp_path / "cut" for _ in rest], stop=stop) == EXIT_INTERRUPTED
    assert "nothing was kept" in capsys.readouterr().out
    assert open_session(folder).take_names == ("recorded",)
    assert not (tmp_path / "cut").exists()


def test_exports(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", folder, tmp_path / "clip.mp4", "--from", "0.1", "--to", "0.2", "--annotated") == EXIT_OK
    assert len(read_video(tmp_path / "clip.mp4").times) == 3
    run("replay", folder, "--rwr", "off")
    assert run("export", folder, tmp_path / "cut", "--take", "cold") == EXIT_OK
    assert open_session(tmp_path / "cut").recorded.modes == ("cold",)
    with pytest.raises(UserError, match="has no take named nothing"):
        run("export", folder, tmp_path / "other", "--take", "nothing")
    for bad in ("nan", "inf", "soon"):
        with pytest.raises(SystemExit):
            run("export", folder, tmp_path / "x.mp4", "--from", bad)


def test_comparisons(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="no replay to compare with"):
        run("compare", folder)
    run("replay", folder, "--rwr", "off")
    capsys.readouterr()
    assert run("compare", folder, "--json", tmp_path / "figures.json") == EXIT_OK
    assert "cold starts of RwR" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["a"]["name"], figures["b"]["name"], figures["common"]) == ("recorded", "cold", 8)
    assert figures["sessions"] == ["talk", "talk"]
    assert len(figures["regions"]) == len(figures["a"]["regions"])
    assert (figures["b"]["tracking"]["rwr"], figures["b"]["engine"]["weights"]) == (False, "ldeq-s.safetensors")
    other = record(tmp_path / "other", [told(k) for k in range(3)]).folder
    assert run("compare", folder, other, "--modes", "cold", "rwr") == EXIT_OK
    out = capsys.readouterr().out
    assert "pixels apart" not in out
    assert out.split("---")[0].split() == ["talk", "recorded", "other", "recorded"]
    with pytest.raises(UserError, match="one or two"):
        run("compare", folder, folder, folder)
    with pytest.raises(UserError, match="Cannot write"):
        run("compare", folder, "--json", tmp_path / "missing" / "x.json")


def test_modes_are_compared_in_one_take_where_one_has_both(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"

    def takes() -> list[str]:
        assert run("compare", folder, "--modes", "rwr", "cold", "--json", path) == EXIT_OK
        figures = json.loads(path.read_text())
        return [figures[side]["name"] for side in "ab"]

    with pytest.raises(UserError, match="no replay"):  # the recorded modes followed each other
        takes()
    run("replay", folder, "--rwr", "on", "--rival", "opposite", "--name", "both")
    run("replay", folder, "--rwr", "off", "--name", "last")
    assert takes() == ["both", "both"]


def test_what_is_no_session_is_one_sentence_with_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("info", tmp_path), ("replay", tmp_path), ("export", tmp_path, "x.mp4"), ("compare", tmp_path)):
        assert main(["session", *map(str, words)]) == 2
        err = capsys.readouterr().err
        assert "is no session" in err
        assert len(err.splitlines()) == 1
