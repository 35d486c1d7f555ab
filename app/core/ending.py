"""The signals that ask a program to end."""

from __future__ import annotations

import signal

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
"""Those of this system: Ctrl-C, a polite kill, a terminal that is closed, and Ctrl-Break on Windows."""
