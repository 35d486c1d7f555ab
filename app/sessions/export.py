"""Cuts a clip out of a session: a clean or annotated video, or a new session."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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
    rows = _rows(session, start, end)
    if destination.suffix.lower() in VIDEO_SUFFIXES:
        write = _write_video
    elif destination.suffix:
        names = ", ".join(VIDEO_SUFFIXES)
        raise RecordingError(f"Cannot write {destination}: give a name that ends in {names}, or a folder's.")
    else:
        write = _write_session
    with ExitStack() as stack:
        video = None
        if session.video_path is not None or annotated or write is _write_video:
            video = stack.enter_context(session.open_video())
        results = _watched(_results(session, take, rows, video), len(rows), progress, stop)
        try:
            write(session, take, rows, destination, annotated, results)
        except _Stopped:
            return None
        return destination


def _rows(session: Session, start: float, end: float) -> range:
    times = session.frames.time
    first, last = np.searchsorted(times, [start - 1e-6, end - 1e-6])
    if first >= last:
        raise SessionError(
            f"{session.folder} has no frames from {start:g} to {end:g} s; it lasts {session.seconds:.2f} s."
        )
    return range(int(first), int(last))


def _results(
    session: Session, take: Take, rows: range, video: SessionVideo | None
) -> Iterator[tuple[int, FrameResult]]:
    """Yield (row, result) with its picture, or one that has only a size if there is none."""
    source = session.metadata.source
    nothing = np.empty((source.height, source.width, 0), np.uint8)
    for row in rows:
        number = int(session.frames.picture[row])
        image = video.read(number) if video is not None and number >= 0 else None
        yield row, take.result(row, nothing if image is None else image)


def _watched(
    results: Iterator[tuple[int, FrameResult]], total: int, progress: Progress | None, stop: threading.Event | None
) -> Iterator[tuple[int, FrameResult]]:
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


def _write_video(
    session: Session,
    take: Take,
    rows: range,
    destination: Path,
    annotated: bool,
    results: Iterator[tuple[int, FrameResult]],
) -> None:
    check_new_file(destination)
    kind = AnnotatedTrack if annotated else PictureTrack
    track = kind(destination, FILE, session.metadata.source.fps, threads=0)
    zero = float(session.frames.time[rows.start])
    with _whole_or_nothing(destination, lambda: track.begun):
        try:
            for row, result in results:
                if result.frame.image.size:
                    track.add(result, float(session.frames.time[row]) - zero)
        finally:
            track.close()
    if not track.count:
        raise SessionError(f"{session.folder} has no pictures there; choose another part of it.")


def _write_session(
    session: Session,
    take: Take,
    rows: range,
    destination: Path,
    annotated: bool,
    results: Iterator[tuple[int, FrameResult]],
) -> None:
    facts, times = session.metadata, session.frames.time
    video = facts.video if session.video_path is not None else None
    lossless = video is not None and video.lossless and video.inside
    choices = RecordingChoices(video is not None, annotated, lossless, facts.privacy)
    origin = Origin(facts.session, session.name, take.name, float(times[rows.start]), float(times[rows.stop - 1]))
    plan = SessionPlan(facts.source, take.engine, choices, origin=origin, versions=take.versions, threads=0)
    writer = SessionWriter(destination, plan, _CutClock(float(times[rows.start])))
    with _whole_or_nothing(destination, lambda: True):
        try:
            if rows.start or take.name != RECORDED or not facts.exact:
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
