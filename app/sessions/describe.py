"""Describes a session in lines of text, and checks its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app.core.errors import UserError
from app.core.text_table import counted
from app.sessions.compare import TakeFigures, figures_of
from app.sessions.events import EventKind
from app.sessions.form import LANDMARKS_PARQUET, REPLAYS, SessionState
from app.sessions.metadata import checksums
from app.sessions.session import Session


def session_lines(session: Session) -> list[str]:
    """Return the session's facts, a line per take, and a count of its events."""
    facts, counts = session.metadata, session.metadata.counts
    source = facts.source
    lines = [f"{session.name}: {session.state}, {session.seconds:.2f} s, {counted(len(session.frames), 'frame')}"]
    if session.state != SessionState.COMPLETE:
        exact = (session.folder / LANDMARKS_PARQUET).is_file()
        kept = "" if exact else "; landmarks are those of the CSV, to 0.001 pixels"
        lines.append(f"  the recording was cut off{kept}")
    rate = f", {source.fps:g} fps" if source.fps else ""
    lines.append(f"  source: {source.name} ({source.width}x{source.height}{rate}), {facts.started}")
    digest = facts.engine.sha256[:12] if facts.engine.sha256 else "unknown"
    lines.append(f"  model: {facts.engine.weights} ({digest}), {facts.engine.name}, LDEQ Live {facts.application}")
    lines.append(f"  video: {_video(session)}")
    if counts.dropped or counts.skipped:
        dropped, skipped = counted(counts.dropped, "picture"), counted(counts.skipped, "frame")
        lines.append(f"  {dropped} not recorded, {skipped} not tracked")
    if facts.origin is not None:
        origin = facts.origin
        lines.append(f"  cut from {origin.name}, {origin.take}, {origin.start:.2f} to {origin.end:.2f} s")
    lines += [f"  take {line}" for line in _takes(session)]
    events = Counter(event.kind for event in session.events)
    kinds = [
        (EventKind.SETTINGS, "change"),
        (EventKind.RESET, "reset"),
        (EventKind.LOST, "loss"),
        (EventKind.CUT, "cut"),
        (EventKind.RESTART, "restart"),
    ]
    kinds += [(EventKind.FAULT, "fault")] * bool(events[EventKind.FAULT])
    lines.append("  events: " + ", ".join(f"{name} {events[kind]}" for kind, name in kinds))
    return lines


def damaged_files(session: Session) -> list[str]:
    """Read all files, replays included; return the names of those that are missing or do not match their checksums.

    Raises:
        SessionError: the metadata of a replay cannot be used.
    """
    damaged = _differing(session.folder, session.metadata.checksums)
    for name in session.take_names[1:]:
        folder = session.folder / REPLAYS / name
        damaged += [f"{REPLAYS}/{name}/{file}" for file in _differing(folder, session.replay_facts(name).checksums)]
    return damaged


def _differing(folder: Path, expected: dict[str, str]) -> list[str]:
    found = checksums(folder, list(expected))
    return [name for name in expected if found.get(name) != expected[name]]


def _video(session: Session) -> str:
    video, facts = session.metadata.video, session.metadata
    if facts.privacy:
        return "none (privacy mode)"
    if video is None:
        return "none"
    where = video.file if video.inside else f"{video.file} (the file that was tracked)"
    state = "" if session.video_path is not None else ", which is missing now"
    if facts.exact:
        return f"{where}{state}; replays are exact"
    if facts.exact_frames:
        return f"{where}{state}; replays are exact for the first {counted(facts.exact_frames, 'frame')}"
    return f"{where}{state}; replays are close, not exact"


def _takes(session: Session) -> Iterator[str]:
    for name in session.take_names:
        try:
            take = session.take(name)
        except UserError as error:
            yield f"{name}: {error}"
            continue
        baselines = dict.fromkeys(take.estimates.mode[~take.estimates.chosen].tolist())
        recorded = session.metadata.engine
        title = take.engine.title_beside(recorded)
        model = "" if title == recorded.title else f"{title}, "
        found = "; ".join(_figures(figures_of(take, mode)) for mode in (None, *baselines))
        yield f"{name}: {model}{found}"


def _figures(figures: TakeFigures) -> str:
    flicker = "not measured" if figures.flicker is None else f"{figures.flicker:.3f} %"
    spent = "-" if figures.evaluations is None else f"{figures.evaluations:.2f}"
    return f"{figures.modes or 'no face'}, flicker {flicker}, {spent} evaluations per face and frame"
