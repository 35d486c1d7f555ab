"""Every text of the side panel and of the picture, from the facts of the moment."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.gui.presenters.flicker import FlickerView
from app.gui.presenters.state import OPENING, RUNNING, STOPPED, SessionState
from app.gui.presenters.timing import Latency
from app.pipeline.frame import COLD, RWR, FrameResult

NOTHING = "\u2013"
MODE_NAMES = {RWR: "RwR", COLD: "Cold"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the window measured at one moment.

    Attributes:
        state: of the session.
        result: the newest result, if there is one.
        flicker: of the last seconds.
        fps: frames tracked per second.
        latency: capture to paint.
        mirrored: the picture is flipped.
        asked: width and height that were asked of a camera; None for other sources.
        now: ``time.perf_counter()``.
    """

    state: SessionState
    result: FrameResult | None
    flicker: FlickerView
    fps: float | None
    latency: Latency | None
    mirrored: bool
    asked: tuple[int, int] | None
    now: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the side panel: a name, a value, and the whole story for the tooltip."""

    name: str
    value: str
    tooltip: str


@dataclass(frozen=True, slots=True)
class Hud:
    """What is written on the picture.

    Attributes:
        demo: the demo clip plays.
        recording: time and dropped frames, "" when nothing is recorded.
        mode: which points are drawn how.
        message: in the middle, when there is no picture yet.
        notice: at the lower edge, about the source's connection or the faces.
    """

    demo: bool = False
    recording: str = ""
    mode: str = ""
    message: str = ""
    notice: str = ""


@dataclass(frozen=True, slots=True)
class FlickerTexts:
    """The numbers of one mode, as shown."""

    now: str
    recent: str


def flicker_texts(flicker: FlickerView, mode: str) -> FlickerTexts:
    """Return one mode's numbers in % of the inter-ocular distance."""
    view = flicker.modes[mode]
    return FlickerTexts(_number(view.now), _number(view.recent))


def verdict(facts: Facts) -> str:
    """Say in words how both modes compare on the same frames; "" unless both are solved."""
    change = facts.flicker.change
    if change is None or not facts.state.tracking.compare:
        return ""
    if abs(change) < 0.01:
        return "Same flicker with and without RwR"
    return f"RwR flickers {abs(change):.0%} {'less' if change < 0 else 'more'}"


def headline(facts: Facts) -> str:
    """The line under the title: what runs and how fast."""
    stage = facts.state.stage
    if stage == RUNNING:
        return "Live" if facts.fps is None else f"Live  ·  {facts.fps:.{0 if facts.fps >= 10 else 1}f} fps"
    return {OPENING: "Opening…", STOPPED: "Stopped", "ended": "Ended", "failed": "Not running"}.get(stage, stage)


def hud(facts: Facts) -> Hud:
    """Return what is written on the picture."""
    state = facts.state
    info = state.info
    return Hud(
        demo=info is not None and info.demo,
        recording=_recording(facts),
        mode=_mode(facts),
        message=_message(facts),
        notice=_notice(facts),
    )


def rows(facts: Facts) -> tuple[Row, ...]:
    """Return the lines of the performance card, always the same ones in the same order."""
    status, info = facts.state.status, facts.state.info
    report = None
    if facts.result is not None and facts.result.faces:
        report = facts.result.faces[0].estimate.report
    latency = facts.latency
    start = NOTHING if report is None else ("warm" if report.warm else f"cold, {report.reason or 'RwR is off'}")
    engine = status.engine if status is not None and status.engine else NOTHING
    size = NOTHING
    if info is not None:
        size = f"{info.width} \u00d7 {info.height}" + (f", {info.fps:.4g} fps" if info.fps else "")
        if facts.asked not in (None, (info.width, info.height)):
            size = f"{size} (asked {facts.asked[0]} \u00d7 {facts.asked[1]})"
    skipped = NOTHING
    if status is not None and status.captured:
        skipped = f"{status.skipped} of {status.captured}"
    residual = NOTHING if report is None or not math.isfinite(report.residual) else f"{report.residual:.1e}"
    return (
        Row("Tracking", NOTHING if facts.fps is None else f"{facts.fps:.1f} fps", "Frames tracked per second"),
        Row(
            "Latency",
            NOTHING if latency is None else f"{latency.p50 * 1e3:.0f} / {latency.p95 * 1e3:.0f} ms",
            "From capture to the painted picture: median / 95th percentile of the last 5 s",
        ),
        Row(
            "Evaluations",
            NOTHING if report is None else str(report.evaluations),
            "How often the network's cell was evaluated for this frame",
        ),
        Row("Residual", residual, "Relative residual of the fixed point: how far f(z) is from z"),
        Row("Start", start, "Warm: from the last frame's fixed point (RwR). Cold: from zero, and why"),
        Row("Engine", engine, f"What the network really runs on: {engine}"),
        Row("Source", size, "Size and rate the source delivers" if info is None else f"What {info.name} delivers"),
        Row("Skipped", skipped, "Frames that were too old when the tracker became free"),
    )


def _recording(facts: Facts) -> str:
    recording = facts.state.recording
    if recording is None:
        return ""
    minutes, seconds = divmod(int(max(0.0, facts.now - recording.started)), 60)
    dropped = f"  ·  {recording.dropped} dropped" if recording.dropped else ""
    return f"REC {minutes:02d}:{seconds:02d}{dropped}"


def _mode(facts: Facts) -> str:
    if facts.state.stage != RUNNING:
        return ""
    chosen, other = (RWR, COLD) if facts.state.tracking.rwr else (COLD, RWR)
    if facts.state.tracking.compare:
        return f"● {MODE_NAMES[chosen]}   ○ {MODE_NAMES[other]}"
    return f"● {MODE_NAMES[chosen]}"


def _message(facts: Facts) -> str:
    state = facts.state
    if state.stage == OPENING or (state.stage == RUNNING and facts.result is None):
        if state.info is not None:
            return "Loading the model…"
        return "Looking for a camera…" if state.source is None else f"Opening {source_name(state.source)}…"
    if state.stage == STOPPED:
        return "Stopped. Press S to start."
    return ""


def _notice(facts: Facts) -> str:
    status = facts.state.status
    if status is not None and status.note and facts.state.active:
        return status.note
    if facts.state.stage != RUNNING or facts.result is None:
        return ""
    faces = len(facts.result.faces)
    if faces == 0:
        return "No face in view"
    return f"{faces} faces" if faces > 1 else ""


def is_camera(source: str | None) -> bool:
    """Whether a source as ``open_source`` takes it is a camera."""
    return source is not None and source.partition(":")[0].strip().lower() == "camera"


def source_name(source: str | None) -> str:
    """Return a short name for a source that is not open yet."""
    if source is None:
        return "Automatic"
    if source == "demo":
        return "Demo clip"
    if is_camera(source):
        return f"Camera {source.partition(':')[2]}".strip()
    if "://" in source:
        return source
    return source.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or source


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
