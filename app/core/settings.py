"""Settings shared by the command line, the window and saved choices; they validate themselves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import UserError
from app.core.modes import Baseline, Mode
from app.core.places import DEFAULT_WEIGHTS, SMALL_WEIGHTS
from model.engine.names import Device, EngineName

if TYPE_CHECKING:
    from model.rwr.settings import RwrSettings

ENGINES = tuple(name.value for name in EngineName)
DEVICES = tuple(device.value for device in Device)


class ModelChoice(StrEnum):
    """The shipped models. AUTO is LDEQ_S, or LDEQ_XS on computers on which that cannot keep up with a camera."""

    AUTO = "auto"
    LDEQ_S = "ldeq-s"
    LDEQ_XS = "ldeq-xs"


SHIPPED = {ModelChoice.LDEQ_S: DEFAULT_WEIGHTS, ModelChoice.LDEQ_XS: SMALL_WEIGHTS}
"""The weights of each model."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which model runs, and on what.

    Attributes:
        weights: a .safetensors file with its .json.
        engine: see :func:`model.engine.open.open_engine`; AUTO is the fastest exact one.
        device: AUTO is CUDA if it works, otherwise the CPU.
        threads: CPU threads of the engine; None for half of the processors, 2 to 4.
        symmetric: every crop is seen as it is and mirrored, see :mod:`model.engine.symmetric`.
    """

    weights: Path = DEFAULT_WEIGHTS
    engine: EngineName = EngineName.AUTO
    device: Device = Device.AUTO
    threads: int | None = None
    symmetric: bool = False

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UserError(f"The engine must be one of {', '.join(ENGINES)}, not {self.engine!r}.")
        if self.device not in DEVICES:
            raise UserError(f"The device must be one of {', '.join(DEVICES)}, not {self.device!r}.")
        if self.threads is not None and self.threads < 1:
            raise UserError(f"The number of threads must be at least 1, not {self.threads}.")

    @property
    def title(self) -> str:
        """The model's name, and whether it runs with 8 bits or symmetrically."""
        bits = " with 8 bits" if self.engine == EngineName.ONNX_INT8 else ""
        return self.weights.stem + bits + (", symmetric" if self.symmetric else "")


class FollowChoice(StrEnum):
    """Which face comes first: it is followed where there is room for one only, and shown and shared before others."""

    LARGEST = "largest"
    CENTRE = "centre"
    FIRST = "first"


def parse_follow(text: str) -> str:
    """Return a choice of the face as a person typed it: a :class:`FollowChoice`, or the number of a face.

    Raises:
        UserError: it is neither.
    """
    word = text.strip().lower()
    if word in tuple(FollowChoice):
        return FollowChoice(word)
    if word.isascii() and word.isdigit() and len(word) <= 9:
        return str(int(word))
    raise UserError(f"The face to follow must be {', '.join(FollowChoice)} or a face's number, not {text!r}.")


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """How faces are followed; may change from frame to frame.

    Attributes:
        rwr: start each solve at the last frame's fixed point, and stop early.
        compare: also answer in the baseline's mode on every frame, with a state of its own.
        baseline: what to compare with; its name in files and on the command line is "rival".
        max_faces: maximum number of faces followed at once.
        follow: which face comes first, a :class:`FollowChoice` or the number of a face in digits.
        measure_flicker: run the live flicker meter.
        detect_every: frames between two runs of the detector, which finds new faces and misses those that left.
        search_at_once: with several faces wanted, search the whole first frame for small faces instead of one part a
            frame; for inputs that are not tracked live.
        recurrence: settings of RwR; None for the defaults.
        ghcu: let the GHCU beside the weights repair landmarks whose heatmaps show that they are covered.
    """

    rwr: bool = True
    compare: bool = False
    baseline: Baseline = Baseline.OPPOSITE
    max_faces: int = 1
    follow: str = FollowChoice.LARGEST
    measure_flicker: bool = True
    detect_every: int = 15
    search_at_once: bool = False
    recurrence: RwrSettings | None = None
    ghcu: bool = False

    def __post_init__(self) -> None:
        if self.max_faces < 1:
            raise UserError(f"At least 1 face must be followed, not {self.max_faces}.")
        if self.baseline not in tuple(Baseline):
            raise UserError(f"The baseline must be one of {', '.join(Baseline)}, not {self.baseline!r}.")
        if parse_follow(self.follow) != self.follow:
            raise UserError(f"The face to follow must be a plain word or number, not {self.follow!r}.")
        if self.detect_every < 1:
            raise UserError(f"detect_every must be at least 1 frame, not {self.detect_every}.")

    @property
    def mode(self) -> Mode:
        """The chosen mode: RwR or cold."""
        return Mode.RWR if self.rwr else Mode.COLD

    @property
    def baseline_mode(self) -> Mode | None:
        """The mode to compare with; None if nothing is compared."""
        if not self.compare:
            return None
        if self.baseline == Baseline.OPPOSITE:
            return Mode.COLD if self.rwr else Mode.RWR
        return Mode(self.baseline)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes to answer with, the chosen one first."""
        return (self.mode,) if self.baseline_mode is None else (self.mode, self.baseline_mode)
