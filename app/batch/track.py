"""Tracks one input, from opening it to finishing its outputs: ``track`` does one, ``batch`` many."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from app.batch.background_io import BackgroundReader, BackgroundWriter, queue_size
from app.batch.job import FrameProgress
from app.core.errors import SourceError, UserError
from app.core.frame import Frame, FrameResult
from app.core.modes import Mode
from app.core.settings import EngineSettings, TrackingSettings
from app.core.text_table import counted
from app.media.clock import SourceTiming, probe_timing
from app.media.outputs import OutputPlan, Outputs
from app.media.streams import StreamCopy
from app.sessions.form import is_session
from app.sessions.metadata import EngineFacts
from app.sessions.plan import VideoCopy
from app.sessions.writer import SessionWriter, open_tracked_session
from app.sources.base import Source, SourceInfo
from app.sources.images import ImageSource, list_pictures
from app.sources.open import open_source
from app.sources.spec import PathSpec, SourceKind, SourceSpec, public_text
from app.tracking.pipeline import build_pipeline
from model.errors import ModelError

EVERY_FACE = 64
"""Most faces tracked when every face is wanted."""


class UnusableModel(UserError):
    """The model cannot be opened, for this input or any other."""


class Processor(Protocol):
    """The part of :class:`app.tracking.pipeline.Pipeline` that is used here."""

    @property
    def engine_name(self) -> str: ...

    def process(self, frame: Frame) -> FrameResult: ...

    def close(self) -> None: ...


OpenSource = Callable[[SourceSpec], Source]
BuildPipeline = Callable[[EngineSettings, TrackingSettings], Processor]


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """What to track, how, and where to.

    Attributes:
        input: what is tracked.
        plan: where results go; check it first.
        tracking: how faces are tracked.
        engine: which model runs.
        copy: how to keep the pictures in the session; None keeps them only if the
            session cannot refer to the input.
        audio: copy the input's audio into the annotated video.
    """

    input: SourceSpec
    plan: OutputPlan
    tracking: TrackingSettings
    engine: EngineSettings
    copy: VideoCopy | None = None
    audio: bool = True

    @property
    def file(self) -> Path | None:
        """The input's video file; None for anything else."""
        source = self.input
        return (
            source.path if isinstance(source, PathSpec) and source.exists and source.kind is SourceKind.FILE else None
        )


@dataclass(slots=True)
class TrackReport:
    """What was found in an input; grows frame by frame.

    Attributes:
        frames: frames tracked.
        with_face: frames with at least one face.
        photos_without: indices of photos without one.
        faces: identities seen, each with the number of its photo, because numbers start anew in each; 0 in a video.
        solves: faces solved, over all frames.
        evaluations: evaluations of the cell, over all frames and faces.
        resets: how often RwR started cold, by reason.
    """

    frames: int = 0
    with_face: int = 0
    photos_without: list[int] = field(default_factory=list)
    faces: set[tuple[int, int]] = field(default_factory=set)
    solves: int = 0
    evaluations: int = 0
    resets: Counter[str] = field(default_factory=Counter)
    _photos: int = field(default=0, init=False)

    def add(self, result: FrameResult) -> None:
        """Count one result."""
        self.frames += 1
        self.with_face += bool(result.faces)
        if not result.frame.continues:
            self._photos += 1
            if not result.faces:
                self.photos_without.append(result.frame.index)
        for face in result.faces:
            report = face.estimate.report
            self.faces.add((self._photos, face.face))
            self.solves += 1
            self.evaluations += report.evaluations
            if face.estimate.mode == Mode.RWR and not report.warm:
                self.resets[report.reason] += 1

    def lines(self, seconds: float, interrupted: bool, plan: OutputPlan, model: str) -> list[str]:
        """Return the summary, a line each; ``model`` says what ran."""
        speed = self.frames / seconds if seconds > 0 else 0.0
        verb = "Interrupted after" if interrupted else "Tracked"
        lines = [f"{verb} {counted(self.frames, 'frame')} with {model} ({speed:.1f} fps)"]
        if self.faces:
            frames = counted(self.frames, "frame")
            lines.append(f"{counted(len(self.faces), 'face')}, at least one in {self.with_face} of {frames}")
            lines.append(f"{self.evaluations / self.solves:.2f} evaluations per face and frame")
        elif self.frames:
            lines.append(f"No face was found in {counted(self.frames, 'frame')}")
        if self.resets:
            reasons = ", ".join(f"{reason} {count}" for reason, count in self.resets.most_common())
            lines.append(f"{counted(self.resets.total(), 'cold start')}: {reasons}")
        return [*lines, f"Written: {', '.join(map(str, plan.written))}"] if self.frames else lines


