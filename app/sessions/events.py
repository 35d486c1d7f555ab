"""``events.jsonl``: what happened and when, one JSON object per line, written at once."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.core.errors import UserError
from app.core.event_texts import event_text
from app.core.events import (
    FaceFound,
    FaceLost,
    PictureSizeChanged,
    RecordedFault,
    SceneCut,
    TrackingEvent,
    TrackingRestarted,
)
from app.core.files import finish, writing
from app.core.frame import FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.sessions.form import SessionError
from app.sessions.plain import from_plain, to_plain
from model.errors import ModelError


class EventKind(StrEnum):
    """What a line of ``events.jsonl`` reports."""

    START = "start"
    STOP = "stop"
    SETTINGS = "settings"
    RESET = "reset"
    FOUND = "found"
    LOST = "lost"
    CLOSURE = "closure"
    CUT = "cut"
    SIZE = "size"
    SOURCE = "source"
    RESTART = "restart"
    DROPPED = "dropped"
    ANNOTATED = "annotated"
    INEXACT = "inexact"
    FAULT = "fault"
    ERROR = "error"


LARGEST_GAP = 1.0
"""Seconds between two frames beyond which the source counts as interrupted."""

_FIXED = ("time", "row", "frame", "kind")
_TABLE_DATA = ("face", "start", "seconds", "deepest", "blink", "reason")
"""What a table of events has a column for; the rest is in the text."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a frame.

    Attributes:
        time: playing time, seconds.
        row: of the frame in the session, from 0.
        frame: its index in the source.
        kind: an :class:`EventKind`; a newer version may have written others.
        data: more about it; ``docs/guide/session-format.md`` lists it by kind.
    """

    time: float
    row: int
    frame: int
    kind: str
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """One line for people."""
        data = self.data
        if self.kind == EventKind.SETTINGS and isinstance(changes := data.get("changes"), dict):
            pairs = ((name, pair) for name, pair in changes.items() if isinstance(pair, list) and len(pair) == 2)
            return "; ".join(f"{name}: {_shown(old)} → {_shown(new)}" for name, (old, new) in pairs)
        if self.kind == EventKind.CLOSURE and isinstance(seconds := data.get("seconds"), int | float):
            what = "blinked" if data.get("blink") else "closed its eyes"
            return f"face {data.get('face')} {what} for {seconds:.2f} s"
        if "face" in data:
            reason = f": {data['reason']}" if data.get("reason") else ""
            return f"{self.kind} face {data['face']}{reason}"
        return str(data.get("text", self.kind))


class Watcher:
    """Derives events from consecutive results."""

    def __init__(self) -> None:
        self._last: FrameResult | None = None

    def watch(self, result: FrameResult, time: float, row: int) -> Iterator[Event]:
        """Yield what happened in the next frame.

        Args:
            result: of the pipeline; only its picture's size is used, not its content.
            time: playing time, seconds.
            row: of the frame in the session.
        """
        last, self._last = self._last, result

        def event(kind: str, **data: Any) -> Event:
            return Event(time, row, result.frame.index, kind, data)

        if last is None:
            yield event(EventKind.START, settings=to_plain(result.settings))
        else:
            changes = settings_changes(last.settings, result.settings)
            if changes:
                yield event(EventKind.SETTINGS, changes=changes)
            for text in _interruptions(last, result):
                yield event(EventKind.SOURCE, text=text)
        for happened in result.events:
            kind, data = _recorded(happened)
            yield event(kind, **data)
        for face in result.faces:
            for estimate in (face.estimate, face.other):
                if estimate is not None and estimate.mode == Mode.RWR and not estimate.report.warm:
                    yield event(EventKind.RESET, face=face.face, reason=estimate.report.reason)
            signals = face.estimate.signals
            if signals is not None and (ended := signals.eyes.ended) is not None:
                yield event(
                    EventKind.CLOSURE,
                    face=face.face,
                    blink=ended.is_blink,
                    start=time - ended.seconds,
                    seconds=ended.seconds,
                    deepest=ended.deepest,
                )


def tracking_event(event: Event) -> TrackingEvent | None:
    """Return what the tracker reported; None for events of other kinds and damaged ones."""
    match event.kind, event.data.get("face"):
        case EventKind.FOUND, int(face):
            return FaceFound(face)
        case EventKind.LOST, int(face):
            return FaceLost(face, str(event.data.get("reason", "")))
        case EventKind.CUT, _:
            return SceneCut()
        case EventKind.SIZE, _:
            width, height = event.data.get("width"), event.data.get("height")
            return PictureSizeChanged(width, height) if isinstance(width, int) and isinstance(height, int) else None
        case EventKind.RESTART, _:
            return TrackingRestarted()
        case EventKind.FAULT, _:
            return RecordedFault(event.text)
    return None


def _recorded(event: TrackingEvent) -> tuple[EventKind, dict[str, Any]]:
    """Return the kind and the data that a session stores for what the tracker reported."""
    match event:
        case FaceFound(face):
            return EventKind.FOUND, {"face": face, "reason": ""}
        case FaceLost(face, reason):
            return EventKind.LOST, {"face": face, "reason": reason}
        case SceneCut():
            return EventKind.CUT, {"text": event_text(event)}
        case PictureSizeChanged(width, height):
            return EventKind.SIZE, {"width": width, "height": height, "text": event_text(event)}
        case TrackingRestarted():
            return EventKind.RESTART, {"text": event_text(event)}
        case _:
            return EventKind.FAULT, {"text": event_text(event)}


def settings_changes(old: TrackingSettings, new: TrackingSettings) -> dict[str, list[Any]]:
    """Return [old, new] of each setting that differs, as JSON values by name."""
    if old == new:
        return {}
    before, after = to_plain(old), to_plain(new)
    return {name: [before[name], after[name]] for name in after if before[name] != after[name]}


def changed_settings(settings: TrackingSettings, event: Event) -> TrackingSettings:
    """Return ``settings`` after a "settings" event.

    Raises:
        SessionError: the event holds no usable settings.
    """
    try:
        changes = {name: new for name, (_, new) in event.data["changes"].items()}
        return from_plain(TrackingSettings, to_plain(settings) | changes)
    except (KeyError, TypeError, ValueError, AttributeError, UserError, ModelError) as error:
        raise SessionError(
            f"The settings that changed at {event.time:.2f} s cannot be used here; update LDEQ Live."
        ) from error


class EventLog:
    """An open ``events.jsonl``; every event reaches the operating system at once. Used by one thread.

    Raises:
        RecordingError: it cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):
            self._file = path.open("wb")

    def write(self, event: Event) -> None:
        """Append one event.

        Raises:
            RecordingError: it cannot be written.
        """
        values = {"time": event.time, "row": event.row, "frame": event.frame, "kind": event.kind, **event.data}
        try:
            line = json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # it names a file whose name is not text
            line = json.dumps(values).encode()
        with writing(self._path):
            self._file.write(line + b"\n")
            self._file.flush()  # what a full disk took in part is completed with the next event

    def close(self) -> None:
        """Bring the file to the disk and close it; safe to call twice.

        Raises:
            RecordingError: where the disk does not take it.
        """
        finish(self._file, self._path)


