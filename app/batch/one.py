"""One whole input, from opening it to the last byte of its outputs: ``track`` does one, ``batch`` many."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from app.batch.relay import ReadAhead, WriteBehind, room_for
from app.batch.track_report import TrackReport
from app.core.errors import UserError
from app.core.frame import Frame, FrameResult
from app.core.settings import EngineSettings, TrackingSettings
from app.media.audio import AudioCopy, SourceTiming, probe_timing
from app.media.outputs import OutputPlan, Outputs
from app.sessions.form import is_session
from app.sessions.metadata import EngineFacts
from app.sessions.tracked import open_tracked_session
from app.sessions.writer import SessionWriter
from app.sources.base import Source, SourceInfo
from app.sources.images import ImageSource, list_pictures
from app.sources.spec import PathSpec, SourceKind, SourceSpec
from app.sources.video import VideoSource
from model.errors import ModelError

EVERY_FACE = 64
"""Most faces followed where every face is asked for."""


class UnusableModel(UserError):
    """The model cannot be opened, for this input or any other."""


class Processor(Protocol):
    """The part of :class:`app.tracking.pipeline.Pipeline` that is driven here."""

    @property
    def engine_name(self) -> str: ...

    def process(self, frame: Frame) -> FrameResult: ...

    def close(self) -> None: ...


OpenSource = Callable[[SourceSpec], Source]
BuildPipeline = Callable[[EngineSettings, TrackingSettings], Processor]
Progress = Callable[[int, int | None], None]
"""Told how many frames are written, and how many there will be, if that is known."""


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """What to track, how, and where to.

    Attributes:
        input: what is tracked.
        plan: where results go; check it first.
        tracking: how faces are followed.
        engine: which model runs.
        copy: one of ``app.sessions.tracked.COPIES`` to keep the pictures in the session; None: where that must be.
        audio: copy the input's audio into the annotated video.
    """

    input: SourceSpec
    plan: OutputPlan
    tracking: TrackingSettings
    engine: EngineSettings
    copy: str | None = None
    audio: bool = True

    @property
    def file(self) -> Path | None:
        """The input's file; None if it is a folder or no path."""
        source = self.input
        return source.path if isinstance(source, PathSpec) and source.path.is_file() else None


@dataclass(slots=True)
class Tracked:
    """What became of an input.

    Attributes:
        report: what was found.
        engine: library and device that ran.
        seconds: time that it took, without opening the model.
        complete: the input was read to its end and everything was written.
        problem: the error that ended it early, if one did.
        remarks: sentences about what could not be read or copied.
    """

    report: TrackReport
    engine: str
    seconds: float
    complete: bool
    problem: UserError | None = None
    remarks: list[str] = field(default_factory=list)


def refuse_session(source: SourceSpec) -> None:
    """Check that the input is not a recorded session.

    Raises:
        UserError: it is one.
    """
    if isinstance(source, PathSpec) and is_session(source.path):
        raise UserError(f"{source} is a session; give its video, or use: session replay {source}")


def pictures_of(source: SourceSpec) -> tuple[Path, ...]:
    """Return the input's picture files, in the order in which the source counts them; none for videos and streams."""
    if not isinstance(source, PathSpec) or not source.exists:
        return ()
    if source.kind is SourceKind.FOLDER:
        return list_pictures(source.path)
    return (source.path,) if source.kind is SourceKind.PICTURE else ()


def track_input(
    request: TrackRequest,
    *,
    stopped: Callable[[], bool],
    progress: Progress,
    open_source: OpenSource | None = None,
    build_pipeline: BuildPipeline | None = None,
) -> Tracked:
    """Track an input and write what was asked for.

    Args:
        request: its plan has been checked.
        stopped: asked before every frame; True ends the run, with every output finished.
        progress: told before the first frame, after each and at the end, how many are written.
        open_source: opens the input; the application's own if not given.
        build_pipeline: makes what finds landmarks; the application's own if not given.

    Raises:
        UnusableModel: the model cannot be opened.
        UserError: the input cannot be opened or an output not be created. What goes wrong later is told in what is
            returned, since something was written by then.
    """
    with ExitStack() as stack:
        source = (open_source or _application_source)(request.input)
        stack.callback(source.close)
        try:
            pipeline = (build_pipeline or _application_pipeline)(request.engine, request.tracking)
        except ModelError as error:
            raise UnusableModel(f"The model cannot be used: {error}.") from error
        stack.callback(pipeline.close)
        outputs = _open_outputs(request, source.info)
        session = _open_session(request, source.info, EngineFacts.of(pipeline.engine_name, request.engine))
        tracked = Tracked(TrackReport(), pipeline.engine_name, 0.0, complete=False)
        started = time.monotonic()
        _drive(source, pipeline, outputs, session, tracked, stopped, progress)
        tracked.seconds = time.monotonic() - started
        tracked.engine = pipeline.engine_name  # another one may have taken its place
        tracked.remarks = _remarks(request, source, outputs)
    return tracked


