"""What filters can do at best: tuned settings of each family, and the filters nearest to RwR."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.grid import RWR_NAME, is_baseline

ACCURATE_NME = 1.01
"""A filter is tuned for least flicker among settings with at most this NME, against the cold solve's."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """Filters with no more NMF than RwR (as the application runs it) and no more NME, on one group of clips.

    Attributes:
        group: the group.
        tried: how many filter settings were tried, without those that hold the picture back.
        live: those of them that reach RwR.
        late: those that reach it by holding the picture back, which is not live.
        nearest: the live filter of least NME among those with no more NMF than RwR; None if there is none.
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
        """The filters that hold the picture back, in words; "" if none reaches RwR."""
        if not self.late:
            return ""
        first = min(self.late, key=lambda result: result.picture_late)
        frames = f"{first.picture_late} frame{'s' * (first.picture_late > 1)}"
        return f"of those that hold the picture back, {len(self.late)} do, at least {frames} late"

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.live:
            names = "; ".join(result.name for result in self.live)
            finding = f"{len(self.live)} of {self.tried} live filters reach RwR's NMF at no larger NME: {names}"
        else:
            finding = f"none of {self.tried} live filters reaches RwR's NMF at no larger NME"
            if self.nearest is None:
                finding += ", nor that NMF at any NME"
            else:
                finding += f"; the nearest, {self.nearest.name}, has {self.nme:.3f} x its NME"
        late = f"; {self.late_note}" if self.late else ""
        return f"{self.group}: {finding}{late}."


def nearest_filters(experiment: Experiment, group: str) -> Nearest | None:
    """Return the filters that do no worse than RwR; None if RwR or the filters were not run."""
    reference = experiment.named(RWR_NAME)
    filters = [result for result in experiment.results if is_baseline(result.family)]
    if reference is None or not filters:
        return None
    own = reference.groups[group]
    as_steady = [result for result in filters if result.groups[group].nmf <= own.nmf]
    better = [result for result in as_steady if result.groups[group].nme <= own.nme]
    live = [result for result in as_steady if not result.picture_late]
    nearest = min(live, key=lambda result: result.groups[group].nme, default=None)
    return Nearest(
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
        steadiest: the setting of lowest NMF among those with at most :data:`ACCURATE_NME` x the cold solve's NME.
        most_accurate: the setting of lowest NME among those with at most RwR's NMF.
        Each is None if no setting qualifies.
    """

    family: str
    steadiest: MethodResult | None
    most_accurate: MethodResult | None


def tune(experiment: Experiment, group: str) -> list[Tuned]:
    """Return the best of each family of filters for a group."""
    own = experiment.named(RWR_NAME)
    families = dict.fromkeys(result.family for result in experiment.results if is_baseline(result.family))
    tuned = []
    for family in families:
        members = [result for result in experiment.results if result.family == family]
        accurate = [result for result in members if result.groups[group].nme_ratio <= ACCURATE_NME]
        as_steady = [] if own is None else [each for each in members if each.groups[group].nmf <= own.groups[group].nmf]
        tuned.append(
            Tuned(
                family=family,
                steadiest=min(accurate, key=lambda each: each.groups[group].nmf, default=None),
                most_accurate=min(as_steady, key=lambda each: each.groups[group].nme, default=None),
            )
        )
    return tuned
