"""Errors a person can act on, and the exit codes of the command line."""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """Something the user can correct. The message is one sentence that says what to do.

    The command line prints it without a traceback and exits with ``exit_code``; the window shows it
    in a banner.
    """

    def __init__(self, message: str, exit_code: int = EXIT_BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class SourceError(UserError):
    """A camera, file, folder or stream that cannot be opened or that stopped delivering."""


class RecordingError(UserError):
    """An output that cannot be written."""


class NameTaken(RecordingError):
    """There is something under the name of a new output; under another one it could be written."""
