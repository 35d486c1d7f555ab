"""Leaves the live window running with a recording and watches memory, threads and frames.

    python -m benchmarks.soak [--minutes 10] [--fps 30] [--panels] [--no-recording] [--json OUT]
    python -m benchmarks.soak --random [--minutes 10] [--seed 0] [--json OUT]

The demo clip plays as a live source in the real window (offscreen unless QT_QPA_PLATFORM says otherwise). The
first minute warms up and is not counted in the growth.

With ``--random`` a random user is at work (benchmarks/random_user.py): every key, other sources, sizes, seeks,
recordings. Every 20 seconds everything goes back to the demo clip, and memory, threads and files are read. Every
recording is opened and counted.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from pathlib import Path
from typing import Any

from app.core.memory import share_one_heap
from app.core.places import DEMO_CLIP
from benchmarks.own_process import sample
from benchmarks.script import add_json, application, parser_of, run_script, write_figures

WARM_UP_SECONDS = 60.0
EVERY_SECONDS = 5.0


def main() -> None:
    """Run and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=30.0, help="rate of the live source")
    parser.add_argument("--video", type=Path, default=DEMO_CLIP, help="what plays; a smaller one costs less")
    parser.add_argument("--weights", type=Path, help="of a smaller model, which costs less")
    parser.add_argument("--threads", type=int, help="of the engine")
    parser.add_argument("--panels", action="store_true", help="with every panel open and comparing off")
    parser.add_argument("--no-recording", action="store_true")
    parser.add_argument("--random", action="store_true", help="with a random user")
    parser.add_argument("--seed", type=int, default=0, help="what the random user does")
    add_json(parser)
    arguments = parser.parse_args()
    share_one_heap()  # as the program does
    engine = {"threads": arguments.threads} | ({"weights": arguments.weights} if arguments.weights else {})
    if arguments.random:
        from benchmarks.random_user import soak

        figures = soak(arguments.minutes, arguments.seed, **engine)
    else:
        figures = run(arguments, **engine)
    for name, value in figures.items():
        if name not in ("samples", "long_turns"):
            print(f"{name:<24} {value}")
    for turn in figures["long_turns"]:
        print(turn)
    write_figures(arguments.json, figures)


def run(arguments: argparse.Namespace, **engine: Any) -> dict[str, Any]:
    """Play and return the figures."""
    from app.gui.presenters.actions import ActionName
    from benchmarks.live import open_window, stream_settings, toggle_panels
    from benchmarks.watchdog import Watchdog

    qt = application()
    watchdog = Watchdog()
    samples: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        window = open_window(stream_settings(Path(folder), arguments.video, **engine), arguments.fps)
        window.resize(1440, 860)
        window.show()
        window.begin()
        session = window.presenter.session
        while session.state.stage != "running":
            watchdog.spin(qt, 0.1)
        if arguments.panels:
            toggle_panels(window)
        watchdog.spin(qt, 5.0)
        if not arguments.no_recording:
            window.act(ActionName.RECORD)
        started = time.perf_counter()
        end = started + 60 * arguments.minutes
        watchdog.clear()
        while time.perf_counter() < end:
            watchdog.spin(qt, min(EVERY_SECONDS, max(0.01, end - time.perf_counter())))
            gc.collect()
            samples.append(sample(started))
        status = session.state.status
        if not arguments.no_recording:
            window.act(ActionName.RECORD)
            while session.state.finished is None:
                watchdog.spin(qt, 0.1)
        finished = session.state.finished
        window.close()
        session.join()
    warm = [each for each in samples if each["seconds"] > WARM_UP_SECONDS] or samples
    return {
        "minutes": arguments.minutes,
        "first_mebibytes": warm[0]["mebibytes"],
        "last_mebibytes": warm[-1]["mebibytes"],
        "growth_mebibytes": warm[-1]["mebibytes"] - warm[0]["mebibytes"],
        "growth_in_use_mebibytes": warm[-1]["in_use_mebibytes"] - warm[0]["in_use_mebibytes"],
        "highest_mebibytes": max(each["mebibytes"] for each in samples),
        "threads": (warm[0]["threads"], warm[-1]["threads"]),
        "files": (warm[0]["files"], warm[-1]["files"]),
        "captured": status.captured if status else None,
        "processed": status.processed if status else None,
        "skipped": status.skipped if status else None,
        "recorded": finished.frames if finished else None,
        "dropped": finished.dropped if finished else None,
        "recording_error": finished.error if finished else None,
        **watchdog.figures(),
        "long_turns": watchdog.long_turns,
        "samples": samples,
    }


if __name__ == "__main__":
    run_script(main)
