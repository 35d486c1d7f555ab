"""Cameras, with OpenCV's device replaced by a fake."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from app.core.errors import SourceError, UserError
from app.sources import camera
from app.sources.base import Adaptation
from app.sources.camera import find_camera, list_cameras, open_camera, plain_name
from app.sources.open import open_source
from app.sources.spec import CameraFormat, CameraSpec, parse_source
from tests.sources_fakes import FakeCapture

BACKEND = cv2.CAP_V4L2


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    """The class that stands in for the device; change its attributes to change the camera.

    A fiftieth of a second passes with every look at the clock.
    """

    class Capture(FakeCapture):
        opened: list[FakeCapture] = []  # noqa: RUF012

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr(camera, "_backend", lambda: BACKEND)
    monkeypatch.setattr(camera, "FAIL_SECONDS", 0.1)
    monkeypatch.setattr(camera, "OPEN_SECONDS", 0.1)
    monkeypatch.setattr(camera, "_RETRY_SECONDS", 1e-3)
    looks = itertools.count()
    monkeypatch.setattr(camera, "time", SimpleNamespace(perf_counter=lambda: next(looks) / 50))
    return Capture


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """What the system lists, out of order as on Linux."""
    listed = [
        SimpleNamespace(index=4, backend=BACKEND, path="", name="USB Camera"),
        SimpleNamespace(index=0, backend=BACKEND, path="", name="Integrated Camera"),
        SimpleNamespace(index=2, backend=BACKEND, path="", name="USB Camera"),
    ]
    monkeypatch.setattr("cv2_enumerate_cameras.enumerate_cameras", lambda backend: listed)
    return listed


def test_list_is_in_order_with_unique_names(devices: list[SimpleNamespace]) -> None:
    assert [(c.index, c.name) for c in list_cameras()] == [
        (0, "Integrated Camera"),
        (2, "USB Camera"),
        (4, "USB Camera #2"),
    ]


def test_a_place_is_where_a_camera_is_plugged_in_not_when(tmp_path: Path) -> None:
    port = tmp_path / "usb1" / "1-4"
    port.mkdir(parents=True)
    known = tmp_path / "video4linux"
    for number in (0, 2):  # the same port has another number the second time
        device = known / f"video{number}"
        device.mkdir(parents=True)
        (device / "device").symlink_to(port)
        (device / "index").write_text("0\n")
    first, second = (camera._place(f"/dev/video{number}", "linux", known) for number in (0, 2))
    assert first == second != ""
    assert camera._place("/dev/video9", "linux", known) == ""
    assert camera._place("usb#vid_046d#port3", "win32") == "usb#vid_046d#port3"
    assert camera._place(None) == ""


def test_a_plain_name_has_no_number_behind_it() -> None:
    assert [plain_name(name) for name in ("Cam", "Cam #2", "Cam #2b", "Cam 2")] == ["Cam", "Cam", "Cam #2b", "Cam 2"]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("", 0), ("2", 2), ("7", 7), ("USB Camera", 2), ("usb camera #2", 4), ("integrated", 0), (" 4 ", 4)],
)
def test_find_by_number_or_name(devices: list[SimpleNamespace], wanted: str, index: int) -> None:
    assert find_camera(wanted).index == index


def test_find_says_what_there_is(devices: list[SimpleNamespace]) -> None:
    with pytest.raises(SourceError, match=r"no camera called 'foo': choose one of 0: Integrated Camera, 2: USB"):
        find_camera("foo")
    with pytest.raises(SourceError, match="More than one camera"):
        find_camera("camera")
    devices.clear()
    with pytest.raises(SourceError, match="No camera was found"):
        find_camera("")


def test_listed_camera_is_the_one_opened(capture: type[FakeCapture], devices: list[SimpleNamespace]) -> None:
    source = open_camera(CameraSpec("USB Camera #2"))
    assert [(c.index, c.backend) for c in capture.opened] == [(4, BACKEND)]
    assert source.info.name == "USB Camera #2"
    source.close()
    assert capture.opened[0].released == 1


@pytest.mark.parametrize(
    ("platform", "backend"),
    [
        ("linux", cv2.CAP_V4L2),
        ("win32", cv2.CAP_MSMF),
        ("darwin", cv2.CAP_AVFOUNDATION),
        ("freebsd14", cv2.CAP_ANY),
    ],
)
def test_the_backend_that_lists_is_the_one_that_opens(
    monkeypatch: pytest.MonkeyPatch, platform: str, backend: int
) -> None:
    class Capture(FakeCapture):
        opened: list[FakeCapture] = []  # noqa: RUF012

    asked: list[int] = []

    def enumerate_cameras(backend: int) -> list[SimpleNamespace]:
        asked.append(backend)
        return [
            SimpleNamespace(index=1, backend=backend, path="", name="Second"),
            SimpleNamespace(index=0, backend=backend, path="", name="First"),
        ]

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr("cv2_enumerate_cameras.enumerate_cameras", enumerate_cameras)
    monkeypatch.setattr("app.sources.camera.sys.platform", platform)
    monkeypatch.setattr(camera, "_macos_allows", lambda: True)
    for name in ("Second", "1", "First"):
        open_camera(CameraSpec(name)).close()
    opened = [(capture.index, capture.backend) for capture in Capture.opened]
    assert opened == [(1, backend), (1, backend), (0, backend)]
    assert set(asked) == {backend}


class MacOS:
    """What macOS says about a program that wants to use cameras, and what the person answers, after a while."""

    AVMediaTypeVideo = "vide"
    AVAuthorizationStatusNotDetermined, AVAuthorizationStatusDenied, AVAuthorizationStatusAuthorized = 0, 2, 3

    def __init__(self, answer: int) -> None:
        self.status = self.AVAuthorizationStatusNotDetermined
        self.asked = 0
        self._answer = answer
        self.AVCaptureDevice = self

    def authorizationStatusForMediaType_(self, kind: str) -> int:
        return self.status

    def requestAccessForMediaType_completionHandler_(self, kind: str, handle: Callable[[bool], None]) -> None:
        def answer() -> None:
            self.status = self._answer
            handle(self.status == self.AVAuthorizationStatusAuthorized)

        self.asked += 1
        threading.Timer(0.05, answer).start()


def test_macos_asks_before_the_first_camera_is_opened(
    capture: type[FakeCapture], devices: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = MacOS(MacOS.AVAuthorizationStatusAuthorized)
    monkeypatch.setitem(sys.modules, "AVFoundation", system)
    monkeypatch.setattr("app.sources.camera.sys.platform", "darwin")
    seen = []
    monkeypatch.setattr(capture, "isOpened", lambda self: seen.append(system.status) or True)
    open_camera(CameraSpec()).close()
    open_camera(CameraSpec()).close()
    assert seen == [MacOS.AVAuthorizationStatusAuthorized] * 2
    assert system.asked == 1


def test_a_camera_that_macos_refuses_is_not_opened(
    capture: type[FakeCapture], devices: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "AVFoundation", MacOS(MacOS.AVAuthorizationStatusDenied))
    monkeypatch.setattr("app.sources.camera.sys.platform", "darwin")
    with pytest.raises(SourceError, match="macOS does not let this program use cameras"):
        open_camera(CameraSpec())
    assert capture.opened == []


def test_the_library_lists_for_our_backends() -> None:
    """On this system the real library must accept the backend that we ask for."""
    from cv2_enumerate_cameras import supported_backends

    assert camera._backend() in supported_backends


def test_a_backend_that_lists_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(backend: int) -> list[SimpleNamespace]:
        raise NotImplementedError("Unsupported backend")

    monkeypatch.setattr("cv2_enumerate_cameras.enumerate_cameras", refuse)
    assert list_cameras() == []


def test_requested_format_is_reported_beside_the_delivered_one(
    capture: type[FakeCapture], devices: list[SimpleNamespace]
) -> None:
    source = open_source(parse_source("camera:USB Camera #2@1920x1080@60"))
    assert source.info.requested == CameraFormat(1920, 1080, 60.0)
    assert (source.info.name, source.info.width, source.info.height, source.info.fps) == (
        "USB Camera #2",
        128,
        72,
        30.0,
    )
    assert open_source(parse_source("camera")).info.requested == CameraFormat()


def test_a_camera_may_keep_its_own_format(capture: type[FakeCapture], devices: list[SimpleNamespace]) -> None:
    source = open_source(parse_source("camera:0@auto"))
    assert capture.opened[0].settings == []
    assert source.info.requested is None


def test_size_then_rate_then_pixel_format(capture: type[FakeCapture], devices: list[SimpleNamespace]) -> None:
    open_camera(CameraSpec("0", CameraFormat(640, 480, 25.0)))
    assert capture.opened[0].settings == [
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS,
        cv2.CAP_PROP_FOURCC,
    ]


def test_frames_are_rgb_with_increasing_times(capture: type[FakeCapture], devices: list[SimpleNamespace]) -> None:
    capture.image = np.full((72, 128, 3), (10, 20, 30), np.uint8)
    source = open_camera(CameraSpec())
    frames = [source.read() for _ in range(50)]
    assert (source.info.width, source.info.height, source.info.fps) == (128, 72, 30.0)
    assert source.info.live
    assert source.info.frames is None
    assert frames[0].image[0, 0].tolist() == [30, 20, 10]
    assert [f.index for f in frames] == list(range(50))
    assert all(b.timestamp > a.timestamp for a, b in itertools.pairwise(frames))


def test_times_increase_even_if_the_clock_stands_still(
    capture: type[FakeCapture], devices: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_camera(CameraSpec())
    monkeypatch.setattr(camera, "time", SimpleNamespace(perf_counter=lambda: 5.0))
    times = [source.read().timestamp for _ in range(3)]
    assert times[0] < times[1] < times[2]


@pytest.mark.parametrize("shape", [(72, 128), (72, 128, 1), (72, 128, 4)])
def test_grey_and_four_channel_cameras(
    capture: type[FakeCapture], devices: list[SimpleNamespace], shape: tuple[int, ...]
) -> None:
    capture.image = np.full(shape, 50, np.uint8)
    image = open_camera(CameraSpec()).read().image
    assert image.shape == (72, 128, 3)
    assert (image == 50).all()


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e9])
def test_nonsense_rate_is_unknown(capture: type[FakeCapture], devices: list[SimpleNamespace], rate: float) -> None:
    capture.rate = rate
    assert open_camera(CameraSpec()).info.fps is None


def test_unplugged_camera_is_an_error_after_the_stated_time(
    capture: type[FakeCapture], devices: list[SimpleNamespace]
) -> None:
    capture.pictures = 3
    source = open_camera(CameraSpec())
    for _ in range(3):
        assert source.read() is not None
    with pytest.raises(SourceError, match=r"Integrated Camera stopped delivering pictures for 0.1 s: check its cable"):
        source.read()
    assert capture.opened[0].reads > 4  # it was asked again, not given up at the first miss


def test_one_missed_picture_is_no_error(
    capture: type[FakeCapture], devices: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_camera(CameraSpec())
    source.read()
    good = capture.read
    misses = iter([True, True, False])
    monkeypatch.setattr(capture, "read", lambda self: (False, None) if next(misses, False) else good(self))
    assert source.read().index == 1


def test_camera_that_cannot_be_opened_is_released(capture: type[FakeCapture], devices: list[SimpleNamespace]) -> None:
    capture.present = False
    with pytest.raises(SourceError, match="Integrated Camera cannot be opened"):
        open_camera(CameraSpec())
    assert capture.opened[0].released == 1
    capture.present, capture.pictures = True, 0
    with pytest.raises(SourceError, match="delivers no picture"):
        open_camera(CameraSpec())
    assert capture.opened[1].released == 1


def test_a_number_that_no_camera_can_have_is_one_sentence(devices: list[SimpleNamespace]) -> None:
    with pytest.raises(SourceError, match="Camera 99999999999 cannot be opened"):
        open_camera(CameraSpec("99999999999"))


def test_missing_camera_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="Camera 93 cannot be opened"):
        open_camera(CameraSpec("93"))
    assert capfd.readouterr().err == ""


def test_closed_camera_gives_none(capture: type[FakeCapture], devices: list[SimpleNamespace]) -> None:
    source = open_camera(CameraSpec())
    source.close()
    source.close()
    assert source.read() is None
    assert capture.opened[0].released == 1


def test_formats_validate_themselves() -> None:
    with pytest.raises(UserError, match="above 0"):
        CameraFormat(width=0)
    with pytest.raises(UserError, match="four letters"):
        CameraFormat(fourcc="H")


def test_a_sensor_of_ten_bits_is_not_dark(devices: list[SimpleNamespace], capture: type[FakeCapture]) -> None:
    capture.image = np.full((72, 128), 512, np.uint16)
    source = open_camera(CameraSpec())
    assert np.abs(source.read().image.astype(int) - 128).max() <= 1
    assert source.info.adaptations == (Adaptation.STRETCHED,)
    capture.image = np.full((72, 128), 100, np.uint16)
    assert source.read().image.max() == 25
