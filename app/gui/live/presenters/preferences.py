"""The preferences card: what can be chosen, what follows from it, and what it means in plain words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from app.core.errors import UserError
from app.core.settings import ModelChoice
from app.gui.presenters.options import Option
from app.gui.presenters.palettes import Theme
from app.sessions.plan import RecordingChoices

MOST_FACES = 8

THEME_OPTIONS = (
    Option(Theme.SYSTEM, "System", "Follows the system's dark or light"),
    Option(Theme.DARK, "Dark", "Light text on a dark background"),
    Option(Theme.LIGHT, "Light", "Dark text on a light background"),
)
MIRROR_OPTIONS = (
    Option("cameras", "Cameras", "Flip cameras as a mirror does, nothing else"),
    Option("always", "Always", "Flip every picture"),
    Option("never", "Never", "Flip nothing"),
)
MIRRORED: dict[str, bool | None] = {"cameras": None, "always": True, "never": False}
"""What the options for the mirror mean."""

FACES_OPTIONS = tuple(
    Option(str(count), str(count), f"Follow the {count} largest faces" if count > 1 else "Follow the largest face")
    for count in range(1, MOST_FACES + 1)
)

USUAL_RECORDING = RecordingChoices(annotated=True)
"""What users expect of a recording: a video with the landmarks in it, and what a replay needs."""


class RecordingPart(StrEnum):
    """What a recording can hold besides landmarks and events."""

    VIDEO = "video"
    ANNOTATED = "annotated"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the card holds.

    Attributes:
        theme: dark, light, or as the system is.
        privacy: blur the picture, record landmarks only.
        recording: what a recording holds; its own ``privacy`` is left to :attr:`choices`.
        mirror: flip the picture; None for cameras only.
        max_faces: most faces followed at once.
        folder: where recordings and snapshots go; None is the usual place.
        model: which model runs; None where there is nothing to choose.
        symmetric: it sees each face mirrored as well.
    """

    theme: Theme = Theme.SYSTEM
    privacy: bool = False
    recording: RecordingChoices = USUAL_RECORDING
    mirror: bool | None = None
    max_faces: int = 1
    folder: Path | None = None
    model: ModelChoice | None = None
    symmetric: bool = False

    def __post_init__(self) -> None:
        if self.theme not in tuple(Theme):
            raise UserError(f"The theme must be one of {', '.join(Theme)}, not {self.theme!r}.")
        if not 1 <= self.max_faces <= MOST_FACES:
            raise UserError(f"Between 1 and {MOST_FACES} faces can be followed, not {self.max_faces}.")

    @property
    def mirror_option(self) -> str:
        """The name of the mirror's option."""
        return next(name for name, meaning in MIRRORED.items() if meaning is self.mirror)

    @property
    def choices(self) -> RecordingChoices:
        """What a recording holds that begins now."""
        return replace(self.recording, privacy=self.privacy)


@dataclass(frozen=True, slots=True)
class Switchable:
    """A switch of what a recording holds: whether it is on, whether it can be changed, and why not or what it means."""

    on: bool
    free: bool
    note: str


def recording_switches(preferences: Preferences) -> dict[RecordingPart, Switchable]:
    """Return the three switches of what a recording holds besides landmarks and events."""
    chosen = preferences.recording
    if preferences.privacy:
        why = "Privacy is on: no picture is recorded"
        return {
            name: Switchable(False, False, why)
            for name in (RecordingPart.VIDEO, RecordingPart.ANNOTATED, RecordingPart.EXACT)
        }
    clean = "The pictures without landmarks, for scrubbing and replay under other settings"
    return {
        RecordingPart.VIDEO: Switchable(
            chosen.wants_clean, not chosen.exact, "Needed for exact replay" if chosen.exact else clean
        ),
        RecordingPart.ANNOTATED: Switchable(chosen.annotated, True, "A second video with the landmarks drawn in"),
        RecordingPart.EXACT: Switchable(
            chosen.exact, True, "Lossless: replays bit for bit; about 40 MB a second at 1280x720"
        ),
    }


def with_switch(preferences: Preferences, name: str, on: bool) -> Preferences:
    """Return the preferences after the switch ``name`` of :func:`recording_switches` was set."""
    return replace(preferences, recording=replace(preferences.recording, **{name: on}))


def read_folder(text: str) -> Path | None:
    """Return the folder that ``text`` names, None for the usual one. Nothing is read from the disk.

    Raises:
        UserError: where it does not say where the folder lies.
    """
    text = text.strip()
    if not text:
        return None
    try:
        folder = Path(text).expanduser()
    except RuntimeError as error:  # ~nobody
        raise UserError(f"There is no home folder {text.split('/')[0]}; write the whole path.") from error
    if not folder.is_absolute():
        raise UserError(f"{text} is not an absolute path; write the whole path, such as {Path.home() / 'Videos'}.")
    return folder
