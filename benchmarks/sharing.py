"""What sharing costs the tracker, and how long a frame travels to a receiver on the same computer.

    python -m benchmarks.sharing [--frames 600] [--fps 60]

One face. Offers frames at a steady rate to :class:`app.sharing.sharing.Sharing` with JSON and OSC on, receives both in
this process, and prints the time of ``consume`` on the offering thread, the time from there to the last datagram of the
frame in the receiver's hands, and the time to make the datagrams.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.modes import Mode
from app.sharing.json_message import json_datagrams
from app.sharing.osc_message import OscEncoder
from app.sharing.settings import Address, SharingSettings
from app.sharing.sharing import Sharing
from app.sharing.udp import Encoder
from benchmarks.script import parser_of, run_script
from model.config import LANDMARKS
from model.geometry import Crop
from model.solvers import SolveReport, StopReason


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--fps", type=float, default=60.0)
    arguments = parser.parse_args()
    result = one_face()
    encoders: dict[str, Encoder] = {"JSON": json_datagrams, "OSC": OscEncoder()}
    for name, encode in encoders.items():
        spent = timed(partial(encode, result), 300)
        sizes = [len(datagram) for datagram in encode(result)]
        print(f"{name:<5} made in {percentiles(spent)}, {sizes} bytes")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as json_in,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as osc_in,
    ):
        for incoming in (json_in, osc_in):
            incoming.bind(("127.0.0.1", 0))
        targets = [Address("127.0.0.1", incoming.getsockname()[1]) for incoming in (json_in, osc_in)]
        offered: list[float] = []
        arrived: dict[str, list[float]] = {"JSON": [], "OSC": []}
        for name, incoming, parts in (
            ("JSON", json_in, len(json_datagrams(result))),
            ("OSC", osc_in, len(OscEncoder()(result))),
        ):
            threading.Thread(target=listen, args=(incoming, parts, offered, arrived[name]), daemon=True).start()
        sharing = Sharing(SharingSettings(udp=(targets[0],), osc=(targets[1],)))
        spent = []
        for index in range(arguments.frames):
            time.sleep(1 / arguments.fps)
            frame = replace(result, frame=replace(result.frame, index=index))
            started = time.perf_counter()
            offered.append(started)
            sharing.consume(frame)
            spent.append(time.perf_counter() - started)
        time.sleep(0.2)
        statuses = sharing.status()
        sharing.stop()
    print(f"offered in {percentiles(spent)} on the tracker's thread, JSON and OSC together")
    for name, latencies in arrived.items():
        print(f"{name:<5} received after {percentiles(latencies)}, {len(latencies)} of {arguments.frames} frames")
    print(", ".join(f"{status.kind}: {status.sent} sent, {status.failed} failed" for status in statuses))


def one_face() -> FrameResult:
    """Return a result with one face of 350 pixels in a 1280 x 720 picture."""
    points = np.random.default_rng(0).uniform((400, 200), (750, 550), (LANDMARKS, 2)).astype(np.float32)
    report = SolveReport(2, (0.3, 0.02), 1, StopReason.BUDGET, warm=True)
    spread = np.random.default_rng(1).uniform(1, 12, LANDMARKS).astype(np.float32)
    estimate = Estimate(Mode.RWR, points, spread, report)
    image = np.zeros((720, 1280, 3), np.uint8)
    return FrameResult(Frame(0, 0.0, image, 0.0), (FaceResult(0, Crop(575.0, 375.0, 440.0), estimate),))


def listen(incoming: socket.socket, parts: int, offered: list[float], latencies: list[float]) -> None:
    """Note for every ``parts`` datagrams how long ago the newest frame was offered; ends with the socket."""
    incoming.settimeout(5.0)
    while True:
        try:
            for _ in range(parts):
                incoming.recv(65536)
        except OSError:
            return
        latencies.append(time.perf_counter() - offered[-1])


def timed(call: Callable[[], object], times: int) -> list[float]:
    """Return the seconds that each of so many calls took."""
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return spent


def percentiles(seconds: list[float]) -> str:
    """Return median and 95th percentile in words."""
    p50, p95 = np.percentile(seconds, (50, 95)) * 1e6
    return f"{p50:.0f} us (95th percentile {p95:.0f} us)"


if __name__ == "__main__":
    run_script(main)
