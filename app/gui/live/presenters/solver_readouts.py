"""The solver panel's texts, its axis, and what its sliders mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.core.presets import preset_of
from app.core.text_table import counted
from app.gui.live.presenters.solver import WINDOW_SECONDS, Reset, Residuals, SolverView
from app.gui.presenters.faces import face_name
from app.gui.presenters.readouts import NOTHING, Row
from model.rwr.settings import RwrSettings

LARGEST_WEIGHT = 24.0
WEIGHT_STEPS = 80
"""Of the weight's slider: (1 + 24) ** (step / 80) - 1, so that the default of 4 is in the middle."""

BUDGETS = (1, 6)
"""Fewest and most evaluations of a warm frame that the slider offers."""

LOWEST_RESIDUAL = 1e-6
NARROWEST_AXIS = (1e-2, 1.0)

WEIGHT_HELP = (
    "How strongly each solve is pulled towards the last frame's landmarks. 0: only the start is shared. "
    "More: calmer, but fast movements are followed a little later. Default 4."
)
BUDGET_HELP = (
    "Most evaluations of the network for a frame with a warm start. It stops earlier when the residual is "
    "small. More costs time and follows changes more exactly. Default 2."
)


def weight_at(step: int) -> float:
    """Return the recurrence weight at a slider's step, 0 to 24."""
    share = min(max(step, 0), WEIGHT_STEPS) / WEIGHT_STEPS
    return round((1 + LARGEST_WEIGHT) ** share - 1, 2)


def step_of(weight: float) -> int:
    """Return the slider's step nearest to a recurrence weight."""
    share = math.log1p(max(0.0, weight)) / math.log1p(LARGEST_WEIGHT)
    return round(min(1.0, share) * WEIGHT_STEPS)


def preset_name(settings: RwrSettings) -> str:
    """Return the name of the preset that equals the settings, "" if none does."""
    preset = preset_of(settings)
    return preset.name if preset is not None else ""


def is_default(settings: RwrSettings) -> bool:
    """Whether there is nothing to reset."""
    return settings == RwrSettings()


def solver_rows(view: SolverView) -> tuple[Row, ...]:
    """Return the lines of figures, always the same ones in the same order."""
    report = view.newest
    return (
        Row("Evaluations", _evaluations(view), f"RwR's, for this frame and on average over {WINDOW_SECONDS:g} s"),
        Row(
            "Cold solve",
            NOTHING if view.cold_cost is None else f"{view.cold_cost:.2f} a frame",
            f"Evaluations that a frame takes without a warm start, {view.cold_source}",
        ),
        Row("Saved", _saved(view), _saved_help(view)),
        Row(
            "Warm for",
            NOTHING if report is None or view.warm_seconds is None else _age(report.age, view.warm_seconds),
            "How long every solve has begun at the frame before: since the last cold start",
        ),
        Row("Cold starts", _starts(view), _starts_help(view)),
    )


def reset_lines(resets: Sequence[Reset]) -> str:
    """Return the reset log as text, newest first; faces are named where there are several."""
    several = len({reset.face for reset in resets}) > 1
    return "\n".join(_reset_line(reset, several) for reset in resets)


def residual_axis(residuals: Sequence[Residuals]) -> tuple[float, float]:
    """Return the ends of the logarithmic axis: whole decades around everything shown."""
    low, high = NARROWEST_AXIS
    for own in residuals:
        for value in (*own.newest, *own.spread[:, 0].tolist(), *own.spread[:, -1].tolist()):
            if math.isfinite(value) and value > 0:
                low, high = min(low, value), max(high, value)
    low = max(low, LOWEST_RESIDUAL)
    return 10.0 ** math.floor(math.log10(low) + 1e-9), 10.0 ** math.ceil(math.log10(high) - 1e-9)


def power_of_ten(exponent: int) -> str:
    """Return 10 to the ``exponent`` in five letters at most, as the chart has room for."""
    return f"{10.0**exponent:.3g}" if exponent >= -3 else f"1e{exponent}"


def _evaluations(view: SolverView) -> str:
    if view.newest is None or view.per_frame is None:
        return NOTHING
    return f"{view.newest.evaluations} now, {view.per_frame:.2f} a frame"


def _saved(view: SolverView) -> str:
    if view.saved is None or not view.frames:
        return NOTHING
    whole = view.saved + view.spent
    return f"{view.saved / whole:.0%} of {whole}" if whole > 0 else NOTHING


def _saved_help(view: SolverView) -> str:
    if view.saved is None:
        return "What a cold solve costs is not known yet: turn on comparing, or wait for a cold start"
    return (
        f"{view.spent} evaluations were spent on {view.frames} frames; solving each of them cold takes "
        f"{view.spent + view.saved}, {view.cold_source}"
    )


def _age(frames: int, seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    time = f"{int(minutes)}:{int(rest):02d} min" if minutes else f"{rest:.1f} s"
    return f"{counted(frames, 'frame')}, {time}"


def _starts(view: SolverView) -> str:
    count = sum(number for _, number in view.reasons)
    if not count:
        return NOTHING
    return f"{count}, most: {view.reasons[0][0]}" if len(view.reasons) > 1 else f"{count}: {view.reasons[0][0]}"


def _starts_help(view: SolverView) -> str:
    head = "How often RwR had to start cold, and why"
    return "\n".join([head, *(f"{number} \u00d7 {reason}" for reason, number in view.reasons)])


def _reset_line(reset: Reset, several: bool) -> str:
    minutes, seconds = divmod(max(0.0, reset.seconds), 60)
    face = f"{face_name(reset.face)}  " if several else ""
    return f"{int(minutes)}:{seconds:04.1f}  {face}{reset.reason}"
