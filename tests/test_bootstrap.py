"""The setup's decisions, one by one; the setup as a whole is in test_bootstrap_start.py."""

from __future__ import annotations

import csv
import errno
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

import main as starter
from app.core.places import ROOT
from app.setup import install as setup
from app.setup import start, torch_build
from app.setup.environment import STAMP, Environment, SetupError
from app.setup.lock import SetupLock
from app.setup.pip import _clean, explain
from app.setup.system import system_problem
from tests.waiting import PATIENCE_SECONDS

LOG = Path("setup.log")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment that looks complete, without packages."""
    (tmp_path / "requirements.txt").write_text("tiny==1.0\n")
    environment = Environment(tmp_path)
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    return environment


def test_a_stamp_makes_ready_and_new_requirements_unmake_it(environment: Environment) -> None:
    assert not environment.is_ready()
    environment.mark_started()
    assert not environment.is_ready()
    assert environment.was_interrupted()
    environment.mark_ready((3, 12))
    assert environment.is_ready()
    assert not environment.was_interrupted()
    environment.requirements.write_text("tiny==1.0\r\n")
    assert environment.is_ready(), "line ends are no change"
    environment.requirements.write_text("tiny==1.1\n")
    assert not environment.is_ready()


def test_another_build_of_python_for_macos_is_no_change(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_platform", lambda: "macosx-10.13-universal2")
    environment.mark_ready((3, 12))
    monkeypatch.setattr("sysconfig.get_platform", lambda: "macosx-15.0-arm64")
    assert environment.is_ready()
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")
    assert not environment.is_ready()


def test_a_vanished_python_and_a_torn_stamp_are_not_ready(environment: Environment) -> None:
    environment.mark_ready((3, 12))
    stamp = environment.folder / STAMP
    whole = stamp.read_text()
    stamp.write_text(whole[:10])
    assert not environment.is_ready()
    stamp.write_text(whole)
    environment.python.unlink()
    assert not environment.is_ready()


def package(environment: Environment, name: str) -> Path:
    """Install a package of one file; return that file."""
    folder = environment.site_packages()
    record = folder / f"{name}-1.0.dist-info"
    record.mkdir(parents=True)
    file = folder / f"{name}.py"
    file.write_text("VALUE = 1\n")
    (record / "METADATA").write_text(f"Name: {name}\n")
    with (record / "RECORD").open("w", newline="") as lines:
        csv.writer(lines).writerows(
            [
                (file.name, "", file.stat().st_size),
                (f"__pycache__/{name}.pyc", "", 5),
                (f"{record.name}/RECORD", "", ""),
            ]
        )
    return file


def test_damaged_packages_are_forgotten_whole_ones_kept(environment: Environment) -> None:
    if os.name != "nt":
        (environment.folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    files = {name: package(environment, name) for name in ("whole", "cut", "gone", "bare")}
    files["cut"].write_text("VAL")
    files["gone"].unlink()
    (environment.site_packages() / "bare-1.0.dist-info" / "RECORD").unlink()
    assert environment.forget_damaged_packages() == ["bare", "cut", "gone"]
    assert environment.has_package("whole", "1.0")
    assert not environment.has_package("cut", "1.0")


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        (
            "NewConnectionError: Temporary failure in name resolution\nERROR: No matching distribution found for av==1",
            "check the network",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0\n", "torch==2.13.0 is not offered"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "who owns"),
        ("[WinError 32] The process cannot access the file because it is being used by another process", "close"),
        ("Could not fetch URL x: 503 Server Error: Busy\nNo matching distribution found for av==1", "or the proxy"),
        ("Could not fetch URL x: 403 Client Error: No\nNo matching distribution found for av==1", "or the proxy"),
        ("Could not fetch URL x: 404 Client Error: No\nNo matching distribution found for av==1\n", "av==1 is not"),
        ("HINT: This error ... does not have Windows Long Path support enabled.", "too long for Windows"),
        ("something else", "pip's log"),
    ],
)
def test_pip_failures_become_one_sentence_with_the_log(log: str, sentence: str) -> None:
    message = explain(log, LOG)
    assert sentence in message
    assert str(LOG) in message
    assert "\n" not in message


SYSTEMS = {
    "Ubuntu 22.04": ("linux", "linux-x86_64", "x86_64", "", ("glibc", "2.35"), ""),
    "Ubuntu 20.04": ("linux", "linux-x86_64", "x86_64", "", ("glibc", "2.31"), "glibc 2.34 or newer"),
    "Raspberry Pi OS 12": ("linux", "linux-aarch64", "aarch64", "", ("glibc", "2.36"), "glibc 2.39 or newer"),
    "Raspberry Pi OS 13": ("linux", "linux-aarch64", "aarch64", "", ("glibc", "2.41"), ""),
    "Alpine": ("linux", "linux-x86_64", "x86_64", "", ("", ""), "with glibc"),
    "RISC-V": ("linux", "linux-riscv64", "riscv64", "", ("glibc", "2.41"), ""),
    "macOS 14": ("darwin", "macosx-10.13-universal2", "arm64", "14.0", ("", ""), ""),
    "macOS 13": ("darwin", "macosx-10.13-universal2", "arm64", "13.6.1", ("", ""), "macOS 14 or newer"),
    "Intel Mac": ("darwin", "macosx-10.13-universal2", "x86_64", "15.1", ("", ""), "Intel Macs"),
    "Windows": ("win32", "win-amd64", "AMD64", "", ("", ""), ""),
    "x64 Python on Windows for ARM": ("win32", "win-amd64", "ARM64", "", ("", ""), ""),
    "Windows for ARM": ("win32", "win-arm64", "ARM64", "", ("", ""), "install the x64 one"),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_without_packages_is_told_before_the_download(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system, build, machine, macos, libc, says = SYSTEMS[name]
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("sysconfig.get_platform", lambda: build)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.mac_ver", lambda: (macos, ("", "", ""), machine))
    monkeypatch.setattr("platform.libc_ver", lambda: libc)
    problem = system_problem()
    assert says in (problem or "")
    assert bool(says) is (problem is not None)


@pytest.mark.parametrize(
    ("platform", "nvidia", "wanted"),
    [("linux", False, True), ("linux", True, False), ("darwin", False, False), ("win32", False, False)],
)
def test_the_cpu_build_is_for_linux_without_nvidia(platform: str, nvidia: bool, wanted: bool) -> None:
    assert torch_build.wants_cpu_build(platform, nvidia) is wanted


def test_the_index_page_must_list_the_pin_for_this_python() -> None:
    page = '<a href="/whl/cpu/torch-2.13.0%2Bcpu-cp312-cp312-manylinux_2_28_x86_64.whl">x</a>'
    assert torch_build.index_offers(page, "2.13.0", (3, 12))
    assert not torch_build.index_offers(page, "2.13.0", (3, 11))
    assert not torch_build.index_offers(page, "2.13.1", (3, 12))
    assert not torch_build.index_offers(page.replace("torch-", "torchx-"), "2.13.0", (3, 12))


def test_the_pin_is_read_from_the_projects_requirements() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert torch_build.pinned_version(text) is not None
    assert torch_build.pinned_version("torchvision==0.1\n# torch==3") is None


class FakeInstalls:
    """Stands in for pip and for PyTorch's index."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, page: str | None, nvidia: bool, fails: bool = False) -> None:
        self.calls: list[list[str]] = []
        self.said: list[str] = []
        self.fails = fails
        monkeypatch.setattr(torch_build, "fetch_index", lambda: page)
        monkeypatch.setattr(torch_build, "nvidia_driver_present", lambda: nvidia)
        monkeypatch.setattr(torch_build, "current_platform", lambda: "linux")
        monkeypatch.setattr("app.setup.install.pip.install", self.install)

    def install(self, environment: Environment, arguments: list[str]) -> None:
        self.calls.append(arguments)
        if self.fails:
            raise SetupError("no")


