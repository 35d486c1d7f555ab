"""Writes a session folder frame by frame on one thread; after an error, what was written stays usable."""

from __future__ import annotations

import logging
import math
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app.core.errors import RecordingError, SourceError
from app.core.files import writing
from app.core.frame import FrameResult
from app.media.clock import FileClock, RecordingClock, SourceTiming, Timeline
from app.media.encoding import EXACT, LIVE, SCRUB
from app.sessions.durability import FolderSync, sync_files
from app.sessions.events import EventKind
from app.sessions.form import (
    ANNOTATED_VIDEO,
    CLEAN_VIDEO,
    EVENTS,
    EXACT_VIDEO,
    FRAMES,
    LANDMARKS_CSV,
    LANDMARKS_PARQUET,
    THUMBNAIL,
    SessionState,
    create_folder,
)
from app.sessions.metadata import (
    Counts,
    EngineFacts,
    SessionMetadata,
    SourceFacts,
    VideoFacts,
    checksums,
    now,
    versions,
    write_metadata,
)
from app.sessions.pictures import AnnotatedTrack, PictureTrack, write_thumbnail
from app.sessions.plan import RecordingChoices, SessionPlan, VideoCopy
from app.sessions.take_writer import TakeWriter
from app.sources.base import SourceInfo
from model.weights import sha256

log = logging.getLogger(__name__)

TABLES = [LANDMARKS_CSV, LANDMARKS_PARQUET, FRAMES, EVENTS, THUMBNAIL]


