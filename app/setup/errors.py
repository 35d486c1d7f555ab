"""The one exception of the setup."""

from __future__ import annotations


class SetupError(Exception):
    """The environment cannot be made; the message is one sentence that says what to do."""