def _drive(
    source: Source,
    pipeline: Processor,
    outputs: Outputs,
    session: SessionWriter | None,
    tracked: Tracked,
    stopped: Callable[[], bool],
    progress: Progress,
) -> None:
    """Drive every frame through; the outputs are finished whatever happens.

    A file is read ahead and results are written behind, on a thread each. A live source is read when its next picture
    is wanted, as it may skip what comes meanwhile.
    """
    total = source.info.frames
    results = _Results(outputs, session, tracked.report)
    behind = WriteBehind(results.write, results.finish, room_for(source.info))
    try:
        with nullcontext(source) if source.info.live else ReadAhead(source) as ahead:
            progress(0, total)
            while not stopped():
                frame = ahead.read()
                if frame is None:
                    results.ended = True
                    break
                behind.put(pipeline.process(frame))
                progress(tracked.report.frames, total)
    except UserError as error:
        results.problem = error
    finally:
        try:
            behind.close()
        except UserError as error:
            results.problem = error  # of an earlier frame than what else went wrong
    progress(tracked.report.frames, total)
    tracked.problem = results.problem
    tracked.complete = results.ended and results.problem is None


@dataclass(slots=True)
class _Results:
    """Where results go, used by the thread that writes.

    Attributes:
        ended: the input was read to its end. Said, as is a problem, before the last result is waited for.
        problem: what ended the run early, or could not be finished.
    """

    outputs: Outputs
    session: SessionWriter | None
    report: TrackReport
    ended: bool = False
    problem: UserError | None = None

    def write(self, result: FrameResult) -> None:
        self.outputs.write(result)
        if self.session is not None:
            self.session.write(result)
        self.report.add(result)

    def finish(self, failure: BaseException | None) -> None:
        """Finish every output; ``failure`` is what writing the last result raised."""
        complete = self.ended and failure is None
        reason = _reason(complete, failure if isinstance(failure, UserError) else self.problem)
        closing: list[Callable[[], None]] = [partial(self.outputs.close, complete=complete)]
        if self.session is not None:
            closing += [partial(self.session.close, reason), self.session.add_checksums]
        for close in closing:
            try:
                close()
            except UserError as error:
                self.problem = self.problem or error


def _reason(ended: bool, problem: UserError | None) -> str:
    """Return why a session ends."""
    return str(problem) if problem is not None else "end of the input" if ended else "interrupted"


def _open_outputs(request: TrackRequest, info: SourceInfo) -> Outputs:
    path, plan = request.file, request.plan
    timing: SourceTiming | None = None
    audio: AudioCopy | None = None
    if path is not None and not plan.pictures:
        timing = probe_timing(path)
        if timing is not None and plan.view is not None and request.audio:
            audio = AudioCopy(path, timing.start)
    return Outputs(plan, live=info.live, timing=timing, frame_rate=info.fps, audio=audio)


def _open_session(request: TrackRequest, info: SourceInfo, engine: EngineFacts) -> SessionWriter | None:
    path, plan = request.file, request.plan
    if plan.session is None:
        return None
    timing = probe_timing(path) if path is not None and not plan.pictures else None
    video = path if timing is not None else None
    return open_tracked_session(
        plan.session, str(request.input), info, engine, video=video, timing=timing, copy=request.copy
    )


def _remarks(request: TrackRequest, source: Source, outputs: Outputs) -> list[str]:
    note = source.note if isinstance(source, VideoSource | ImageSource) else ""
    remarks = [note] if note else []
    if outputs.audio is not None and request.plan.view is not None:
        if outputs.audio.left_out:
            names, suffix = ", ".join(outputs.audio.left_out), request.plan.view.suffix
            remarks.append(f"Audio in {names} does not fit into {suffix} and was left out; .mkv can hold it.")
        if outputs.audio.damaged:
            remarks.append(f"The audio of {request.input} is damaged; what could be read was copied.")
    return remarks


def _application_source(spec: SourceSpec) -> Source:
    from app.sources.open import open_source

    return open_source(spec)


def _application_pipeline(engine: EngineSettings, tracking: TrackingSettings) -> Processor:
    from app.tracking.pipeline import build_pipeline

    return build_pipeline(engine, tracking)
