"""End-to-end speed of the live window: frames tracked per second and capture-to-paint latency.

    python -m benchmarks.live [--video FILE] [--fps 120] [--seconds 10] [--rounds 3] [--json OUT]

Plays a video as a live source faster than it can be tracked, so that the figures show the capacity and not
the clip's own rate, in the real window (offscreen unless QT_QPA_PLATFORM says otherwise). The conditions
take turns within one run, round by round: all panels closed, all open, and with them closed recording, compare,
RwR off. ``longest`` is the longest that the window's thread was busy in one go, by the clock and in CPU time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.frame import FrameResult
from app.core.memory import set_aside, share_one_heap
from app.core.places import DEMO_CLIP
from app.lab.speed.live import Retimed
from app.sources.base import Source
from benchmarks.script import add_json, application, parser_of, run_script, write_figures

if TYPE_CHECKING:
    from app.gui.live.presenters.settings import LiveSettings
    from app.gui.main_window import MainWindow

CONDITIONS = ("closed", "panels", "recording", "compare", "rwr off")
SETTLE_SECONDS = 2.0


@dataclass(slots=True)
class Tally:
    """What happened during one condition of one round."""

    tracked: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    latencies: list[float] | None = None


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--video", type=Path, default=DEMO_CLIP)
    parser.add_argument("--fps", type=float, default=120.0, help="rate of the live source")
    parser.add_argument("--seconds", type=float, default=10.0, help="per condition and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--weights", type=Path)
    add_json(parser)
    arguments = parser.parse_args()
    figures = run(arguments)
    heads = ("fps", "fps ratio", "p50 ms", "p95 ms", "evaluations", "longest ms", "its CPU ms", "over 50 ms")
    print(f"{'condition':<10} " + " ".join(f"{head:>11}" for head in heads))
    for name, row in figures["conditions"].items():
        print(
            f"{name:<10} {row['fps']:11.1f} {row['fps_ratio']:11.3f} {row['p50_ms']:11.1f} {row['p95_ms']:11.1f} "
            f"{row['evaluations']:11.2f} {row['longest_ms']:11.1f} {row['longest_cpu_ms']:11.1f} "
            f"{row['over_limit']:11.0f}"
        )
    print(f"{figures['engine']}; recorder dropped {figures['dropped']} of {figures['offered']} frames")
    write_figures(arguments.json, figures)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Play, switch through the conditions, and return the figures."""
    share_one_heap()  # as the program does
    from app.gui.presenters.actions import ActionName
    from benchmarks.watchdog import Watchdog

    qt = application()
    with tempfile.TemporaryDirectory() as folder:
        engine = {"threads": arguments.threads} | ({"weights": arguments.weights} if arguments.weights else {})
        window = open_window(stream_settings(Path(folder), arguments.video, **engine), arguments.fps)
        watchdog = Watchdog()
        tally = Tally()

        def count(result: FrameResult) -> None:
            tally.tracked += 1
            tally.evaluations += sum(face.estimate.report.evaluations for face in result.faces)

        def painted(captured: float, now: float) -> None:
            if tally.latencies is not None:
                tally.latencies.append(now - captured)

        def spin(seconds: float) -> None:
            watchdog.spin(qt, seconds)

        window.view.painted.connect(painted)
        window.resize(1440, 860)
        window.show()
        window.begin()
        session = window.presenter.session
        end = time.perf_counter() + 60
        while not session.state.info and time.perf_counter() < end:
            spin(0.05)
        live = session._live
        assert live is not None, "the source did not open"
        live.add_consumer(count)
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in CONDITIONS}
        toggles = {
            "panels": lambda: toggle_panels(window),
            "recording": lambda: window.act(ActionName.RECORD),
            "compare": lambda: window.act(ActionName.COMPARE),
            "rwr off": lambda: window.act(ActionName.RWR),
        }
        dropped = offered = 0
        for _ in range(arguments.rounds):
            for name in CONDITIONS:
                if name in toggles:
                    toggles[name]()
                spin(SETTLE_SECONDS)
                tally.tracked = tally.evaluations = 0
                tally.latencies = []
                watchdog.clear()
                started = time.perf_counter()
                spin(arguments.seconds)
                elapsed = time.perf_counter() - started
                rounds[name].append({**summary(tally, elapsed), **watchdog.figures()})
                tally.latencies = None
                if name == "recording":
                    recording = session.state.recording
                    assert recording is not None, session.state.finished
                if name in toggles:
                    toggles[name]()
                    spin(SETTLE_SECONDS)
                if name == "recording":
                    finished = session.state.finished
                    assert finished is not None
                    assert not finished.error, finished.error
                    dropped += finished.dropped
                    offered += finished.dropped + finished.frames
        engine_name = session.state.status.engine if session.state.status else ""
        window.close()
        session.join()
        spin(0.3)
    closed = rounds["closed"]
    table = {}
    for name, rows in rounds.items():
        ratios = [row["fps"] / base["fps"] for row, base in zip(rows, closed, strict=True)]
        table[name] = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        table[name]["fps_ratio"] = statistics.median(ratios)
    return {"engine": engine_name, "conditions": table, "dropped": dropped, "offered": offered, "rounds": rounds}