@dataclass(slots=True)
class Tracked:
    """What became of an input.

    Attributes:
        report: what was found.
        engine: library and device that ran.
        seconds: time that it took, without opening the model.
        complete: the input was read to its end and everything was written.
        problem: the error that ended it early, if one did.
        unreadable: pictures that could not be read, with a sentence that says why.
        remarks: sentences about what could not be read or copied.
    """

    report: TrackReport
    engine: str
    seconds: float
    complete: bool
    problem: UserError | None = None
    unreadable: Mapping[Path, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def refuse_session(source: SourceSpec) -> None:
    """Check that the input is not a recorded session.

    Raises:
        UserError: it is one.
    """
    if isinstance(source, PathSpec) and is_session(source.path):
        raise UserError(f"{source} is a session; give its video, or use: session replay {source}")


def pictures_of(source: SourceSpec) -> tuple[Path, ...]:
    """Return the input's picture files, in the order in which the source counts them; none for videos and streams.

    Raises:
        SourceError: the folder cannot be read.
    """
    if not isinstance(source, PathSpec) or not source.exists:
        return ()
    if source.kind is SourceKind.FOLDER:
        return list_pictures(source.path)
    return (source.path,) if source.kind is SourceKind.PICTURE else ()


def track_input(
    request: TrackRequest,
    *,
    stopped: Callable[[], bool],
    progress: FrameProgress,
    open_source: OpenSource = open_source,
    build_pipeline: BuildPipeline = build_pipeline,
) -> Tracked:
    """Track an input and write the outputs that were requested.

    Args:
        request: its plan has been checked.
        stopped: called before every frame; True ends the run, with every output finished.
        progress: called before the first frame, after each and at the end.
        open_source: opens the input.
        build_pipeline: builds what finds landmarks.

    Raises:
        UnusableModel: the model cannot be opened.
        UserError: the input cannot be opened or an output not be created. Later errors are in the result, since
            something has been written by then.
    """
    with ExitStack() as stack:
        source = open_source(request.input)
        stack.callback(source.close)
        if isinstance(source, ImageSource) and request.plan.pictures not in ((), source.paths):
            raise SourceError(f"{request.input} has other pictures than a moment ago; start again when it is complete.")
        try:
            pipeline = build_pipeline(request.engine, request.tracking)
        except ModelError as error:
            raise UnusableModel(f"The model cannot be used: {error}.") from error
        stack.callback(pipeline.close)
        outputs, session = _open_all(request, source, EngineFacts.of(pipeline.engine_name, request.engine))
        tracked = Tracked(TrackReport(), pipeline.engine_name, 0.0, complete=False)
        started = time.monotonic()
        _drive(source, pipeline, outputs, session, tracked, stopped, progress)
        tracked.seconds = time.monotonic() - started
        tracked.engine = pipeline.engine_name  # another one may have taken its place
        if isinstance(source, ImageSource):
            tracked.unreadable = source.skipped
        tracked.remarks = _remarks(request, source, outputs)
    return tracked


def _drive(
    source: Source,
    pipeline: Processor,
    outputs: Outputs,
    session: SessionWriter | None,
    tracked: Tracked,
    stopped: Callable[[], bool],
    progress: FrameProgress,
) -> None:
    """Track every frame; the outputs are finished whatever happens.

    A file is read ahead and results are written behind, on a thread each. A live source is read when its next picture
    is needed, since it may skip those in between.
    """
    total = source.info.frames
    results = _Results(outputs, session, tracked.report)
    writer = BackgroundWriter(results.write, results.finish, queue_size(source.info))
    try:
        with nullcontext(source) if source.info.live else BackgroundReader(source) as reader:
            progress(0, total)
            while not stopped():
                frame = reader.read()
                if frame is None:
                    results.ended = True
                    break
                writer.put(pipeline.process(frame))
                progress(tracked.report.frames, total)
    except UserError as error:
        results.problem = error
    finally:
        try:
            writer.close()
        except UserError as error:
            results.problem = error  # it concerns an earlier frame than any other error
    progress(tracked.report.frames, total)
    tracked.problem = results.problem
    tracked.complete = results.ended and results.problem is None


@dataclass(slots=True)
class _Results:
    """Writes results to all outputs, on the writer's thread.

    Attributes:
        ended: the input was read to its end. Set, like ``problem``, before the writer is closed.
        problem: what ended the run early, or what could not be finished.
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
        """Finish every output; ``failure`` is what :meth:`write` raised."""
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


def _open_all(request: TrackRequest, source: Source, engine: EngineFacts) -> tuple[Outputs, SessionWriter | None]:
    """Open what is written, the session first: where it cannot be created, no table is begun or replaced."""
    session = _open_session(request, source.info, engine)
    try:
        return _open_outputs(request, source, engine), session
    except UserError:
        if session is not None:
            session.close()  # without a frame, so that its folder goes
        raise


def _open_outputs(request: TrackRequest, source: Source, engine: EngineFacts) -> Outputs:
    path, plan, info = request.file, request.plan, source.info
    files = [picture.name for picture in source.paths] if isinstance(source, ImageSource) else []
    timing: SourceTiming | None = None
    copy: StreamCopy | None = None
    if path is not None:
        timing = probe_timing(path)
        if timing is not None and plan.view is not None:
            copy = StreamCopy(path, timing.start, audio=request.audio)
    about = engine.with_checksum().described() if plan.tables else None
    return Outputs(plan, live=info.live, timing=timing, frame_rate=info.fps, copy=copy, about=about, files=files)


def _open_session(request: TrackRequest, info: SourceInfo, engine: EngineFacts) -> SessionWriter | None:
    path, plan = request.file, request.plan
    if plan.session is None:
        return None
    timing = probe_timing(path) if path is not None else None
    video = path if timing is not None else None
    return open_tracked_session(
        plan.session, public_text(request.input), info, engine, video=video, timing=timing, copy=request.copy
    )


def _remarks(request: TrackRequest, source: Source, outputs: Outputs) -> list[str]:
    remarks = [remark for remark in (source.info.remark, source.note) if remark]
    if outputs.resized is not None:
        width, height = outputs.resized
        remarks.append(f"The size of the pictures changes; the video shows all of them scaled into {width}x{height}.")
    if outputs.copy is not None and request.plan.view is not None:
        if outputs.copy.left_out:
            suffix = request.plan.view.suffix
            hint = "" if suffix == ".mkv" else " (.mkv holds more)"
            remarks.append(f"What {suffix} cannot hold was left out{hint}: {', '.join(outputs.copy.left_out)}.")
        if outputs.copy.damaged:
            remarks.append(f"Audio or other tracks of {request.input} are damaged; what could be read was copied.")
    return remarks
