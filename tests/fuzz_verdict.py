"""Runs a case in this process and judges it: an exit code, and where it failed one clear sentence."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz_cases import SETTINGS, Case

LONGEST = 1200
"""Characters of a sentence that a person still reads; the paths of cases take some of them."""
WRONG = ("Traceback", "unexpected error", "internal error", "Warning: ")
WRONG_KINDS = re.compile(r"\b[A-Z]\w+(Error|Exception)\b")
"""Names of Python's exceptions, which tell a person nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: exit code, both outputs, and what is wrong with it ("" if nothing)."""

    code: int
    out: str
    err: str
    wrong: str


def run_case(case: Case) -> Outcome:
    """Run a case and judge it."""
    if case.kind == SETTINGS:
        return _run_settings(Path(case.words[0]))
    from app.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _no_window():
        code = main(list(case.words))
    return Outcome(code, out.getvalue(), err.getvalue(), judge(code, out.getvalue(), err.getvalue()))


def judge(code: int, out: str, err: str) -> str:
    """Return what is wrong with how a command ended, "" if nothing is."""
    for word in WRONG:
        if word in err or word in out:
            return f"says {word}"
    if kind := WRONG_KINDS.search(err):
        return f"says {kind[0]}"
    if code not in (0, 1, 2):
        return f"exit code {code}"
    if code == 0:
        return ""
    lines = [line for line in re.split(r"[\r\n]+", err) if line.strip()]
    if code == 1 and out.strip() and all(line.rstrip().endswith(".") for line in lines):
        return ""  # session info --verify, doctor and batch, whose findings are what they print
    if not lines:
        return "fails without a word"
    last = lines[-1]
    if not re.match(r"(ldeq-live: |main\.py.*: error: )", last):
        return f"ends with {last!r}"
    if len(last) > LONGEST:
        return f"a sentence of {len(last)} characters"
    return ""


def _run_settings(path: Path) -> Outcome:
    """Start as the window does with remembered choices: read, check, and ask them for everything it asks for."""
    from app.gui.live.presenters.remembered import Memory
    from app.gui.live.presenters.settings import LiveSettings
    from app.gui.live.presenters.state import RecordingPlan  # noqa: F401  (as the window imports it)

    try:
        memory = Memory(path)
        settings = LiveSettings(memory.current, note=memory.note)
        _ = settings.chosen.preferences, settings.chosen.tracking.modes, settings.chosen.share
        memory.update(tour_seen=not memory.current.tour_seen)
        written = memory.close()
    except Exception as error:
        return Outcome(1, "", "", f"raises {error!r}")
    return Outcome(0, memory.note, "", "" if written else "was not written")


def _shown(settings: object, memory: object = None) -> int:
    return 0


@contextlib.contextmanager
def _no_window() -> Iterator[None]:
    """Let ``live`` check everything and then not open its window, which would stay open for ever."""
    from app.gui import window

    real = window.run_window
    window.run_window = _shown
    try:
        yield
    finally:
        window.run_window = real
