"""The command line's entry: finds the command, runs it, and turns errors into one sentence."""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from app.cli.log import start_log
from app.core.errors import EXIT_BAD_INPUT, EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, UserError
from app.core.memory import share_one_heap
from app.core.system_libraries import runtime_problem
from app.core.version import VERSION

log = logging.getLogger(__name__)

COMMANDS = (
    *("live", "track", "batch", "session", "card", "evaluate", "lab", "bench"),
    *("train", "align", "train-ghcu", "train-uncertainty", "import-official", "doctor", "test"),
)
DEFAULT_COMMAND = "live"
TEST_OPTIONS = ("--fast", "--coverage")
"""Options of ``test`` that are not pytest's."""
ANSWERED_HERE = ("-h", "--help", "--version")

DESCRIPTION = "LDEQ Live: 98 steady facial landmarks from a camera or video. Without a command the live window opens."


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        The exit code: 0, 1 for failures, 2 for bad input, 130 after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv
    _open_closed_output()
    debug = "--debug" in argv[: _command_index(argv)]
    log_path = start_log(debug)
    _escape_unprintable()
    share_one_heap()
    try:
        return _run(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_BAD_INPUT
    except UserError as error:
        return _fail(str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence_output()
        return EXIT_FAILURE
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and _output_fails():
            from app.core.files import failure  # needs packages, which may be missing

            _silence_output()
            return _fail(str(failure(Path("what is printed"), error)), EXIT_FAILURE, debug)
        from model.errors import ModelError  # the library takes a while to import

        if isinstance(error, ModelError):
            return _fail(str(error), EXIT_BAD_INPUT, debug)
        return _fail(_unexpected(error, log_path), EXIT_FAILURE, debug)


def _run(argv: Sequence[str]) -> int:
    index = _command_index(argv)
    before, after = list(argv[:index]), list(argv[index:])
    if not after or after[0].startswith("-"):
        after = [*after] if any(word in ANSWERED_HERE for word in before) else [DEFAULT_COMMAND, *after]
    if "--version" in before:
        print(f"LDEQ Live {VERSION}", flush=True)
        return EXIT_OK
    command = after[0] if after else None
    joined = next((word for word in argv if '"' in word), None) if sys.platform == "win32" else None
    if joined is not None:  # no name can hold a quotation mark there
        raise UserError(f"In {joined} Windows has joined a name with what follows; leave out the backslash at its end.")
    if command is not None and command not in COMMANDS:
        raise UserError(_no_command(command))
    rest: list[str] = []
    if command == "test" and not {"-h", "--help"} & set(after[1:2]):
        # pytest's options are its own; argparse would take some of them for ours.
        own = [word for word in after[1:] if word in TEST_OPTIONS]
        after, rest = [*after[:1], *own], [word for word in after[1:] if word not in TEST_OPTIONS]
    args = _parser(command).parse_args([*before, *after])
    args.rest = rest
    code: int = _module(args.command).run(args)
    sys.stdout.flush()
    return code


def _no_command(word: str) -> str:
    """Return what to say where a command is mistyped, or a video is given in its place."""
    close = difflib.get_close_matches(word, COMMANDS, 1)
    if close:
        return f"There is no command {word}; perhaps {close[0]} is meant. main.py --help lists all."
    if os.path.exists(word):
        return f"There is no command {word}; to watch it in the window give: --source {word}, to track it: track {word}"
    return f"There is no command {word}. main.py --help lists all."


def _command_index(argv: Sequence[str]) -> int:
    """Return where the options that concern every command end."""
    for index, word in enumerate(argv):
        if word != "--debug" and word not in ANSWERED_HERE:
            return index
    return len(argv)


class _Parser(argparse.ArgumentParser):
    """Ends with one line, whatever words it complains about."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # as the base class
        words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(self._with_values(words), namespace)

    def _with_values(self, words: list[str]) -> list[str]:
        """Return the words with its default behind each option whose value is left out, lest it take an input."""
        if not self._get_positional_actions():
            return words
        end = words.index("--") if "--" in words else len(words)
        given = list(words)
        for place, word in enumerate(words[:end]):
            option = self._option_string_actions.get(word)
            if option is not None and option.nargs == "?" and option.choices is not None:
                value = words[place + 1] if place + 1 < end else None
                if value not in option.choices:
                    given[place] = f"{word}={option.const}"
        return given

    def error(self, message: str) -> NoReturn:
        super().error(_one_line(message))


def _parser(command: str | None) -> argparse.ArgumentParser:
    parser = _Parser(prog="main.py", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("--debug", action="store_true", help="write a detailed log and print tracebacks")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # Only the module that is going to run is imported; a general --help, or a wrong name, needs them all.
    for name in (command,) if command in COMMANDS else COMMANDS:
        _module(name).add_parser(subparsers)
    return parser


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"app.cli.{command.replace('-', '_')}")


def _unexpected(error: Exception, log_path: Path | None) -> str:
    log.critical("the program ended with an error", exc_info=error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "app").split(".")[0] not in ("app", "model"):
        from app.setup.doctor.finding import install_advice

        return f"the package {error.name} is missing in {sys.executable}; {install_advice()}"
    if (problem := runtime_problem(error)) is not None:
        return problem
    kind = type(error).__name__
    what = f"{kind}: {error}" if str(error) else kind
    where = f"the details are in {log_path}" if log_path else "start again with --debug to see the details"
    return f"an unexpected error ended the program ({what.splitlines()[0]}); {where}"


def _fail(sentence: str, code: int, debug: bool) -> int:
    if debug and sys.exc_info()[0] is not None:
        import traceback

        traceback.print_exc()
    print(f"ldeq-live: {_one_line(sentence)}", file=sys.stderr)
    return code


def _one_line(text: str) -> str:
    """Show line breaks and other control characters, which file names may hold, instead of obeying them."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


def _open_closed_output() -> None:
    """Let output go nowhere that is closed, as under pythonw; Python has None in its place, which takes none."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  (both live as long as the process)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _escape_unprintable() -> None:
    """Print names that the terminal cannot show, or that are no text at all, with escapes instead of errors."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _output_fails() -> bool:
    """Whether what is printed cannot be written, as to a full disk."""
    try:
        print(flush=True)  # flushing alone tells nothing where nothing waits
    except OSError:
        return True
    return False


def _silence_output() -> None:
    """Keep the interpreter from complaining about a closed pipe or a full disk when it flushes at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (lives as long as the process)
    finally:
        os.close(devnull)
