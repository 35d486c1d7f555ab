"""LDEQ and RwR as a library: 98 facial landmarks as the fixed point of a small network.

>>> from pathlib import Path
>>> from model import Crop, Recurrence, open_engine
>>> engine = open_engine(Path("weights/ldeq-s.safetensors"))                       # doctest: +SKIP
>>> recurrence = Recurrence(engine)                                                # doctest: +SKIP
>>> crop = Crop.around_box(x1, y1, x2, y2, engine.config.crop_scale)               # doctest: +SKIP
>>> u = engine.encode(crop.extract(rgb_image, engine.config.input_size)[None])     # doctest: +SKIP
>>> recurrence.solve(u, crop).landmarks                                            # doctest: +SKIP

The names in ``__all__`` are the public interface; each is imported from its module on first use, so that importing
one part of the library does not import the others. torch and onnxruntime are imported when an engine is opened.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.config import LANDMARKS, LdeqConfig, preset
    from model.engine.base import Engine
    from model.engine.names import Device, EngineName
    from model.engine.open import open_engine
    from model.errors import ModelError
    from model.geometry import Crop
    from model.metrics.flicker_meter import FlickerMeter, FlickerReading, FlickerWindow
    from model.rwr.cold import cold_solve
    from model.rwr.recurrence import Recurrence
    from model.rwr.settings import RwrSettings
    from model.rwr.solution import Solution
    from model.solvers import SolveReport

__all__ = [
    "LANDMARKS",
    "Crop",
    "Device",
    "Engine",
    "EngineName",
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

_HOMES = {
    "model.config": ("LANDMARKS", "LdeqConfig", "preset"),
    "model.engine.base": ("Engine",),
    "model.engine.names": ("Device", "EngineName"),
    "model.engine.open": ("open_engine",),
    "model.errors": ("ModelError",),
    "model.geometry": ("Crop",),
    "model.metrics.flicker_meter": ("FlickerMeter", "FlickerReading", "FlickerWindow"),
    "model.rwr.cold": ("cold_solve",),
    "model.rwr.recurrence": ("Recurrence",),
    "model.rwr.settings": ("RwrSettings",),
    "model.rwr.solution": ("Solution",),
    "model.solvers": ("SolveReport",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
