"""Kills a recording at random moments and opens what is left.

    python -m benchmarks.kill [--runs 30] [--seed 0] [--json OUT]

Each run starts a process that tracks the demo clip (1280x720, in real time) and records it as the window does, in one
of four ways in turn. At a random moment, in every third run while the recording is just being finished, it gets
SIGKILL. Then ``session info`` must open the folder, and what is missing at its end is measured against the newest frame
that the tracker had passed to the recorder: in the table of frames, in the landmarks, in the pictures that can be read.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.sessions.plan import RecordingChoices, SessionPlan
from benchmarks.script import add_json, parser_of, run_script, write_figures

WAYS = {
    "clean": RecordingChoices(),
    "clean and annotated": RecordingChoices(annotated=True),
    "exact": RecordingChoices(exact=True),
    "landmarks only": RecordingChoices(privacy=True),
}
LONGEST_SECONDS = 4.0
START_SECONDS = 60.0


def main() -> None:
    """Run and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    add_json(parser)
    parser.add_argument("--child", nargs=3, metavar=("FOLDER", "WAY", "SECONDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        folder, way, seconds = arguments.child
        record(Path(folder), WAYS[way], float(seconds))
        return
    rows = [one(number, random.Random(f"{arguments.seed} {number}")) for number in range(arguments.runs)]
    opened = [row for row in rows if row["opened"]]
    print(f"{len(opened)} of {len(rows)} sessions opened; lost seconds: median, longest")
    for what in ("frames", "landmarks", "pictures"):
        lost = sorted(row[what] for row in opened if row[what] is not None)
        print(f"{what:<10} {lost[len(lost) // 2]:.2f}  {lost[-1]:.2f}  ({len(lost)} sessions)")
    write_figures(arguments.json, rows)


def one(number: int, dice: random.Random) -> dict[str, Any]:
    """Record, kill, open; return what was lost."""
    from app.cli.main import main as command

    way = list(WAYS)[number % len(WAYS)]
    finishing = number % 3 == 2
    seconds = dice.uniform(1.0, 2.5) if finishing else 1e9
    moment = seconds + dice.uniform(-0.02, 0.25) if finishing else dice.uniform(0.05, LONGEST_SECONDS)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "session"
        newest, finished = killed(folder, way, seconds, moment)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = command(["session", "info", str(folder)])
        row: dict[str, Any] = {"way": way, "moment": moment, "newest": newest, "finished": finished}
        row |= {"opened": code == 0, **(lost_in(folder, newest) if code == 0 else {"said": said.getvalue()})}
    print(row, flush=True)
    return row


def killed(folder: Path, way: str, seconds: float, moment: float) -> tuple[float, bool]:
    """Record until ``moment`` seconds after the first frame, then kill.

    Returns:
        The time stamp of the newest frame that the recorder had been given, and whether it had said it was finished.
    """
    words = [sys.executable, "-m", "benchmarks.kill", "--child", str(folder), way, str(seconds)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        first = child.stdout.readline()
        assert first, "the recording did not begin"
        time.sleep(moment)
    finally:
        child.kill()
    lines = [first, *child.stdout.read().splitlines()]
    child.wait()
    times = [float(line) for line in lines if line[0].isdigit()]
    return times[-1], "finished" in lines


def lost_in(folder: Path, newest: float) -> dict[str, Any]:
    """Return the seconds that are missing at the end of a session's parts."""
    from app.sessions.form import SessionError
    from app.sessions.session import open_session

    session = open_session(folder)
    times = session.frames.timestamp
    rows = session.recorded.estimates.row
    shown = None
    if session.metadata.video is not None:
        last = -1
        with contextlib.suppress(SessionError):  # cut off before the first of them were on the disk
            for number, _ in session.pictures():
                last = number
        shown = newest - float(times[session.frames.picture == last][0] if last >= 0 else times[0])
    return {
        "state": session.state,
        "frames": max(0.0, newest - float(times[-1])),
        "landmarks": max(0.0, newest - float(times[rows[-1]] if len(rows) else times[0])),
        "pictures": None if shown is None else max(0.0, shown),
    }


def record(folder: Path, choices: RecordingChoices, seconds: float) -> None:
    """Track and record until killed, or finish after so many seconds; say when each frame was handed over."""
    from functools import partial

    from app.core.frame import FrameResult
    from app.core.settings import EngineSettings, TrackingSettings
    from app.sessions.metadata import EngineFacts, SourceFacts
    from app.sessions.recorder import SessionRecorder
    from app.sources.open import open_source
    from app.sources.spec import DemoSpec
    from app.tracking.live import LivePipeline
    from app.tracking.pipeline import build_pipeline

    engine, tracking = EngineSettings(), TrackingSettings()
    live = LivePipeline(
        partial(open_source, DemoSpec(), realtime=True, loop=True), partial(build_pipeline, engine, tracking), tracking
    )
    live.start()
    end = time.perf_counter() + START_SECONDS
    while live.status.processed < 5:
        assert time.perf_counter() < end, live.status
        time.sleep(0.02)
    info = live.status.info
    assert info is not None
    plan = SessionPlan(SourceFacts.of("demo", info), EngineFacts.of(live.status.engine, engine), choices)
    recorder = SessionRecorder(folder, plan)

    def hand_over(result: FrameResult) -> None:
        recorder.offer(result)
        if (folder / "session.json").exists():  # nothing is promised before the first frame is on the disk
            print(repr(result.frame.timestamp), flush=True)

    live.add_consumer(hand_over)
    live.restart_tracking()
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        time.sleep(0.005)
    live.remove_consumer(hand_over)
    recorder.stop()
    print("finished", flush=True)
    time.sleep(START_SECONDS)


if __name__ == "__main__":
    run_script(main)