class SessionWriter:
    """An open session folder. Used by one thread.

    Args:
        folder: a name that is free; created with its tables.
        plan: what is recorded.
        clock: gives the playing times of frames.

    Raises:
        RecordingError: if it cannot be created.
    """

    def __init__(self, folder: Path, plan: SessionPlan, clock: Timeline) -> None:
        create_folder(folder)
        self._folder = folder
        self._plan = plan
        self._clock = clock
        try:
            self._take = TakeWriter(folder)
        except RecordingError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._sync = FolderSync(folder)
        choices, rate = plan.choices, plan.source.fps
        self._clean: PictureTrack | None = None
        if choices.wants_clean and plan.reference is None:
            name, encoding = (EXACT_VIDEO, EXACT) if choices.exact else (CLEAN_VIDEO, SCRUB)
            self._clean = PictureTrack(folder / name, encoding, rate, plan.threads)
        self._annotated: PictureTrack | None = None
        if choices.wants_annotated:
            self._annotated = AnnotatedTrack(folder / ANNOTATED_VIDEO, LIVE, rate, plan.threads)
        self._metadata: SessionMetadata | None = None
        self._counts = Counts()
        self._missing = 0
        self._exact = plan.reference is not None or (choices.exact and choices.wants_clean)
        self._exact_frames = 0
        self._last_index: int | None = None
        self._last, self._step = 0.0, 0.0
        self._first: float | None = None
        self._closed = self._failed = False

    @property
    def counts(self) -> Counts:
        """How much was written so far."""
        return self._counts

    @property
    def seconds(self) -> float:
        """Playing time so far, the last frame included."""
        return 0.0 if self._first is None else self._last - self._first + self._step

    def write(self, result: FrameResult, *, picture: bool = True, annotated: bool = True) -> None:
        """Write one frame.

        Args:
            result: what the pipeline returned.
            picture: its picture is there; else it only has a size, and is counted as dropped.
            annotated: there is time to draw it, too.

        Raises:
            RecordingError: if something cannot be written; the frame's landmarks are written if that is
                still possible.
            ValueError: for a frame whose time is not finite.
        """
        time = self._clock.time(result.frame)
        if not math.isfinite(time):
            raise ValueError(f"frame {result.frame.index} has no finite time")
        if self._metadata is None:
            try:
                self._begin(result)
            except RecordingError:
                self._failed = True
                raise
        self._advance(time)
        number: int | None = None
        problem: RecordingError | None = None
        if self._plan.reference is not None:
            number = result.frame.index
        elif self._clean is not None and picture and not self._failed:
            try:
                number = self._clean.add(result, time)
            except RecordingError as error:
                problem, self._failed = error, True  # tables still take what waits
            except Exception:  # a picture that cannot be encoded must not cost its landmarks
                log.exception("the picture of frame %s could not be recorded", result.frame.index)
        try:
            self._take.write(result, time, number)
        except RecordingError:
            self._failed = True
            raise
        self._count(result, number)
        if problem is not None:
            self._take.note(EventKind.ERROR, text=str(problem))
            raise problem
        if self._annotated is not None:
            self._annotate(result, time, picture and annotated)

    def lose_exactness(self, reason: str) -> None:
        """Note that a replay may differ from the newest frame on, and why; only the first call counts."""
        if self._exact:
            self._exact = False
            self._take.note(EventKind.INEXACT, text=reason)

    def close(self, reason: str = "stopped") -> None:
        """Finish every file, even if one of them fails; safe to call twice.

        A session without frames leaves no folder.

        Args:
            reason: why it ends, for the last event.

        Raises:
            RecordingError: for the first file whose end could not be written; the session can be opened.
        """
        if self._closed:
            return
        self._closed = True
        problem: RecordingError | None = None
        for step in (lambda: self._end(reason), *(track.close for track in self._tracks()), self._take.close):
            try:
                step()
            except RecordingError as error:
                problem = problem or error
            except Exception:  # the other files are still finished
                log.exception("a file of %s could not be finished", self._folder)
                problem = problem or RecordingError(f"{self._folder} could not be finished; it holds what was written.")
        self._sync.close()
        if not self._counts.frames:
            shutil.rmtree(self._folder, ignore_errors=True)
        elif problem is None and not self._failed:
            self._bring_to_disk()
            self._complete(SessionState.COMPLETE, checksums(self._folder, TABLES))
        else:
            with suppress(RecordingError):  # the disk may be full; what was written at the start is enough to open it
                self._complete(SessionState.RECOVERED, {})
        if problem is not None:
            raise problem

    def add_checksums(self) -> None:
        """Add the videos' checksums, which may take seconds, to a session that is complete.

        Raises:
            RecordingError: if they cannot be written.
        """
        if self._metadata is not None and self._metadata.state == SessionState.COMPLETE:
            found = checksums(self._folder, [track.path.name for track in self._tracks()])
            self._complete(SessionState.COMPLETE, self._metadata.checksums | found)

    @property
    def video_bytes(self) -> int:
        """Size of the videos so far."""
        return sum(track.path.stat().st_size for track in self._tracks() if track.path.is_file())

    def _tracks(self) -> list[PictureTrack]:
        return [track for track in (self._clean, self._annotated) if track is not None]

    def _begin(self, result: FrameResult) -> None:
        """Write the metadata; now the settings are known."""
        plan = self._plan
        video = plan.reference
        if self._clean is not None:
            video = VideoFacts(self._clean.path.name, lossless=self._clean.encoding.lossless)
        self._metadata = SessionMetadata(
            plan.source,
            plan.engine.with_checksum(),
            result.settings,
            video=video,
            annotated=ANNOTATED_VIDEO if plan.choices.wants_annotated else None,
            privacy=plan.choices.privacy,
            origin=plan.origin,
            versions=versions() if plan.versions is None else plan.versions,
        )
        write_metadata(self._folder, self._metadata)
        if (self._clean is not None or plan.reference is not None) and result.frame.image.size:
            write_thumbnail(self._folder, result)

    def _advance(self, time: float) -> None:
        if self._first is None:
            self._first = time
        else:
            self._step = time - self._last
        self._last = time

    def _count(self, result: FrameResult, number: int | None) -> None:
        """Count a frame that was written, and record what it lacks."""
        counts, last = self._counts, self._last_index
        self._last_index = result.frame.index
        gap = 0 if last is None else max(0, result.frame.index - last - 1)
        counts = replace(counts, frames=counts.frames + 1, skipped=counts.skipped + gap * self._plan.source.live)
        if number is not None:
            counts = replace(counts, pictures=counts.pictures + 1)
            self._tell_missing()
            if self._clean is not None and self._clean.resized:
                self.lose_exactness("the pictures changed their size")
        elif self._clean is not None:
            self._missing += 1
            counts = replace(counts, dropped=counts.dropped + 1)
            self.lose_exactness("a picture was not recorded")
        self._counts = counts
        if self._take.faults:
            self.lose_exactness("a part of the tracker failed")
        self._exact_frames += self._exact

    def _tell_missing(self) -> None:
        if self._missing:
            missing, self._missing = self._missing, 0
            text = f"{missing} picture{'s were' if missing > 1 else ' was'} not recorded"
            self._take.note(EventKind.DROPPED, pictures=missing, text=text)

    def _annotate(self, result: FrameResult, time: float, wanted: bool) -> None:
        assert self._annotated is not None
        counts = self._counts
        if not wanted:
            self._counts = replace(counts, annotated_dropped=counts.annotated_dropped + 1)
            return
        try:
            self._annotated.add(result, time)
        except RecordingError as error:  # it can be made from the session later
            self._take.note(EventKind.ANNOTATED, text=f"the annotated video ends here: {error}")
            with suppress(RecordingError):
                self._annotated.close()
            self._annotated = None
        except Exception:
            log.exception("frame %s could not be drawn", result.frame.index)
            self._counts = replace(counts, annotated_dropped=counts.annotated_dropped + 1)
        else:
            self._counts = replace(counts, annotated=counts.annotated + 1)

    def _end(self, reason: str) -> None:
        if self._metadata is not None:
            self._tell_missing()
            self._take.note(EventKind.STOP, text=reason)

    def _bring_to_disk(self) -> None:
        with writing(self._folder):
            sync_files(self._folder)

    def _complete(self, state: SessionState, sums: dict[str, str]) -> None:
        """Write the metadata with what is known at the end."""
        assert self._metadata is not None
        video = self._metadata.video
        if self._clean is not None and not self._clean.count:
            video = None
        annotated = self._metadata.annotated if self._counts.annotated else None
        self._metadata = replace(
            self._metadata,
            state=state,
            ended=self._metadata.ended or now(),
            seconds=self.seconds,
            video=video,
            annotated=annotated,
            exact=self._exact,
            exact_frames=self._exact_frames,
            counts=self._counts,
            checksums=sums,
        )
        write_metadata(self._folder, self._metadata)


