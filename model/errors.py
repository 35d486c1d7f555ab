"""The one exception the library raises for input a person can put right, and other libraries' errors in short."""

LONGEST_REASON = 120


class ModelError(ValueError):
    """A setting, file or array that cannot be used; the message says what to do."""


def in_short(reason: str) -> str:
    """Return the first line of an error message, without what would end a sentence; libraries write pages."""
    line = reason.strip().splitlines()[0].strip() if reason.strip() else "no reason given"
    line = line.rstrip(". ")
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
