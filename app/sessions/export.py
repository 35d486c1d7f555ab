"""Cuts a clip out of a session: a clean or annotated video, or a new session."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.errors import RecordingError
from app.core.files import check_new_file
from app.core.frame import Frame, FrameResult
from app.media.encoding import FILE
from app.media.video import VIDEO_SUFFIXES
from app.sessions.form import RECORDED, SessionError
from app.sessions.metadata import Origin
from app.sessions.pictures import AnnotatedTrack, PictureTrack
from app.sessions.plan import RecordingChoices, SessionPlan
from app.sessions.replay import Progress
from app.sessions.session import Session
from app.sessions.take import Take
from app.sessions.video import SessionVideo
from app.sessions.writer import SessionWriter


def export_clip(
    session: Session,
    take: Take,
    start: float,
    end: float,
    destination: Path,
    annotated: bool = False,
    *,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Path | None:
    """Write what happened from ``start`` up to ``end`` to ``destination``.

    Args:
        session: where the pictures are.
        take: whose landmarks are drawn and copied.
        start: playing time, seconds; below 0 means the beginning.
        end: the same; later than the end means the end.
        destination: a video (.mp4, .m4v, .mov, .mkv), or the folder of a new session.
        annotated: draw the landmarks, which needs pictures; in a new session, as a second video.
        progress: called after each frame, on this thread.
        stop: ends it early; nothing is kept then.

    Returns:
        ``destination``, or None if it was stopped.

    Raises:
        UserError: if there is nothing to write, or it cannot be written.
    """
    part = _Part(session, take, _rows(session, start, end))
    as_video = destination.suffix.lower() in VIDEO_SUFFIXES
    if destination.suffix and not as_video:
        names = ", ".join(VIDEO_SUFFIXES)
        raise RecordingError(f"Cannot write {destination}: give a name that ends in {names}, or a folder's.")
    with ExitStack() as stack:
        video = None
        if session.video_path is not None or annotated or as_video:
            video = stack.enter_context(session.open_video())
        results = _watched(part.results(video), len(part.rows), progress, stop)
        try:
            if as_video:
                _write_video(part, destination, AnnotatedTrack if annotated else PictureTrack, results)
            else:
                _write_session(part, destination, part.plan(annotated), results)
        except _Stopped:
            return None
        return destination


Results = Iterator[tuple[int, FrameResult]]
"""Rows of a session, and their results."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What is cut out of a session.

    Attributes:
        session: where the pictures are.
        take: whose landmarks are drawn and copied.
        rows: of the session; at least one.
    """

    session: Session
    take: Take
    rows: range

    @property
    def start(self) -> float:
        """Playing time of its first frame, seconds."""
        return float(self.session.frames.time[self.rows.start])

    @property
    def exact(self) -> bool:
        """Whether tracking its pictures again gives these landmarks."""
        return self.rows.start == 0 and self.take.name == RECORDED and self.session.metadata.exact

    def results(self, video: SessionVideo | None) -> Results:
        """Yield (row, result) with its picture, or one that has only a size if there is none."""
        source = self.session.metadata.source
        nothing = np.empty((source.height, source.width, 0), np.uint8)
        for row in self.rows:
            number = int(self.session.frames.picture[row])
            image = video.read(number) if video is not None and number >= 0 else None
            yield row, self.take.result(row, nothing if image is None else image)

    def plan(self, annotated: bool) -> SessionPlan:
        """Return what a session made of it holds; ``annotated``: an annotated video as well."""
        session, take, facts = self.session, self.take, self.session.metadata
        video = facts.video if session.video_path is not None else None
        lossless = video is not None and video.lossless and video.inside
        choices = RecordingChoices(video is not None, annotated, lossless, facts.privacy)
        end = float(session.frames.time[self.rows.stop - 1])
        origin = Origin(facts.session, session.name, take.name, self.start, end)
        return SessionPlan(facts.source, take.engine, choices, origin=origin, versions=take.versions, threads=0)


def _rows(session: Session, start: float, end: float) -> range:
    times = session.frames.time
    first, last = np.searchsorted(times, [start - 1e-6, end - 1e-6])
    if first >= last:
        raise SessionError(
            f"{session.folder} has no frames from {start:g} to {end:g} s; it lasts {session.seconds:.2f} s."
        )
    return range(int(first), int(last))


def _watched(results: Results, total: int, progress: Progress | None, stop: threading.Event | None) -> Results:
    """Yield every result and report it.

    Raises:
        _Stopped: before the next result, or after the last, if ``stop`` is set.
    """
    for done, item in enumerate(results, start=1):
        _end_if(stop)
        yield item
        if progress is not None:
            progress(done, total)
    _end_if(stop)


def _end_if(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise _Stopped


def _write_video(part: _Part, destination: Path, kind: type[PictureTrack], results: Results) -> None:
    check_new_file(destination)
    track = kind(destination, FILE, part.session.metadata.source.fps, threads=0)
    with _whole_or_nothing(destination, lambda: track.begun):
        try:
            for row, result in results:
                if result.frame.image.size:
                    track.add(result, float(part.session.frames.time[row]) - part.start)
        finally:
            track.close()
    if not track.count:
        raise SessionError(f"{part.session.folder} has no pictures there; choose another part of it.")


def _write_session(part: _Part, destination: Path, plan: SessionPlan, results: Results) -> None:
    writer = SessionWriter(destination, plan, _CutClock(part.start))
    with _whole_or_nothing(destination, lambda: True):
        try:
            if not part.exact:
                writer.lose_exactness("cut out of a session in which tracking already had a memory")
            for _, result in results:
                writer.write(result, picture=bool(result.frame.image.size))
        finally:
            writer.close("end of the clip")
        writer.add_checksums()


class _Stopped(Exception):
    """The clip was not wanted any more."""


@contextmanager
def _whole_or_nothing(path: Path, is_ours: Callable[[], bool]) -> Iterator[None]:
    """Remove what was begun at ``path`` if the block fails or is stopped, unless another program has written there."""
    try:
        yield
    except BaseException:
        if is_ours():
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


class _CutClock:
    """Playing times of a cut: those of the session, from 0."""

    def __init__(self, zero: float) -> None:
        self._zero = zero

    def time(self, frame: Frame) -> float:
        """Return when a frame made by :meth:`app.sessions.take.Take.result` is shown, in seconds."""
        return frame.captured - self._zero