def summary(tally: Tally, seconds: float) -> dict[str, float]:
    """Return one condition's figures."""
    latencies = sorted(tally.latencies or [float("nan")])
    return {
        "fps": tally.tracked / seconds,
        "p50_ms": 1e3 * latencies[len(latencies) // 2],
        "p95_ms": 1e3 * latencies[min(len(latencies) - 1, int(0.95 * len(latencies)))],
        "evaluations": tally.evaluations / max(1, tally.tracked),
        "painted_fps": len(tally.latencies or ()) / seconds,
    }


def open_window(settings: LiveSettings, fps: float) -> MainWindow:
    """Return the real window on a video, re-timed to ``fps``."""
    from app.core.settings import TrackingSettings
    from app.gui.live.presenters.session import LiveSession
    from app.gui.main_window import MainWindow
    from app.gui.window import live_parts
    from app.sources.paced import PacedSource
    from app.sources.spec import SourceSpec
    from app.sources.video import VideoSource
    from app.tracking.live import LivePipeline

    def live(source: SourceSpec, tracking: TrackingSettings) -> LivePipeline:
        def reopen() -> Source:
            return Retimed(VideoSource(Path(str(source))), fps)

        build = partial(settings.model.build, tracking)
        opened = LivePipeline(lambda: PacedSource(reopen, loop=True), build, tracking)
        opened.add_consumer(lambda _: set_aside())  # as the program does
        return opened

    parts = replace(live_parts(settings), live=live)
    return MainWindow(settings, partial(LiveSession, parts), lambda: [])


def stream_settings(folder: Path, video: Path = DEMO_CLIP, **engine: Any) -> LiveSettings:
    """Return settings that play ``video`` and record into ``folder``, with the panels closed."""
    from app.core.settings import EngineSettings
    from app.gui.live.presenters.model import ModelInUse
    from app.gui.live.presenters.remembered import Remembered
    from app.gui.live.presenters.settings import LiveSettings
    from app.gui.presenters.palettes import Theme

    chosen = Remembered(source=str(video), folder=folder, panels=(), theme=Theme.DARK, tour_seen=True)
    return LiveSettings(chosen, model=ModelInUse(EngineSettings(**engine)))


def toggle_panels(window: MainWindow) -> None:
    """Open the side panel, the laboratory and the heat colours on the face, or close them all."""

    from app.gui.presenters.actions import ActionName

    for name in (ActionName.PANEL, ActionName.DRAWER, ActionName.HEAT):
        window.act(name)


if __name__ == "__main__":
    run_script(main)
