"""One run of the laboratory: every method on every clip, one encoded clip in memory at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from app.lab.flicker.attribution import ClipAttribution, attribute_clip
from app.lab.flicker.clips import ClipFiles, encode_clip
from app.lab.flicker.figures import ClipFigures, GroupFigures, measure_track, summarise
from app.lab.flicker.grid import RWR_NAME
from app.lab.flicker.methods import COLD, Method, Setting
from model.engine.base import Engine


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What was measured of one method.

    Attributes:
        family: see :class:`app.lab.flicker.methods.Method`, as for name, settings and picture_late.
        clips: its figures on each clip.
        groups: its figures by group.
    """

    family: str
    name: str
    settings: Mapping[str, Setting]
    picture_late: int
    clips: tuple[ClipFigures, ...]
    groups: Mapping[str, GroupFigures]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything that was measured.

    Attributes:
        results: by method, the cold solve first.
        attribution: by clip, source of crops and solver; empty if it was not asked for.
    """

    results: tuple[MethodResult, ...]
    attribution: tuple[ClipAttribution, ...]

    @property
    def groups(self) -> list[str]:
        """Names of the groups."""
        return list(self.results[0].groups)

    def named(self, name: str) -> MethodResult | None:
        """Return the method of this name, None if it was not run."""
        return next((result for result in self.results if result.name == name), None)


def run_experiment(
    engine: Engine,
    clips: Sequence[ClipFiles],
    methods: Sequence[Method],
    *,
    frames: int | None = None,
    scale: float | None = None,
    attribution: bool = True,
) -> Experiment:
    """Measure methods on clips, with a progress bar.

    Args:
        engine: the model.
        clips: what to measure on.
        methods: what to measure, the cold solve first.
        frames: only the first so many frames of each clip.
        scale: crop side over the larger side of the given box; None takes the model's own.
        attribution: also freeze crop and picture in turn, see :mod:`app.lab.flicker.attribution`.

    Raises:
        UserError: for clips that cannot be used.
    """
    assert methods[0].name == COLD, "every figure is set against the cold solve"
    figures: list[list[ClipFigures]] = [[] for _ in methods]
    attributed: list[ClipAttribution] = []
    with tqdm(total=len(clips) * (len(methods) + attribution), unit="step", disable=None) as progress:
        for files in clips:
            progress.set_description(files.files.name)
            clip = encode_clip(engine, files, frames, scale)
            rwr = None
            for method, own in zip(methods, figures, strict=True):
                track = method.track(clip)
                if method.name == RWR_NAME:
                    rwr = track.landmarks
                own.append(measure_track(track, clip))
                progress.update()
            if attribution:
                attributed += attribute_clip(engine, clip, scale, rwr)
                progress.update()
            del clip  # before the next one is encoded
    results = tuple(
        MethodResult(
            family=method.family,
            name=method.name,
            settings=method.settings,
            picture_late=method.picture_late,
            clips=tuple(own),
            groups=summarise(own, figures[0], method.picture_late),
        )
        for method, own in zip(methods, figures, strict=True)
    )
    return Experiment(results, tuple(attributed))
