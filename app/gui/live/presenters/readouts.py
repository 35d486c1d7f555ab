"""Every text of the side panel and of the picture, from the current facts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.core.frame import FaceResult, FrameResult
from app.core.modes import MODE_NAMES
from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.hints import Hint
from app.gui.live.presenters.share import summary
from app.gui.live.presenters.state import SessionState
from app.gui.live.presenters.timing import Latency
from app.gui.presenters.faces import face_name
from app.gui.presenters.readouts import NOTHING, Caption, Hud, Row
from app.sharing.channel import ChannelStatus
from app.tracking.live import LiveState

LEAST_FPS, LEAST_SHARE = 12.0, 0.5
"""Frames tracked a second, and the share of those captured, below which the user is told how to have more."""
BEHIND = "This computer skips most frames: {}choose a faster model in the preferences."


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
        now: ``time.perf_counter()``.
        hint: what to advise, if anything.
        chosen_face: the identity that the user chose to read; None for the largest face.
        private: the picture is blurred and recordings hold no pictures.
        sharing: the status of each channel to other programs.
        model: name of the model that runs.
        caption: what the first look says, while it is shown.
        captured_fps: frames that the source gave a second lately; None where that is not known.
    """

    state: SessionState
    result: FrameResult | None
    flicker: FlickerView
    fps: float | None
    latency: Latency | None
    mirrored: bool
    now: float
    hint: Hint | None = None
    chosen_face: int | None = None
    private: bool = False
    sharing: tuple[ChannelStatus, ...] = ()
    model: str = ""
    caption: Caption | None = None
    captured_fps: float | None = None

    @property
    def face(self) -> FaceResult | None:
        """The face that the figures are about, in the picture in view."""
        faces = self.result.faces if self.result is not None else ()
        return next((face for face in faces if face.face == self.flicker.face), faces[0] if faces else None)


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
    first, second = (MODE_NAMES[mode] for mode in facts.flicker.pair)
    if abs(change) < 0.01:
        return f"Same flicker with {first} and {second}"
    return f"{first} flickers {abs(change):.0%} {'less' if change < 0 else 'more'} than {second}"


def headline(facts: Facts) -> str:
    """The line under the title: what runs and how fast."""
    stage, status = facts.state.stage, facts.state.status
    if stage == LiveState.RUNNING and status is not None and status.playback is not None and status.playback.paused:
        return "Paused"
    if stage == LiveState.RUNNING:
        return "Live" if facts.fps is None else f"Live  ·  {facts.fps:.{0 if facts.fps >= 10 else 1}f} fps"
    return {
        LiveState.OPENING: "Opening…",
        LiveState.STOPPED: "Stopped",
        LiveState.ENDED: "Ended",
        LiveState.FAILED: "Not running",
    }[stage]


def hud(facts: Facts) -> Hud:
    """Return what is written on the picture."""
    state = facts.state
    info = state.info
    return Hud(
        demo=info is not None and info.demo,
        private=facts.private and facts.state.active,
        recording=recording_text(facts.state, facts.now),
        mode=_mode(facts),
        message=_message(facts),
        notice=_notice(facts),
        caption=facts.caption,
    )


