"""Replays a session: the pipeline runs over the recorded pictures with their own time stamps."""

from __future__ import annotations

import shutil
import threading
import time as clock
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.files import ends_badly
from app.core.frame import Frame, FrameResult
from app.core.presets import preset_of
from app.core.settings import SHIPPED, EngineSettings, TrackingSettings
from app.sessions.events import EventKind
from app.sessions.form import RECORDED, REPLAY_KIND, REPLAY_METADATA, REPLAYS, SessionError, create_folder, write_form
from app.sessions.metadata import EngineFacts, checksums
from app.sessions.plain import to_plain
from app.sessions.session import ReplayFacts, Session
from app.sessions.take import Take
from app.sessions.take_writer import TakeWriter
from app.sessions.writer import TABLES
from app.tracking.pipeline import build_pipeline
from model.errors import ModelError
from model.files import is_there
from model.weights import sha256

AS_RECORDED = "as-recorded"

Progress = Callable[[int, int], None]
"""Called with the number of finished frames and the total."""


class Tracker(Protocol):
    """The part of :class:`app.tracking.pipeline.Pipeline` that a replay uses."""

    @property
    def engine_name(self) -> str: ...

    @property
    def settings(self) -> TrackingSettings: ...

    def configure(self, settings: TrackingSettings) -> None: ...

    def forget(self) -> None: ...

    def process(self, frame: Frame) -> FrameResult: ...

    def close(self) -> None: ...


Build = Callable[[EngineSettings, TrackingSettings], Tracker]


def replay(
    session: Session,
    tracking: TrackingSettings,
    engine: EngineSettings,
    *,
    as_recorded: bool = False,
    name: str | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    build: Build = build_pipeline,
) -> Take | None:
    """Track a session's pictures again and store the result as a take of the session.

    Tracking begins without memory, and restarts where it did in the recording. Frames without a picture are left
    out, as if they had been skipped. The same replay gives the same landmarks bit for bit on the same engine and
    computer; a replay as recorded gives the recorded ones if the session is exact.

    Args:
        session: with a video.
        tracking: the settings throughout; ignored if ``as_recorded``.
        engine: what runs the model.
        as_recorded: apply the recorded changes of settings at the same frames, with the shipped model that was
            recorded with unless ``engine`` runs weights of the user's own.
        name: of the take; None to derive one from the settings.
        progress: called after each frame, on this thread.
        stop: ends the replay early, and nothing is kept.
        build: makes the pipeline.

    Returns:
        The take, or None if it was stopped.

    Raises:
        UserError: there are no pictures, the source's file has changed, the model cannot be used, or the take
            cannot be written.
    """
    name = take_name(session, tracking, as_recorded) if name is None else _checked(session, name)
    folder = session.folder / REPLAYS / name
    rows = np.flatnonzero(session.frames.picture >= 0)
    if not len(rows):
        session.open_video().close()  # says why there are none
        raise SessionError(f"{session.folder} has no pictures to replay; its landmarks can be shown.")
    _check_reference(session)
    first = session.settings_at(int(rows[0])) if as_recorded else tracking
    if as_recorded:
        engine = with_recorded_model(session, engine)
    try:
        tracker = build(engine, first)
    except ModelError as error:
        raise SessionError(f"The model cannot be used: {error}.") from error
    started = clock.perf_counter()
    try:
        create_folder(folder)  # what is in it from here on is this replay's own
        try:
            frames = _track(session, tracker, None if as_recorded else tracking, folder, len(rows), progress, stop)
            if frames is None:
                shutil.rmtree(folder, ignore_errors=True)
                return None
            facts = ReplayFacts(
                name=folder.name,
                session=session.metadata.session,
                tracking=first,
                as_recorded=as_recorded,
                engine=EngineFacts.of(tracker.engine_name, engine).with_checksum(),
                lossless=bool(session.metadata.video and session.metadata.video.lossless),
                frames=frames,
                without_picture=len(session.frames) - frames,
                seconds=clock.perf_counter() - started,
                checksums=checksums(folder, TABLES),
            )
            write_form(folder / REPLAY_METADATA, REPLAY_KIND, to_plain(facts))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        tracker.close()
    return session.take(folder.name)


