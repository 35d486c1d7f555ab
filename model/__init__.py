"""LDEQ and RwR as a library: 98 facial landmarks as the fixed point of a small network.

>>> from pathlib import Path
>>> from model import Crop, Recurrence, open_engine
>>> engine = open_engine(Path("weights/ldeq-s.safetensors"))                       # doctest: +SKIP
>>> recurrence = Recurrence(engine)                                                # doctest: +SKIP
>>> crop = Crop.around_box(x1, y1, x2, y2, engine.config.crop_scale)               # doctest: +SKIP
>>> u = engine.encode(crop.extract(rgb_image, engine.config.input_size)[None])     # doctest: +SKIP
>>> recurrence.solve(u, crop).landmarks                                            # doctest: +SKIP

Importing it needs neither torch nor onnxruntime; opening an engine does.
"""

from model.config import LANDMARKS, LdeqConfig, preset
from model.engine.base import Engine
from model.engine.open import open_engine
from model.errors import ModelError
from model.geometry import Crop
from model.metrics.flicker import FlickerMeter, FlickerReading, FlickerWindow
from model.rwr.recurrence import Recurrence, RwrSettings, Solution, cold_solve
from model.solvers import SolveReport

__all__ = [
    "LANDMARKS",
    "Crop",
    "Engine",
    "FlickerMeter",
    "FlickerReading",
    "FlickerWindow",
    "LdeqConfig",
    "ModelError",
    "Recurrence",
    "RwrSettings",
    "Solution",
    "SolveReport",
    "cold_solve",
    "open_engine",
    "preset",
]