CPU_PAGE = "torch-2.13.0%2Bcpu-cp312-cp312-"


@pytest.mark.parametrize(
    ("page", "nvidia", "fails", "calls", "told"),
    [
        (CPU_PAGE, False, False, 1, "CPU build"),
        (CPU_PAGE, False, True, 1, "standard build"),
        (None, False, False, 0, "does not answer"),
        ("nothing", False, False, 0, "does not offer"),
        (CPU_PAGE, True, False, 0, "standard build"),
    ],
)
def test_torch_comes_from_the_cpu_index_or_falls_back(
    monkeypatch: pytest.MonkeyPatch,
    environment: Environment,
    page: str | None,
    nvidia: bool,
    fails: bool,
    calls: int,
    told: str,
) -> None:
    environment.requirements.write_text("torch==2.13.0\n")
    fake = FakeInstalls(monkeypatch, page, nvidia, fails)
    setup._install_torch(environment, (3, 12), fake.said.append)
    assert len(fake.calls) == calls
    if calls:
        # --index-url would hide an index that the person configured.
        assert fake.calls[0] == ["torch==2.13.0", "--extra-index-url", torch_build.CPU_INDEX]
    assert told in " ".join(fake.said)


def test_a_full_disk_is_noticed_before_the_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="free some space"):
        setup._check_space(tmp_path, 10**18)