def with_recorded_model(session: Session, engine: EngineSettings) -> EngineSettings:
    """Return the engine with the shipped model that was recorded with, symmetric or not as that was.

    It is returned as it is if either runs other weights.
    """
    shipped = {weights.name: weights for weights in SHIPPED.values() if weights.is_file()}
    recorded = shipped.get(session.metadata.engine.weights)
    if recorded is None or engine.weights not in shipped.values():
        return engine
    return replace(engine, weights=recorded, symmetric=session.metadata.engine.settings.symmetric)


def take_name(session: Session, tracking: TrackingSettings, as_recorded: bool) -> str:
    """Return a name for a replay that describes it, with a number if that name is taken."""
    if as_recorded:
        stem = AS_RECORDED
    else:
        baseline = tracking.baseline_mode
        stem = tracking.mode if baseline is None else f"{tracking.mode}-and-{baseline}"
        if tracking.recurrence is not None and tracking.rwr:
            preset, own = preset_of(tracking.recurrence), tracking.recurrence
            stem += f"-{preset.name}" if preset else f"-w{own.recurrence_weight:g}-e{own.evaluations}"
    count, name = 1, stem
    while (session.folder / REPLAYS / name).exists():
        count += 1
        name = f"{stem}-{count}"
    return name


def _checked(session: Session, name: str) -> str:
    """Return the name that a user gave to a replay.

    Raises:
        SessionError: it cannot name a folder, or is taken.
    """
    if not name or Path(name).name != name or ends_badly(name) or name == RECORDED:
        raise SessionError(f"{name!r} cannot name a replay; use letters, digits and dashes.")
    if is_there(session.folder / REPLAYS / name):
        raise SessionError(f"{session.folder} has a replay named {name} already; choose another name.")
    return name


def _track(
    session: Session,
    tracker: Tracker,
    tracking: TrackingSettings | None,
    folder: Path,
    total: int,
    progress: Progress | None,
    stop: threading.Event | None,
) -> int | None:
    """Track every picture; return how many, or None if it was stopped."""
    restarts = [event.row for event in session.events if event.kind == EventKind.RESTART]
    table = session.frames
    writer = TakeWriter(folder)
    done, last = 0, -1
    try:
        for row, image in _pictures(session):
            if stop is not None and stop.is_set():
                return None
            if any(last < restart <= row for restart in restarts):  # the picture of that frame may be missing
                tracker.forget()
            last = row
            settings = session.settings_at(row) if tracking is None else tracking
            if settings != tracker.settings:
                tracker.configure(settings)
            index, timestamp = int(table.index[row]), float(table.timestamp[row])
            frame = Frame(index, timestamp, image, clock.perf_counter(), continues=not session.metadata.source.photos)
            result = tracker.process(frame)
            writer.write(result, float(table.time[row]), int(table.picture[row]), row)
            done += 1
            if progress is not None:
                progress(done, total)
    finally:
        writer.close()
    return done


def _pictures(session: Session) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield (row, picture) of every frame that has one, in order.

    Raises:
        SessionError: the video cannot be read.
    """
    shown = session.frames.picture
    row_of = {int(picture): row for row, picture in enumerate(shown) if picture >= 0}
    for number, image in session.pictures():
        if number in row_of:
            yield row_of[number], image


def _check_reference(session: Session) -> None:
    """Check that a video outside the folder is still the one that was tracked.

    Raises:
        SessionError: it is not, or cannot be read.
    """
    video, path = session.metadata.video, session.video_path
    if video is None or video.inside or path is None or video.sha256 is None:
        return
    try:
        found = sha256(path)
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror or error}; check the file.") from error
    if found != video.sha256:
        raise SessionError(f"{path} is not the file that was tracked any more; put that one back to replay it.")
