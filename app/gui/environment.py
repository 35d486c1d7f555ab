"""Make the process ready for Qt: OpenCV and Qt must not fight over plugins."""

from __future__ import annotations

import os

CV2_LEAVES_BEHIND = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def forget_opencv_plugins() -> None:
    """Remove the variables that ``import cv2`` points at its own Qt plugins; PySide6 cannot load those.

    Call it after every import of cv2 has happened and before the QApplication is made.
    """
    import cv2  # noqa: F401  (imported now, so that it cannot set the variables later)

    for name in CV2_LEAVES_BEHIND:
        if "cv2" in os.environ.get(name, ""):
            del os.environ[name]
