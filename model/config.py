"""Shape and solver settings of an LDEQ model, and the presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from model.errors import ModelError
from model.json_files import JsonError, from_plain_exactly

LANDMARKS = 98
"""The WFLW points, which the application follows."""
SCHEMES = (LANDMARKS, 68)
"""How many points a model may have: those of WFLW, or the 68 of 300W."""
HEATMAP_STRIDE = 4
DEPTH = 4
FACE_MESH_CHANNELS = (16, 32, 64, 128, 128)
"""Channels of the face-mesh encoder's features at strides 2, 4, 8, 16 and 32."""
LARGEST = 4096
"""Pixels, channels or steps beyond which a description is damaged rather than a model."""


class SolverName(StrEnum):
    """The fixed-point solvers; see :mod:`model.solvers`."""

    FPI = "fpi"
    ANDERSON = "anderson"
    BROYDEN = "broyden"


@dataclass(frozen=True, slots=True)
class LdeqConfig:
    """Everything needed to build an LDEQ and to solve it as it was trained.

    Attributes:
        name: preset or model name, for people.
        input_size: side of the square RGB crop in pixels, a multiple of 64.
        injection: channels C of the injection u.
        width: channels W of the hourglass at full heatmap resolution.
        increment: channels added at each of the four levels.
        kernel: kernel size of the residual convolution on the way up (3 or 5).
        groups: GroupNorm groups in the cell.
        beta: inverse temperature of the heatmap normalisation.
        half_pixel: decode with heatmap columns at (j + 0.5) / n; the released
            checkpoints use j / n.
        crop_scale: side of the crop over the larger side of the landmark box.
        solver: the cold solver.
        max_steps: most solver steps of a cold solve.
        tolerance: relative residual at which a cold solve stops.
        extra_step: apply the cell once more after the solver, as the release does.
        landmarks: how many points it finds, one of :data:`SCHEMES`.
        face_mesh: the stem has features of MediaPipe's face mesh, see :mod:`model.face_mesh`.
        light: the face-mesh encoder is the stem, instead of something beside it, and built for speed.
    """

    name: str = "ldeq-s"
    input_size: int = 192
    injection: int = 64
    width: int = 64
    increment: int = 32
    kernel: int = 3
    groups: int = 8
    beta: float = 0.4
    half_pixel: bool = True
    crop_scale: float = 1.25
    solver: SolverName = SolverName.FPI
    max_steps: int = 3
    tolerance: float = 5e-4
    extra_step: bool = False
    landmarks: int = LANDMARKS
    face_mesh: bool = False
    light: bool = False

    def __post_init__(self) -> None:
        if self.input_size < 64 or self.input_size % 64:
            raise ModelError(f"input_size must be a positive multiple of 64, not {self.input_size}")
        if max(self.input_size, self.injection, self.width, abs(self.increment), self.max_steps) > LARGEST:
            raise ModelError(f"input_size, channels and max_steps must be {LARGEST} at most")
        if not all(abs(value) <= LARGEST for value in (self.beta, self.crop_scale, self.tolerance)):
            raise ModelError(f"beta, crop_scale and tolerance must be numbers up to {LARGEST}")
        if self.groups < 1 or self.injection < 1:
            raise ModelError("groups and injection must be positive")
        if self.light and not self.face_mesh:
            raise ModelError("a light model has face_mesh, too: its stem is made of it")
        if self.kernel not in (3, 5):
            raise ModelError(f"kernel must be 3 or 5, not {self.kernel}")
        if self.injection % 4:
            raise ModelError(f"injection must be a multiple of 4, not {self.injection}")
        for width in self.widths:
            if width < 1 or width % self.groups:
                raise ModelError(f"hourglass width {width} is not a multiple of {self.groups} groups")
        if self.landmarks not in SCHEMES:
            raise ModelError(f"landmarks must be one of {', '.join(map(str, SCHEMES))}, not {self.landmarks}")
        if self.solver not in tuple(SolverName):
            raise ModelError(f"solver must be one of {', '.join(SolverName)}, not {self.solver!r}")
        if self.max_steps < 1 or self.tolerance < 0 or self.beta <= 0 or self.crop_scale <= 0:
            raise ModelError("max_steps, beta and crop_scale must be positive, tolerance not negative")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each hourglass level, finest first (five values)."""
        return tuple(self.width + level * self.increment for level in range(DEPTH + 1))

    @property
    def packed(self) -> tuple[int, ...]:
        """Channels that the face-mesh features of strides 8, 16 and 32 take in u, spread over its cells."""
        if not self.face_mesh:
            return ()
        return tuple(channels // 4 ** (level + 1) for level, channels in enumerate(FACE_MESH_CHANNELS[2:]))

    @property
    def encoding(self) -> int:
        """Channels of u: the injection, and what is packed behind it."""
        return self.injection + sum(self.packed)

    @property
    def heatmap_size(self) -> int:
        """Side of a heatmap in cells."""
        return self.input_size // HEATMAP_STRIDE

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LdeqConfig:
        """Build a config from JSON values.

        Raises:
            ModelError: for unknown names or values that make no model.
        """
        try:
            return from_plain_exactly(cls, values)
        except JsonError as error:
            raise ModelError(f"the model settings cannot be used: {error}") from error


PRESETS: dict[str, LdeqConfig] = {
    "ldeq-s": LdeqConfig(),
    "ldeq-s-mesh": LdeqConfig(name="ldeq-s-mesh", face_mesh=True),
    "ldeq-s-light": LdeqConfig(name="ldeq-s-light", face_mesh=True, light=True),
    "ldeq-xs": LdeqConfig(name="ldeq-xs", input_size=128, injection=48, width=56, increment=24),
    "ldeq-l": LdeqConfig(
        name="ldeq-l", input_size=256, injection=264, width=264, increment=24, kernel=5, beta=0.3, max_steps=5
    ),
}


def preset(name: str) -> LdeqConfig:
    """Return the preset called ``name`` or raise :class:`ModelError` naming the choices."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ModelError(f"no preset {name!r}; choose one of {', '.join(PRESETS)}") from None