def test_the_space_of_a_broken_environment_is_used_again(
    monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    def usage(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=10**9 if environment.folder.exists() else 5 * 10**9)

    def make(environment: Environment) -> None:
        raise SetupError("as far as that")

    monkeypatch.setattr(torch_build, "nvidia_driver_present", lambda: True)
    monkeypatch.setattr(torch_build, "current_platform", lambda: "win32")
    monkeypatch.setattr("shutil.disk_usage", usage)
    monkeypatch.setattr(Environment, "make", make)
    with pytest.raises(SetupError, match="as far as that"):
        setup.set_up(environment, lambda line: None)


def test_packages_of_another_kind_of_computer_are_installed_anew(
    monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    def make(environment: Environment) -> None:
        assert not environment.folder.exists()
        raise SetupError("as far as that")

    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")
    environment.mark_ready((3, 12))
    monkeypatch.setattr(Environment, "python_version", lambda self: (3, 12))
    monkeypatch.setattr(Environment, "make", make)
    monkeypatch.setattr(setup, "_check_space", lambda *_: None)
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-aarch64")
    with pytest.raises(SetupError, match="as far as that"):
        setup.set_up(environment, lambda line: None)


def test_a_python_that_cannot_be_started_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(start.CHOICE, raising=False)
    environment.mark_ready((3, 12))
    assert start.start([], environment.root) == start.EXIT_SETUP
    assert "cannot be started" in capsys.readouterr().err


def test_without_any_output_the_program_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(os, "execve", lambda python, command, variables: started.append(command))
    monkeypatch.setattr(start, "run_child", lambda command, variables: started.append(command) or 0)
    start.enter(tmp_path / "python", tmp_path / "main.py", ["live"])
    assert started[0][-1] == "live"


def test_an_index_that_is_no_web_server_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def rubbish() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"login please\r\n\r\n")

        threading.Thread(target=rubbish, daemon=True).start()
        monkeypatch.setattr(torch_build, "CPU_INDEX", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "*")
        crashes: list[object] = []
        monkeypatch.setattr(threading, "excepthook", crashes.append)
        assert torch_build.fetch_index() is None
    assert not crashes


@pytest.mark.process
def test_an_environment_is_made_wherever_the_person_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "venv.py").write_text("raise SystemExit('not the module that was meant')")
    commands = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return real([*command, "--without-pip"], **options)  # type: ignore[call-overload, no-any-return]

    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", run)
    environment = Environment(tmp_path / "project folder")
    environment.make()
    assert environment.python.exists()
    assert len(commands) == 1


@pytest.mark.process
def test_a_configuration_that_asks_for_the_home_folder_is_overruled(tmp_path: Path) -> None:
    wanted = tmp_path / "pip.conf"
    wanted.write_text("[install]\nuser = true\n")
    command = [sys.executable, "-I", "-m", "pip", "install", "--no-index", "--disable-pip-version-check", "pip"]
    variables = _clean({**os.environ, "PIP_CONFIG_FILE": str(wanted)})
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SetupError, match="copy the project") as caught:
        setup.set_up(environment, lambda line: None)
    assert "LDEQ_PYTHON_ENV=current" in str(caught.value)


