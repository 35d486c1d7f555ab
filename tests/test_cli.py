"""The command line: which command runs, what errors look like, and the exit codes."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.cli import live, log
from app.cli import main as cli
from app.core.errors import UserError
from app.core.places import DEFAULT_WEIGHTS, ROOT
from app.core.presets import PRESETS
from app.core.settings import TrackingSettings
from app.core.version import VERSION
from app.gui.live.presenters.remembered import Remembered
from model.errors import ModelError
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, raises = root.level, logging.raiseExceptions
    yield
    for handler in [handler for handler in root.handlers if handler.get_name() == log.NAME]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.raiseExceptions = raises


def replaced(monkeypatch: pytest.MonkeyPatch, command: str, run: object) -> None:
    """Put ``run`` in place of a command's own, behind its real parser."""
    real = cli._module

    def module(name: str) -> object:
        return SimpleNamespace(add_parser=real(name).add_parser, run=run) if name == command else real(name)

    monkeypatch.setattr(cli, "_module", module)


def raising(error: BaseException) -> object:
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("argv", "source", "rwr"),
    [([], None, None), (["--source", "demo"], "demo", None), (["live", "--rwr", "off"], None, "off")],
)
def test_without_a_command_the_window_opens(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], source: str | None, rwr: str | None
) -> None:
    seen: list[argparse.Namespace] = []
    replaced(monkeypatch, "live", lambda args: seen.append(args) or 0)
    assert cli.main(argv) == 0
    assert (seen[0].command, seen[0].source, seen[0].rwr) == ("live", source, rwr)


def test_options_of_every_command_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[argparse.Namespace] = []
    replaced(monkeypatch, "doctor", lambda args: seen.append(args) or 0)
    assert cli.main(["--debug", "doctor", "--json"]) == 0
    assert seen[0].debug
    assert seen[0].json


@pytest.mark.parametrize(
    ("words", "copy", "source"),
    [
        (["--copy-video", "talk.mp4"], "close", "talk.mp4"),
        (["--copy-video", "exact", "talk.mp4"], "exact", "talk.mp4"),
        (["talk.mp4", "--copy-video"], "close", "talk.mp4"),
        (["--copy-video", "--ghcu", "--", "close"], "close", "close"),
        (["--copy-video", "--", "exact"], "close", "exact"),
        (["--ghcu", "--", "--copy-video"], None, "--copy-video"),
    ],
)
def test_an_option_without_its_value_does_not_take_the_next_word(
    monkeypatch: pytest.MonkeyPatch, words: list[str], copy: str | None, source: str
) -> None:
    seen: list[argparse.Namespace] = []
    replaced(monkeypatch, "track", lambda args: seen.append(args) or 0)
    assert cli.main(["track", "--session", "x", *words]) == 0
    assert (seen[0].copy_video, seen[0].input) == (copy, source)


def test_a_wrong_value_is_named_where_no_other_word_may_follow(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["live", "--lsl", "everywhere"]) == 2
    assert "invalid choice: 'everywhere'" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0] for line in lines if line.startswith("    ") and line.strip()}
    assert set(cli.COMMANDS) <= named  # argparse gives a long name a line of its own


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_choices_are_told_as_they_are_typed(command: str) -> None:
    """Words of an enum would be shown as <Device.CPU: 'cpu'> where something else was typed."""
    parsers, words = [cli._parser(command)], []
    while parsers:
        for action in parsers.pop()._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
            else:
                words += list(action.choices or ())
    assert [word for word in words if isinstance(word, Enum)] == []


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"LDEQ Live {VERSION}\n"


@pytest.mark.parametrize(
    ("word", "says"),
    [("tarck", "perhaps track is meant"), ("talk.mp4", "give: --source talk.mp4"), ("gone.mp4", "--help lists all")],
)
def test_what_is_no_command_is_one_sentence(
    word: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("talk.mp4").touch()
    assert cli.main([word]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ldeq-live: There is no command {word}")
    assert says in error
    assert error.count("\n") == 1


def test_a_backslash_before_a_quotation_mark_is_told_on_windows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")  # which passes on: batch "C:\\My Videos\\" -o out --csv
    assert cli.main(["batch", 'C:\\My Videos" -o out --csv']) == 2
    assert "leave out the backslash" in capsys.readouterr().err


WRONG = [["live", "--rwr", "perhaps"], ["train"], ["live", "--what"]]


@pytest.mark.parametrize("argv", WRONG)
def test_wrong_arguments_end_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 2
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UserError("Plug it in."), 2, "ldeq-live: Plug it in.\n"),
        (UserError("It broke.", exit_code=1), 1, "ldeq-live: It broke.\n"),
        (ModelError("wrong weights"), 2, "ldeq-live: wrong weights\n"),
        (KeyboardInterrupt(), 130, ""),
        (SystemExit(5), 5, ""),
    ],
)
def test_errors_end_with_one_sentence_and_their_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    sentence: str,
) -> None:
    replaced(monkeypatch, "live", raising(error))
    assert cli.main([]) == code
    assert capsys.readouterr().err == sentence


