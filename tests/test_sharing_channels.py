"""Sharing while it runs: threads, sockets, receivers and a virtual camera, all on this computer."""

from __future__ import annotations

import errno
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pythonosc.osc_bundle import OscBundle

from app.core.commands import install_command
from app.core.frame import FrameResult
from app.media.overlay import draw_overlay
from app.media.privacy import without_faces
from app.sharing.channel import Channel, ChannelKind, ChannelStatus
from app.sharing.settings import Address, CameraPicture, SharingError, SharingSettings
from app.sharing.sharing import Sharing
from app.sharing.udp import UdpOutlet
from app.sharing.virtual_camera import VirtualCameraOutlet, open_virtual_camera
from model.signals.expression import measure_expression
from tests.gui_fakes import frame_result
from tests.sharing_fakes import result_of
from tests.signals_fakes import face
from tests.waiting import PATIENCE_SECONDS, wait_until

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "guide" / "sharing.md"


@contextmanager
def receiver(family: int = socket.AF_INET, host: str = "127.0.0.1") -> Iterator[tuple[socket.socket, Address]]:
    with socket.socket(family, socket.SOCK_DGRAM) as listening:
        listening.bind((host, 0))
        listening.settimeout(PATIENCE_SECONDS)
        yield listening, Address(host, listening.getsockname()[1])


def unheard_address() -> Address:
    with receiver() as (_, address):
        return address


@contextmanager
def sharing_of(settings: SharingSettings, **options: Any) -> Iterator[Sharing]:
    sharing = Sharing(settings, **options)
    try:
        yield sharing
    finally:
        assert sharing.stop(PATIENCE_SECONDS)


class FakeOutlet:
    """Keeps what it is given; fails as told."""

    def __init__(self) -> None:
        self.results: list[FrameResult] = []
        self.failures: list[Exception] = []
        self.closed = 0
        self.hold = threading.Event()
        self.hold.set()

    def send(self, result: FrameResult) -> None:
        assert self.hold.wait(PATIENCE_SECONDS)
        if self.failures:
            raise self.failures.pop(0)
        self.results.append(result)

    def close(self) -> None:
        self.closed += 1


class FakeCamera:
    """Behaves as ``pyvirtualcam.Camera``."""

    def __init__(self, width: int, height: int, fps: float) -> None:
        self.width, self.height = width, height
        self.frames: list[NDArray[np.uint8]] = []
        self.closed = False

    def send(self, frame: NDArray[np.uint8]) -> None:
        assert frame.shape == (self.height, self.width, 3)
        assert frame.dtype == np.uint8
        self.frames.append(frame)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def channel() -> Iterator[tuple[Channel, FakeOutlet]]:
    outlet = FakeOutlet()
    made = Channel(ChannelKind.UDP, "there", outlet)
    yield made, outlet
    outlet.hold.set()
    made.close()
    assert made.join(PATIENCE_SECONDS)
    assert outlet.closed


