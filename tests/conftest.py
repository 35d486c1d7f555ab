"""What all tests share: no screen, and nothing written outside temporary folders."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import platformdirs
import pytest

from app.cli import log
from app.sources.opencv import forget_qt_plugins

forget_qt_plugins()


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