def test_other_errors_name_the_log_that_holds_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(log, "log_folder", lambda: tmp_path / "log")
    replaced(monkeypatch, "live", raising(ZeroDivisionError("by\nzero")))
    assert cli.main([]) == 1
    err = capsys.readouterr().err
    path = tmp_path / "log" / log.FILE_NAME
    assert err.count("\n") == 1
    assert str(path) in err
    assert "ZeroDivisionError: by" in err
    assert "Traceback" in path.read_text()
    assert cli.main(["--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    replaced(monkeypatch, "live", raising(ModuleNotFoundError("No module named 'av'", name="av")))
    assert cli.main([]) == 1
    assert "the package av is missing" in capsys.readouterr().err


def test_a_log_folder_that_cannot_be_made_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(log, "log_folder", lambda: tmp_path / "file" / "log")
    monkeypatch.setattr("app.cli.log.tempfile.gettempdir", lambda: str(tmp_path / "file"))
    replaced(monkeypatch, "live", raising(ValueError()))
    assert cli.main([]) == 1
    assert "--debug" in capsys.readouterr().err


def test_no_folder_for_the_log_at_all_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    (tmp_path / "file").touch()
    monkeypatch.setattr(log, "log_folder", lambda: tmp_path / "file" / "log")
    monkeypatch.setattr("app.cli.log.tempfile.gettempdir", nowhere)
    assert cli.main(["--version"]) == 0
    assert VERSION in capsys.readouterr().out


@pytest.mark.parametrize("debug", [False, True])
def test_the_log_takes_names_that_are_no_text_and_a_full_disk_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], debug: bool
) -> None:
    monkeypatch.setattr(log, "log_folder", lambda: tmp_path)
    path = log.start_log(debug)
    assert path is not None
    logging.getLogger("app").info("%s is gone", os.fsdecode(b"caf\xe9.mp4"))
    assert "is gone" in path.read_text(encoding="utf-8")
    handlers = [each for each in logging.getLogger().handlers if each.get_name() == log.NAME]
    handler = next(each for each in handlers if isinstance(each, logging.FileHandler))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    capsys.readouterr()
    with monkeypatch.context() as disk:
        disk.setattr(handler, "flush", full)
        logging.getLogger("app").info("on a full disk")
    assert ("Traceback" in capsys.readouterr().err) is debug


@pytest.mark.process
def test_without_packages_the_doctor_names_them_and_the_version_is_told() -> None:
    def start(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", str(ROOT / "main.py"), *words]
        environment = {**os.environ, "LDEQ_PYTHON_ENV": "current"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_SECONDS)

    version = start("--version")
    assert (version.returncode, version.stdout) == (0, f"LDEQ Live {VERSION}\n")
    doctor = start("doctor")
    assert doctor.returncode == 1
    assert "the package numpy is missing" in doctor.stdout
    assert "Traceback" not in doctor.stderr
    track = start("track", "in.mp4")
    assert track.returncode == 1
    assert track.stderr.count("\n") == 1
    assert "is missing in" in track.stderr


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="closes a descriptor before the program begins")
@pytest.mark.parametrize("closed", [1, 2])
def test_closed_output_ends_no_command(tmp_path: Path, closed: int) -> None:
    command = [sys.executable, str(ROOT / "main.py"), "session", "list", str(tmp_path)]
    environment = {**os.environ, "LDEQ_PYTHON_ENV": "current"}
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}>&-', "sh", *command], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.process
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full disk")
@pytest.mark.parametrize("words", [("--version",), ("session", "list", ".")])
@pytest.mark.parametrize("buffered", [True, False])
def test_output_to_a_full_disk_ends_with_one_sentence(words: tuple[str, ...], buffered: bool) -> None:
    unbuffered = {} if buffered else {"PYTHONUNBUFFERED": "1"}
    others = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), *words],
            env={**others, **unbuffered, "LDEQ_PYTHON_ENV": "current"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "ldeq-live: Cannot write what is printed: the disk is full; free some space or choose another folder.\n"
    )


