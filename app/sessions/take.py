"""A take: the results of one run of the tracker over a session's pictures, live or in a replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.settings import TrackingSettings
from app.sessions.estimates import Estimates
from app.sessions.events import Event, EventKind, tracking_event
from app.sessions.frames import FrameTable
from app.sessions.metadata import EngineFacts
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerReading
from model.signals.track import signals_from
from model.solvers import SolveReport

SettingsAt = Callable[[int], TrackingSettings]

CROP_SCALE = 1.25
"""Side of a rebuilt crop over the larger side of its landmarks; crops are not recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One run over the n frames of a session.

    Attributes:
        session: id of the session.
        name: "recorded", or a replay's name.
        tracking: the settings in the first frame.
        frames: the session's frames, with the times that this take spent on each.
        estimates: everything that was found.
        events: what happened in it, in order.
        engine: what computed it.
        versions: of everything that affects what is computed.
        settings_at: returns the settings of a row.
        as_recorded: the recorded changes of settings were applied; True for the recording itself.
    """

    session: str
    name: str
    tracking: TrackingSettings
    frames: FrameTable
    estimates: Estimates
    events: tuple[Event, ...]
    engine: EngineFacts
    versions: dict[str, str]
    settings_at: SettingsAt
    as_recorded: bool = True

    @property
    def faces(self) -> tuple[int, ...]:
        """Identities, in order of appearance."""
        return tuple(dict.fromkeys(self.estimates.face.tolist()))

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes with an answer, the one chosen first at the front."""
        return tuple(dict.fromkeys(self.estimates.mode.tolist()))

    @property
    def main_face(self) -> int | None:
        """The face that is in most frames; None if there is none."""
        chosen = self.estimates.face[self.estimates.chosen]
        if not len(chosen):
            return None
        faces, counts = np.unique(chosen, return_counts=True)
        return int(faces[counts.argmax()])

    @property
    def resets(self) -> tuple[Event, ...]:
        """Cold starts of RwR, with their reasons."""
        return tuple(event for event in self.events if event.kind == EventKind.RESET)

    @property
    def fps(self) -> float:
        """Frames a second at the median frame's tracking time; NaN if that is unknown."""
        seconds = self.frames.seconds[np.isfinite(self.frames.seconds)]
        return float(1 / np.median(seconds)) if len(seconds) and np.median(seconds) > 0 else float("nan")

    def landmarks(self, face: int, mode: str | None = None) -> NDArray[np.float32]:
        """Return (n, 98, 2) float32 frame pixels of one face, NaN where it is absent; ``mode`` None: the chosen one."""
        found = self.estimates.of(face, mode)
        return np.asarray(found.spread(found.landmarks, len(self.frames)), np.float32)

    def flicker(self, face: int, mode: str | None = None) -> NDArray[np.float64]:
        """Return (n,) percent of the inter-ocular distance, NaN where it was not measured."""
        found = self.estimates.of(face, mode)
        return np.asarray(found.spread(found.flicker, len(self.frames)), np.float64)

    def regions(self, face: int, mode: str | None = None) -> NDArray[np.float64]:
        """Return (n, 6), the same by region in the order of ``model.topology.REGIONS``."""
        found = self.estimates.of(face, mode)
        return np.asarray(found.spread(found.regions, len(self.frames)), np.float64)

    def result(self, row: int, image: NDArray[np.uint8]) -> FrameResult:
        """Rebuild the pipeline's result for a row, to be drawn or exported like a live result.

        Crops are rebuilt from the landmarks, only the last residual is known, and the time of capture is the playing
        time.

        Args:
            row: of the frame table.
            image: the frame's picture, (h, w, 3) uint8 RGB.
        """
        found = self.estimates.at(row)
        settings = self.settings_at(row)
        faces: list[FaceResult] = []
        for place in range(len(found)):
            face, estimate = int(found.face[place]), _estimate(found, place)
            if not np.isfinite(estimate.landmarks).all():
                continue
            if faces and faces[-1].face == face:
                faces[-1] = replace(faces[-1], other=estimate)
            else:
                faces.append(FaceResult(face, Crop.around_points(estimate.landmarks, CROP_SCALE), estimate))
        table = self.frames
        frame = Frame(int(table.index[row]), float(table.timestamp[row]), image, float(table.time[row]))
        spent = float(table.seconds[row])
        seconds = {"total": spent} if np.isfinite(spent) else {}
        events = tuple(reported for event in self.events_at(row) if (reported := tracking_event(event)) is not None)
        return FrameResult(frame, tuple(faces), seconds, events, settings)

    def events_at(self, row: int) -> tuple[Event, ...]:
        """Return what happened in one frame."""
        return tuple(event for event in self.events if event.row == row)


def _estimate(found: Estimates, place: int) -> Estimate:
    residual = float(found.residual[place])
    report = SolveReport(
        evaluations=int(found.evaluations[place]),
        residuals=(residual,) if np.isfinite(residual) else (),
        best_step=0,
        stopped=None,
        warm=bool(found.warm[place]),
        reason=str(found.reason[place]),
        age=int(found.age[place]),
    )
    flicker = float(found.flicker[place])
    reading = FlickerReading(flicker, tuple(found.regions[place].tolist())) if np.isfinite(flicker) else None
    signals = signals_from(found.signals[place].tolist())
    mode, landmarks, uncertainty = str(found.mode[place]), found.landmarks[place], found.uncertainty[place]
    radius80 = found.radius80[place] if np.isfinite(found.radius80[place]).all() else None
    return Estimate(mode, landmarks, uncertainty, report, reading, lambda: signals, radius80)
