"""Turns stored pictures into the pictures that are meant to be seen: upright, square pixels, 8-bit RGB of BT.709.

Files, streams and cameras use it alike. A picture depends on its own frame only, never on its neighbours, so that a
frame that was sought is the same as one that was reached by reading; only the number of used bits is remembered.

- Interlaced pictures: FFmpeg's ``estdif`` keeps the first field and interpolates the lines of the second along edges.
  ``bwdif`` and ``yadif`` keep more detail where nothing moves, but they need the neighbouring frames.
- HDR (PQ and HLG): FFmpeg's ``lut3d`` with the table of :func:`tone_mapping`. The FFmpeg inside PyAV has no ``zscale``,
  without which ``tonemap`` has no linear light to work on, and the table of ``scale`` takes seconds to compute.
- Fewer bits than the format holds, as infrared and depth cameras deliver: see :class:`UsedBits`.
- Transparent pixels: put on white.
- Pixels that are not square: the shorter side of the pixel is stretched, so no detail is lost.
- Rotation and mirroring: the display matrix.
"""

from __future__ import annotations

import re
import struct
import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from app.sources.base import Adaptation
from app.sources.opencv import cv2

REFERENCE_WHITE = 100.0
"""Luminance that becomes about white in SDR, in cd/m2: the nominal peak that is usually given to FFmpeg's ``zscale``.
BT.2408 puts diffuse white at 203, with which faces come out dark."""
PEAK = 1000.0
"""Luminance above which brighter light is no longer distinguished, in cd/m2; that of HLG's display."""
_KNEE = 0.3
_LUT_SIZE = 33
_PQ, _HLG = 16, 18
_UNSPECIFIED = 2
_LIMITED = 1
_HD_HEIGHT = 720
_DEPTHS = (10, 12, 14)
_DEEP_FORMAT = re.compile(
    r"(?P<layout>rgb|bgr|rgba|bgra|ya|gray|gbrp|gbrap|yuva?4\d\dp)(?P<depth>12|14|16|48|64)(?P<order>le|be)"
)
_PACKED = {"rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4, "ya": 2}
"""Values of a pixel in formats of one plane, which all have 16 bits."""
_LARGEST_ASPECT = 8


class UsedBits:
    """How many bits of each value are used, where sensors of 10 to 14 bits deliver 16.

    It is decided by the first picture that is not black. A later picture that exceeds the range widens it, for good:
    brightness never follows the content of single pictures.
    """

    def __init__(self) -> None:
        self._bits = 0

    def of(self, highest: int, stored: int) -> int:
        """Return the number of used bits after a picture whose highest value is ``highest`` of ``stored`` bits."""
        if highest or self._bits:
            needed = next((bits for bits in _DEPTHS if highest < 1 << bits), stored)
            self._bits = max(self._bits, min(needed, stored))
        return self._bits or stored

    def to_eight(self, image: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Return 16-bit values as 8-bit ones."""
        bits = self.of(int(image.max(initial=0)), 16)
        scaled = image * np.float32(255 / ((1 << bits) - 1))
        return np.rint(scaled).clip(0, 255).astype(np.uint8)


class Presentation:
    """Presents the pictures of one video track; used by one thread at a time.

    Args:
        stream: the track, of which the pixel aspect is read.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._aspect = _pixel_aspect(stream)
        self._bits = UsedBits()
        self._filters: dict[tuple[str, str, int, int], _Filter] = {}
        self._done: set[Adaptation] = set()

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What was done to the pictures so far, each once."""
        return tuple(adaptation for adaptation in Adaptation if adaptation in self._done)

    def picture(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return the picture as (h, w, 3) uint8 RGB."""
        matrix = _display_matrix(frame)
        if frame.interlaced_frame:
            frame = self._filtered("estdif", frame)
            self._done.add(Adaptation.DEINTERLACED)
        frame = self._use_bits(frame)
        if frame.color_trc in (_PQ, _HLG):
            name = "pq" if frame.color_trc == _PQ else "hlg"
            frame = self._filtered(name, frame.reformat(format="gbrp10le", threads=1))
            self._done.add(Adaptation.TONE_MAPPED)
        image, transparent = _rgb(frame)
        if transparent:
            self._done.add(Adaptation.FLATTENED)
        image = _square(image, self._aspect)
        if image.shape[:2] != (frame.height, frame.width):
            self._done.add(Adaptation.SQUARE_PIXELS)
        if matrix is not None and matrix != (1, 0, 0, 1):
            self._done.add(Adaptation.TURNED)
        return np.ascontiguousarray(_turn(image, matrix))

    def _use_bits(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame with its values moved to the upper bits of its format."""
        found = _DEEP_FORMAT.fullmatch(frame.format.name)
        if found is None:  # up to 10 bits, or formats whose values are in the upper bits anyway
            return frame
        if found["layout"].startswith("yuv") and frame.color_range == _LIMITED:
            return frame  # whose black and white are at given values, so that a dark beginning tells nothing
        if found["order"] == "be":
            frame = frame.reformat(format=frame.format.name[:-2] + "le", threads=1)
        stored = min(int(found["depth"]), 16)
        packed = _PACKED.get(found["layout"], 1)
        values = _values(frame, packed)
        peaks = [int(plane.max(initial=0)) for plane in values]
        bits = self._bits.of(max(peaks) if found["layout"].startswith("gbr") else peaks[0], stored)
        if bits == stored:
            return frame
        self._done.add(Adaptation.STRETCHED)
        moved = VideoFrame(frame.width, frame.height, frame.format.name)
        moved.pts, moved.time_base = frame.pts, frame.time_base
        moved.colorspace, moved.color_range, moved.color_trc = frame.colorspace, frame.color_range, frame.color_trc
        for target, plane, peak in zip(_values(moved, packed), values, peaks, strict=True):
            # Chroma without colour may be stored with all bits.
            target[:] = plane << (stored - bits) if peak < 1 << bits else plane
        return moved

    def _filtered(self, name: str, frame: VideoFrame) -> VideoFrame:
        key = (name, frame.format.name, frame.width, frame.height)
        if key not in self._filters:
            self._filters = {known: value for known, value in self._filters.items() if known[0] != name}
            self._filters[key] = _Filter(name, frame)
        return self._filters[key].apply(frame)


class _Filter:
    """One of FFmpeg's filters for pictures of one format and size, whose output depends on one picture only.

    Args:
        name: "estdif", or "pq" or "hlg" for tone mapping.
        frame: a picture of that format and size.
    """

    def __init__(self, name: str, frame: VideoFrame) -> None:
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 90000)
        )
        if name == "estdif":
            # Interlaced frames only reach it; it would skip those that the container marks otherwise.
            work = self._graph.add("estdif", mode="frame", deint="all")
            self._delay = 1
        else:
            work = self._graph.add("lut3d", file=str(_lut_file(name)), interp="tetrahedral")
            self._delay = 0
        sink = self._graph.add("buffersink")
        source.link_to(work)
        work.link_to(sink)
        self._graph.configure()

    def apply(self, frame: VideoFrame) -> VideoFrame:
        """Return the filtered picture."""
        for _ in range(self._delay + 1):
            self._graph.push(frame)
        result: VideoFrame | None = None
        while True:
            try:
                pulled = self._graph.pull()
            except (BlockingIOError, EOFError):
                break
            assert isinstance(pulled, VideoFrame)
            result = pulled
        assert result is not None
        return result


def tone_mapping(codes: NDArray[np.float64], curve: str) -> NDArray[np.float64]:
    """Map HDR colours to SDR ones.

    Light is decoded with the curves of ITU-R BT.2100 (for HLG as its 1000 cd/m2 display shows it) in units of
    :data:`REFERENCE_WHITE`, converted from BT.2020 to BT.709 primaries (ITU-R BT.2087), and compressed by the Moebius
    curve of FFmpeg's ``tonemap`` with its parameter 0.3: what is darker, as most of a face is, keeps its brightness.
    The curve is applied to the largest of a colour's three values and scales all of them, so hues stay.

    Args:
        codes: (..., 3) R'G'B' of BT.2020, 0 to 1.
        curve: "pq" or "hlg".

    Returns:
        (..., 3) R'G'B' of BT.709 with the transfer curve of sRGB, 0 to 1.
    """
    light = (_pq_light(codes) if curve == "pq" else _hlg_light(codes)) / REFERENCE_WHITE
    light = np.maximum(light @ _BT2020_TO_BT709.T, 0.0)
    largest = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
    light = light * (_moebius(largest, PEAK / REFERENCE_WHITE) / largest)
    light = light.clip(0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


_BT2020_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])


def _pq_light(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = codes ** (1 / m2)
    return np.asarray(10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _hlg_light(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)
    brightness = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(PEAK * scene * np.maximum(brightness, 1e-9)[..., None] ** 0.2)


def _moebius(light: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    j = _KNEE
    a = -j * j * (peak - 1) / (j * j - 2 * j + peak)
    b = (j * j - 2 * j * peak + peak) / (peak - 1)
    bent = (b * b + 2 * b * j + j * j) / (b - a) * (light + a) / (light + b)
    return np.where(light <= j, light, np.minimum(bent, 1.0))


@cache
def _lut_file(curve: str) -> Path:
    """Write the table of :func:`tone_mapping` as a .cube file, which ``lut3d`` reads, and return its path."""
    steps = np.linspace(0, 1, _LUT_SIZE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # in such a file red changes fastest
    table = tone_mapping(np.stack([red, green, blue], axis=-1).reshape(-1, 3), curve)
    lines = [f"LUT_3D_SIZE {_LUT_SIZE}", *("{:.6f} {:.6f} {:.6f}".format(*row) for row in table)]
    path = Path(_folder().name) / f"{curve}.cube"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ldeq-live-", ignore_cleanup_errors=True)


def _values(frame: VideoFrame, packed: int) -> list[NDArray[np.uint16]]:
    """Return the 16-bit values of each plane as an array that shares the frame's memory, without padding."""
    values = []
    for plane in frame.planes:
        memory: Any = plane  # PyAV's stubs do not tell that it is a buffer
        rows = np.frombuffer(memory, np.uint16).reshape(plane.height, plane.line_size // 2)
        values.append(rows[:, : plane.width * packed])
    return values


def flatten(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bool]:
    """Return (h, w, 4) RGBA as RGB on white, and whether any of it was transparent."""
    rgb, alpha = image[..., :3], image[..., 3:]
    if (alpha == 255).all():
        return rgb, False
    share = alpha.astype(np.float32) / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8), True


def _rgb(frame: VideoFrame) -> tuple[NDArray[np.uint8], bool]:
    """Return the picture on white, and whether any of it was transparent."""
    options: dict[str, Any] = {"threads": 1}  # or every picture would start and end one thread per core
    if frame.colorspace == _UNSPECIFIED and frame.height >= _HD_HEIGHT:
        options["src_colorspace"] = Colorspace.ITU709  # as players treat untagged HD; swscale would take BT.601
    if any(component.is_alpha for component in frame.format.components):
        return flatten(np.asarray(frame.to_ndarray(format="rgba", **options), np.uint8))
    return np.asarray(frame.to_ndarray(format="rgb24", **options), np.uint8), False


def _pixel_aspect(stream: VideoStream) -> Fraction:
    """Return the width of a pixel divided by its height; 1 if it is unknown or nonsense."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return aspect if Fraction(1, _LARGEST_ASPECT) <= aspect <= _LARGEST_ASPECT else Fraction(1)


def _square(image: NDArray[np.uint8], aspect: Fraction) -> NDArray[np.uint8]:
    """Return a picture of square pixels: wider or higher, never smaller."""
    rows, columns = image.shape[:2]
    size = (max(columns, round(columns * aspect)), max(rows, round(rows / aspect)))
    if size == (columns, rows):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int] | None:
    """Return the signs (a, b, c, d) of x' = a x + c y, y' = b x + d y; None if upright or at an odd angle."""
    # Not frame.side_data: it and the frame refer to each other, and such a cycle stays until Python's garbage collector
    # runs, which is after some hundreds of frames of megabytes each.
    side_data: Any = SideDataContainer(frame)  # type: ignore[call-arg]  # its stub lacks the constructor
    data = side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return None
    numbers = struct.unpack("=9i", bytes(data)[:36])
    parts = (numbers[0], numbers[1], numbers[3], numbers[4])
    largest = max(abs(part) for part in parts)
    signs = tuple((abs(part) * 2 > largest) * (1 if part > 0 else -1) for part in parts)
    a, b, c, d = signs
    if largest == 0 or not ((a and d and not b and not c) or (b and c and not a and not d)):
        return None
    return a, b, c, d


def _turn(image: NDArray[np.uint8], matrix: tuple[int, int, int, int] | None) -> NDArray[np.uint8]:
    if matrix is None:
        return image
    a, b, c, d = matrix
    if b and c:
        image = image.swapaxes(0, 1)
        a, d = c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return image
