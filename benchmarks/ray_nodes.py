"""Two computers with Ray share twelve videos, and one of them fails halfway.

    sudo .venv/bin/python -m benchmarks.ray_nodes [--fault power cable head folder version] [--videos 12] [--seconds 4]
                                                  [--cpus 1] [--json OUT]

Linux with ip, unshare and nsenter, and the package ray. Each computer is a network namespace at one end of a cable
(veth), with its own address, host name, processes, shared memory and folder of Ray; the folders of videos and outputs
are shared. The faults:

power    the second computer is cut off and all its processes are killed at once, while it tracks
cable    the second computer is cut off but goes on; it is connected again after the run
head     as power, but to the computer with the head of the cluster; the command runs on the other one. Then a new head
         is started and the same command continues
folder   the second computer does not see the output folder
version  the second computer has another version of the program

Every output is compared with that of ``track``; a watcher notes every file that appears in its final place, so that a
second one would be seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from app.core.places import ROOT
from app.sources.demo import DemoClip
from benchmarks.script import add_json, parser_of, run_script, write_figures

FAULTS = ("power", "cable", "head", "folder", "version")
KINDS = ("--session", "--video", "--csv", "--parquet")
ENGINE = ("--engine", "onnx", "--device", "cpu", "--threads", "1")
COMMAND = "import sys; from app.cli.main import main; sys.exit(main(sys.argv[1:]))"
RAY_COMMAND = (sys.executable, "-m", "ray.scripts.scripts")
PORT = 6379
SIZE = (640, 360)
RATE = 30
START_TRIES = 3
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 900.0


def main() -> int:
    """Run the faults one after the other; return 1 if anything was not as it should be."""
    parser = parser_of(__doc__)
    parser.add_argument("--fault", nargs="+", choices=FAULTS, default=["power"])
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each video")
    parser.add_argument("--cpus", type=int, default=1, help="of each computer: videos at once")
    add_json(parser)
    arguments = parser.parse_args()
    reason = missing()
    if reason:
        print(reason, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up, as Ctrl-C does
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ray-nodes-") as name:
        folder = Path(name)
        write_clips(folder / "in", arguments.videos, round(arguments.seconds * RATE))
        if set(arguments.fault) - {"folder", "version"}:
            track_alone(folder / "in", folder / "track")
        for fault in arguments.fault:
            figures[fault] = run(fault, folder, arguments.cpus)
            print(fault, json.dumps(figures[fault], indent=2), flush=True)
    write_figures(arguments.json, figures)
    return int(any(found["wrong"] for found in figures.values()))


def missing() -> str:
    """Return one sentence that says why this cannot run here; nothing if it can."""
    if sys.platform != "linux":
        return "Network namespaces are needed, which only Linux has."
    if os.geteuid() != 0:
        return "Only root may create network namespaces; use sudo."
    tools = [tool for tool in ("ip", "unshare", "nsenter") if shutil.which(tool) is None]
    if tools:
        return f"Not found: {', '.join(tools)}; install iproute2 and util-linux."
    if find_spec("ray") is None:
        from app.batch.cluster import RAY

        return f"Ray is missing; install it with: {sys.executable} -m pip install {RAY}"
    return ""


def write_clips(folder: Path, count: int, frames: int) -> None:
    """Write different parts of the demo clip with its noise, small, so that they are tracked quickly."""
    folder.mkdir()
    for index in range(count):
        clip = DemoClip()
        start = min(index * 17, max(0, 300 - frames))
        with av.open(str(folder / f"{index:02}.mp4"), "w") as out:
            stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "20"})
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            for frame in islice(iter(clip.read, None), start, start + frames):
                image = cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            out.mux(stream.encode(None))
        clip.close()


def track_alone(videos: Path, folder: Path) -> None:
    """Track each video with ``track``."""
    folder.mkdir()
    script = (
        "import sys; from app.cli.main import main; from pathlib import Path\n"
        "for video in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    table = Path(sys.argv[2], video.stem).with_suffix\n"
        "    assert not main(['track', str(video), '--parquet', str(table('.parquet')), '--csv', str(table('.csv')),\n"
        "                     *sys.argv[3:]])\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(videos), str(folder), *ENGINE], cwd=ROOT, check=True, capture_output=True
    )


class Node:
    """A computer: namespaces that end, with all their processes, when :meth:`cut_power` is called.

    Args:
        number: 1 or 2.
        token: file with the cluster's password, on the shared disk.
        setup: more shell commands that prepare its view of the file system.
    """

    def __init__(self, number: int, token: Path, setup: str = "") -> None:
        self.host = f"ray-node-{number}"
        self.address = f"10.213.77.{number}"
        self._space = f"ldeq-ray-{os.getpid()}-{number}"
        self.link = f"ldeq{number}-{os.getpid()}"[:15]
        self._token = token
        self._setup = setup
        self._init: subprocess.Popen[str] | None = None

    def create(self) -> None:
        """Create the network namespace, without a cable."""
        call("ip", "netns", "add", self._space)

    def connect(self) -> None:
        """Take this computer's end of the cable, which is called :attr:`link`."""
        call("ip", "link", "set", self.link, "netns", self._space)
        inside = ("ip", "-n", self._space)
        call(*inside, "address", "add", f"{self.address}/24", "dev", self.link)
        call(*inside, "link", "set", "lo", "up")
        call(*inside, "link", "set", self.link, "up")

    def switch_on(self) -> None:
        """Start the computer, without Ray."""
        script = (
            f"hostname {self.host}; mount -t tmpfs tmpfs /dev/shm; mkdir -p /tmp/ray; mount -t tmpfs tmpfs /tmp/ray; "
            f"printf '127.0.0.1 localhost\\n{self.address} {self.host}\\n' > /tmp/ray/hosts; : > /tmp/ray/resolv.conf; "
            "mount --bind /tmp/ray/hosts /etc/hosts; mount --bind /tmp/ray/resolv.conf /etc/resolv.conf; "
            f"{self._setup} echo on; exec sleep infinity"
        )
        spaces = ("--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
        self._init = subprocess.Popen(
            ["ip", "netns", "exec", self._space, "unshare", *spaces, "sh", "-e", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._init.stdout is not None
        assert self._init.stdout.readline() == "on\n", f"{self.host} did not start"

    @property
    def process(self) -> int:
        """Return the number, outside, of the process that is 1 inside."""
        assert self._init is not None
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text(encoding="ascii")
        return int(children.split()[0])

    def command(self, *words: str) -> list[str]:
        """Return the command that runs ``words`` on this computer."""
        spaces = ("--mount", "--net", "--uts", "--ipc", "--pid")
        own = ("--unset=TMPDIR", f"--chdir={ROOT}")  # Ray's files go into /tmp/ray, which is this computer's own
        token = ("RAY_AUTH_MODE=token", f"RAY_AUTH_TOKEN_PATH={self._token}")
        return ["nsenter", "-t", str(self.process), *spaces, "--", "env", *own, *token, *words]

    def start_ray(self, head: Node, cpus: int) -> None:
        """Join the cluster, or found it.

        Raises:
            RuntimeError: Ray did not start. It waits 15 seconds for a process of its own, which a busy computer may
                miss, so it is tried a few times.
        """
        place = ("--head", f"--port={PORT}", "--include-dashboard=false", "--no-monitor") if head is self else ()
        words = (
            *(place or (f"--address={head.address}:{PORT}",)),
            *(f"--node-ip-address={self.address}", f"--num-cpus={cpus}", "--num-gpus=0"),
            *("--object-store-memory=80000000", "--disable-usage-stats", "--include-log-monitor=false"),
        )
        for left in reversed(range(START_TRIES)):
            try:
                call(*self.command(*RAY_COMMAND, "start", *words))
                return
            except RuntimeError as error:
                print(str(error), file=sys.stderr)
                if not left:
                    raise
                call(*self.command(*RAY_COMMAND, "stop", "--force"))

    def cut_cable(self) -> None:
        """Cut the computer off from the other one."""
        call("ip", "-n", self._space, "link", "set", self.link, "down")

    def mend_cable(self) -> None:
        """Connect it again."""
        call("ip", "-n", self._space, "link", "set", self.link, "up")

    def cut_power(self) -> None:
        """Kill every process of the computer at once."""
        if self._init is not None:
            self._init.kill()  # the process that is 1 inside dies with it, and the kernel kills the rest
            self._init.wait()

    def writes(self, folder: Path) -> set[str]:
        """Return the paths below ``folder`` that processes of this computer have open."""
        mine = os.readlink(f"/proc/{self.process}/ns/pid")
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(process / "ns" / "pid") == mine:
                    found |= {os.readlink(entry) for entry in (process / "fd").iterdir()}
        return {path for path in found if path.startswith(f"{folder}/")}

    def remove(self) -> None:
        """Kill everything and remove the namespace."""
        self.cut_power()
        subprocess.run(["ip", "netns", "delete", self._space], capture_output=True, check=False)


@contextlib.contextmanager
def two_nodes(token: Path, setup: str = "") -> Iterator[tuple[Node, Node]]:
    """Create two computers and the cable between them; ``setup`` is for the second."""
    token.touch(0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    nodes = Node(1, token), Node(2, token, setup)
    try:
        for node in nodes:
            node.create()
        call("ip", "link", "add", nodes[0].link, "type", "veth", "peer", "name", nodes[1].link)
        for node in nodes:
            node.connect()
            node.switch_on()
        yield nodes
    finally:
        for node in nodes:
            node.remove()
        subprocess.run(["ip", "link", "delete", nodes[0].link], capture_output=True, check=False)


@dataclass
class Watcher(threading.Thread):
    """Notes every file or session that appears in its final place.

    Attributes:
        seen: by path, the (inode, size) of everything that was there; the size of a session is not noted.
    """

    folder: Path
    seen: dict[str, set[tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stop_watching = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        while not self._stop_watching.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                if entry.name[0].isdigit():
                    with contextlib.suppress(FileNotFoundError):
                        found = entry.stat()
                        size = 0 if entry.is_dir() else found.st_size
                        self.seen.setdefault(entry.name, set()).add((found.st_ino, size))

    def end(self) -> None:
        self._stop_watching.set()
        self.join()
        self.look()

    @property
    def finished(self) -> set[str]:
        """Return the names of the videos that are finished."""
        return {name for name in (path.removesuffix(".parquet") for path in self.seen) if name.isdigit()}


def run(fault: str, folder: Path, cpus: int) -> dict[str, Any]:
    """Let one fault happen; return what was found, with everything that is wrong."""
    out = folder / f"out-{fault}"
    other = folder / "other"
    setups = {
        "folder": f"mount -t tmpfs tmpfs {out};",
        "version": f"mount --bind {other}/app {ROOT}/app;",
    }
    out.mkdir()
    if fault == "version":
        shutil.copytree(ROOT / "app", other / "app", ignore=shutil.ignore_patterns("__pycache__"))
        (other / "app" / "core" / "version.py").write_text('VERSION = "0.0.1"\n', encoding="utf-8")
    with two_nodes(folder / "token", setups.get(fault, "")) as nodes:
        first, second = nodes
        for node in nodes:
            node.start_ray(first, cpus)
        if fault in setups:
            return refused(first, folder / "in", out, second.host)
        here, victim = (second, first) if fault == "head" else (first, second)
        figures = broken(fault, here, victim, folder / "in", out)
        if fault == "head":
            figures["continued"] = continued(here, folder / "in", out, cpus)
        figures["wrong"] += check(out, folder / "track", folder / "in")
    return figures


def start_batch(node: Node, videos: Path, out: Path) -> subprocess.Popen[str]:
    """Start the command on a computer of the cluster."""
    words = ("batch", str(videos), "-o", str(out), *KINDS, *ENGINE, "--ray", "auto")
    return subprocess.Popen(
        node.command(sys.executable, "-c", COMMAND, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def broken(fault: str, here: Node, victim: Node, videos: Path, out: Path) -> dict[str, Any]:
    """Run the command, and let the fault happen when half of the videos are finished."""
    count = len(list(videos.iterdir()))
    watcher = Watcher(out)
    watcher.start()
    started = time.monotonic()
    batch = start_batch(here, videos, out)
    try:
        wait_for(lambda: len(watcher.finished) >= count // 2 and interrupted(victim, out), batch)
        before = watcher.finished
        victim.cut_cable()
        torn = interrupted(victim, out)
        if fault != "cable":
            victim.cut_power()
        at = time.monotonic()
        if fault != "head":
            wait_for(lambda: batch.poll() is not None or torn & interrupted(here, out), None)
        again_at = time.monotonic()
        said, _ = batch.communicate(timeout=PATIENCE_SECONDS)
        ended = time.monotonic()
        if fault == "cable":
            victim.mend_cable()
            wait_for(lambda: not interrupted(victim, out), None)
    finally:
        kill(batch)
        watcher.end()
    report = json.loads((out / "batch.json").read_text(encoding="utf-8"))
    states = {Path(file["video"]).stem: file["state"] for file in report["files"]}
    again = sorted(Path(file["video"]).stem for file in report["files"] if file["tries"] > 1)
    wrong = [f"{name} was written {len(found)} times" for name, found in watcher.seen.items() if len(found) > 1]
    if len(states) != count:
        wrong.append(f"{len(states)} of {count} videos are in the report")
    if fault != "head":
        if set(states.values()) != {"done"} or batch.returncode != 0:
            wrong.append(f"states {states}, exit code {batch.returncode}")
        if again != sorted(torn):
            wrong.append(f"tried again according to the report: {again}; interrupted: {sorted(torn)}")
    elif batch.returncode != 1:
        wrong.append(f"exit code {batch.returncode}")
    return {
        "finished before": len(before),
        "interrupted": sorted(torn),
        "tried again": again,
        "states": report["counts"],
        "exit code": batch.returncode,
        "seconds before the fault": round(at - started, 1),
        "seconds until the second try": None if fault == "head" else round(again_at - at, 1),
        "seconds after the fault": round(ended - at, 1),
        "said": said.splitlines(),
        "wrong": wrong,
    }


def interrupted(node: Node, out: Path) -> set[str]:
    """Return the names of the videos whose outputs this computer has open."""
    paths = (Path(path) for path in node.writes(out))
    return {part[:2] for path in paths for part in path.relative_to(out).parts if re.fullmatch(r"\d\d([._].*)?", part)}


def continued(here: Node, videos: Path, out: Path, cpus: int) -> dict[str, Any]:
    """Found a new cluster on the computer that is left, and run the same command again."""
    call(*here.command(*RAY_COMMAND, "stop", "--force"))
    here.start_ray(here, cpus)
    batch = start_batch(here, videos, out)
    try:
        said, _ = batch.communicate(timeout=PATIENCE_SECONDS)
    finally:
        kill(batch)
    report = json.loads((out / "batch.json").read_text(encoding="utf-8"))
    return {"states": report["counts"], "exit code": batch.returncode, "said": said.splitlines()}


def refused(here: Node, videos: Path, out: Path, host: str) -> dict[str, Any]:
    """Run the command where the second computer cannot take part; one sentence must name that computer."""
    batch = start_batch(here, videos, out)
    try:
        said, _ = batch.communicate(timeout=PATIENCE_SECONDS)
    finally:
        kill(batch)
    wrong = [] if host in said and batch.returncode == 2 else [f"exit code {batch.returncode}"]
    return {"exit code": batch.returncode, "said": said.splitlines(), "wrong": wrong}


def check(out: Path, alone: Path, videos: Path) -> list[str]:
    """Return what is wrong with the outputs."""
    from app.sessions.session import open_session

    wrong = []
    for video in sorted(videos.iterdir()):
        for suffix in (".parquet", ".csv"):
            table = out / f"{video.stem}{suffix}"
            if not table.exists():
                wrong.append(f"{table.name} is missing")
            elif table.read_bytes() != (alone / table.name).read_bytes():
                wrong.append(f"{table.name} is not that of track")
        if not (out / video.stem).exists() or not (out / f"{video.stem}_landmarks.mp4").exists():
            wrong.append(f"the session or the video of {video.stem} is missing")
            continue
        with av.open(str(out / f"{video.stem}_landmarks.mp4")) as copy, av.open(str(video)) as source:
            pictures = [sum(1 for _ in file.decode(video=0)) for file in (copy, source)]
        session = open_session(out / video.stem)
        if pictures[0] != pictures[1] or (session.state, len(session.frames)) != ("complete", pictures[1]):
            wrong.append(f"{video.stem}: {pictures} pictures, session {session.state} with {len(session.frames)}")
    extra = {path.name for path in out.iterdir() if not path.name[0].isdigit()} - {"batch.json", ".batch"}
    return wrong + ([f"left over: {sorted(extra)}"] if extra else [])


def wait_for(condition: Callable[[], object], batch: subprocess.Popen[str] | None) -> None:
    """Wait until something is true; the command must go on meanwhile."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if batch is not None and batch.poll() is not None:
            raise RuntimeError(f"The command ended early: {batch.communicate()[0]}")
        if time.monotonic() > end:
            raise TimeoutError("nothing happened")
        time.sleep(LOOK_SECONDS)


def kill(batch: subprocess.Popen[str]) -> None:
    """End the command if it still runs."""
    if batch.poll() is None:
        os.killpg(batch.pid, signal.SIGKILL)
    batch.wait()


def call(*words: str) -> None:
    """Run a command of the system.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    run_script(main)
