"""MediaPipe without the metrics about its use that it sends to Google."""

from __future__ import annotations

import os
from typing import Any


def turn_usage_metrics_off() -> None:
    """Keep MediaPipe from sending metrics; call it before MediaPipe is imported.

    Wheels newer than 0.10.21 send them to play.googleapis.com while a task is used, and have no setting against it.
    They use curl, which refuses a proxy of an unknown kind before it opens a socket. Nothing else in this process looks
    at the variable: FFmpeg's streams have ``http_proxy``.
    """
    os.environ["https_proxy"] = "none://none"


def without_certificates(base_options: type[Any]) -> type[Any]:
    """Return MediaPipe's ``BaseOptions`` with a list of certificates that is empty.

    Where the user's ``no_proxy`` lets a connection through, it then ends before anything is sent over it.
    """

    class Uncertified(base_options):  # type: ignore[misc]
        def to_ctypes(self) -> Any:
            options = super().to_ctypes()
            options.ca_bundle_path = os.devnull.encode()
            return options

    return Uncertified
