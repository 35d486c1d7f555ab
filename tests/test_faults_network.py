"""Nobody gets in, nothing gets out: no network at run time, loopback unless asked, every dependency pinned exactly."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import cv2
import pytest
from packaging.requirements import Requirement

from app.core.places import ROOT
from app.setup.doctor.computer import installed_packages, normalised, pinned_packages
from app.sharing.settings import HERE, SharingSettings, parse_address
from tests.fuzz_cases import drifting
from tests.waiting import PATIENCE_SECONDS, PROCESS_SECONDS

pytestmark = pytest.mark.process

DENIED = """
import os, socket, sys

def denied(*words, **named):
    raise AssertionError(f"the network was asked for: {words} {named}")

class Closed(socket.socket):
    connect = connect_ex = sendto = bind = listen = denied

    def __init__(self, family=-1, *rest, **named):
        # Pairs of sockets inside the process (asyncio, Qt) are no network.
        assert family in (-1, socket.AF_UNIX), f"a socket of family {family} was opened"
        super().__init__(family, *rest, **named)

socket.socket = Closed
for name in ("create_connection", "getaddrinfo", "gethostbyname", "create_server"):
    setattr(socket, name, denied)
"""
TRACK = (
    DENIED
    + """
from app.cli.main import main
folder = sys.argv[1]
engine = sys.argv[2]
words = ["--csv", folder + "/out.csv", "--session", folder + "/session", "--engine", engine]
code = main(["track", folder + "/in.mp4", *words])
code = code or main(["session", "info", folder + "/session"])
assert {"mediapipe", {"onnx": "onnxruntime"}.get(engine, engine)} <= set(sys.modules)
sys.exit(code)
"""
)
WINDOW = (
    DENIED
    + """
import time
from pathlib import Path
from app.sources.opencv import forget_qt_plugins
forget_qt_plugins()
from PySide6.QtWidgets import QApplication
from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.settings import LiveSettings
from app.gui.window import make_window
application = QApplication([])
window = make_window(LiveSettings(Remembered(source="demo", folder=Path(sys.argv[1]), tour_seen=True)))
window.show()
window.begin()
session, end = window.presenter.session, time.monotonic() + 200
while not (session.state.status and session.state.status.processed > 5):
    application.processEvents()
    time.sleep(0.01)
    assert time.monotonic() < end and session.state.stage != "failed", session.state
print("tracked", session.state.status.processed)
window.close()
session.join(60)
"""
)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    from tests.sources_fakes import write_video

    write_video(tmp_path / "in.mp4", [drifting(i) for i in range(8)])
    return tmp_path


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        words, capture_output=True, text=True, timeout=PROCESS_SECONDS, cwd=ROOT, env=environment, check=False
    )


def can_unshare() -> bool:
    """Whether this system lets us run something without any network at all."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_track_and_session_ask_for_no_network(engine: str, clip: Path) -> None:
    """Python's sockets are closed; where the system allows it there is no network either, not even loopback, so that
    native libraries cannot use one."""
    if engine == "openvino" and importlib.util.find_spec(engine) is None:
        pytest.skip("openvino is not installed")
    words = ["unshare", "--net"] if can_unshare() else []
    done = run([*words, sys.executable, "-c", TRACK, str(clip), engine])
    assert done.returncode == 0, done.stderr
    assert "asked for" not in done.stderr
    assert (clip / "out.csv").read_text().count("\n") == 9