def test_a_channel_passes_on_and_counts(channel: tuple[Channel, FakeOutlet], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sharing.channel.RATE_SECONDS", PATIENCE_SECONDS)
    made, outlet = channel
    for index in range(3):
        made.offer(frame_result(index))
        wait_until(lambda expected=index + 1: made.status.sent == expected)  # type: ignore[misc]
    assert [result.frame.index for result in outlet.results] == [0, 1, 2]
    status = made.status
    assert (status.kind, status.target, status.failed, status.error) == ("udp", "there", 0, "")
    assert status.rate > 0


@pytest.mark.parametrize(
    ("times", "rate"), [([97.9, 98.1, 99.0, 99.9], 1.5), ([99.5, 99.7, 99.9], 5.0), ([99.9], 0.5), ([97.0], 0.0)]
)
def test_the_rate_is_that_of_the_last_two_seconds(
    channel: tuple[Channel, FakeOutlet], monkeypatch: pytest.MonkeyPatch, times: list[float], rate: float
) -> None:
    made, _ = channel
    monkeypatch.setattr("app.sharing.channel.time", SimpleNamespace(perf_counter=lambda: 100.0))
    made._times.extend(times)
    assert made.status.rate == pytest.approx(rate)


def test_a_slow_outlet_gets_the_newest_frame_and_nobody_waits(channel: tuple[Channel, FakeOutlet]) -> None:
    made, outlet = channel
    outlet.hold.clear()
    for index in range(100):
        made.offer(frame_result(index))
    outlet.hold.set()  # the outlet fails if it waited in vain for an offer that waited for it
    wait_until(lambda: outlet.results and outlet.results[-1].frame.index == 99)
    assert len(outlet.results) <= 3
    assert made.status.failed == 0


def test_trouble_is_told_and_forgotten_when_it_is_over(channel: tuple[Channel, FakeOutlet]) -> None:
    made, outlet = channel
    outlet.failures = [SharingError("Nobody is there; call somebody.")]
    made.offer(frame_result(0))
    wait_until(lambda: made.status.failed == 1)
    made.offer(frame_result(1))
    wait_until(lambda: made.status.sent == 1)
    made._trouble = made._times[-1]
    assert made.status.error == "Nobody is there; call somebody."  # too early to say that it is over
    made._trouble -= 5
    assert made.status.error == ""


def test_an_unexpected_failure_does_not_end_the_channel(
    channel: tuple[Channel, FakeOutlet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sharing.channel.UNEXPECTED_PAUSE", 0.0)
    made, outlet = channel
    outlet.failures = [ZeroDivisionError("odd")]
    made.offer(frame_result(0))
    wait_until(lambda: made.status.failed == 1)
    assert "odd" in made.status.error
    assert outlet.closed == 1
    made.offer(frame_result(1))
    wait_until(lambda: made.status.sent == 1)


def test_a_pause_saves_useless_tries(channel: tuple[Channel, FakeOutlet]) -> None:
    made, outlet = channel
    outlet.failures = [SharingError("Not now.", pause=60.0)]
    made.offer(frame_result(0))
    wait_until(lambda: made.status.failed == 1)
    made.offer(frame_result(1))
    wait_until(lambda: made._slot._value is None)
    assert (made.status.sent, outlet.results) == (0, [])


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_json_arrives(family: int, host: str) -> None:
    try:
        listening = receiver(family, host)
        incoming, address = listening.__enter__()
    except OSError:
        pytest.skip(f"this computer has no {host}")
    try:
        with sharing_of(SharingSettings(udp=(address,))) as sharing:
            sharing.consume(result_of(face()))
            message = json.loads(incoming.recv(65536))
            assert (message["frame"], message["faces"][0]["id"]) == (7, 0)
            assert "uncertainty" in json.loads(incoming.recv(65536))["faces"][0]
            wait_until(lambda: sharing.status()[0].sent == 1)
            assert sharing.status()[0].target == str(address)
    finally:
        listening.__exit__(None, None, None)


def test_several_ways_at_once_and_changes_while_running() -> None:
    with receiver() as (json_in, json_to), receiver() as (osc_in, osc_to), receiver() as (late_in, late_to):
        with sharing_of(SharingSettings(udp=(json_to,), osc=(osc_to,))) as sharing:
            sharing.consume(result_of(face()))
            assert json_in.recv(65536).startswith(b'{"ldeq":1')
            assert osc_in.recv(65536).startswith(b"#bundle")
            kept = sharing._channels[ChannelKind.UDP, str(json_to), None]
            sharing.configure(SharingSettings(udp=(json_to, late_to)))
            assert sharing._channels[ChannelKind.UDP, str(json_to), None] is kept
            assert [status.target for status in sharing.status()] == [str(json_to), str(late_to)]
            sharing.consume(result_of(face()))
            assert late_in.recv(65536).startswith(b'{"ldeq":1')
            sharing.configure(SharingSettings())
            assert sharing.status() == ()
        sharing.configure(SharingSettings(udp=(json_to,)))
        assert sharing.status() == ()  # stopped for good


def test_avatars_are_moved_from_the_neutral_expression_that_is_chosen_now() -> None:
    result = result_of(face())
    signals = result.faces[0].estimate.signals
    assert signals is not None
    own = measure_expression(face(), signals.face, (320, 180))
    jaws = []
    with receiver() as (incoming, address), sharing_of(SharingSettings(vmc=(address,))) as sharing:
        for neutral in (None, own):
            sharing.configure(SharingSettings(vmc=(address,), neutral=neutral))
            sharing.consume(result)
            told: dict[str, float] = {}
            while "eyeLookDownRight" not in told:  # the last of them
                told |= dict(m.params for m in OscBundle(incoming.recv(65536)) if m.address == "/VMC/Ext/Blend/Val")
            jaws.append(told["jawOpen"])
    assert jaws[0] > 0.3
    assert jaws[1] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a sender that nobody listens")
def test_where_nobody_listens_it_says_so_until_somebody_does() -> None:
    address = unheard_address()
    outlet = UdpOutlet(address, lambda result: [b"a", b"b"])

    told: list[str] = []

    def is_told() -> bool:
        """Send; the system tells of it some time later, with another datagram."""
        try:
            outlet.send(frame_result())
        except SharingError as error:
            told.append(str(error))
        return bool(told)

    try:
        wait_until(is_told)
        assert told[0].startswith(f"No program receives at {address} yet")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            late.bind((address.host, address.port))
            late.settimeout(PATIENCE_SECONDS)
            with suppress(SharingError):
                outlet.send(frame_result())  # may tell about the frame before
            assert (late.recv(10), late.recv(10)) == (b"a", b"b")
            outlet.send(frame_result())
    finally:
        outlet.close()


def test_a_refusal_of_an_earlier_datagram_costs_no_other() -> None:
    class Refusing:
        def __init__(self) -> None:
            self.sent: list[bytes] = []
            self.refusals = 1

        def send(self, datagram: bytes) -> None:
            if self.refusals:
                self.refusals -= 1
                raise ConnectionRefusedError
            self.sent.append(datagram)

    outlet, connection = UdpOutlet(Address("127.0.0.1", 9000), lambda result: [b"a", b"b"]), Refusing()
    outlet._socket = connection  # type: ignore[assignment]
    with pytest.raises(SharingError, match="No program receives"):
        outlet.send(frame_result())
    assert connection.sent == [b"a", b"b"]


@pytest.mark.parametrize("host", ["192.168..7", "a" * 64])
def test_a_host_that_can_have_no_address_is_told(host: str) -> None:
    with pytest.raises(SharingError, match=r"cannot be found; check the name"):
        UdpOutlet(Address(host, 9000), lambda result: [b"x"]).send(frame_result())


def test_unknown_hosts_are_told_and_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as (incoming, address):
        outlet = UdpOutlet(Address("avatar.invalid", address.port), lambda result: [b"x"])
        real = socket.getaddrinfo

        def fails(*args: Any, **options: Any) -> Any:
            raise socket.gaierror("unknown")

        monkeypatch.setattr("app.sharing.udp.socket.getaddrinfo", fails)
        with pytest.raises(SharingError, match=r"avatar\.invalid cannot be found; check the name") as raised:
            outlet.send(frame_result())
        assert raised.value.pause > 0
        monkeypatch.setattr("app.sharing.udp.socket.getaddrinfo", lambda host, port, **o: real("127.0.0.1", port, **o))
        outlet.send(frame_result())
        assert incoming.recv(10) == b"x"
        outlet.close()


def test_another_network_ends_no_sharing() -> None:
    class Lost:
        """A socket of a network that is gone: it never sends again."""

        def __init__(self) -> None:
            self.closed = False

        def send(self, datagram: bytes) -> None:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

        def close(self) -> None:
            self.closed = True

    lost = Lost()
    with receiver() as (incoming, address):
        outlet = UdpOutlet(address, lambda result: [b"x"])
        outlet._socket = lost  # type: ignore[assignment]
        with pytest.raises(SharingError, match="cannot be reached"):
            outlet.send(frame_result())
        assert lost.closed
        outlet.send(frame_result())
        assert incoming.recv(10) == b"x"
        outlet.close()


def test_a_name_with_addresses_of_both_kinds_reaches_receivers_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as (incoming, address):
        six = (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("::1", address.port, 0, 0))
        four = (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", address.port))
        monkeypatch.setattr("app.sharing.udp.socket.getaddrinfo", lambda *_, **__: [six, four])
        outlet = UdpOutlet(Address("localhost", address.port), lambda result: [b"x"])
        outlet.send(frame_result())
        assert incoming.recv(10) == b"x"
        outlet.close()


def test_what_the_system_forbids_is_explained() -> None:
    outlet = UdpOutlet(Address("255.255.255.255", 9000), lambda result: [b"x"])
    with pytest.raises(SharingError, match=r"Cannot send to 255\.255\.255\.255:9000: .*; .*\."):
        outlet.send(frame_result())
    outlet.close()


@pytest.mark.process
def test_the_receiver_of_the_documentation_receives() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.strip().splitlines()) <= 12
    address = unheard_address()
    code = code.replace("9000", str(address.port))
    points = face()
    with (
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as receiving,
        sharing_of(SharingSettings(udp=(address,))) as sharing,
    ):
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.append(receiving.stdout.readline()), daemon=True)
        reading.start()

        def arrived() -> bool:
            sharing.consume(result_of(points))
            reading.join(0.02)
            return bool(lines)

        try:
            wait_until(arrived)
        finally:
            receiving.kill()
    frame, identity, x, y = re.match(r"(\d+) (\d+) \(([\d.]+), ([\d.]+)\) \{'mouth': ", lines[0]).groups()
    assert (frame, identity) == ("7", "0")
    np.testing.assert_allclose((float(x), float(y)), points[54], atol=0.02)


def camera_sharing(settings: SharingSettings, *results: FrameResult) -> tuple[FakeCamera, tuple[ChannelStatus, ...]]:
    cameras: list[FakeCamera] = []

    def open_camera(width: int, height: int, fps: float) -> FakeCamera:
        cameras.append(FakeCamera(width, height, fps))
        return cameras[-1]

    with sharing_of(settings, open_camera=open_camera) as sharing:
        for number, result in enumerate(results, start=1):
            sharing.consume(result)
            wait_until(lambda expected=number: sharing.status()[0].sent == expected)  # type: ignore[misc]
        status = sharing.status()
    (camera,) = cameras
    assert camera.closed
    return camera, status


def noise(width: int = 320, height: int = 180) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 255, (height, width, 3), np.uint8)


def test_the_virtual_camera_shows_the_annotated_picture() -> None:
    result = frame_result(image=noise())
    camera, (status,) = camera_sharing(SharingSettings(virtual_camera=CameraPicture.ANNOTATED), result)
    np.testing.assert_array_equal(camera.frames[0], draw_overlay(result, text=False))
    assert (status.kind, status.target) == ("virtual camera", "annotated")


def test_the_virtual_camera_can_show_landmarks_alone() -> None:
    camera, _ = camera_sharing(SharingSettings(virtual_camera=CameraPicture.LANDMARKS), frame_result(image=noise()))
    frame = camera.frames[0]
    assert frame.any()
    assert (frame == 0).all(axis=-1).mean() > 0.6


def test_privacy_blurs_what_the_virtual_camera_shows() -> None:
    result = frame_result(image=noise())
    camera, _ = camera_sharing(SharingSettings(virtual_camera=CameraPicture.ANNOTATED, privacy=True), result)
    np.testing.assert_array_equal(camera.frames[0], draw_overlay(without_faces(result), text=False))


def test_turning_privacy_on_replaces_the_camera_channel() -> None:
    opened: list[FakeCamera] = []

    def open_camera(width: int, height: int, fps: float) -> FakeCamera:
        opened.append(FakeCamera(width, height, fps))
        return opened[-1]

    with sharing_of(SharingSettings(virtual_camera=CameraPicture.ANNOTATED), open_camera=open_camera) as sharing:
        sharing.consume(frame_result(image=noise()))
        wait_until(lambda: opened and opened[0].frames)
        sharing.configure(SharingSettings(virtual_camera=CameraPicture.ANNOTATED, privacy=True))
        wait_until(lambda: opened[0].closed)
        sharing.consume(frame_result(image=noise()))
        wait_until(lambda: len(opened) == 2 and opened[1].frames)
        assert len(opened[0].frames) == 1


def test_a_camera_is_opened_anew_when_the_one_before_has_let_go() -> None:
    device = threading.Lock()
    shown: list[bool] = []

    class Device(FakeCamera):
        def __init__(self, width: int, height: int, fps: float) -> None:
            if not device.acquire(blocking=False):
                raise SharingError("No virtual camera can be opened.", 3.0)
            super().__init__(width, height, fps)

        def send(self, frame: NDArray[np.uint8]) -> None:
            super().send(frame)
            shown.append(True)

        def close(self) -> None:
            device.release()

    with sharing_of(SharingSettings(virtual_camera=CameraPicture.ANNOTATED), open_camera=Device) as sharing:
        sharing.consume(frame_result(image=noise()))
        wait_until(lambda: shown)
        for settings in (
            SharingSettings(virtual_camera=CameraPicture.ANNOTATED, privacy=True),
            SharingSettings(),
            SharingSettings(virtual_camera=CameraPicture.LANDMARKS),
        ):
            shown.clear()
            sharing.configure(settings)
            sharing.consume(frame_result(image=noise()))
            if settings.virtual_camera is not None:
                wait_until(lambda: shown)
            assert not any(status.failed for status in sharing.status())


def test_landmarks_alone_have_nothing_to_blur() -> None:
    shown = SharingSettings(virtual_camera=CameraPicture.LANDMARKS)
    with sharing_of(shown, open_camera=FakeCamera) as sharing:
        kept = dict(sharing._channels)
        sharing.configure(replace(shown, privacy=True))
        assert sharing._channels == kept


def test_the_virtual_camera_keeps_its_size() -> None:
    results = [frame_result(image=noise(321, 181)), frame_result(image=noise(100, 100))]
    camera, _ = camera_sharing(SharingSettings(virtual_camera=CameraPicture.ANNOTATED), *results)
    assert (camera.width, camera.height) == (320, 180)
    assert [frame.shape for frame in camera.frames] == [(180, 320, 3)] * 2
    np.testing.assert_array_equal(camera.frames[0], draw_overlay(results[0], text=False)[:180, :320])
    assert not camera.frames[1][:, :70].any()  # black beside a square picture


def test_a_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SharingError, match=r"needs the package pyvirtualcam; install it with: .*pip install") as raised:
        VirtualCameraOutlet(CameraPicture.ANNOTATED, False).send(frame_result())
    assert raised.value.pause > 0


