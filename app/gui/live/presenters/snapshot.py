"""Saves the frame in view as two pictures, with landmarks and without.

Give it the result of the picture in view: in privacy mode that one holds nothing but a blurred frame.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.errors import RecordingError, UserError
from app.core.files import failure, unique_path
from app.core.frame import FrameResult
from app.gui.presenters.background import in_background
from app.media.overlay import draw_overlay


def save_snapshot(result: FrameResult, folder: Path) -> tuple[Path, Path]:
    """Write the frame as two PNG files into ``folder``, which is created if missing.

    Returns:
        The annotated picture and the clean one.

    Raises:
        RecordingError: where they cannot be written.
    """
    annotated = unique_path(folder, "snapshot", ".png")
    clean = annotated.with_name(f"{annotated.stem}-clean.png")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(annotated, draw_overlay(result, text=False))
        _write(clean, result.frame.image)
    except OSError as error:
        raise failure(annotated, error) from error
    return annotated, clean


def save_in_background(result: FrameResult, folder: Path, done: Callable[[Path | None, str], None]) -> None:
    """Save without making the caller wait.

    Args:
        result: what to save.
        folder: where to.
        done: called on the saving thread with the annotated picture and "", or None and what went wrong.
    """

    def run() -> None:
        try:
            path, _ = save_snapshot(result, folder)
        except UserError as error:
            done(None, str(error))
        else:
            done(path, "")

    in_background(run)


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    # imencode and write: cv2.imwrite reports no reason and fails on some Windows paths.
    good, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not good:
        raise RecordingError(f"Cannot write {path}: the picture could not be encoded.")
    path.write_bytes(data.tobytes())
