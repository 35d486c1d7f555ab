"""Memory, and the time from nothing to the first landmarks: measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from app.core.errors import UserError
from app.core.places import ROOT
from model.engine.names import Device, EngineName

FRAMES = 60
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Start:
    """What a fresh process took.

    Attributes:
        seconds: from its start to the first landmarks.
        mebibytes: resident at most, after :data:`FRAMES` frames; None if the system does not tell.
    """

    seconds: float
    mebibytes: float | None


def run_start(video: Path, weights: Path, engine: str, threads: int | None, device: str = "cpu") -> Start:
    """Start a process that follows ``video`` with an engine on a device.

    Raises:
        UserError: if it fails.
    """
    paths = (str(path.absolute()) for path in (video, weights))  # the process has another working directory
    command = [sys.executable, "-m", "app.lab.speed.start", *paths, engine, str(threads or 0), device]
    # Complaints go to a file: a pipe that nobody reads meanwhile would hold the process up once it is full.
    with tempfile.TemporaryFile() as complaints:
        started = time.perf_counter()
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=complaints) as process:
            assert process.stdout is not None
            watch = Timer(SECONDS, process.kill)
            watch.start()
            first = process.stdout.readline()
            seconds = time.perf_counter() - started
            out = process.stdout.read()
            in_time = watch.is_alive()
            watch.cancel()
        complaints.seek(0)
        err = complaints.read().decode("utf-8", "replace").strip()
    if not in_time:
        raise UserError(f"The engine {engine} did not finish {FRAMES} frames in {SECONDS:.0f} seconds.")
    if process.returncode or not first:
        reason = (err or "it gave no reason").splitlines()[-1]
        raise UserError(f"A fresh start with the engine {engine} failed: {reason}")
    return Start(seconds, json.loads(out)["mebibytes"])


def main() -> None:
    """Follow a video, say when the first landmarks are there, then how much memory it took."""
    from app.core.settings import EngineSettings, TrackingSettings
    from app.sources.video import VideoSource
    from app.tracking.pipeline import build_pipeline

    video, weights, engine, threads, device = sys.argv[1:]
    source = VideoSource(Path(video))
    settings = EngineSettings(Path(weights), EngineName(engine), Device(device), int(threads) or None)
    pipeline = build_pipeline(settings, TrackingSettings())
    told = False
    for _ in range(FRAMES):
        frame = source.read()
        if frame is None:
            break
        found = bool(pipeline.process(frame).faces)
        if found and not told:
            print("first", flush=True)
            told = True
    if not told:
        raise SystemExit(f"no face was found in the first {FRAMES} frames of {video}")
    print(json.dumps({"mebibytes": most_memory()}))
    pipeline.close()
    source.close()


def most_memory() -> float | None:
    """Return the most memory that was resident so far, in MiB; None on systems that do not tell."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux its figure begins with that of the process that started this one.
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        return float(lines["VmHWM"].split()[0]) / 2**10 if "VmHWM" in lines else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