def open_tracked_session(
    folder: Path,
    spec: str,
    info: SourceInfo,
    engine: EngineFacts,
    *,
    video: Path | None = None,
    timing: SourceTiming | None = None,
    copy: VideoCopy | None = None,
) -> SessionWriter:
    """Create the session of an input.

    Args:
        folder: a name that is free.
        spec: what the person named.
        info: facts about the open source.
        engine: what computes the landmarks.
        video: the input, where it is a video file. The session refers to it with its checksum; other inputs are
            copied in any case.
        timing: the clock of that file.
        copy: copy the pictures into the session; None copies them only where no file can be referred to.

    Raises:
        UserError: if the folder cannot be created or the input cannot be read.
    """
    reference: VideoFacts | None = None
    if video is not None and copy is None:
        try:
            digest = sha256(video)
        except OSError as error:
            raise SourceError(f"{video} cannot be read: {error.strerror or error}; check the file.") from error
        reference = VideoFacts(str(video.resolve()), inside=False, lossless=True, sha256=digest)
    choices = RecordingChoices(exact=copy == VideoCopy.EXACT)
    plan = SessionPlan(SourceFacts.of(spec, info), engine, choices, reference=reference, threads=0)
    clock: Timeline = RecordingClock() if info.live else FileClock(timing)
    return SessionWriter(folder, plan, clock)
