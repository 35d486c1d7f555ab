"""What the window remembers between runs: one small JSON file in the user's configuration folder.

All of it is optional: if the file is missing, damaged or from a newer version, the defaults apply.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import platformdirs

from app.core.errors import UserError
from app.core.settings import ModelChoice, TrackingSettings
from app.gui.live.presenters.preferences import MOST_FACES, USUAL_RECORDING, Preferences
from app.gui.live.presenters.share import ShareForm
from app.gui.presenters.palettes import Theme
from app.sessions.plain import from_plain, to_plain
from app.sessions.plan import RecordingChoices
from model.json_files import read_object, write_json
from model.signals.expression import Expression

log = logging.getLogger(__name__)

VERSION = 1
FOLDER_NAME = "LDEQ Live"
FILE_NAME = "window.json"
_UNREADABLE = (OSError, ValueError, UserError)
QUIET_SECONDS = 0.5
"""The file is written when nothing has changed for so long, so that dragging a window is one change."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Choices that outlive the window.

    Attributes:
        geometry: size and place of the window, as Qt saves it, in base64; "" for the usual.
        source: what the user chose to play last, as it is typed; None looks for a camera.
        tracking: how faces are followed.
        compare_view: how two modes are shown; the view falls back to its first where it does not know the name.
        divider: where the line of the split view is, as share of the width.
        panels: names of the panels that are open.
        theme: dark, light, or as the system is.
        privacy: blur the picture, record landmarks only.
        recording: what a recording holds.
        mirror: flip the picture; None for cameras only.
        folder: where recordings go; None is the usual place.
        share: what stands in the share card.
        first_look_seen: the first look was shown.
        tour_seen: the tour was shown.
        neutral: the person's neutral expression, for avatars; None for an average one.
        model: which of the shipped models runs.
    """

    geometry: str = ""
    source: str | None = None
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    compare_view: str = ""
    divider: float = 0.5
    panels: tuple[str, ...] = ("panel",)
    theme: Theme = Theme.SYSTEM
    privacy: bool = False
    recording: RecordingChoices = USUAL_RECORDING
    mirror: bool | None = None
    folder: Path | None = None
    share: ShareForm = field(default_factory=ShareForm)
    first_look_seen: bool = False
    tour_seen: bool = False
    neutral: Expression | None = None
    model: ModelChoice = ModelChoice.AUTO
    symmetric: bool = False

    def __post_init__(self) -> None:
        if self.theme not in tuple(Theme):
            raise UserError(f"The theme must be one of {', '.join(Theme)}, not {self.theme!r}.")
        if self.folder is not None and not self.folder.is_absolute():
            raise UserError(f"{self.folder} is not an absolute path; write the whole path.")

    def given(self, **options: Any) -> Remembered:
        """Return these choices with what the command line gave, which wins; options that are None were not given.

        Names are fields of this class or of :class:`TrackingSettings`.

        Raises:
            UserError: for values that cannot be used.
        """
        said = {name: value for name, value in options.items() if value is not None}
        tracking = {name: said.pop(name) for name in tuple(said) if name in TrackingSettings.__slots__}
        return replace(self, tracking=replace(self.tracking, **tracking), **said)

    @property
    def preferences(self) -> Preferences:
        """The part of it that the preferences card shows."""
        faces = min(self.tracking.max_faces, MOST_FACES)
        return Preferences(self.theme, self.privacy, self.recording, self.mirror, faces, self.folder)


def default_path() -> Path:
    """Return where the user's choices are kept."""
    return Path(platformdirs.user_config_dir(FOLDER_NAME, appauthor=False)) / FILE_NAME


class Memory:
    """Loads choices and writes them back atomically, on a thread of its own.

    Of two windows that are open at once each writes what was chosen in it, and leaves the rest as the other wrote it.

    Args:
        path: the file; its folder is made when it is first written.
        quiet: seconds without a change before it is written.
    """

    def __init__(self, path: Path, quiet: float = QUIET_SECONDS) -> None:
        self.path = path
        self.note = ""
        """One sentence where the file could not be read, "" normally."""
        self._quiet = quiet
        self._condition = threading.Condition()
        self._changed_at: float | None = None
        self._changes: dict[str, Any] = {}
        """Fields that were chosen here and are not written yet."""
        self._closed = False
        self._thread: threading.Thread | None = None
        self._current = self._load()

    @property
    def current(self) -> Remembered:
        """The choices as they are now."""
        with self._condition:
            return self._current

    def update(self, **changes: Any) -> None:
        """Remember these fields of :class:`Remembered` from now on; returns at once."""
        with self._condition:
            changed = replace(self._current, **changes)
            if changed == self._current or self._closed:
                return
            self._current = changed
            self._changes |= changes
            self._changed_at = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def close(self, timeout: float = 2.0) -> bool:
        """Write what was not written yet and end; return whether that was done in time."""
        with self._condition:
            self._closed = True
            thread = self._thread
            self._condition.notify_all()
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._changed_at is not None)
                while not self._closed and (left := self._left()) > 0:
                    self._condition.wait(left)
                closed, changes, current = self._closed, self._changes, self._current
                self._changed_at, self._changes = None, {}
            if changes:
                self._write(current, changes)
            if closed:
                return

    def _left(self) -> float:
        return (self._changed_at or 0.0) + self._quiet - time.monotonic()

    def _write(self, current: Remembered, changes: dict[str, Any]) -> None:
        try:
            known = self._read()
        except _UNREADABLE:
            known = current
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.path, {"version": VERSION, **to_plain(replace(known, **changes))})
        except OSError as error:
            log.warning("choices could not be saved to %s: %s", self.path, error)
            with self._condition:
                self._changes = changes | self._changes  # with the next one

    def _read(self) -> Remembered:
        values = read_object(self.path)
        if values.get("version") != VERSION:
            raise ValueError(f"it has version {values.get('version')!r}, known is {VERSION}")
        return from_plain(Remembered, values)

    def _load(self) -> Remembered:
        try:
            return self._read()
        except FileNotFoundError:
            return Remembered()
        except _UNREADABLE as error:
            self.note = f"Your saved choices could not be read, so the window starts as new{self._set_aside()}."
            log.warning("%s cannot be used: %s", self.path, error)
            return Remembered()

    def _set_aside(self) -> str:
        """Keep the unreadable file under another name; return what to say about it."""
        aside = self.path.with_name(f"{self.path.stem}-unreadable{self.path.suffix}")
        try:
            os.replace(self.path, aside)
        except OSError:
            return ""
        return f"; they were set aside as {aside}"


def forget(**changes: object) -> None:
    """No-op counterpart of :meth:`Memory.update` for a window without a memory."""
