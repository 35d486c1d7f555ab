"""Opens a session's folder: what was recorded, its replays, its pictures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from app.core.settings import TrackingSettings
from app.core.version import VERSION
from app.sessions.estimates import read_estimates, read_sizes
from app.sessions.events import Event, EventKind, changed_settings, read_events
from app.sessions.form import (
    EVENTS,
    EXACT_VIDEO,
    FRAMES,
    RECORDED,
    REPLAY_KIND,
    REPLAY_METADATA,
    REPLAYS,
    SessionError,
    SessionState,
    read_form,
)
from app.sessions.frames import FrameTable, read_frames
from app.sessions.metadata import EngineFacts, SessionMetadata, facts_from, now, read_metadata, versions
from app.sessions.take import Take
from app.sessions.video import SessionVideo
from app.sources.video import VideoSource
from model.files import is_file
from model.json_files import JsonError, read_object


@dataclass(frozen=True, slots=True)
class ReplayFacts:
    """Everything in a ``replay.json``.

    Attributes:
        name: of the take, and of its folder.
        session: id of the session whose pictures were used.
        tracking: settings in the first frame.
        as_recorded: the recorded changes of settings were made at the same frames.
        engine: what computed it.
        lossless: the pictures were those that had been tracked, value by value.
        frames: how many were tracked.
        without_picture: frames of the session that have no picture and were left out.
        seconds: how long the replay took.
        checksums: SHA-256 of the files beside it.
    """

    name: str
    session: str
    tracking: TrackingSettings
    as_recorded: bool
    engine: EngineFacts
    lossless: bool
    frames: int
    without_picture: int
    seconds: float
    started: str = field(default_factory=now)
    application: str = VERSION
    versions: dict[str, str] = field(default_factory=versions)
    checksums: dict[str, str] = field(default_factory=dict)


class Session:
    """An open session; reading it changes nothing in the folder.

    Attributes:
        folder: where it lies.
        metadata: what it says about itself.
        frames: its tracked frames; after a kill the video may lack the pictures of the last quarter second.
        events: what happened while it was recorded.
    """

    def __init__(self, folder: Path, metadata: SessionMetadata, frames: FrameTable, events: tuple[Event, ...]) -> None:
        self.folder = folder
        self.metadata = metadata
        self.frames = frames
        self.events = events
        self.settings_at = settings_by_row(metadata.tracking, events)
        self._takes: dict[str, Take] = {}

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def state(self) -> SessionState:
        """ "complete", or "recovered" where the recording was cut off."""
        return SessionState.COMPLETE if self.metadata.state == SessionState.COMPLETE else SessionState.RECOVERED

    @property
    def seconds(self) -> float:
        """Playing time."""
        return self.frames.duration

    @property
    def take_names(self) -> tuple[str, ...]:
        """The recorded take and the replays that are there now, the oldest replay first."""
        folder = self.folder / REPLAYS
        found = [path.parent for path in folder.glob(f"*/{REPLAY_METADATA}")] if folder.is_dir() else []
        return (RECORDED, *(path.name for path in sorted(found, key=_age)))

    @property
    def recorded(self) -> Take:
        """What was found while recording."""
        return self.take(RECORDED)

    def take(self, name: str) -> Take:
        """Read one take, the first time it is asked for.

        Raises:
            SessionError: if none has that name, or its files are damaged.
        """
        if name not in self._takes:
            self._takes[name] = self._read_recorded() if name == RECORDED else self._read_replay(name)
        return self._takes[name]

    @property
    def video_path(self) -> Path | None:
        """The clean video: in the folder, or the file that was tracked; None if it no longer exists.

        A tracked file is also looked for beside the folder, since both may come from another computer, whose paths may
        be those of another system.
        """
        video = self.metadata.video
        if video is None:
            return None
        if video.inside:
            places = [self.folder / Path(video.file).name]
        else:
            places = [Path(video.file), self.folder.parent / PureWindowsPath(video.file).name]
        return next((path for path in places if is_file(path)), None)

    def open_video(self) -> SessionVideo:
        """Open the clean pictures; picture numbers are those in :attr:`frames`.

        Raises:
            SessionError: if there is no video, or it cannot be read.
        """
        path, video = self.video_path, self.metadata.video
        if path is None or video is None:
            raise SessionError(self._no_pictures())
        shown = self.frames.picture >= 0
        times = self.frames.time if video.inside else self.frames.timestamp
        sizes = read_sizes(self.folder, self.frames)[shown] if video.inside else None
        finished = self.state == SessionState.COMPLETE or path.suffix != Path(EXACT_VIDEO).suffix
        try:
            return SessionVideo(path, times[shown], sizes, whole=finished)
        except SessionError as error:
            if self.state == SessionState.COMPLETE or not video.inside:
                raise
            raise SessionError(
                f"{self.folder} was cut off before its first pictures were on the disk; its landmarks can be shown."
            ) from error

    def pictures(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (number, picture) of every clean picture in order; numbers are those in :attr:`frames`.

        Raises:
            SessionError: if there is no video, or it cannot be read.
        """
        path, video = self.video_path, self.metadata.video
        if path is not None and video is not None and not video.inside:
            yield from _source_pictures(path)  # as the tracker read them, also where the file's times are odd
            return
        with self.open_video() as opened:
            yield from opened.frames()

    def _no_pictures(self) -> str:
        if self.metadata.privacy:
            return f"{self.folder} was recorded in privacy mode and has no pictures; its landmarks can be shown."
        if self.metadata.video is None:
            return f"{self.folder} was recorded without a video; its landmarks can be shown."
        where = self.metadata.video.file
        return (
            f"The video {where} of {self.folder} is not there any more; put it back, or beside that folder, to see and "
            "replay it."
        )

    def _read_recorded(self) -> Take:
        facts = self.metadata
        estimates = read_estimates(self.folder, self.frames)
        return Take(
            facts.session,
            RECORDED,
            facts.tracking,
            self.frames,
            estimates,
            self.events,
            facts.engine,
            facts.versions,
            self.settings_at,
        )

    def replay_facts(self, name: str) -> ReplayFacts:
        """Read what a replay says about itself.

        Raises:
            SessionError: if none has that name, or none that can be used.
        """
        path = self.folder / REPLAYS / name / REPLAY_METADATA
        if Path(name).name != name or not is_file(path):
            known = ", ".join(self.take_names)
            raise SessionError(f"{self.folder} has no take named {name}; it has {known}.")
        facts: ReplayFacts = facts_from(ReplayFacts, read_form(path, REPLAY_KIND), path)
        return facts

    def _read_replay(self, name: str) -> Take:
        folder, facts = self.folder / REPLAYS / name, self.replay_facts(name)
        events, own = read_events(folder / EVENTS), read_frames(folder / FRAMES)
        rows = self.frames.rows_of(own.time)
        seconds = np.full(len(self.frames), np.nan)
        seconds[rows[rows >= 0]] = own.seconds[rows >= 0]
        return Take(
            facts.session,
            name,
            facts.tracking,
            replace(self.frames, seconds=seconds),
            read_estimates(folder, self.frames),
            events,
            facts.engine,
            facts.versions,
            settings_by_row(facts.tracking, events),
            facts.as_recorded,
        )


