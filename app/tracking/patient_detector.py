"""A detector that may fail for a moment: the faces that are followed are followed on meanwhile."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from app.core.errors import EXIT_FAILURE, UserError
from app.tracking.detector import Detection, Detector

log = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 15
"""Looks that may fail one after the other; without a face to follow that is half a second at 30 frames per second."""


class PatientDetector:
    """Looks for faces, and says where it could not.

    Args:
        detector: closed with this one.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._failures = 0

    def look(self, image: NDArray[np.uint8]) -> list[Detection] | None:
        """Return the faces in an RGB image (h, w, 3), largest first; None where the detector failed.

        Raises:
            UserError: it failed :data:`FAILURES_IN_A_ROW` times in a row.
        """
        try:
            found = self._detector.detect(image)
        except Exception as error:  # native code raises many types
            self._failures += 1
            if self._failures == 1:
                log.exception("the face detector failed")
            if self._failures >= FAILURES_IN_A_ROW:
                reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")
                raise UserError(
                    f"The face detector fails again and again ({reason}): start again; doctor shows what is wrong.",
                    EXIT_FAILURE,
                ) from error
            return None
        self._failures = 0
        return found

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()
