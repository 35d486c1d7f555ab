"""How much faster than real time ``track`` is, and which threads have the work.

    python -m benchmarks.track [--seconds 60] [--rounds 3] [--against CHECKOUT] [--json OUT]

The video is the demo clip with its sensor noise, again and again (1280x720, 30 fps, one face); ``track`` writes an
annotated copy. The time of starting the program is in it. ``--against`` names another checkout of this project, whose
runs alternate with this one's. Processor time depends less than the clock on what else the computer does: divided by
the processors it gives the best that the clock could show.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLLOW = "--follow"
"""Given first: follow a video in this process and tell its times; for the runs of the benchmark."""
SAMPLE_SECONDS = 0.25
NAMES = {"MainThread": "follow", "track-reader": "read", "track-writer": "draw, write"}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="folder of another checkout")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    from benchmarks.batch import write_clip

    checkouts = [ROOT] if args.against is None else [args.against.resolve(), ROOT]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "clip.mp4"
        write_clip(clip, args.seconds)
        for _ in range(args.rounds):
            for checkout in checkouts:
                rows.append(run(checkout, clip, Path(name) / "out.mp4", args.seconds))
                print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    for checkout in checkouts:
        times = [row["x real time"] for row in rows if row["checkout"] == str(checkout)]
        print(f"{checkout}: best {max(times):.2f}, median {statistics.median(times):.2f} x real time")
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def run(checkout: Path, clip: Path, out: Path, seconds: float) -> dict[str, Any]:
    """Track a clip with a checkout's program in a process of its own; return the figures."""
    words = [sys.executable, __file__, FOLLOW, "track", clip, "-o", out, "--overwrite"]
    started = time.perf_counter()
    done = subprocess.run([str(word) for word in words], cwd=checkout, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - started
    told = json.loads(done.stdout.splitlines()[-1])
    frames = int(next(line for line in done.stdout.splitlines() if line.startswith("Tracked")).split()[1])
    return {
        "checkout": str(checkout),
        "seconds": round(wall, 1),
        "x real time": round(seconds / wall, 2),
        "CPU ms a frame": round(1e3 * told["cpu"] / frames, 2),
        **{f"  {name}": round(1e3 * busy / frames, 2) for name, busy in sorted(told["threads"].items())},
        "MiB": round(told["peak"] / 2**20),
        "MB": round(out.stat().st_size / 1e6, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def follow(words: list[str]) -> int:
    """Run the program of the working directory's checkout, then print its times as JSON."""
    sys.path.insert(0, os.getcwd())
    over = threading.Event()
    busy: dict[int, tuple[str, float]] = {}
    sampler = threading.Thread(target=_sample, args=(over, busy), name="sampler", daemon=True)
    sampler.start()
    from app.cli.main import main as program

    code = program(words)
    over.set()
    sampler.join()
    threads: defaultdict[str, float] = defaultdict(float)
    for name, seconds in busy.values():
        threads[name] += seconds
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss * 1024  # Linux tells KiB
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak": peak, "threads": threads}))
    return code


def _sample(over: threading.Event, busy: dict[int, tuple[str, float]]) -> None:
    """Note again and again how busy every thread of this process was, those of libraries, too; Linux only."""
    folder = Path("/proc/self/task")
    while folder.is_dir() and not over.wait(SAMPLE_SECONDS):
        ours = {thread.native_id: thread.name for thread in threading.enumerate()}
        for task in folder.iterdir():
            number = int(task.name)
            try:
                seconds = int((task / "schedstat").read_text().split()[0]) / 1e9
                library = "decode" if (task / "comm").read_text().startswith("av:") else "encode, others"
            except OSError:
                continue  # it has ended
            busy[number] = (NAMES.get(ours[number], ours[number]) if number in ours else library, seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == [FOLLOW]:
        sys.exit(follow(sys.argv[2:]))
    main()
