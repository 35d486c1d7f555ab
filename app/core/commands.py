"""Commands that a person can copy into a terminal."""

from __future__ import annotations

import re
import shlex
import sys


def install_command(package: str) -> str:
    """Return the command that installs a package where this program runs, quoted where that needs it."""
    words = [sys.executable, "-m", "pip", "install", package]
    if sys.platform != "win32":
        return shlex.join(words)
    # Not subprocess.list2cmdline: it leaves commas as they are, at which PowerShell divides words.
    return " ".join(word if re.fullmatch(r"[\w.:\\/=+-]+", word) else f'"{word}"' for word in words)
