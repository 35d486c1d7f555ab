"""The two published LDEQ checkpoints: how each is solved, and how to tell one from the other."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from model.config import SolverName
from model.errors import ModelError

Setting = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Variant:
    """What a published checkpoint needs besides its weights.

    Attributes:
        name: "wflw" or "wflw-v".
        beta: inverse temperature of its heatmaps.
        solver: its cold solver.
        max_steps: most steps of that solver.
        tolerance: relative residual at which it stops.
    """

    name: str
    beta: float
    solver: SolverName
    max_steps: int
    tolerance: float


WFLW = Variant("wflw", beta=0.3, solver=SolverName.ANDERSON, max_steps=5, tolerance=1e-4)
WFLW_V = Variant("wflw-v", beta=0.4, solver=SolverName.FPI, max_steps=5, tolerance=5e-4)
VARIANTS = {variant.name: variant for variant in (WFLW, WFLW_V)}

SOLVER_WORDS = {
    "anderson": SolverName.ANDERSON,
    "andersonacceleration": SolverName.ANDERSON,
    "broyden": SolverName.BROYDEN,
    "fpi": SolverName.FPI,
    "fixedpoint": SolverName.FPI,
    "fixedpointiter": SolverName.FPI,
    "fixedpointiteration": SolverName.FPI,
}
BACKWARD_WORDS = {"b", "bwd", "backward", "adjoint"}
"""Words in the name of a setting that concerns the gradient and not the solve."""


def choose_variant(settings: Mapping[str, Setting], wanted: str | None = None) -> tuple[Variant, str]:
    """Decide which published checkpoint this is.

    Nobody documented what the authors' training settings are called, so a solver's name under any name, and
    a number under a name with the word "beta", are taken as hints; all must fit one variant.

    Args:
        settings: what the checkpoint holds besides weights, see :class:`model.official.checkpoint.Checkpoint`.
        wanted: the user's choice, a key of :data:`VARIANTS`; it counts more than the hints.

    Returns:
        The variant, and in words how it was found.

    Raises:
        ModelError: for an unknown choice, or without one where the hints are missing or contradict each other.
    """
    hints, fitting = _hints(settings)
    said = ", ".join(hints)
    if wanted is not None:
        if wanted not in VARIANTS:
            raise ModelError(f"no variant {wanted!r}; choose one of {', '.join(VARIANTS)}")
        variant = VARIANTS[wanted]
        if not hints:
            return variant, "as you chose; the checkpoint itself does not say"
        if fitting == [variant]:
            return variant, f"as you chose, and the checkpoint agrees: {said}"
        return variant, f"as you chose, although the checkpoint says otherwise: {said}"
    if not hints:
        raise ModelError("the checkpoint does not say which variant it is; add --variant wflw or --variant wflw-v")
    if len(fitting) != 1:
        raise ModelError(
            f"the checkpoint says {said}, which is neither published variant; add --variant wflw or --variant wflw-v"
        )
    return fitting[0], f"the checkpoint says {said}"


def _hints(settings: Mapping[str, Setting]) -> tuple[list[str], list[Variant]]:
    """Return the settings that tell variants apart, as "name=value", and the variants that all of them fit."""
    hints, fitting = [], list(VARIANTS.values())
    for name, value in settings.items():
        words = set(re.split(r"[^a-z0-9]+", name.lower()))
        solver = SOLVER_WORDS.get(re.sub(r"[^a-z]", "", value.lower())) if isinstance(value, str) else None
        if solver is not None and not words & BACKWARD_WORDS:
            fitting = [variant for variant in fitting if variant.solver == solver]
        elif "beta" in words and isinstance(value, int | float) and not isinstance(value, bool):
            fitting = [variant for variant in fitting if math.isclose(variant.beta, value, rel_tol=1e-6)]
        else:
            continue
        hints.append(f"{name}={value}")
    return hints, fitting