def open_session(folder: Path) -> Session:
    """Open a session; also one whose recording was cut off, and one whose video lacks its end.

    Raises:
        SessionError: one sentence if it is no session, is damaged or of a newer version.
    """
    metadata = read_metadata(folder)
    frames = read_frames(folder / FRAMES)
    return Session(folder, metadata, frames, read_events(folder / EVENTS))


def settings_by_row(first: TrackingSettings, events: tuple[Event, ...]) -> Callable[[int], TrackingSettings]:
    """Return a function that tells the settings of a row.

    Args:
        first: settings in the first frame.
        events: of kind "settings" those that changed them; what a newer version changed is not known here and
            raises when a row from there on is asked for.
    """
    changes = [event for event in events if event.kind == EventKind.SETTINGS]
    rows = [event.row for event in changes]

    @cache
    def after(count: int) -> TrackingSettings:
        return first if count == 0 else changed_settings(after(count - 1), changes[count - 1])

    def settings_at(row: int) -> TrackingSettings:
        for count in range(bisect_right(rows, row)):  # forwards, so that many changes are no deep recursion
            after(count)
        return after(bisect_right(rows, row))

    return settings_at


def _source_pictures(path: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    source = VideoSource(path)
    try:
        while (frame := source.read()) is not None:
            yield frame.index, frame.image
    finally:
        source.close()


def _age(folder: Path) -> tuple[str, float, str]:
    """Return what replays are sorted by: when they began, which survives a copy, then when they were written."""
    path = folder / REPLAY_METADATA
    try:
        return str(read_object(path).get("started", "")), path.stat().st_mtime, folder.name
    except (OSError, JsonError):
        return "", 0.0, folder.name
