"""Cameras: listed and opened through one library so that names and devices agree, and noticed when they come and go."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame
from app.sources.base import Adaptation, SourceInfo, adaptation_remark
from app.sources.opencv import cv2, quiet_opencv
from app.sources.presentation import UsedBits
from app.sources.release import ReleaseGuard
from app.sources.spec import CameraFormat, CameraSpec

OPEN_SECONDS = 8.0
"""How long a camera may take to deliver its first picture."""
FAIL_SECONDS = 3.0
"""How long reads may fail before the camera counts as unplugged."""
DEVICES = Path("/dev")
KNOWN_DEVICES = Path("/sys/class/video4linux")
ANSWER_SECONDS = 120.0
"""How long a person may take to answer macOS, which asks once whether this program may use cameras."""
PERMISSION = {
    "win32": "Settings, Privacy & security, Camera, allows desktop apps to use it",
    "darwin": "System Settings, Privacy & Security, Camera, allows the terminal program to use it",
}.get(sys.platform, "this program may use cameras")
"""What a person can check where a camera does not open, as the end of "check that ..."."""
POLL_SECONDS = 2.0
"""How often the window looks for cameras that were connected or disconnected."""
_RETRY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera that can be opened.

    Attributes:
        index: OpenCV's number of the device under ``backend``.
        backend: OpenCV's number of the capture backend.
        name: as the system calls it, made unique by " #2" if two cameras have the same name.
        place: where it is plugged in, the same each time that it is plugged in there; "" if the system does not say.
    """

    index: int
    backend: int
    name: str
    place: str = ""


def list_cameras() -> list[CameraInfo]:
    """Return the cameras of this computer in the order of their numbers."""
    from cv2_enumerate_cameras import enumerate_cameras

    backend = _backend()
    try:
        with quiet_opencv():
            found = enumerate_cameras(backend)
    except (NotImplementedError, OSError):
        return []
    cameras: list[CameraInfo] = []
    seen: dict[str, int] = {}
    for device in sorted(found, key=lambda device: device.index):
        name = (device.name or f"Camera {device.index}").strip()
        seen[name] = seen.get(name, 0) + 1
        unique = name if seen[name] == 1 else f"{name} #{seen[name]}"
        cameras.append(CameraInfo(device.index, device.backend, unique, _place(device.path)))
    return cameras


def _place(path: str | None, platform: str = sys.platform, known: Path = KNOWN_DEVICES) -> str:
    """Return where the device with this path is plugged in; on Linux the path says only when it was."""
    if not path or not platform.startswith("linux"):
        return path or ""
    device = known / Path(path).name
    try:
        return f"{(device / 'device').resolve(strict=True)}, {(device / 'index').read_text().strip()}"
    except OSError:
        return ""


def plain_name(name: str) -> str:
    """Return a camera's name without what :func:`list_cameras` added to make it unique."""
    return re.sub(r" #\d+$", "", name)


def camera_marks(platform: str = sys.platform, devices: Path = DEVICES) -> Hashable | None:
    """Return a value that changes when a camera is connected or disconnected, and that is cheap to obtain.

    On Linux it describes the device files. Listing cameras opens each of them, which wakes a sleeping camera, and so
    must not happen every two seconds. None if only listing the cameras can tell (Windows, macOS).
    """
    if not platform.startswith("linux"):
        return None
    marks = []
    for path in devices.glob("video*"):
        try:
            facts = path.stat()
        except OSError:
            continue
        # The mode is included because a device can only be opened some time after it appears.
        marks.append((path.name, facts.st_ino, facts.st_mode, facts.st_gid))
    return tuple(sorted(marks))


def find_camera(wanted: str = "") -> CameraInfo:
    """Return the camera with this number or name, or the first one for "".

    A name matches as a whole, or in part if that matches one camera only; case is ignored.

    Raises:
        SourceError: no such camera.
    """
    cameras = list_cameras()
    wanted = wanted.strip()
    if wanted.isdecimal():
        index = int(wanted)
        listed = [camera for camera in cameras if camera.index == index]
        return listed[0] if listed else CameraInfo(index, _backend(), f"Camera {index}")
    if not cameras:
        raise SourceError("No camera was found: connect one and try again, or open a video file or the demo.")
    if not wanted:
        return cameras[0]
    whole = [camera for camera in cameras if camera.name.casefold() == wanted.casefold()]
    part = [camera for camera in cameras if wanted.casefold() in camera.name.casefold()]
    matches = whole or part
    if len(matches) == 1:
        return matches[0]
    names = ", ".join(f"{camera.index}: {camera.name}" for camera in matches or cameras)
    if matches:
        raise SourceError(f"More than one camera is called {wanted!r}: choose one of {names}.")
    raise SourceError(f"There is no camera called {wanted!r}: choose one of {names}.")


