"""What a training run does: model, budget, stages, sampling, loss. Validates itself, saves as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from model.config import LdeqConfig, preset
from model.errors import ModelError
from model.training.augment import Augmentation
from model.training.gradient import Gradient
from model.training.objective import LossWeights, Moves


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the run.

    Attributes:
        share: part of the time budget; the shares of a recipe sum to 1.
        input_size: crop side in pixels.
        batch: faces a step.
        draw: relative chance of drawing a face by its source; others have 1.
        geometry: share of the augmentation's range that shifts, sizes and turns are drawn from.
        turned: how many times as often faces in profile are drawn as others of their source.
    """

    share: float
    input_size: int
    batch: int
    draw: dict[str, float]
    geometry: float = 1.0
    turned: float = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training run.

    Attributes:
        model: what is trained.
        minutes: time budget of training steps; the learning rate follows the share of it used.
        stages: resolution and sampling over time.
        learning_rate: peak, reached after ``warmup`` of the budget, then a cosine to 1 % of it.
        face_mesh_rate: times the learning rate for the face-mesh features, which may be new to the rest.
        warmup: share of the budget.
        weight_decay: of AdamW.
        clip_norm: gradient norm limit.
        ema_decay: of the averaged weights, the ones that are shipped.
        gradient: how the fixed point's is found.
        untracked: chance of 0, 1, 2, ... evaluations before the one that carries the gradient.
        pair_chance: chance that a batch is photographed twice, so that the tracked evaluation starts from the
            moved state of an earlier view, as in a video.
        warm_chance: chance that a face's state is moved in the other batches.
        moves: how far states are moved.
        loss: weights of the parts of the loss.
        augmentation: strengths.
        alignments: shares of the budget at which the labels are searched anew, see :mod:`model.training.semantic`.
        seed: of every random draw.
    """

    model: LdeqConfig
    minutes: float
    stages: tuple[Stage, ...]
    learning_rate: float = 1.5e-3
    face_mesh_rate: float = 1.0
    warmup: float = 0.02
    weight_decay: float = 1e-2
    clip_norm: float = 10.0
    ema_decay: float = 0.9995
    gradient: Gradient = Gradient.JFB
    untracked: tuple[float, ...] = (0.0, 0.4, 0.35, 0.25)
    pair_chance: float = 0.4
    warm_chance: float = 0.25
    moves: Moves = field(default_factory=Moves)
    loss: LossWeights = field(default_factory=LossWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)
    alignments: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.minutes <= 0 or not self.stages:
            raise ModelError("a recipe needs a positive number of minutes and at least one stage")
        if abs(sum(stage.share for stage in self.stages) - 1) > 1e-6:
            raise ModelError("the shares of a recipe's stages must sum to 1")
        if self.gradient not in tuple(Gradient):
            raise ModelError(f"the gradient must be one of {', '.join(Gradient)}, not {self.gradient!r}")
        if abs(sum(self.untracked) - 1) > 1e-6 or min(self.untracked) < 0:
            raise ModelError("the chances of untracked evaluations must sum to 1")
        if not all(0 < share < 1 for share in self.alignments) or list(self.alignments) != sorted(self.alignments):
            raise ModelError("labels are searched at rising shares of the budget, between 0 and 1")

    def stage_at(self, progress: float) -> Stage:
        """Return the stage at ``progress`` in [0, 1] of the budget."""
        end = 0.0
        for stage in self.stages:
            end += stage.share
            if progress < end:
                return stage
        return self.stages[-1]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


ALIGNMENTS = (0.5, 0.75)
"""When semantic alignment searches the labels: the network has to know the points before it may doubt them."""
SHARE_OF_FIRST = 2 / 3
"""Of a budget for two runs, of which the second refines the first."""
WARM_UP_DRAW = {"wflw": 3.0, "300w": 2.0}
FINAL_DRAW = {"wflw": 6.0, "300w": 2.0, "ensemble-utk": 0.5, "ensemble-udacity": 0.5}


def recipes_for(name: str, minutes: float | None = None) -> tuple[Recipe, Recipe]:
    """Return the recipes of a preset's first run and of its refinement, for a budget of both."""
    first = recipe_for(name, minutes and minutes * SHARE_OF_FIRST)
    return first, refinement_for(name, minutes and minutes * (1 - SHARE_OF_FIRST))


def recipe_for(name: str, minutes: float | None = None) -> Recipe:
    """Return the recipe of a preset.

    Those of 192 px suit two CPU cores: nearly half of the time goes into 128 px, where a step is cheapest, the
    rest into the resolution that is shipped, and its last fifth mostly into human labels. ``ldeq-l`` is
    meant for one CUDA GPU.
    """
    model = preset(name)
    stages: tuple[Stage, ...]
    if name == "ldeq-l":
        stages = (Stage(0.6, 128, 64, WARM_UP_DRAW), Stage(0.4, 256, 32, FINAL_DRAW))
        return Recipe(model, minutes or 25.0, stages, learning_rate=6e-4)
    stages = (
        Stage(0.45, 128, 32, WARM_UP_DRAW),
        Stage(0.35, model.input_size, 32, WARM_UP_DRAW),
        Stage(0.20, model.input_size, 32, FINAL_DRAW),
    )
    return Recipe(model, minutes or 105.0, stages)


def refinement_for(name: str, minutes: float | None = None) -> Recipe:
    """Return the recipe that a preset's weights are refined with, once the labels of networks are relabelled.

    The last part sees mostly human labels, in crops that shift, grow and turn half as much: closer to what a face
    box gives.
    """
    model = preset(name)
    size = model.input_size
    stages = (Stage(0.55, size, 32, WARM_UP_DRAW), Stage(0.45, size, 32, FINAL_DRAW, geometry=0.5))
    return Recipe(model, minutes or 52.0, stages, learning_rate=2e-4)


def continuation_for(name: str, minutes: float | None = None) -> Recipe:
    """Return the recipe that finished weights of a preset are taken further with, on relabelled faces.

    Small batches take more steps in the same time. Fewer evaluations precede the one that learns, as in a video, where
    a frame has one. Profiles are rare among labelled faces and have the largest errors, so they are drawn more often.
    """
    recipe = refinement_for(name, minutes or 120.0)
    stages = tuple(replace(stage, batch=16, turned=4.0) for stage in recipe.stages)
    return replace(
        recipe, stages=stages, learning_rate=4e-4, face_mesh_rate=5.0, ema_decay=0.999, untracked=(0.3, 0.4, 0.2, 0.1)
    )


def narrowing_for(name: str, minutes: float | None = None) -> Recipe:
    """Return the recipe of a preset that begins narrowed from a teacher, see :mod:`model.training.narrow`.

    Fewer evaluations precede the one that learns, as in a video, where a frame has one. The last part is that of
    :func:`refinement_for`.
    """
    model = preset(name)
    size = model.input_size
    stages = (Stage(0.6, size, 16, WARM_UP_DRAW), Stage(0.4, size, 16, FINAL_DRAW, geometry=0.5))
    return Recipe(model, minutes or 45.0, stages, learning_rate=8e-4, ema_decay=0.998, untracked=(0.3, 0.4, 0.2, 0.1))


def lightening_for(name: str, minutes: float | None = None) -> Recipe:
    """Return the recipe that a light preset learns its teacher's features with, see :mod:`model.training.lighten`."""
    model = preset(name)
    stage = Stage(1.0, model.input_size, 16, WARM_UP_DRAW, geometry=0.7)
    return Recipe(model, minutes or 25.0, (stage,), learning_rate=2e-3, ema_decay=0.998)


def recipe_of_size(recipe: Recipe, input_size: int) -> Recipe:
    """Return a recipe for crops of another size; stages at more pixels come down to it."""
    stages = tuple(replace(stage, input_size=min(stage.input_size, input_size)) for stage in recipe.stages)
    return replace(recipe, model=replace(recipe.model, input_size=input_size), stages=stages)


def with_profiles(recipe: Recipe, times: float) -> Recipe:
    """Return a recipe that draws faces in profile ``times`` as often as others of their source."""
    return replace(recipe, stages=tuple(replace(stage, turned=times) for stage in recipe.stages))


def conversion_for(name: str, minutes: float | None = None) -> Recipe:
    """Return the recipe that turns finished weights of 98 points into weights of 300W's 68 points.

    The faces are few and the features are there already: full resolution from the start, small batches for many
    steps, crops close to what a face box gives, and no pairs of views, because 300W has no videos.
    """
    model = preset(name)
    stage = Stage(1.0, model.input_size, 16, {}, geometry=0.5)
    return Recipe(
        replace(model, name=f"{model.name}-68", landmarks=68),
        minutes or 60.0,
        (stage,),
        learning_rate=4e-4,
        ema_decay=0.998,
        untracked=(0.2, 0.5, 0.3),
        pair_chance=0.0,
    )
