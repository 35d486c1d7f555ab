"""Video encodings: small files that play everywhere, or lossless ones.

Measured on 1280x720 pictures with a camera's noise (the demo clip), one thread of a 2-core machine: :data:`LIVE` and
:data:`SCRUB` (x264 ultrafast) take 6.5 ms a picture and 2 MB/s, :data:`EXACT` (HuffYUV, RGB) 6 ms and 43 MB/s. Lossless
x264 would take 19 ms and 51 MB/s, FFV1 47 ms and 33 MB/s: noise does not compress.

:data:`FILE` is not one of x264's presets: ultrafast with a motion search to fractions of a pixel and deblocking gives
the size and the error of "veryfast" for 40 % of the work. What it loses is some grain of noise in even parts (its bits
are not moved there). 60 annotated pictures, one thread, Y against what was encoded ("veryfast" at crf 20 | FILE):

    demo with noise   18.4 ms, 1.18 MB/s, 40.2 dB, SSIM 0.960 | 6.9 ms, 1.13 MB/s, 40.3 dB, SSIM 0.952
    demo without      11.6 ms, 0.39 MB/s, 44.6 dB, SSIM 0.987 | 4.9 ms, 0.41 MB/s, 44.7 dB, SSIM 0.984
    webcam, 640x480    3.9 ms, 0.15 MB/s, 46.1 dB, SSIM 0.993 | 1.6 ms, 0.14 MB/s, 46.6 dB, SSIM 0.992

Arithmetic coding ("cabac=1") would make them 12 % smaller for up to 2 ms more; "superfast" takes 11 ms with noise.
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
    """A video encoding.

    Attributes:
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the encoder's pixel format.
        options: of the encoder.
        keyframe_seconds: longest time between key frames.
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


def _x264(keyframe_seconds: float, quality: int, *more: str) -> Encoding:
    parameters = ":".join((_NO_DELAY, *more))
    options = (("preset", "ultrafast"), ("crf", str(quality)), ("x264-params", parameters))
    return Encoding("libx264", "yuv420p", options, keyframe_seconds, False, (".mp4", ".m4v", ".mov", ".mkv"))


FILE = _x264(2, 22, "subme=1", "no-deblock=0")
"""Small for its work, for what is not written beside a live tracker."""
LIVE = _x264(2, 20)
"""Least work per frame, for recording beside a live tracker."""
SCRUB = _x264(0.5, 20)
"""The same with more key frames, so that any picture is found quickly."""
EXACT = Encoding("huffyuv", "rgb24", (), 0, True, (".nut",))
"""Every RGB value is kept, every picture stands alone."""


def _padded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column where a side is odd."""
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
