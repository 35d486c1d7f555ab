"""What all tests share: no screen, and nothing written outside temporary folders."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import platformdirs
import pytest

from app.cli import log
from app.sources.opencv import forget_qt_plugins

forget_qt_plugins()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``main.py test tests/test_fuzz.py --fuzz 100 --fuzz-seed 7`` try more damaged inputs than usual."""
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz", type=int, metavar="COUNT", help="damaged inputs of each kind, in place of a few")
    group.addoption("--fuzz-seed", type=int, default=3, help="another seed makes other inputs (default: 3)")


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