def test_a_log_that_grew_starts_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(log, "log_folder", lambda: tmp_path)
    monkeypatch.setattr(log, "LARGEST", 10)
    path = tmp_path / log.FILE_NAME
    path.write_text("x" * 11)
    log.start_log(debug=False)
    logging.getLogger("app").info("new")
    assert "new" in path.read_text()
    assert "x" not in path.read_text()


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error on Windows")
@pytest.mark.process
def test_a_closed_pipe_is_no_traceback() -> None:
    # Wrapped in a script, so that the output is larger than a pipe holds.
    script = (
        "import app.cli.main as m\n"
        "from types import SimpleNamespace as N\n"
        "real = m._module\n"
        "m._module = lambda name: N(add_parser=real(name).add_parser, run=lambda a: print('x' * 10**7) or 0)\n"
        "raise SystemExit(m.main(['live']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 1
    process.stderr.close()


def test_live_fills_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from app.gui import window

    weights = tmp_path / "w.safetensors"
    weights.touch()
    config = {"name": "w"}
    weights.with_suffix(".json").write_text(json.dumps({"format": 1, "config": config, "files": {}}))
    seen = []
    monkeypatch.setattr(window, "run_window", lambda settings, memory: seen.append(settings) or 0)
    argv = ["live", "--source", "camera:1", "--no-loop", "--rwr", "off", "--compare", "--max-faces", "3", "--no-mirror"]
    argv += ["--weights", str(weights), "--engine", "onnx", "--device", "cpu", "--threads", "2"]
    assert cli.main([*argv, "--record-dir", str(tmp_path)]) == 0
    settings = seen[0]
    chosen = settings.chosen
    assert (chosen.source, settings.realtime_loop, chosen.mirror) == ("camera:1", False, False)
    assert chosen.folder == tmp_path
    assert (chosen.tracking.rwr, chosen.tracking.compare, chosen.tracking.max_faces) == (False, True, 3)
    engine = settings.model.engine
    assert (engine.weights, engine.engine, engine.device, engine.threads) == (weights, "onnx", "cpu", 2)


def test_options_win_over_what_was_remembered_and_vanished_files_are_forgotten() -> None:
    parser = cli._parser("live")
    remembered = Remembered(source="gone.mp4", privacy=True, tracking=TrackingSettings(rwr=False, max_faces=4))
    args = parser.parse_args(["live", "--no-privacy", "--preset", "calm", "--rival", "ema", "--udp", "9100"])
    chosen = live.with_options(remembered, args)
    assert (chosen.source, chosen.privacy, chosen.tracking.rwr, chosen.tracking.max_faces) == (None, False, False, 4)
    assert (chosen.tracking.baseline, chosen.share.json_on, chosen.share.json_to) == ("ema", True, "127.0.0.1:9100")
    assert chosen.tracking.recurrence == PRESETS[0].settings
    assert live.with_options(remembered, parser.parse_args(["live", "--source", "demo"])).source == "demo"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--source", "nowhere.mp4"], "nowhere.mp4"),
        (["--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--max-faces", "0"], "face"),
        (["--threads", "0"], "threads"),
    ],
)
def test_live_says_what_is_wrong_before_a_window_opens(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["live", *argv]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "spec", ["camera", "camera:2", "Camera:Integrated", "demo", "screen:2", "rtsp://there/1", str(ROOT)]
)
def test_sources_that_may_be_there_pass(spec: str) -> None:
    live.check_source(spec)


def python_runs(monkeypatch: pytest.MonkeyPatch, failing: str = "none") -> list[list[str]]:
    """Let the test command start nothing; return the list of what it would have started."""
    steps: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        steps.append(command[1:])
        return subprocess.CompletedProcess(command, 1 if failing in command else 0)

    monkeypatch.setattr("app.cli.test.subprocess.run", run)
    return steps


def test_the_test_command_runs_every_check_and_hands_on_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = python_runs(monkeypatch, failing="mypy")
    assert cli.main(["test", "-k", "nothing", "--debug", "-x"]) == 1
    ruff, style, imports, types, tests = steps
    assert ruff == ["-m", "ruff", "check", "."]
    assert style == ["-m", "ruff", "format", "--check", "."]
    assert "importlinter" in imports[1]
    assert types == ["-m", "mypy"]
    assert tests == ["-m", "pytest", "-k", "nothing", "--debug", "-x"]
    assert "failed: mypy" in capsys.readouterr().out


def test_the_fast_tests_leave_out_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = python_runs(monkeypatch)
    assert cli.main(["test", "--fast", "-x"]) == 0
    selection = "not window and not process and not slow and not cuda"
    assert steps[-1] == ["-m", "pytest", "-m", selection, "-x"]
    assert ["-m", "mypy"] not in steps


def test_all_tests_run_in_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = python_runs(monkeypatch)
    assert cli.main(["test"]) == 0
    assert steps[-1][:4] == ["-m", "pytest", "--numprocesses", "auto"]


def test_coverage_is_reported_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = python_runs(monkeypatch)
    assert cli.main(["test", "--coverage", "-x"]) == 0
    assert steps[-3:] == [
        ["-m", "coverage", "run", "-m", "pytest", "-x"],
        ["-m", "coverage", "combine", "--quiet"],
        ["-m", "coverage", "report"],
    ]


def test_the_default_weights_are_the_shipped_ones() -> None:
    assert DEFAULT_WEIGHTS.parent == ROOT / "weights"
