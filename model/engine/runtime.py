"""onnxruntime without its telemetry."""

from __future__ import annotations

import os
from typing import Any


def import_onnxruntime() -> Any:
    """Import onnxruntime so that it reports nothing to its makers, and return the module.

    The official builds send events about the computer, the models and errors to Microsoft, and keep an identifier of
    the computer in the user's cache folder (since 1.29 on Linux and macOS, too). There the variable turns all of it off
    if it is set before the first import; on Windows the call turns off what follows the import.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime
