"""A whole first start: a project of one tiny package, a real venv, a real pip, no network."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.core.places import ROOT
from app.setup.environment import STAMP, Environment
from tests.waiting import PROCESS_SECONDS

pytestmark = pytest.mark.process

APPLICATION = """
import sys

def main(argv):
    import tiny
    print("tiny", tiny.VERSION, *argv, sys.prefix)
    return int(argv[0]) if argv else 0
"""


def write_wheel(folder: Path, version: str) -> None:
    """Write a wheel of one module."""
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


def require(root: Path, version: str) -> None:
    (root / "requirements.txt").write_text(f"--no-index\n--find-links {(root / 'wheels').as_uri()}\ntiny=={version}\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's start, around an application of three lines."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "main.py", root)
    shutil.copytree(ROOT / "app" / "setup", root / "app" / "setup")
    (root / "app" / "core").mkdir()
    for name in ("ending.py", "places.py"):
        shutil.copy(ROOT / "app" / "core" / name, root / "app" / "core")
    (root / "app" / "cli").mkdir()
    for package in ("app", "app/cli", "app/core"):
        (root / package / "__init__.py").touch()
    (root / "app" / "cli" / "main.py").write_text(APPLICATION)
    write_wheel(root / "wheels", "1.0")
    write_wheel(root / "wheels", "2.0")
    require(root, "1.0")
    return root


def command(root: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("LDEQ_")}
    # Another Python's packages and settings must not leak in.
    variables |= {"PYTHONPATH": str(root / "nowhere"), "PIP_USER": "1"}
    return [sys.executable, str(root / "main.py"), *arguments], variables


def launch(root: Path, *arguments: str) -> subprocess.Popen[str]:
    line, variables = command(root, *arguments)
    return subprocess.Popen(line, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PROCESS_SECONDS)
    return process.returncode, out, err


@pytest.mark.timeout(5 * PROCESS_SECONDS)
def test_first_start_later_starts_changes_and_repairs(project: Path) -> None:
    environment = Environment(project)

    # Two first starts at once, from another folder: one sets up, the other waits; both end with the application's code.
    both = [finish(process) for process in [launch(project, "3"), launch(project, "3")]]
    assert [code for code, _, _ in both] == [3, 3], both
    for _, out, _ in both:
        assert "tiny 1.0 3" in out
        assert str(environment.folder) in out
    setups = [err for _, _, err in both if "step 1 of 3" in err]
    assert len(setups) == 1
    assert "is ready after" in setups[0]

    # A later start says nothing and installs nothing.
    code, out, err = finish(launch(project))
    assert (code, err) == (0, "")
    assert "tiny 1.0" in out

    # New requirements are installed, also after a setup that was cut off in the middle of a file.
    environment.mark_started()
    (environment.site_packages() / "tiny.py").write_text("VER")
    require(project, "2.0")
    code, out, err = finish(launch(project))
    assert code == 0, err
    assert "installing tiny again" in err
    assert "tiny 2.0" in out

    # What cannot be had is one sentence with pip's log.
    require(project, "9.0")
    code, out, err = finish(launch(project))
    assert code == 1
    assert "ldeq-live: tiny==9.0 is not offered" in err
    assert str(environment.log) in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="an interrupt cannot be sent to one process on Windows")
def test_interrupted_while_making_the_environment(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(project, root, ignore=shutil.ignore_patterns(".venv*"))
    process = launch(root)
    assert process.stderr is not None
    assert "step 1 of 3" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert "start again" in err
    assert "Traceback" not in err
    assert not (root / ".venv" / STAMP).exists()
    assert not Environment(root).is_ready()
