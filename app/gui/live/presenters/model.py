"""The model that the window runs: as the user chose, or as this computer can."""

from __future__ import annotations

import threading
from dataclasses import replace

from app.core.settings import SHIPPED, EngineSettings, ModelChoice, TrackingSettings
from app.gui.presenters.options import Option
from app.tracking.model_choice import automatic_model
from app.tracking.pipeline import Pipeline, build_pipeline
from model.repair.ghcu import ghcu_path

MODEL_OPTIONS = (
    Option(ModelChoice.AUTO, "Automatic", "ldeq-s, with 8 bits or as ldeq-xs where it does not keep up with a camera"),
    Option(ModelChoice.LDEQ_S, "ldeq-s", "The more accurate one"),
    Option(ModelChoice.LDEQ_XS, "ldeq-xs", "Smaller and faster, less exact"),
)


def smaller_shipped() -> bool:
    """Whether there is anything to choose between."""
    return SHIPPED[ModelChoice.LDEQ_XS].is_file()


class ModelInUse:
    """What runs the model, and which; read and changed from any thread.

    Args:
        settings: of the engine, and the weights where ``choice`` is None; None for the defaults.
        choice: of the shipped models; None for weights that the user brought.
    """

    def __init__(self, settings: EngineSettings | None = None, choice: ModelChoice | None = None) -> None:
        self._lock = threading.Lock()
        self._wanted = self._engine = settings or EngineSettings()
        self._choice: ModelChoice | None = None
        if choice is not None:
            self.choose(choice)

    @property
    def engine(self) -> EngineSettings:
        """What runs; before anything does, what will run as far as it is known."""
        with self._lock:
            return self._engine

    @property
    def name(self) -> str:
        """The model's name, which is that of its weights."""
        return self.engine.weights.stem

    @property
    def choice(self) -> ModelChoice | None:
        """What was chosen; None if the weights are the user's own."""
        with self._lock:
            return self._choice

    @property
    def symmetric(self) -> bool:
        """Whether the model sees each face mirrored as well."""
        return self.engine.symmetric

    @property
    def ghcu_found(self) -> bool:
        """Whether there is a GHCU beside the weights."""
        return ghcu_path(self.engine.weights).is_file()

    def choose(self, choice: ModelChoice) -> None:
        """Run another model from the next :meth:`build` on."""
        with self._lock:
            self._choice = choice
            if choice != ModelChoice.AUTO:
                self._engine = replace(self._wanted, weights=SHIPPED[choice])

    def choose_symmetric(self, on: bool) -> None:
        """Let the model see each face mirrored as well, or not, from the next :meth:`build` on."""
        with self._lock:
            self._wanted = replace(self._wanted, symmetric=on)
            self._engine = replace(self._engine, symmetric=on)

    def build(self, tracking: TrackingSettings) -> Pipeline:
        """Return a pipeline of the chosen model; AUTO may measure first, which takes seconds.

        Raises:
            UserError: as :func:`build_pipeline`.
            ModelError: likewise.
        """
        with self._lock:
            choice, wanted, engine = self._choice, self._wanted, self._engine
        if choice == ModelChoice.AUTO:
            engine = automatic_model(wanted, ghcu=tracking.ghcu)
        pipeline = build_pipeline(engine, tracking)
        with self._lock:
            if (self._choice, self._wanted) == (choice, wanted):
                self._engine = engine
        return pipeline
