"""A virtual camera that other programs can choose. Needs the optional package pyvirtualcam (GPL-2.0)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.commands import install_command
from app.core.frame import FrameResult
from app.media.overlay import draw_overlay
from app.media.privacy import without_faces
from app.media.video import letterbox
from app.sharing.settings import CameraPicture, SharingError

Image = NDArray[np.uint8]

PYVIRTUALCAM = "pyvirtualcam==0.15.0"
FRAME_RATE = 30.0
"""The rate reported to programs; pictures are passed on as they arrive."""

RETRY_SECONDS = 3.0


class CameraDevice(Protocol):
    """The part of ``pyvirtualcam.Camera`` that is used."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    def send(self, frame: Image) -> None: ...
    def close(self) -> None: ...


OpenCamera = Callable[[int, int, float], CameraDevice]


def open_virtual_camera(width: int, height: int, frame_rate: float) -> CameraDevice:
    """Open the system's virtual camera for RGB pictures of one size.

    Raises:
        SharingError: the package or its driver is missing.
    """
    try:
        import pyvirtualcam
    except ImportError as error:
        raise SharingError(
            f"A virtual camera needs the package pyvirtualcam; install it with: {install_command(PYVIRTUALCAM)}",
            RETRY_SECONDS,
        ) from error
    try:
        device: CameraDevice = pyvirtualcam.Camera(width, height, frame_rate, fmt=pyvirtualcam.PixelFormat.RGB)
    except Exception as error:  # RuntimeError, and whatever its drivers raise
        raise SharingError(f"No virtual camera can be opened; {_advice(sys.platform)}.", RETRY_SECONDS) from error
    return device


def _advice(platform: str) -> str:
    if platform.startswith("linux"):
        return "load its driver with: sudo modprobe v4l2loopback exclusive_caps=1"
    return "install OBS Studio, start its virtual camera once, stop it again, and close other programs that use it"


class VirtualCameraOutlet:
    """Shows every frame to programs that chose the virtual camera.

    The first frame decides the size; later ones of another size are fitted into it, because programs that
    look at a camera do not expect it to change.

    Args:
        picture: what it shows.
        privacy: the picture is blurred beyond recognition.
        open_camera: opens the device.
    """

    def __init__(self, picture: CameraPicture, privacy: bool, open_camera: OpenCamera = open_virtual_camera) -> None:
        self._picture = picture
        self._privacy = privacy
        self._open_camera = open_camera
        self._device: CameraDevice | None = None

    def send(self, result: FrameResult) -> None:
        """Draw the frame and show it.

        Raises:
            SharingError: there is no virtual camera.
        """
        image = self._draw(result)
        if self._device is None:
            height, width = image.shape[:2]
            # Video formats store the colour of two by two pixels together.
            self._device = self._open_camera(max(2, width - width % 2), max(2, height - height % 2), FRAME_RATE)
        self._device.send(fitted(image, self._device.width, self._device.height))

    def close(self) -> None:
        """Release the device."""
        if self._device is not None:
            device, self._device = self._device, None
            device.close()

    def _draw(self, result: FrameResult) -> Image:
        if self._picture == CameraPicture.LANDMARKS:
            black = np.zeros_like(result.frame.image)
            return draw_overlay(replace(result, frame=replace(result.frame, image=black)), text=False)
        return draw_overlay(without_faces(result) if self._privacy else result, text=False)


def fitted(image: Image, width: int, height: int) -> Image:
    """Return the picture scaled to the given size with its aspect ratio kept, on black borders."""
    rows, columns = image.shape[:2]
    if 0 <= columns - width <= 1 and 0 <= rows - height <= 1:
        return np.ascontiguousarray(image[:height, :width])
    return letterbox(image, width, height)
