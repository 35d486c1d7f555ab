"""What all tests share: no screen, and nothing written outside temporary folders."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"
# Qt takes the environment's language over for the whole process; dates and messages of the system are in English here.
if everything := os.environ.pop("LC_ALL", ""):
    os.environ["LC_CTYPE"] = everything
os.environ["LC_TIME"] = os.environ["LC_MESSAGES"] = "C"

import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import platformdirs
import pytest

from app.cli import log
from app.sources.opencv import forget_qt_plugins

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

forget_qt_plugins()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells start jobs in the background so, and processes pass it on: Ctrl-C would end no command that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``main.py test tests/test_fuzz.py --fuzz 100 --fuzz-seed 7`` try more damaged inputs than usual."""
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz", type=int, metavar="COUNT", help="damaged inputs of each kind, in place of a few")
    group.addoption("--fuzz-seed", type=int, default=3, help="another seed makes other inputs (default: 3)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import files whose every test is left out by its marker; it takes a third of the fast tests' time."""
    if collection_path.suffix != ".py":
        return None
    marks = re.search(r"^pytestmark = .*", collection_path.read_text(encoding="utf-8"), re.MULTILINE)
    unwanted = (marks and f"pytest.mark.{marker}" in marks[0] for marker in left_out(config.option.markexpr))
    return True if any(unwanted) else None


def left_out(expression: str) -> list[str]:
    """Return the markers of an expression such as "not slow and not window"."""
    parts = expression.split(" and ")
    return [part.removeprefix("not ") for part in parts] if all(part.startswith("not ") for part in parts) else []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let reports be text where a test logs or prints a name that is none: a process of tests could not send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the window, and skip those of a GPU where there is none."""
    for item in items:
        if {"qapp", "qtbot"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.window)
    on_a_gpu = [item for item in items if item.get_closest_marker("cuda")]
    if on_a_gpu:
        import torch

        if not torch.cuda.is_available():
            for item in on_a_gpu:
                item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))


@pytest.fixture(autouse=True)
def _processes_are_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that starts another Python and is not marked so, as the fast tests would run it."""
    if any(request.node.get_closest_marker(marker) for marker in ("process", "window", "slow", "cuda")):
        return
    start = subprocess.Popen.__init__

    def refuse(*args: Any, **options: Any) -> NoReturn:
        pytest.fail("This test starts a process; mark it with pytest.mark.process.")

    def refuse_python(popen: Any, args: Any, *more: Any, **options: Any) -> None:
        if sys.executable in args:
            refuse()
        start(popen, args, *more, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse_python)
    monkeypatch.setattr(BaseProcess, "start", refuse)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let PyTorch have one thread: tiny layers gain nothing from more, which wait for each other on a busy computer."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def application(qapp: QApplication) -> QApplication:
    """Return the application in its usual colours, whatever the test before has left."""
    from app.gui.theme import theme

    theme.apply(qapp)
    return qapp


@pytest.fixture(autouse=True, scope="session")
def _own_log_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep log files of tests out of the person's."""
    folder = tmp_path_factory.mktemp("log")
    log.log_folder = lambda: folder


@pytest.fixture(autouse=True, scope="session")
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep which engine was fastest in tests out of what the person's computer remembers."""
    folder = tmp_path_factory.mktemp("cache")
    platformdirs.user_cache_dir = lambda *args, **options: str(folder)


@pytest.fixture(autouse=True, scope="session")
def _own_config_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what windows of tests remember out of the person's configuration."""
    folder = tmp_path_factory.mktemp("config")
    platformdirs.user_config_dir = lambda *args, **options: str(folder)
