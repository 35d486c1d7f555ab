"""Frames and results, the input and output of the pipeline: frozen, so safe to share between threads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.core.events import TrackingEvent
from app.core.settings import TrackingSettings
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerReading
from model.signals.track import ReadSignals, Signals, no_signals
from model.solvers import SolveReport


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a source.

    Attributes:
        index: position in the source, from 0; a gap means that frames were skipped.
        timestamp: seconds on the source's own clock (presentation time for files).
        image: (h, w, 3) uint8 RGB; must not be modified.
        captured: ``time.perf_counter()`` when the frame left the source.
        continues: False for a picture that has nothing to do with the one before, such as a photo in a folder.
    """

    index: int
    timestamp: float
    image: NDArray[np.uint8]
    captured: float
    continues: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        height, width = self.image.shape[:2]
        return width, height


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """One mode's answer for one face.

    Attributes:
        mode: a :class:`app.core.modes.Mode`; a recording by another version may name others.
        landmarks: (98, 2) float32, frame pixels.
        uncertainty: (98,) float32, standard deviation of the heatmap in frame pixels.
        report: evaluations, residual per step, warm or cold and why.
        flicker: motion since the last frame that the image does not explain; None in a face's first
            frame and if the meter is off.
        read_signals: returns :attr:`signals`.
        radius80: (98,) float32, radius in frame pixels of the disc that holds the landmark with a probability of 80 %;
            None where the weights have no constants for it, and in recordings by versions without it.
    """

    mode: str
    landmarks: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    report: SolveReport
    flicker: FlickerReading | None = None
    read_signals: ReadSignals = no_signals
    radius80: NDArray[np.float32] | None = None

    @property
    def signals(self) -> Signals | None:
        """Head pose, eyes, mouth, brows and gaze, computed when first read.

        None if the landmarks have none, and in recordings by versions without them.
        """
        return self.read_signals()

    @property
    def drawn_radius(self) -> NDArray[np.float32]:
        """Radii (98,) of the discs drawn around the landmarks: ``radius80``, or the heatmaps' widths without it."""
        return self.uncertainty if self.radius80 is None else self.radius80


@dataclass(frozen=True, slots=True, eq=False)
class FaceResult:
    """One face in one frame.

    Attributes:
        face: identity, kept while the face is tracked, and if it soon returns to where it was lost.
        crop: the square that was solved.
        estimate: the answer of the chosen mode, RwR or cold, which is drawn and exported.
        other: the baseline's answer on the same frame, when comparing.
    """

    face: int
    crop: Crop
    estimate: Estimate
    other: Estimate | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """Everything the pipeline knows about one frame.

    Attributes:
        frame: the frame itself.
        faces: in the order that the settings ask for, the largest first by default; empty if none is in view.
        seconds: time spent by stage on the tracker's thread: detect, crop, encode, solve, flicker, signals, total.
        events: what happened while tracking this frame, in order.
        settings: those in force for this frame.
    """

    frame: Frame
    faces: tuple[FaceResult, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    events: tuple[TrackingEvent, ...] = ()
    settings: TrackingSettings = field(default_factory=TrackingSettings)