def test_the_window_asks_for_no_network(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", WINDOW, str(tmp_path)])
    assert done.returncode == 0, done.stderr
    assert "tracked" in done.stdout


def test_the_denial_is_real() -> None:
    for words in (
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.socket(socket.AF_INET)",
        "socket.getaddrinfo('a', 1)",
    ):
        done = run([sys.executable, "-c", f"{DENIED}\n{words}"])
        assert "AssertionError" in done.stderr


def test_only_sharing_and_the_setup_know_the_network() -> None:
    """Sockets are opened in app/sharing, and for a cluster that was asked for; only the setup downloads."""
    network = (
        "socket",
        "urllib.request",
        "http",
        "requests",
        "ftplib",
        "smtplib",
        "asyncio",
        "PySide6.QtNetwork",
        "ssl",
    )
    found = set()
    for folder in ("app", "model"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
                if any(name == known or name.startswith(f"{known}.") for name in names for known in network):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found <= {
        "app/batch/nodes.py",
        "app/sharing/udp.py",
        "app/setup/torch_build.py",
        "app/setup/install.py",
    }, found
    assert "app/sharing/udp.py" in found


def test_nothing_listens() -> None:
    """Nothing in the program binds a port: what is shared is sent, and nobody can connect."""
    pattern = re.compile(r"(socket|connection|server)\.(bind|listen)\(|create_server|HTTPServer|QTcpServer|QUdpSocket")
    hits = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("app", "model")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert hits == []


def test_shared_landmarks_stay_on_this_computer_unless_another_is_named() -> None:
    assert HERE == "127.0.0.1"
    assert parse_address("9000").host == HERE
    assert SharingSettings() == SharingSettings((), (), None)


def test_datagrams_for_this_computer_leave_by_loopback() -> None:
    from app.sharing.json_message import json_datagrams
    from app.sharing.udp import UdpOutlet
    from tests.recording_fakes import result

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((HERE, 0))
        receiver.settimeout(PATIENCE_SECONDS)
        outlet = UdpOutlet(parse_address(str(receiver.getsockname()[1])), json_datagrams)
        outlet.send(result())
        _, (sender, _) = receiver.recvfrom(65536)
        outlet.close()
    assert sender == HERE


def requirement_lines() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_every_dependency_is_pinned_exactly() -> None:
    pinned = re.compile(r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?==\d+(\.\d+)*(\.post\d+)?(\+\w+)?(\s*;.*)?$")
    lines = requirement_lines()
    assert len(lines) > 15
    assert [line for line in lines if not pinned.match(line)] == []
    names = [re.split(r"[=\[]", line)[0].lower() + line.partition(";")[2] for line in lines]
    assert len(set(names)) == len(names)


def test_what_is_installed_is_what_is_pinned() -> None:
    pins = pinned_packages("\n".join(requirement_lines()))
    installed = installed_packages()
    others = {name: installed[name] for name in pins if installed.get(name, pins[name]).split("+")[0] != pins[name]}
    assert others == {}


def test_everything_that_is_needed_is_pinned() -> None:
    """The packages that pinned ones need on this computer are pinned themselves, but for PyTorch's CUDA libraries."""
    pins = pinned_packages("\n".join(requirement_lines()))
    missing = set()
    for name in pins:
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue  # another build of the same is installed
        for requirement in map(Requirement, needed):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                missing.add(normalised(requirement.name))
    missing -= set(pins)
    assert {name for name in missing if not name.startswith(("nvidia-", "cuda-", "triton"))} == set()


PICKLES = {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
DANGEROUS = (*PICKLES, "eval(", "exec(", ".load(")


def test_no_reader_of_sessions_and_weights_can_run_what_it_reads() -> None:
    """No pickle: not by itself, not in numpy's files, and torch's own files only through its restricted reader."""
    hits = []
    for folder in ("app", "model", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if not any(word in text for word in DANGEROUS):
                continue  # most files; reading them closely takes seconds
            for node in ast.walk(ast.parse(text)):
                where = f"{path.relative_to(ROOT).as_posix()}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [name.name for name in node.names] + [getattr(node, "module", None) or ""]
                    if PICKLES & set(names):
                        hits.append(f"{where} imports {names}")
                if isinstance(node, ast.Call):
                    called, named = (
                        ast.unparse(node.func),
                        {word.arg: ast.unparse(word.value) for word in node.keywords},
                    )
                    if called in ("eval", "exec", "torch.jit.load", "yaml.load"):
                        hits.append(f"{where} calls {called}")
                    if called == "torch.load" and named.get("weights_only") != "True":
                        hits.append(f"{where} loads without restriction")
                    if called in ("np.load", "numpy.load") and named.get("allow_pickle", "False") != "False":
                        hits.append(f"{where} allows pickles")
    # One lists a pickle's contents without running it; the others hear their own workers, over a pipe or Ray's network.
    known = ("model/official/", "app/batch/pool.py:", "app/batch/cluster.py:", "app/batch/task.py:")
    assert [hit for hit in hits if not hit.startswith(known)] == []


UNICODE = "ünï çødé 顔 🙂"


def nested(folder: Path, length: int) -> Path:
    """Return a folder whose whole path has at least ``length`` characters, in parts that every system takes."""
    while len(str(folder)) < length:
        folder = folder / ("long name " * 8).strip()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_odd_paths_work_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Input, weights, tables, videos, sessions, replays, clips and cards under a name with everything odd in it."""
    from app.cli.main import main
    from app.holdstill.card_file import write_card
    from tests.holdstill_fakes import card
    from tests.sources_fakes import write_video

    folder = nested(tmp_path / UNICODE / "a;b&c $HOME %s {x} 'q' #1", 300)
    assert len(str(folder)) > 260
    for name in ("ldeq-s.safetensors", "ldeq-s.json", "ldeq-s-stem.onnx", "ldeq-s-cell.onnx"):
        shutil.copy(ROOT / "weights" / name, folder / name)
    video = write_video(folder / "in put.mp4", [drifting(i) for i in range(8)])
    picture = folder / "pic ture.png"
    picture.write_bytes(cv2.imencode(".png", drifting(0))[1].tobytes())
    write_card(folder / "card.json", card())
    words = ["--weights", str(folder / "ldeq-s.safetensors"), "--threads", "1"]
    session = folder / "the session"
    lines: list[list[str]] = [
        ["track", str(video), "-o", str(folder / "out.mp4"), "--csv", str(folder / "o.csv"), *words],
        ["track", str(video), "--parquet", str(folder / "o.parquet"), "--session", str(session), *words],
        ["track", str(picture), "-o", str(folder / "out.png"), *words],
        ["session", "info", str(session), "--verify"],
        ["session", "replay", str(session), "--rwr", "off", *words],
        ["session", "compare", str(session), "--json", str(folder / "compare.json")],
        ["session", "export", str(session), str(folder / "clip.mp4"), "--annotated"],
        ["session", "export", str(session), str(folder / "part")],
        ["session", "list", str(folder)],
        ["card", str(folder / "card.json")],
    ]
    for line in lines:
        assert main(line) == 0, capsys.readouterr().err
    assert (folder / "o.csv").read_text().count("\n") == 9


@pytest.mark.skipif(os.name != "posix", reason="such names exist on POSIX alone")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A name of bytes that are no UTF-8: printed with escapes, and used as it is."""
    name = os.fsencode(tmp_path) + b"/\xff\xfe.mp4"
    from tests.sources_fakes import write_video

    shutil.move(write_video(tmp_path / "a.mp4", [drifting(i) for i in range(3)]), os.fsdecode(name))
    done = subprocess.run(
        [sys.executable, "main.py", "track", name, "-o", name.replace(b".mp4", b"-out.mp4"), "--threads", "1"],
        capture_output=True,
        cwd=ROOT,
        timeout=PROCESS_SECONDS,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"\\udcff" in done.stdout
    assert os.path.exists(name.replace(b".mp4", b"-out.mp4"))
