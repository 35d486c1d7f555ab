"""The ``.venv`` folder: where it is, whether it is complete, how it is made and repaired."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

STAMP = "ldeq-live.json"
SUPPORTED = ((3, 11), (3, 12), (3, 13))
MISSING_VENV = (
    "Python's venv module is missing; on Debian and Ubuntu install it with: sudo apt install "
    f"python{sys.version_info[0]}.{sys.version_info[1]}-venv, then start again"
)


class SetupError(Exception):
    """The environment cannot be made; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The program's own environment.

    Attributes:
        root: the folder of main.py and requirements.txt.
    """

    root: Path

    @property
    def folder(self) -> Path:
        """The .venv folder."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def requirements(self) -> Path:
        """The pinned packages."""
        return self.root / "requirements.txt"

    @property
    def log(self) -> Path:
        """What pip did in the last setup."""
        return self.folder / "setup.log"

    def is_running(self) -> bool:
        """Whether this very process runs in the environment."""
        return os.path.realpath(sys.prefix) == os.path.realpath(self.folder)

    def is_ready(self) -> bool:
        """Whether the stamp says that exactly these requirements are installed; takes a millisecond."""
        stamp = self._stamp()
        if stamp.get("requirements") != self._fingerprint() or not self.python.exists():
            return False
        # A system upgrade can put another Python behind the environment's link: its packages are then
        # invisible. Only the process that runs there can tell.
        return not self.is_running() or stamp.get("python") == _version(sys.version_info[:2])

    def was_interrupted(self) -> bool:
        """Whether a setup began here and did not finish."""
        return self._stamp().get("requirements") == ""

    def is_foreign(self) -> bool:
        """Whether its packages are those of another kind of computer, as in a folder that was copied or is shared."""
        return self._stamp().get("platform", _platform()) != _platform()

    def mark_started(self) -> None:
        """Note that packages are being installed, so that an interruption can be detected."""
        self._write_stamp("", None)

    def mark_ready(self, python: tuple[int, int]) -> None:
        """Write the stamp that later starts look for; ``python`` is the version of the environment's Python."""
        self._write_stamp(self._fingerprint(), python)

    def python_version(self) -> tuple[int, int] | None:
        """Return the (major, minor) of the environment's Python if it and its pip work, else None."""
        if not self.python.exists():
            return None
        script = "import sys, pip._internal.cli.main; print(*sys.version_info[:2])"
        try:
            done = subprocess.run([self.python, "-I", "-c", script], capture_output=True, text=True, timeout=120)
            major, minor = map(int, done.stdout.split())
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None
        return (major, minor) if done.returncode == 0 else None

    def make(self) -> None:
        """Create the environment, without packages, where there is none; see :meth:`remove`.

        Raises:
            SetupError: if Python's venv or ensurepip is missing, or the folder cannot be written.
        """
        base = getattr(sys, "_base_executable", sys.executable) if self.is_running() else sys.executable
        # -I: a venv.py where the person happens to stand is not Python's.
        command = [base, "-I", "-m", "venv", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            output = done.stdout + done.stderr
            if "ensurepip" in output or "No module named venv" in output:
                raise SetupError(MISSING_VENV)
            raise SetupError(f"The environment {self.folder} cannot be made: {_last_line(output)}")

    def site_packages(self) -> Path:
        """Return where packages are installed."""
        if os.name == "nt":
            return self.folder / "Lib" / "site-packages"
        return next((self.folder / "lib").glob("python3.*/site-packages"), self.folder / "lib")

    def has_package(self, name: str, version: str) -> bool:
        """Whether a build of this version of a package seems to be installed."""
        return any(self.site_packages().glob(f"{name}-{version}*.dist-info"))

    def forget_damaged_packages(self) -> list[str]:
        """Remove the records of packages with missing or cut-off files, so that pip installs them again.

        Returns:
            Names of the packages.
        """
        damaged = [record for record in self.site_packages().glob("*.dist-info") if not _is_whole(record)]
        for record in damaged:
            shutil.rmtree(record, ignore_errors=True)
        return sorted(record.name.split("-")[0] for record in damaged)

    def remove(self) -> None:
        """Delete the folder, or what lies in its place, if there is any.

        Raises:
            SetupError: if that is impossible.
        """
        try:
            if self.folder.is_symlink() or self.folder.is_file():
                self.folder.unlink()
            elif self.folder.exists():
                shutil.rmtree(self.folder)
        except OSError as error:
            raise SetupError(
                f"The broken folder {self.folder} cannot be removed: {error}; remove it yourself"
            ) from error

    def _stamp(self) -> dict[str, str]:
        try:
            values = json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def _write_stamp(self, requirements: str, python: tuple[int, int] | None) -> None:
        values = {"requirements": requirements, "python": _version(python) if python else "", "platform": _platform()}
        temporary = self.folder / f"{STAMP}.tmp"
        temporary.write_text(json.dumps(values), encoding="utf-8")
        os.replace(temporary, self.folder / STAMP)

    def _fingerprint(self) -> str:
        # Line by line: a checkout with Windows line ends holds the same requirements.
        try:
            lines = self.requirements.read_text(encoding="utf-8").split()
        except OSError as error:
            raise SetupError(f"{self.requirements} cannot be read; fetch the project again") from error
        return hashlib.sha256(" ".join([*lines, _platform()]).encode()).hexdigest()


def _is_whole(record: Path) -> bool:
    try:
        with (record / "RECORD").open(encoding="utf-8", newline="") as lines:
            for path, _, size in csv.reader(lines):
                if size and not path.endswith(".pyc") and (record.parent / path).stat().st_size != int(size):
                    return False
    except (OSError, ValueError):
        return False
    return (record / "METADATA").is_file()


def _platform() -> str:
    """Return what packages are built for. Builds of Python for macOS differ in what they say, which is no change."""
    platform = sysconfig.get_platform()
    return "macosx" if platform.startswith("macosx") else platform


def _version(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "no reason given"
