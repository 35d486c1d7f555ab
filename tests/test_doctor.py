"""The doctor: what it calls a problem, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from app.cli import doctor
from app.cli import main as cli
from app.core.errors import UserError
from app.core.places import DEFAULT_WEIGHTS, REQUIREMENTS
from app.core.settings import EngineSettings
from app.core.system_libraries import RUNTIME, WAYLAND_LIBRARIES, WINDOW_LIBRARIES, X11_LIBRARIES, Packages, family
from app.gui.display import window_problem
from app.setup.doctor import acceleration, computer, devices, weights
from app.setup.doctor.finding import Finding, Status, findings_of
from app.tracking import detector
from model.config import LdeqConfig
from model.engine.export import export_onnx
from model.engine.onnx_engine import CUDA_PROVIDER
from model.network import Ldeq
from model.weights import save_weights


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small untrained weights with their graphs."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(path, Ldeq(LdeqConfig(name="small", input_size=64, injection=8, width=8, increment=8)), {})
    export_onnx(path)
    return path


def status(findings: list[Finding]) -> list[str]:
    return [finding.status for finding in findings]


def test_a_library_that_windows_cannot_load_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ImportError("DLL load failed while importing onnxruntime_pybind11_state: The specified module ...\nmore")
    lost = OSError("The specified module could not be found")
    lost.winerror = 126  # type: ignore[attr-defined,unused-ignore]

    def broken() -> list[Finding]:
        raise missing

    assert RUNTIME not in cli._unexpected(missing, None)
    monkeypatch.setattr(sys, "platform", "win32")
    for error in (missing, lost):
        sentence = cli._unexpected(error, None)
        assert f"install {RUNTIME}" in sentence
        assert "\n" not in sentence
    assert RUNTIME in findings_of("onnxruntime", broken)[0].advice
    assert RUNTIME not in cli._unexpected(OSError("something else"), None)


def test_the_report_ends_with_0_only_if_nothing_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [Finding("A", Status.OK, "fine"), Finding("B", Status.WARNING, "odd", "look")]
    monkeypatch.setattr(doctor, "checks", lambda settings: [("A", lambda: good)])
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "warning" in out
    assert "To do: look" in out
    assert "\x1b" not in out
    monkeypatch.setattr(
        doctor, "checks", lambda settings: [("A", lambda: [*good, Finding("C", Status.PROBLEM, "no", "x")])]
    )
    assert cli.main(["doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert [finding["status"] for finding in report["findings"]] == [Status.OK, Status.WARNING, Status.PROBLEM]


@pytest.mark.parametrize("none", ["NO_COLOR", ""])
def test_a_terminal_gets_colours_unless_it_shows_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], none: str
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if none:
        monkeypatch.setenv(none, "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show = doctor.printer()
    show(Finding("Camera [2]", Status.WARNING, "odd: " + "long " * 50, "look"))
    out = capsys.readouterr().out
    assert ("\x1b[33mwarning\x1b[0m " in out) is not bool(none)
    assert "Camera [2]   odd" in out
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("choice", "says"), [("current", "without LDEQ_PYTHON_ENV"), ("venv", "delete the folder .venv")]
)
def test_missing_packages_of_its_own_environment_are_installed_anew(
    monkeypatch: pytest.MonkeyPatch, choice: str, says: str
) -> None:
    def broken() -> list[Finding]:
        raise ModuleNotFoundError("No module named 'av'", name="av")

    monkeypatch.setenv("LDEQ_PYTHON_ENV", choice)
    assert says in findings_of("Video", broken)[0].advice
    assert says in cli._unexpected(ModuleNotFoundError("No module named 'av'", name="av"), None)


@pytest.mark.process
def test_every_check_runs_on_this_computer(model_file: Path) -> None:
    findings = list(doctor.examine(EngineSettings(model_file, threads=1)))
    topics = {finding.topic for finding in findings}
    assert {
        "Python",
        "Packages",
        "torch",
        "onnxruntime",
        "Weights",
        "Engine",
        "Detector",
        "Cameras",
        "Window",
    } <= topics
    assert not [finding for finding in findings if "the check broke" in finding.text]
    engine = next(finding for finding in findings if finding.topic == "Engine")
    detector = next(finding for finding in findings if finding.topic == "Detector")
    assert (engine.status, detector.status) == (Status.OK, Status.OK)
    assert "cold solve" in engine.text
    assert "evaluations" in engine.text


def test_a_check_that_breaks_is_a_finding() -> None:
    def check() -> list[Finding]:
        raise RuntimeError("oh\nno")

    (finding,) = findings_of("X", check)
    assert finding.status == Status.PROBLEM
    assert "RuntimeError: oh" in finding.text
    assert "\n" not in finding.text


def test_packages_that_are_missing_or_other(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {"torch": "2.13.0", "av": "18.1.0"}
    assert status(computer.compare_packages(wanted, {"torch": "2.13.0+cpu", "av": "18.1.0"})) == [Status.OK]
    (missing,) = computer.compare_packages(wanted, {"torch": "2.13.0"})
    assert (missing.status, "av" in missing.text) == (Status.PROBLEM, True)
    (other,) = computer.compare_packages(wanted, {"torch": "2.12.0", "av": "18.1.0"})
    assert (other.status, "2.12.0 instead of 2.13.0" in other.text) == (Status.WARNING, True)


def test_the_projects_requirements_are_pinned_for_this_computer() -> None:
    pins = computer.pinned_packages(REQUIREMENTS.read_text(encoding="utf-8"))
    assert {"torch", "mediapipe", "pyside6-essentials", "opencv-contrib-python"} <= set(pins)
    assert ("onnxruntime" in pins) != ("onnxruntime-gpu" in pins)
    assert all(version and version[0].isdigit() for version in pins.values())


def test_two_opencv_packages_are_a_problem() -> None:
    assert status(computer.check_opencv({"opencv-contrib-python": "5"})) == [Status.OK]
    (finding,) = computer.check_opencv({"opencv-contrib-python": "5", "opencv-python": "4"})
    assert finding.status == Status.PROBLEM
    assert "pip uninstall opencv-python opencv-contrib-python" in finding.advice


@pytest.mark.slow
def test_weights_are_verified_file_by_file(model_file: Path, tmp_path: Path) -> None:
    assert status(weights.check_weights(model_file, model_file.parent)) == [Status.OK]
    for file in model_file.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    chosen = tmp_path / model_file.name
    graph = tmp_path / "small-cell.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    (finding,) = weights.check_weights(chosen, tmp_path)
    assert finding.status == Status.PROBLEM
    assert "small-cell.onnx" in finding.text
    # Damaged weights that nobody asked for are worth a warning only.
    assert sorted(status(weights.check_weights(model_file, tmp_path))) == [Status.OK, Status.WARNING]


def test_nothing_is_wrong_with_what_is_shipped() -> None:
    found = weights.check_weights(DEFAULT_WEIGHTS)
    assert [finding.text for finding in found if finding.status != Status.OK] == []
    assert len(found) == len(list(DEFAULT_WEIGHTS.parent.glob("*.safetensors"))) > 1


def test_missing_weights_are_a_problem_of_weights_and_engine(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    assert status(weights.check_weights(path, tmp_path)) == [Status.PROBLEM]
    assert status(weights.check_solves(EngineSettings(path))) == [Status.PROBLEM]


def test_no_camera_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.sources import camera

    monkeypatch.setattr(camera, "list_cameras", list)
    assert status(devices.check_cameras()) == [Status.WARNING]
    monkeypatch.setattr(
        camera, "list_cameras", lambda: [camera.CameraInfo(0, 0, "Desk"), camera.CameraInfo(2, 0, "Top")]
    )
    (finding,) = devices.check_cameras()
    assert (finding.status, finding.text) == (Status.OK, "0: Desk, 2: Top")


@pytest.mark.process
def test_qt_that_ends_its_process_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "QT_SCRIPT", "import os, sys; sys.stderr.write('no plugin could start'); os.abort()")
    (finding,) = devices.check_window()
    assert finding.status == Status.PROBLEM
    assert "no plugin could start" in finding.text


X11 = {"DISPLAY": ":0"}


@pytest.mark.parametrize(
    ("platform", "environ", "missing", "says"),
    [
        ("linux", {}, (), "no screen"),
        ("linux", X11, (), None),
        ("linux", {"WAYLAND_DISPLAY": "w"}, tuple(X11_LIBRARIES), None),
        ("linux", X11, ("libxcb-cursor.so.0",), "apt install libxcb-cursor0"),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}, tuple(X11_LIBRARIES), None),
        ("linux", {"WAYLAND_DISPLAY": "w"}, ("libwayland-egl.so.1",), "apt install libwayland-egl1"),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}, tuple(WAYLAND_LIBRARIES), None),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}, tuple(WINDOW_LIBRARIES), "libegl1 libgl1"),
        ("win32", {}, tuple(WINDOW_LIBRARIES), None),
        ("darwin", {}, tuple(WINDOW_LIBRARIES), None),
    ],
)
def test_why_no_window_can_be_shown(
    platform: str, environ: dict[str, str], missing: tuple[str, ...], says: str | None
) -> None:
    problem = window_problem(platform, environ, lambda library: library not in missing, lambda: "debian")
    assert problem is None if says is None else says in (problem or "")


def test_all_missing_packages_are_named_at_once_for_every_distribution() -> None:
    gone = ("libEGL.so.1", "libGL.so.1", "libxcb-cursor.so.0", "libxcb-icccm.so.4", "libxkbcommon.so.0")

    def problem(system: str | None) -> str | None:
        return window_problem("linux", X11, lambda library: library not in gone, lambda: system)

    start = "The window needs libraries of the system; install them "
    debian = "sudo apt install libegl1 libgl1 libxkbcommon0 libxcb-cursor0 libxcb-icccm4"
    fedora = "sudo dnf install libglvnd-egl libglvnd-glx libxkbcommon xcb-util-cursor xcb-util-wm"
    arch = "sudo pacman -S --needed libglvnd libxkbcommon xcb-util-cursor xcb-util-wm"  # one package for two libraries
    assert problem("debian") == f"{start}with: {debian}"
    assert problem("fedora") == f"{start}with: {fedora}"
    assert problem("arch") == f"{start}with: {arch}"
    assert problem(None) == f"{start}on Debian or Ubuntu with: {debian}; on Fedora with: {fedora}; on Arch with: {arch}"


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ({"ID": "debian"}, "debian"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "debian"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "debian"),
        ({"ID": "fedora"}, "fedora"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "fedora"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "arch"),
        ({"ID": "void"}, None),
        (None, None),
    ],
)
def test_the_distribution_is_known_by_its_family(
    release: dict[str, str] | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> dict[str, str]:
        if release is None:
            raise OSError("no os-release")
        return release

    monkeypatch.setattr("platform.freedesktop_os_release", read)
    assert family() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bring these libraries")
def test_a_detector_without_its_libraries_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "DETECTOR_LIBRARIES", {"libnone.so": Packages("thing", "thing", "thing")})
    with pytest.raises(UserError, match=r"^The face detector needs libraries of the system; install them .*thing"):
        detector.MediaPipeDetector()


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (
            "\x1b[1;31m[E:onnxruntime] Failed to load library libonnxruntime_providers_cuda.so with error: "
            "libcublasLt.so.13: cannot open shared object file: No such file or directory\x1b[m",
            "libcublasLt.so.13 is missing",
        ),
        (
            'Error loading "x.dll" which depends on "cudnn64_9.dll" which is missing. (Error 126)',
            "cudnn64_9.dll is missing",
        ),
        ("Failed to create CUDAExecutionProvider. Require cuDNN 9.* and CUDA 13.*. Please", "require cudnn 9"),
        ("", "no reason"),
    ],
)
def test_why_cuda_does_not_bind(messages: str, reason: str) -> None:
    assert reason in acceleration.cuda_reason(messages)


def test_onnxruntime_without_a_driver_is_fine(monkeypatch: pytest.MonkeyPatch, model_file: Path) -> None:
    monkeypatch.setattr(acceleration, "nvidia_driver_present", lambda: False)
    (finding,) = acceleration.check_onnxruntime(model_file)
    assert finding.status == Status.OK
    assert "CPU" in finding.text


@pytest.mark.process
def test_a_driver_without_cuda_in_onnxruntime_is_a_warning_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, model_file: Path
) -> None:
    import onnxruntime as ort

    if acceleration.nvidia_driver_present() or CUDA_PROVIDER not in ort.get_available_providers():
        pytest.skip("needs onnxruntime-gpu on a computer without an NVIDIA driver")
    monkeypatch.setattr(acceleration, "nvidia_driver_present", lambda: True)
    (finding,) = acceleration.check_onnxruntime(model_file)
    assert finding.status == Status.WARNING
    assert "missing" in finding.text or "CUDA" in finding.text
    assert f"-m pip install 'onnxruntime-gpu[cuda,cudnn]=={ort.__version__}'" in finding.advice


@pytest.mark.parametrize(("platform", "says"), [("linux", "delete .venv"), ("win32", "to train on it")])
def test_a_card_without_its_build_of_pytorch_is_a_warning_with_advice(
    monkeypatch: pytest.MonkeyPatch, platform: str, says: str
) -> None:
    import torch

    if torch.version.cuda is not None:
        pytest.skip("needs a build without CUDA")
    monkeypatch.setattr(acceleration, "nvidia_driver_present", lambda: True)
    monkeypatch.setattr(sys, "platform", platform)
    (finding,) = acceleration.check_torch()
    assert finding.status == Status.WARNING
    assert says in finding.advice


def test_screens_are_named_or_it_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.sources import screen as screens

    monkeypatch.setattr(screens, "screen_problem", lambda platform, environment: screens.WAYLAND)
    (finding,) = devices.check_screens()
    assert finding.status == Status.WARNING
    assert "Wayland" in finding.text

    class Capture:
        monitors: tuple[dict[str, int], ...] = ({}, {"left": 0, "top": 0, "width": 800, "height": 600})

        def __enter__(self) -> Capture:
            return self

        def __exit__(self, *error: object) -> None: ...

    monkeypatch.setattr(screens, "open_capture", Capture)
    (finding,) = devices.check_screens()
    assert (finding.status, finding.text) == (Status.OK, "Screen 1 (800 \u00d7 600)")
