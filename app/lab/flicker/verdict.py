"""What the figures say: the bars RwR has to pass, and the best that each filter can do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.grid import RWR_NAME, is_baseline
from app.lab.flicker.methods import COLD
from model.metrics.confidence import Figure, ratio_figure

NME_LIMIT = 1.01
"""Most NME, against the cold solve's."""
EYES_MOUTH_LIMIT = 1.02
"""Most NME of eyes and mouth, likewise."""
LAG_LIMIT = 0.5
"""Most frames later than the cold solve."""
EVALUATIONS_LIMIT = 2.0
"""Most evaluations of the cell a frame."""
NMF_LIMITS = {"animated": 0.42, "real": 0.70}
"""Most NMF, against the cold solve's, for the groups that have such a bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar for one group.

    Attributes:
        group: the group of clips.
        what: what is measured.
        value: as measured, with its interval where there is one.
        limit: what it must not exceed.
        note: more to say, or "".
    """

    group: str
    what: str
    value: Figure
    limit: float
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the bar is passed; None where the value could not be measured."""
        return None if math.isnan(self.value.value) else self.value.value <= self.limit


def bars(experiment: Experiment) -> list[Bar]:
    """Return how RwR, as the application runs it, does against the bars; empty where it was not run.

    Intervals are bootstrapped over clips.
    """
    own, cold = experiment.named(RWR_NAME), experiment.named(COLD)
    if own is None or cold is None:
        return []
    found = []
    for group in experiment.groups:
        figures = own.groups[group]

        def ratio(name: str, group: str = group) -> Figure:
            values = [
                np.array([getattr(clip, name) for clip in result.clips if clip.group == group])
                for result in (own, cold)
            ]
            return ratio_figure(*values)

        if group in NMF_LIMITS:
            found.append(Bar(group, "NMF against cold", ratio("nmf"), NMF_LIMITS[group]))
        found += [
            Bar(group, "NME against cold", ratio("nme"), NME_LIMIT),
            Bar(group, "NME of eyes and mouth against cold", ratio("nme_eyes_mouth"), EYES_MOUTH_LIMIT),
            Bar(group, "frames later than cold, all landmarks", Figure(figures.lag_more), LAG_LIMIT),
            Bar(group, "frames later than cold, expressions", Figure(figures.lag_expressions_more), LAG_LIMIT),
            Bar(group, "evaluations a frame", Figure(figures.evaluations), EVALUATIONS_LIMIT),
        ]
        rivals = rivals_of(experiment, group)
        if rivals is not None:
            count = Figure(float(len(rivals.live)))
            found.append(Bar(group, "live filters with no more NMF and no more NME", count, 0.0, rivals.late_note))
    return found


@dataclass(frozen=True, slots=True)
class Rivals:
    """Filters that have no more NMF than RwR, as the application runs it, and no more NME, on one group.

    Attributes:
        group: the group.
        tried: how many settings of filters were tried, those that hold the picture back left out.
        live: those of them that do it.
        late: those that do it by holding the picture back; nobody would call them live.
        nearest: where none is live, the one of least NME among those as still as RwR; None where none is.
        nme: NME of ``nearest`` over RwR's.
    """

    group: str
    tried: int
    live: tuple[MethodResult, ...]
    late: tuple[MethodResult, ...]
    nearest: MethodResult | None
    nme: float

    @property
    def late_note(self) -> str:
        """What is to be said of those that hold the picture back, "" where there are none."""
        if not self.late:
            return ""
        first = min(self.late, key=lambda result: result.picture_late)
        frames = f"{first.picture_late} frame{'s' * (first.picture_late > 1)}"
        return f"of those that hold the picture back, {len(self.late)} do, at least {frames} late"

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.live:
            names = "; ".join(result.name for result in self.live)
            verdict = f"{len(self.live)} of {self.tried} live filters reach RwR's NMF at no larger NME: {names}"
        else:
            verdict = f"none of {self.tried} live filters reaches RwR's NMF at no larger NME"
            if self.nearest is None:
                verdict += ", nor that NMF at any NME"
            else:
                verdict += f"; the nearest, {self.nearest.name}, has {self.nme:.3f} x its NME"
        late = f"; {self.late_note}" if self.late else ""
        return f"{self.group}: {verdict}{late}."


def rivals_of(experiment: Experiment, group: str) -> Rivals | None:
    """Return the filters that do no worse than RwR; None where RwR or the filters were not run."""
    reference = experiment.named(RWR_NAME)
    filters = [result for result in experiment.results if is_baseline(result.family)]
    if reference is None or not filters:
        return None
    own = reference.groups[group]
    as_still = [result for result in filters if result.groups[group].nmf <= own.nmf]
    better = [result for result in as_still if result.groups[group].nme <= own.nme]
    live = [result for result in as_still if not result.picture_late]
    nearest = min(live, key=lambda result: result.groups[group].nme, default=None)
    return Rivals(
        group=group,
        tried=sum(not result.picture_late for result in filters),
        live=tuple(result for result in better if not result.picture_late),
        late=tuple(result for result in better if result.picture_late),
        nearest=nearest,
        nme=math.nan if nearest is None else nearest.groups[group].nme / own.nme,
    )


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best settings of one family for one group, chosen on this very group.

    Attributes:
        family: the family.
        group: the group.
        stillest: the setting of lowest NMF among those with at most :data:`NME_LIMIT` x the cold solve's NME.
        most_accurate: the setting of lowest NME among those with at most RwR's NMF.
        Each is None where no setting qualifies.
    """

    family: str
    group: str
    stillest: MethodResult | None
    most_accurate: MethodResult | None


def tune(experiment: Experiment) -> list[Tuned]:
    """Return the best of each family of filters, for each group."""
    own = experiment.named(RWR_NAME)
    families = dict.fromkeys(result.family for result in experiment.results if is_baseline(result.family))
    tuned = []
    for group in experiment.groups:
        for family in families:
            members = [result for result in experiment.results if result.family == family]
            accurate = [result for result in members if result.groups[group].nme_ratio <= NME_LIMIT]
            as_still = (
                [] if own is None else [each for each in members if each.groups[group].nmf <= own.groups[group].nmf]
            )
            tuned.append(
                Tuned(
                    family=family,
                    group=group,
                    stillest=min(accurate, key=lambda each: each.groups[group].nmf, default=None),
                    most_accurate=min(as_still, key=lambda each: each.groups[group].nme, default=None),
                )
            )
    return tuned
