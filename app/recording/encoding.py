"""How pictures are encoded: small files that play everywhere, or every value kept.

Measured on 1280x720 pictures with a camera's noise (the demo clip), one thread of a 2-core machine: :data:`LIVE` and
:data:`SCRUB` (x264 ultrafast) take 6.5 ms a picture and 2 MB/s, :data:`EXACT` (HuffYUV, RGB) 6 ms and 43 MB/s. Lossless
x264 would take 19 ms and 51 MB/s, FFV1 47 ms and 33 MB/s: noise does not compress.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

_BT709 = 1
_BT601 = 6
_LIMITED_RANGE = 1
# No B-frames and no look-ahead: the encoder holds no frames back.
_NO_DELAY = "bframes=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:sliced-threads=1"


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way to encode.

    Attributes:
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format it is given.
        options: of the encoder.
        keyframe_seconds: longest time between two pictures that can be sought.
        lossless: decoding gives back the same RGB values.
        suffixes: files that can hold it.
    """

    codec: str
    pixels: str
    options: tuple[tuple[str, str], ...]
    keyframe_seconds: float
    lossless: bool
    suffixes: tuple[str, ...]

    def configure(self, context: av.VideoCodecContext) -> None:
        """Set everything but size and clock."""
        context.pix_fmt = self.pixels
        context.options = dict(self.options)
        if not self.lossless:
            context.colorspace, context.color_range = _BT601, _LIMITED_RANGE
            context.color_primaries = context.color_trc = _BT709  # in practice those of sRGB

    def frame(self, image: NDArray[np.uint8]) -> av.VideoFrame:
        """Return an RGB picture (h, w, 3) in the encoder's pixel format."""
        if self.lossless:
            return av.VideoFrame.from_ndarray(image, format=self.pixels)
        # OpenCV's conversion takes a sixth of FFmpeg's time and is as accurate; it knows BT.601 only.
        planes = np.asarray(cv2.cvtColor(_padded(image), cv2.COLOR_RGB2YUV_I420), np.uint8)
        return av.VideoFrame.from_ndarray(planes, format=self.pixels)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the encoded size of pictures: yuv420p has only even ones."""
        return (width, height) if self.lossless else (width + width % 2, height + height % 2)


def _x264(preset: str, keyframe_seconds: float) -> Encoding:
    options = (("preset", preset), ("crf", "20"), ("x264-params", _NO_DELAY))
    return Encoding("libx264", "yuv420p", options, keyframe_seconds, False, (".mp4", ".m4v", ".mov", ".mkv"))


FILE = _x264("veryfast", 2)
"""Small, for what is not written beside a live tracker."""
LIVE = _x264("ultrafast", 2)
"""Least work per frame, for recording beside a live tracker."""
SCRUB = _x264("ultrafast", 0.5)
"""The same with more key frames, so that any picture is found quickly."""
EXACT = Encoding("huffyuv", "rgb24", (), 0, True, (".nut",))
"""Every RGB value is kept, every picture stands alone."""


def _padded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column where a side is odd."""
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
