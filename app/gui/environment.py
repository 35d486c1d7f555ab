"""Make the process ready for Qt: OpenCV and Qt must not fight over plugins."""

from __future__ import annotations


def forget_opencv_plugins() -> None:
    """Remove the variables that ``import cv2`` points at its own Qt plugins; PySide6 cannot load those.

    Call it after every import of cv2 has happened and before the QApplication is made.
    """
    # Importing cv2 now keeps it from setting the variables later; the call is for an import elsewhere before.
    from app.sources.opencv import forget_qt_plugins

    forget_qt_plugins()
