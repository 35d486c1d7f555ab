"""What an evaluation is asked to do, checked before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.errors import UserError
from app.core.modes import Mode
from app.core.settings import EngineSettings
from app.tracking.smoothing import SmoothingSettings
from model.config import LdeqConfig


class CropSource(StrEnum):
    """Where crops come from: the data set's boxes, or the live tracker."""

    RECT = "rect"
    TRACK = "track"


class EvaluationMode(StrEnum):
    """How frames are solved: cold, with RwR, with its released form, or cold below a filter."""

    OFF = "off"
    RWR = Mode.RWR
    RWR_RELEASED = "rwr-released"
    EMA = Mode.EMA
    ONE_EURO = Mode.ONE_EURO


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How an evaluation runs.

    Attributes:
        engine: which model runs, and on what.
        crop: "rect": square of ``scale`` x the larger side of the data set's box; "track": the live tracker's
            own crops.
        scale: see ``crop``; None takes the scale that the model was trained with.
        mode: "off" (every frame cold), "rwr", "rwr-released" (only the warm start, as in the authors' released
            code), or a filter over the cold landmarks: "ema", "one-euro".
        smoothing: of the two filters.
        limit: evaluate only so many faces or videos, from the start.
        ghcu: let the GHCU beside the weights repair covered landmarks.
    """

    engine: EngineSettings = field(default_factory=EngineSettings)
    crop: CropSource = CropSource.RECT
    scale: float | None = None
    mode: EvaluationMode = EvaluationMode.OFF
    smoothing: SmoothingSettings = field(default_factory=SmoothingSettings)
    limit: int | None = None
    ghcu: bool = False

    def __post_init__(self) -> None:
        if self.scale is not None and not 0.1 <= self.scale <= 10:
            raise UserError(f"The scale must be between 0.1 and 10, not {self.scale}.")
        if self.limit is not None and self.limit < 1:
            raise UserError(f"The limit must be at least 1, not {self.limit}.")

    def scale_of(self, config: LdeqConfig) -> float:
        """Return the crop's side over the larger side of a given box, for the model in use."""
        return config.crop_scale if self.scale is None else self.scale
