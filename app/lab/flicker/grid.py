"""What the laboratory tries: every family of methods with a grid of its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from app.core.errors import UserError
from app.lab.flicker.methods import Method, cold, filtered, held_back, rwr
from model.engine.base import Engine
from model.filters import ConstantVelocity, Ema, OneEuro, SavitzkyGolay
from model.rwr.settings import RELEASED, RwrSettings

RWR_NAME = "RwR"
"""Name of RwR as the application runs it."""
RELEASED_NAME = "RwR as released"

ALPHAS = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3)
MIN_CUTOFFS = (1.0, 2.0, 4.0, 8.0, 16.0)
BETAS = (0.0, 5.0, 10.0, 20.0)
END_POINTS = {1: (3, 5, 7), 2: (5, 7, 9, 11), 3: (7, 9, 11, 15)}
"""Windows by degree; read at the end of the fit."""
END_POINT_FITS = tuple((window, degree, 0) for degree, windows in END_POINTS.items() for window in windows)
LATE_FITS = (
    (3, 1, 1),
    (5, 1, 1),
    (5, 2, 1),
    (5, 1, 2),
    (7, 2, 2),
    (9, 2, 2),
    (7, 1, 3),
    (9, 2, 3),
    (9, 2, 4),
    (13, 2, 6),
)
"""Window, degree and latency."""
JITTER = 0.005
"""Of a landmark measured cold, in inter-ocular distances; only its ratio to the acceleration matters once settled."""
ACCELERATIONS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 40.0)
WEIGHT_FACTORS = (0.0, 0.25, 0.5, 2.0, 4.0)
"""Of the default's base weight; adaptive."""
CONSTANT_FACTORS = (0.25, 0.5, 1.0, 2.0)
"""Likewise, the same for every landmark and frame."""
RAW_EVALUATIONS = (1, 3)
"""Evaluations from the raw state, besides the two of the release."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of methods.

    Attributes:
        key: its word on the command line.
        title: what tables and plots call it.
        baseline: a filter that RwR has to beat.
        methods: makes its methods.
    """

    key: str
    title: str
    baseline: bool
    methods: Callable[[Engine, str], Iterable[Method]]


def _rwr(engine: Engine, title: str) -> Iterable[Method]:
    default = RwrSettings()
    yield rwr(engine, default, RWR_NAME, title)
    for factor in WEIGHT_FACTORS:
        weight = default.recurrence_weight * factor
        yield rwr(engine, replace(default, recurrence_weight=weight), f"RwR, weight {weight:g}", title)
    for count in (1, 2):
        always = replace(default, evaluations=count, settled=0.0)
        yield rwr(engine, always, f"RwR, always {count} evaluation{'s' * (count > 1)}", title)
    yield rwr(engine, replace(default, follow_picture=False), "RwR, head motion from landmarks", title)


def _constant(engine: Engine, title: str) -> Iterable[Method]:
    default = RwrSettings(adaptation=None)
    for factor in CONSTANT_FACTORS:
        weight = default.recurrence_weight * factor
        yield rwr(engine, replace(default, recurrence_weight=weight), f"{title} {weight:g}", title)


def _released(engine: Engine, title: str) -> Iterable[Method]:
    yield rwr(engine, RELEASED, title, title)
    for count in RAW_EVALUATIONS:
        name = f"raw state, {count} evaluation{'s' * (count > 1)}"
        yield rwr(engine, replace(RELEASED, evaluations=count), name, title)


def _ema(engine: Engine, title: str) -> Iterable[Method]:
    for alpha in ALPHAS:
        yield filtered(title, f"EMA {alpha:g}", partial(Ema, alpha), {"alpha": alpha})


def _one_euro(engine: Engine, title: str) -> Iterable[Method]:
    for cutoff in MIN_CUTOFFS:
        for beta in BETAS:
            yield filtered(
                title,
                f"1 euro {cutoff:g} Hz, beta {beta:g}",
                partial(OneEuro, cutoff, beta),
                {"min_cutoff": cutoff, "beta": beta, "d_cutoff": 1.0},
            )


def _savitzky_golay(fits: Sequence[tuple[int, int, int]], engine: Engine, title: str) -> Iterable[Method]:
    for window, degree, latency in fits:
        yield filtered(
            title,
            f"Savitzky-Golay {window}, degree {degree}, {f'{latency} late' if latency else 'end'}",
            partial(SavitzkyGolay, window, degree, latency),
            {"window": window, "degree": degree, "latency": latency},
        )


def _held_back(engine: Engine, title: str) -> Iterable[Method]:
    for window, degree, latency in LATE_FITS:
        yield held_back(
            title, f"Savitzky-Golay {window}, degree {degree}, picture {latency} late", window, degree, latency
        )


def _kalman(engine: Engine, title: str) -> Iterable[Method]:
    for acceleration in ACCELERATIONS:
        yield filtered(
            title,
            f"Kalman {acceleration:g}/s²",
            partial(ConstantVelocity, JITTER, acceleration),
            {"jitter": JITTER, "acceleration": acceleration},
        )


FAMILIES: tuple[Family, ...] = (
    Family("rwr", "RwR", False, _rwr),
    Family("rwr-constant", "RwR, constant weight", False, _constant),
    Family("rwr-released", RELEASED_NAME, False, _released),
    Family("ema", "EMA", True, _ema),
    Family("one-euro", "1 euro", True, _one_euro),
    Family("savitzky-golay", "Savitzky-Golay, end point", True, partial(_savitzky_golay, END_POINT_FITS)),
    Family("savitzky-golay-late", "Savitzky-Golay, late", True, partial(_savitzky_golay, LATE_FITS)),
    Family("savitzky-golay-held-back", "Savitzky-Golay, picture held back", True, _held_back),
    Family("kalman", "Kalman, constant velocity", True, _kalman),
)
KEYS = tuple(family.key for family in FAMILIES)


def families_of(keys: Sequence[str]) -> list[Family]:
    """Return the families of these keys, in the order of the plots' legends.

    Raises:
        UserError: for a key that is none.
    """
    unknown = [key for key in keys if key not in KEYS]
    if unknown:
        raise UserError(f"There is no method {unknown[0]!r}; choose from {', '.join(KEYS)}.")
    return [family for family in FAMILIES if family.key in keys]


def methods_of(engine: Engine, families: Sequence[Family] = FAMILIES) -> list[Method]:
    """Return the cold solve and every method of the families."""
    return [cold(), *(method for family in families for method in family.methods(engine, family.title))]


def is_baseline(title: str) -> bool:
    """Whether the family of this title is a filter that RwR has to beat."""
    return any(family.title == title and family.baseline for family in FAMILIES)