def test_a_full_disk_is_not_taken_for_a_lack_of_rights(
    monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(SetupError, match="is full: free some space"):
        setup.set_up(environment, lambda line: None)


def test_a_missing_venv_module_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "The virtual environment was not created ... ensurepip is not", "")

    monkeypatch.setattr(subprocess, "run", refuse)
    package = f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    with pytest.raises(SetupError, match=package):
        Environment(tmp_path).make()


def test_the_second_owner_of_the_lock_waits_for_the_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    waiting, order = threading.Event(), []

    def second() -> None:
        with SetupLock(path, waiting.set):
            order.append("second")

    with SetupLock(path, lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(PATIENCE_SECONDS)
        order.append("first")
    thread.join(PATIENCE_SECONDS)
    assert order == ["first", "second"]


def test_an_unknown_choice_of_python_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(start.CHOICE, "conda")
    assert start.start([]) == start.EXIT_USAGE
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.process
def test_a_child_hands_back_its_exit_code() -> None:
    assert start.run_child([sys.executable, "-c", "raise SystemExit(7)"], dict(os.environ)) == 7


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="a console sends these to both processes")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_what_asks_a_program_to_end_is_left_to_the_child(name: str) -> None:
    child = f"import os, signal; os.kill(os.getppid(), signal.{name}); raise SystemExit(7)"
    parent = (
        "import os, sys; from app.setup.start import run_child\n"
        f"sys.exit(run_child([sys.executable, '-c', {child!r}], dict(os.environ)))"
    )
    assert subprocess.run([sys.executable, "-c", parent], cwd=ROOT, timeout=PATIENCE_SECONDS).returncode == 7


def test_old_pythons_are_told_which_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "starts", lambda command: command == ["python3.12"])
    sentence = starter.wrong_python((3, 8), "main.py")
    assert "this is 3.8" in sentence
    assert "python3.12 main.py" in sentence


@pytest.mark.parametrize(
    ("platform", "advice"),
    [
        ("linux", "uv python install 3.13"),
        ("darwin", "; get 3.13 from https://www.python.org\n"),
        ("win32", "get 3.13 from https://www.python.org, or with: py install 3.13\n"),
    ],
)
def test_where_there_is_no_python_of_use_it_says_where_to_get_one(
    platform: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "starts", lambda command: False)
    monkeypatch.setattr(sys, "platform", platform)
    assert advice in starter.wrong_python((3, 14), "main.py")


def test_windows_has_a_launcher_instead_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(starter, "starts", lambda command: command in (["py", "-3.11"], ["py", "-3.13"]))
    assert "start it with: py -3.13 main.py" in starter.wrong_python((3, 14), "main.py")


@pytest.mark.skipif(os.name == "nt", reason="its programs are told by their names")
def test_a_file_that_is_no_program_is_no_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for minor in (11, 12, 13):
        (tmp_path / f"python3.{minor}").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert starter.where_to_get_one() in starter.wrong_python((3, 9), "main.py")


@pytest.mark.parametrize(
    ("platform", "processes", "terminal", "own"),
    [
        ("win32", 2, "", True),
        ("win32", 3, "", False),
        ("win32", 0, "", False),
        ("win32", 2, "PROMPT", False),
        ("win32", 2, "WT_SESSION", False),
        ("linux", 2, "", False),
    ],
)
def test_a_double_click_on_windows_is_told_from_a_terminal(
    platform: str, processes: int, terminal: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = SimpleNamespace(GetConsoleProcessList=lambda found, most: processes)
    monkeypatch.setattr("ctypes.windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("PROMPT", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["main.py"])
    if terminal:
        monkeypatch.setenv(terminal, "x")
    assert starter.in_own_console() is own
    monkeypatch.setattr(sys, "argv", ["main.py", "doctor"])
    assert not starter.in_own_console(), "a task that runs by itself must not wait for anybody"


def test_main_keeps_to_syntax_that_old_pythons_read() -> None:
    import ast

    ast.parse((ROOT / "main.py").read_text(encoding="utf-8"), feature_version=(3, 4))
