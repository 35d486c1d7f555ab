"""How much faster several workers are than one, what they need of processors and memory, and ``track`` in real time.

    python -m benchmarks.batch [--videos 6] [--seconds 11] [--repeat 3] [--minutes 3] [--json OUT]

The videos are copies of the demo clip with its sensor noise. Runs alternate between the numbers of workers, since other
programs may slow some of them down: what counts is the ratio within a round. Processor time depends less on them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from app.core.places import ROOT
from app.sources.demo import DemoClip
from benchmarks.script import add_json, parser_of, run_script, write_figures

CREWS = ((1, 1), (2, 1))
"""Workers, and threads of the model in each."""
MINUTE = 60.0


def main() -> None:
    """Measure, print and keep."""
    parser = parser_of(__doc__)
    parser.add_argument("--videos", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=11.0, help="of each video")
    parser.add_argument("--repeat", type=int, default=3, help="rounds with every crew in turn")
    parser.add_argument("--minutes", type=int, default=3, help="how often track follows a minute")
    add_json(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workers = compare_workers(folder, args.videos, args.seconds, args.repeat)
        figures = {"workers": workers, "track": time_track(folder, args.minutes)}
    write_figures(args.json, figures)


def compare_workers(folder: Path, videos: int, seconds: float, rounds: int) -> list[dict[str, float]]:
    """Track copies of the clip with each crew in turn; return frames per second and memory by round."""
    inputs = folder / "in"
    inputs.mkdir()
    write_clip(inputs / "0.mp4", seconds)
    for index in range(1, videos):
        (inputs / f"{index}.mp4").write_bytes((inputs / "0.mp4").read_bytes())
    found = []
    for number in range(rounds):
        speeds: dict[str, float] = {}
        for workers, threads in CREWS:
            out = folder / f"out-{number}-{workers}-{threads}"
            _, cpu, peak = run("batch", inputs, "-o", out, "--workers", workers, "--threads", threads)
            report = json.loads((out / "batch.json").read_text(encoding="utf-8"))
            speeds[f"{workers}x{threads}"] = report["frames"] / report["seconds"]
            speeds[f"{workers}x{threads} cpu ms"] = cpu / report["frames"] * 1000
            speeds[f"{workers}x{threads} MiB"] = peak / 2**20
        speeds["2x1 : 1x1"] = speeds["2x1"] / speeds["1x1"]
        found.append(speeds)
        print(
            "  ".join(f"{key} {value:.2f}" for key, value in speeds.items()),
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    for key in found[0]:
        print(f"{key}: median {statistics.median(speeds[key] for speeds in found):.2f}")
    return found


def time_track(folder: Path, rounds: int) -> list[float]:
    """Track a minute of 720p by itself, with a session; return how many times faster than real time that was."""
    write_clip(folder / "minute.mp4", MINUTE)
    found = []
    for number in range(rounds):
        seconds, cpu, peak = run("track", folder / "minute.mp4", "--session", folder / f"minute-{number}")
        found.append(MINUTE / seconds)
        told = f"{MINUTE / seconds:.2f} x real time, {cpu:.1f} s of processors, {peak / 2**20:.0f} MiB"
        print(f"track: a minute in {seconds:.1f} s, {told}, load {os.getloadavg()[0]:.1f}", flush=True)
    print(f"track: median {statistics.median(found):.2f} x real time")
    return found


def write_clip(path: Path, seconds: float) -> None:
    """Write the demo with its noise, again and again, until there is enough."""
    count, rate = 0, 30
    clip = DemoClip()
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = clip.info.width, clip.info.height, "yuv420p"
        while count < seconds * rate:
            frame = clip.read()
            if frame is None:
                clip.close()
                clip = DemoClip()
                continue
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
            count += 1
        out.mux(stream.encode(None))
    clip.close()


def run(*words: object) -> tuple[float, float, int]:
    """Run a command of the program in a process of its own.

    Returns:
        Its seconds, the processor seconds of it and its workers, and the most memory that one of them took, in bytes.
    """
    script = (
        "import resource, sys; from app.cli.main import main; code = main(sys.argv[1:]);"
        "used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)];"
        "print(sum(u.ru_utime + u.ru_stime for u in used), max(u.ru_maxrss for u in used)); sys.exit(code)"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    cpu, peak = done.stdout.split()[-2:]
    return time.perf_counter() - started, float(cpu), int(peak) * 1024  # Linux tells KiB


if __name__ == "__main__":
    run_script(main)