def rows(facts: Facts) -> tuple[Row, ...]:
    """Return the lines of the performance card, always the same ones in the same order."""
    status, info = facts.state.status, facts.state.info
    report = facts.face.estimate.report if facts.face is not None else None
    latency = facts.latency
    start = NOTHING if report is None else ("warm" if report.warm else f"cold, {report.reason or 'RwR is off'}")
    engine = status.engine if status is not None and status.engine else NOTHING
    size = NOTHING
    if info is not None:
        size = f"{info.width} \u00d7 {info.height}" + (f", {info.fps:.4g} fps" if info.fps else "")
        if info.requested is not None and (info.requested.width, info.requested.height) != (info.width, info.height):
            size = f"{size} (asked {info.requested.width} \u00d7 {info.requested.height})"
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
        Row("Uncertainty", *_uncertainty(facts.face)),
        Row("Residual", residual, "Relative residual of the fixed point: how far f(z) is from z"),
        Row("Start", start, "Warm: from the last frame's fixed point (RwR). Cold: from zero, and why"),
        Row("Model", facts.model if engine != NOTHING else NOTHING, "ldeq-s, the smaller ldeq-xs, or your own weights"),
        Row("Engine", engine, f"What the network really runs on: {engine}"),
        Row("Source", size, "Size and rate the source delivers" if info is None else f"What {info.name} delivers"),
        Row("Skipped", skipped, "Frames that were too old when the tracker became free"),
        Row("Sharing", summary(facts.sharing) or "Off", "To other programs: UDP, OSC, VMC, opentrack, virtual camera"),
    )


def _uncertainty(face: FaceResult | None) -> tuple[str, str]:
    """Return the median radius of the discs around the points, and what it means."""
    calibrated = face is None or face.estimate.radius80 is not None
    value = NOTHING
    if face is not None and np.isfinite(face.estimate.drawn_radius).any():
        median = float(np.nanmedian(face.estimate.drawn_radius))
        value = f"\u00b1 {median:.1f} px" + (" (80 %)" if calibrated else "")
    if calibrated:
        return value, "The disc around each point holds the true landmark with a probability of 80 %; median radius"
    return value, "Median width of the heatmaps: for these weights no probability is known (main.py train-uncertainty)"


def recording_text(state: SessionState, now: float) -> str:
    """Return how long the recording has run and what it has lost, "" without one.

    Args:
        state: of the session.
        now: ``time.perf_counter()``.
    """
    recording = state.recording
    if recording is None:
        return ""
    minutes, seconds = divmod(int(max(0.0, now - recording.started)), 60)
    dropped = f"  ·  {recording.dropped} dropped" if recording.dropped else ""
    return f"REC {minutes:02d}:{seconds:02d}{dropped}"


def _mode(facts: Facts) -> str:
    if facts.state.stage != LiveState.RUNNING:
        return ""
    tracking = facts.state.tracking
    face = ""
    if facts.result is not None and len(facts.result.faces) > 1 and facts.face is not None:
        face = f"   {face_name(facts.face.face)}" + ("" if facts.chosen_face is None else " chosen")
    region = "" if facts.face is None or facts.face.estimate.radius80 is None else "   ◌ 80 % region"
    if tracking.baseline_mode is not None:
        return f"● {MODE_NAMES[tracking.mode]}   ○ {MODE_NAMES[tracking.baseline_mode]}{region}{face}"
    return f"● {MODE_NAMES[tracking.mode]}{region}{face}"


def _message(facts: Facts) -> str:
    state = facts.state
    if state.stage == LiveState.OPENING or (state.stage == LiveState.RUNNING and facts.result is None):
        if state.info is not None:
            return "Loading the model…"
        return "Looking for a camera…" if state.source is None else f"Opening {state.source.label}…"
    if state.stage == LiveState.STOPPED:
        return "Stopped. Press S to start."
    return ""


def _notice(facts: Facts) -> str:
    status = facts.state.status
    if status is not None and status.note and facts.state.active:
        return status.note
    if facts.state.stage != LiveState.RUNNING or facts.result is None:
        return ""
    if facts.hint is not None:
        return facts.hint.sentence(facts.mirrored)
    faces = len(facts.result.faces)
    if faces == 0:
        return "No face in view"
    if _falls_behind(facts):
        return BEHIND.format("stop comparing, or " if facts.state.tracking.compare else "")
    return f"{faces} faces" if faces > 1 else ""


def _falls_behind(facts: Facts) -> bool:
    """Whether this computer tracks so few of the frames that motion between them tells little of flicker."""
    tracked, captured = facts.fps, facts.captured_fps
    return tracked is not None and captured is not None and tracked < min(LEAST_FPS, LEAST_SHARE * captured)


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
