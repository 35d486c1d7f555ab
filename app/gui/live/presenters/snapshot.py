"""Saves the frame in view as two pictures, with landmarks and without.

Give it the result of the picture in view: in privacy mode that one holds nothing but a blurred frame.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.errors import RecordingError, UserError
from app.core.files import make_folder, take_name, unique_path, write_whole
from app.core.frame import FrameResult
from app.gui.presenters.background import Background, in_background
from app.media.overlay import draw_overlay

log = logging.getLogger(__name__)


def save_snapshot(result: FrameResult, folder: Path) -> tuple[Path, Path]:
    """Write the frame as two PNG files into ``folder``, which is created if missing.

    Returns:
        The annotated picture and the clean one.

    Raises:
        RecordingError: where they cannot be written.
    """
    drawn, plain = (_encoded(image, folder) for image in (draw_overlay(result, text=False), result.frame.image))
    make_folder(folder)
    annotated = take_name(lambda: unique_path(folder, "snapshot", ".png"))
    clean = annotated.with_name(f"{annotated.stem}-clean.png")
    try:
        write_whole(annotated, drawn)
        write_whole(clean, plain)
    except RecordingError:
        for path in (annotated, clean):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    return annotated, clean


def save_in_background(
    result: FrameResult, folder: Path, done: Callable[[Path | None, str], None], background: Background = in_background
) -> None:
    """Save without making the caller wait.

    Args:
        result: what to save.
        folder: where to.
        done: called on the saving thread with the annotated picture and "", or None and what went wrong.
        background: runs work in the background.
    """

    def run() -> None:
        try:
            path, _ = save_snapshot(result, folder)
        except UserError as error:
            done(None, str(error))
        except Exception:
            log.exception("a snapshot could not be saved")
            done(None, "The snapshot could not be saved; the log has the details.")
        else:
            done(path, "")

    background(run)


def _encoded(image: NDArray[np.uint8], folder: Path) -> bytes:
    # Not cv2.imwrite: it reports no reason and fails on some Windows paths.
    good, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not good:
        raise RecordingError(f"Cannot write to {folder}: the picture could not be encoded.")
    return data.tobytes()