def open_camera(spec: CameraSpec) -> CameraSource:
    """Open the camera that :func:`find_camera` finds and wait for its first picture.

    Raises:
        SourceError: there is no such camera, or it delivers nothing within :data:`OPEN_SECONDS`.
    """
    camera = find_camera(spec.name)
    if sys.platform == "darwin" and not _macos_allows():
        raise SourceError(f"macOS does not let this program use cameras: check that {PERMISSION}, and start it again.")
    refusal = SourceError(
        f"{camera.name} cannot be opened: check that it is connected, that no other program uses it and that "
        f"{PERMISSION}."
    )
    with quiet_opencv():
        try:
            capture = cv2.VideoCapture(camera.index, camera.backend)
        except cv2.error as error:  # no device can have that number
            raise refusal from error
        if not capture.isOpened():
            capture.release()
            raise refusal
        if spec.format is not None:
            _request(capture, spec.format)
    try:
        return CameraSource(capture, camera.name, spec.format)
    except BaseException:
        capture.release()
        raise


def _macos_allows() -> bool:
    """Whether macOS lets this program use cameras; waits for the person's answer where it has to ask.

    OpenCV asks as well, but fails at once, so that the first camera would be refused before anybody could answer.
    """
    import AVFoundation  # what lists cameras there brings it

    device, video = AVFoundation.AVCaptureDevice, AVFoundation.AVMediaTypeVideo
    if device.authorizationStatusForMediaType_(video) == AVFoundation.AVAuthorizationStatusNotDetermined:
        answered = threading.Event()
        device.requestAccessForMediaType_completionHandler_(video, lambda granted: answered.set())
        answered.wait(ANSWER_SECONDS)
    return bool(device.authorizationStatusForMediaType_(video) == AVFoundation.AVAuthorizationStatusAuthorized)


def _request(capture: Any, requested: CameraFormat) -> None:
    # The order matters: a new size resets the rate, and the pixel format determines which sizes and rates are possible.
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, requested.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, requested.height)
    capture.set(cv2.CAP_PROP_FPS, requested.fps)
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*requested.fourcc))


class CameraSource:
    """An open camera. ``timestamp`` is the time since opening at which a picture arrived.

    The driver's own clock is not used: backends report it in different units, repeatedly, or not at all.
    A ``read`` that blocks inside the driver is noticed by the capture thread's watchdog.
    """

    note = ""

    def __init__(self, capture: Any, name: str, requested: CameraFormat | None = None) -> None:
        self._capture = capture
        self._guard = ReleaseGuard(capture.release)
        self._name = name
        self._start = time.perf_counter()
        self._index = 0
        self._last = -1.0
        self._bits = UsedBits()
        first = self._picture(OPEN_SECONDS)
        if first is None:
            raise SourceError(f"{name} delivers no picture: check that no other program uses it and that {PERMISSION}.")
        self._first: NDArray[np.uint8] | None = first
        adaptations = (Adaptation.STRETCHED,) if self._bits.of(0, 16) < 16 else ()
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._info = SourceInfo(
            name=name,
            width=first.shape[1],
            height=first.shape[0],
            fps=fps if 1.0 <= fps <= 1000.0 else None,
            frames=None,
            live=True,
            patience=FAIL_SECONDS + 2.0,
            requested=requested,
            adaptations=adaptations,
            remark=adaptation_remark(adaptations),
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the camera; the size is that of its first picture."""
        return self._info

    def read(self) -> Frame | None:
        """Return the next picture; None once closed.

        Raises:
            SourceError: no read succeeded for :data:`FAIL_SECONDS`.
        """
        image, self._first = self._first, None
        if image is None:
            image = self._picture(FAIL_SECONDS)
        if self._guard.closed:
            return None
        if image is None:
            raise SourceError(
                f"{self._name} stopped delivering pictures for {FAIL_SECONDS:g} s: check its cable and open it again."
            )
        captured = time.perf_counter()
        self._last = max(captured - self._start, np.nextafter(self._last, np.inf))
        frame = Frame(self._index, float(self._last), image, captured)
        self._index += 1
        return frame

    def close(self) -> None:
        """Release the camera, once a read in progress has returned."""
        self._guard.close()

    def _picture(self, seconds: float) -> NDArray[np.uint8] | None:
        """Read until a picture comes; None if closed or if none came for ``seconds``."""
        deadline = time.perf_counter() + seconds
        while True:
            with self._guard.using() as usable:
                good, image = self._capture.read() if usable else (False, None)
            picture = self._as_rgb(image) if good and image is not None and image.size else None
            if picture is not None:
                return picture
            if time.perf_counter() >= deadline or self._guard.wait_closed(_RETRY_SECONDS):
                return None

    def _as_rgb(self, image: NDArray[Any]) -> NDArray[np.uint8] | None:
        """Return what a driver delivered as RGB; None if it is no picture, which drivers deliver now and then."""
        if image.dtype == np.uint16:
            image = self._bits.to_eight(image)
        channels = {2: 1, 3: image.shape[-1]}.get(image.ndim, 0)
        code = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}.get(channels)
        if code is None or image.dtype != np.uint8:
            return None
        return cv2.cvtColor(image, code).astype(np.uint8, copy=False)


def _backend() -> int:
    """Return the backend that both lists and opens cameras, so that a number means the same device in both."""
    if sys.platform == "win32":
        return int(cv2.CAP_MSMF)
    if sys.platform == "darwin":
        return int(cv2.CAP_AVFOUNDATION)
    if sys.platform.startswith("linux"):
        return int(cv2.CAP_V4L2)
    return int(cv2.CAP_ANY)