def read_events(path: Path) -> tuple[Event, ...]:
    """Read the events; damaged or truncated lines are left out, and a missing file has none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return ()
    return tuple(event for event in map(_parsed, lines) if event is not None)


def write_event_table(path: Path, events: Iterable[Event]) -> None:
    """Write events as CSV, a line each; what an event does not have is empty.

    Raises:
        RecordingError: it cannot be written.
    """
    with writing(path), path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow((*_FIXED, *_TABLE_DATA, "text"))
        for event in events:
            data = (_cell(event.data.get(name)) for name in _TABLE_DATA)
            lines.writerow((f"{event.time:.6f}", event.row, event.frame, event.kind, *data, event.text))


def _cell(value: Any) -> Any:
    """Return what stands in a table: 1 or 0 for yes and no."""
    return int(value) if isinstance(value, bool) else f"{value:.6g}" if isinstance(value, float) else value


def _parsed(line: bytes) -> Event | None:
    try:
        values = json.loads(line)
        data = {name: value for name, value in values.items() if name not in _FIXED}
        return Event(float(values["time"]), int(values["row"]), int(values["frame"]), str(values["kind"]), data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _interruptions(last: FrameResult, now: FrameResult) -> Iterator[str]:
    """Yield what changed in the source between two frames."""
    (width, height), (new_width, new_height) = last.frame.size, now.frame.size
    if last.frame.size != now.frame.size:
        yield f"pictures of {new_width}x{new_height} instead of {width}x{height}"
    gap = now.frame.timestamp - last.frame.timestamp
    if gap <= 0:
        yield f"went back by {-gap:.2f} s"
    elif gap > LARGEST_GAP:
        yield f"no frame for {gap:.2f} s"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    return "default" if value is None else str(value)
