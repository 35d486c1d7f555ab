"""What an hour of recording leaves in memory: the recorder alone, fed as fast as it takes frames.

    python -m benchmarks.long_recording [--minutes 60] [--fps 30] [--modes 1] [--json OUT]

One face moves through small empty pictures, tracked by nothing: what is kept for each frame does not depend on the
pictures' size. Clean and annotated video, both tables, frames and events are written, and after each recorded minute
free memory is returned, as the program does, and what remains is read. Finally the session is closed and read again.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.memory import give_back, share_one_heap
from app.core.modes import Mode
from app.core.settings import EngineSettings
from app.media.clock import RecordingClock
from app.sessions.metadata import EngineFacts, SourceFacts
from app.sessions.plan import RecordingChoices, SessionPlan
from app.sessions.session import open_session
from app.sessions.writer import SessionWriter
from app.sources.base import SourceInfo
from benchmarks.own_process import resident
from benchmarks.script import add_json, parser_of, run_script, write_figures
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerReading
from model.solvers import SolveReport
from model.topology import POINTS, REGIONS

WIDTH, HEIGHT = 96, 72


def main() -> None:
    """Run and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=int, default=60, help="of recorded time")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--modes", type=int, choices=(1, 2), default=1, help="2: as when two modes are compared")
    add_json(parser)
    arguments = parser.parse_args()
    share_one_heap()  # as the program does
    figures = record(arguments.minutes, arguments.fps, arguments.modes)
    print({name: value for name, value in figures.items() if name != "mebibytes"})
    write_figures(arguments.json, figures)


def record(minutes: int, fps: int, modes: int) -> dict[str, Any]:
    """Record and return the figures, memory by minute among them."""
    info = SourceInfo("hour", WIDTH, HEIGHT, float(fps), None, True)
    facts = EngineFacts.of("none", EngineSettings())
    plan = SessionPlan(SourceFacts.of("hour", info), facts, RecordingChoices(annotated=True))
    memory: list[float] = []
    started = time.process_time()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "session"
        writer = SessionWriter(folder, plan, RecordingClock())
        for index in range(60 * minutes * fps):
            writer.write(_result(index, fps, modes))
            if (index + 1) % (60 * fps) == 0:
                gc.collect()
                give_back()
                memory.append(resident() / 2**20)
                print(f"minute {len(memory):3}  {memory[-1]:.1f} MiB", flush=True)
        counts = writer.counts
        writer.close()
        del writer
        gc.collect()
        give_back()
        closed = resident() / 2**20
        session = open_session(folder)
        read = len(session.frames)
    return {
        "minutes": minutes,
        "frames": counts.frames,
        "pictures": counts.pictures,
        "annotated": counts.annotated,
        "read_again": read,
        "growth_mebibytes": memory[-1] - memory[0],
        "after_closing_mebibytes": closed,
        "cpu_seconds": time.process_time() - started,
        "mebibytes": memory,
    }


def _result(index: int, fps: int, modes: int) -> FrameResult:
    """Return a frame whose face goes round in circles."""
    angle = 2 * np.pi * np.arange(POINTS) / POINTS
    middle = np.array([WIDTH / 2 + 8 * np.sin(index / fps), HEIGHT / 2 + 4 * np.cos(index / fps)])
    landmarks = (middle + 20 * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)
    spread = np.full(POINTS, 0.5, np.float32)
    reading = FlickerReading(0.2, (0.2,) * len(REGIONS))
    report = SolveReport(3, (0.1, 0.02), 1, None, True, "", index)
    answers = [
        Estimate(mode, landmarks, spread, report, reading, radius80=spread) for mode in (Mode.RWR, Mode.COLD)[:modes]
    ]
    face = FaceResult(1, Crop.around_points(landmarks, 1.25), *answers)
    image = np.full((HEIGHT, WIDTH, 3), 60 + index % 40, np.uint8)
    return FrameResult(Frame(index, index / fps, image, index / fps), (face,), {"total": 0.01})


if __name__ == "__main__":
    run_script(main)