@pytest.mark.parametrize(
    ("platform", "python", "command"),
    [
        ("linux", "/home/ada/l d/.venv/bin/python", "'/home/ada/l d/.venv/bin/python' -m pip install 'a[b,c]==1.0'"),
        (
            "win32",
            r"C:\Users\Ada L\.venv\python.exe",
            r'"C:\Users\Ada L\.venv\python.exe" -m pip install "a[b,c]==1.0"',
        ),
        ("win32", r"C:\ldeq\.venv\python.exe", r'C:\ldeq\.venv\python.exe -m pip install "a[b,c]==1.0"'),
    ],
)
def test_commands_to_copy_are_quoted(monkeypatch: pytest.MonkeyPatch, platform: str, python: str, command: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "executable", python)
    assert install_command("a[b,c]==1.0") == command


def test_a_package_is_installed_for_a_program_in_a_folder_with_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    monkeypatch.setattr(sys, "executable", "/l d/python")
    with pytest.raises(SharingError, match="'/l d/python' -m pip"):
        VirtualCameraOutlet(CameraPicture.ANNOTATED, False).send(frame_result())


@pytest.mark.parametrize(
    ("platform", "says"), [("linux", "modprobe v4l2loopback"), ("darwin", "OBS"), ("win32", "OBS")]
)
def test_a_missing_driver_is_explained(monkeypatch: pytest.MonkeyPatch, platform: str, says: str) -> None:
    fake = ModuleType("pyvirtualcam")

    def camera(width: int, height: int, fps: float, fmt: object) -> FakeCamera:
        if platform != "there":
            raise RuntimeError("'v4l2loopback' backend: No v4l2 loopback device found")
        return FakeCamera(width, height, fps)

    fake.Camera = camera  # type: ignore[attr-defined]
    fake.PixelFormat = SimpleNamespace(RGB="RGB")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake)
    monkeypatch.setattr("app.sharing.virtual_camera.sys.platform", platform)
    with pytest.raises(SharingError, match=says):
        open_virtual_camera(320, 180, 30.0)
    platform = "there"
    assert open_virtual_camera(320, 180, 30.0).width == 320
