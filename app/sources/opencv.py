"""Imports OpenCV for all sources, and corrects its side effects.

Import it from here: ``from app.sources.opencv import cv2``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Read once, when OpenCV's Media Foundation backend loads; with it on, a Windows webcam takes up to a minute to open.
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")

import cv2

QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def forget_qt_plugins() -> None:
    """Remove the variables with which OpenCV's wheel points Qt at its own plugins; PySide6 cannot load those.

    Call it again before the QApplication is made: cv2 may have been imported elsewhere meanwhile.
    """
    for name in QT_VARIABLES:
        if "cv2" in os.environ.get(name, ""):
            del os.environ[name]


forget_qt_plugins()

_SILENT = 0


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from writing to stderr about missing devices, which the caller reports."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


__all__ = ["cv2", "forget_qt_plugins", "quiet_opencv"]
