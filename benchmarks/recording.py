"""What recording a session costs beside a tracker that runs in real time.

    python -m benchmarks.recording [--seconds 15] [--fps 30] [--threads 1] [--json OUT]

The demo clip (1280x720, with its sensor noise) plays at ``--fps``; frames that come while the tracker is busy are
skipped, as live. For each way to record: frames tracked per second and the median time a frame took, processor
time of the recorder's thread per frame, how long the tracker's thread was held by ``offer`` (99th percentile),
megabytes a second on the disk, and what was dropped. The tracker runs once without a recorder before and after.
"""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app.core.frame import Frame
from app.core.settings import EngineSettings, TrackingSettings
from app.sessions.metadata import EngineFacts, SourceFacts
from app.sessions.plan import RecordingChoices, SessionPlan
from app.sessions.recorder import SessionRecorder
from app.sources.demo import DemoClip
from app.tracking.pipeline import Pipeline, build_pipeline
from benchmarks.script import add_json, parser_of, run_script, write_figures

WAYS = {
    "landmarks only": RecordingChoices(video=False),
    "clean video": RecordingChoices(),
    "clean and annotated": RecordingChoices(annotated=True),
    "exact": RecordingChoices(exact=True),
}
CLIP_FRAMES = 90


def main() -> None:
    """Run and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--fps", type=float, default=30.0, help="rate of the source")
    parser.add_argument("--threads", type=int, help="of the model")
    add_json(parser)
    arguments = parser.parse_args()
    engine = EngineSettings(threads=arguments.threads)
    clip = DemoClip()
    info = clip.info
    frames = [frame for _ in range(CLIP_FRAMES) if (frame := clip.read()) is not None]
    clip.close()
    pipeline = build_pipeline(engine, TrackingSettings())
    rows: list[dict[str, Any]] = []
    for name, choices in [("no recording", None), *WAYS.items(), ("no recording again", None)]:
        with tempfile.TemporaryDirectory() as folder:
            recorder = None
            if choices is not None:
                facts = EngineFacts.of(pipeline.engine_name, engine)
                plan = SessionPlan(SourceFacts.of("demo", info), facts, choices)
                recorder = SessionRecorder(Path(folder) / "session", plan)
            row = {"way": name, **play(pipeline, frames, arguments.seconds, arguments.fps, recorder)}
            rows.append(row)
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    pipeline.close()
    write_figures(arguments.json, rows)


def play(
    pipeline: Pipeline, frames: list[Frame], seconds: float, fps: float, recorder: SessionRecorder | None
) -> dict[str, Any]:
    """Track for some seconds in real time, recording if there is a recorder; return the figures."""
    pipeline.forget()
    solved: list[float] = []
    offered: list[float] = []
    before = _busy("session-recorder")
    started = time.perf_counter()
    last = -1
    while (now := time.perf_counter() - started) < seconds:
        place = int(now * fps)
        if place == last:
            time.sleep(max(0.0, (last + 1) / fps - now))
            continue
        last = place
        stamp = place / fps
        there_and_back = place % (2 * len(frames) - 2)
        source = frames[min(there_and_back, 2 * len(frames) - 2 - there_and_back)]
        result = pipeline.process(replace(source, index=place, timestamp=stamp, captured=started + stamp))
        solved.append(result.seconds["total"])
        if recorder is not None:
            at = time.perf_counter()
            recorder.offer(result)
            offered.append(time.perf_counter() - at)
    figures: dict[str, Any] = {"fps": round(len(solved) / seconds, 1), "ms": round(1e3 * float(np.median(solved)), 1)}
    if recorder is None:
        return figures
    busy = _busy("session-recorder") - before
    summary = recorder.stop(60)
    size = sum(path.stat().st_size for path in recorder.path.iterdir())
    return figures | {
        "recorder_ms": round(1e3 * busy / max(1, len(solved)), 1),
        "offer_p99_us": round(1e6 * float(np.percentile(offered, 99))),
        "mb_per_s": round(size / 1e6 / max(summary.seconds, 1e-9), 2),
        "dropped": summary.dropped,
        "error": summary.error,
    }


def _busy(name: str) -> float:
    """Return the processor time of a thread of this process so far, in seconds; 0 where it cannot be told."""
    total = 0.0
    for thread in threading.enumerate():
        path = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        if thread.name == name and path.exists():
            total += int(path.read_text().split()[0]) / 1e9
    return total


if __name__ == "__main__":
    run_script(main)
