"""Which of the shipped models a computer runs, and how: the most accurate way that keeps up with a camera.

First comes ``ldeq-s``, then ``ldeq-s`` with a cell of 8 bits, whose error is 0.1 to 0.2 % larger, then ``ldeq-xs``,
whose error is 3 % larger. Whole frames are measured, once: the results are kept in the user's cache folder until the
engine, the device, the threads, a library or the weights change.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

import numpy as np

from app.core.frame import Frame
from app.core.places import DEFAULT_WEIGHTS, PORTRAIT, SMALL_WEIGHTS
from app.core.settings import EngineSettings, TrackingSettings
from app.sources.picture_files import read_picture
from app.tracking.pipeline import build_pipeline
from model.engine.measured import circumstances, recall, remember
from model.engine.names import Device, EngineName
from model.engine.nvidia import card_name
from model.engine.onnx_engine import int8_path
from model.engine.open import default_threads
from model.json_files import JsonError, from_plain
from model.repair.ghcu import ghcu_path
from model.weights import read_card

log = logging.getLogger(__name__)

FILE_NAME = "models.json"
CAMERA_MILLISECONDS = 1e3 / 30
"""What a frame may take at the rate that most cameras have."""
COLD, WARM = 4, 20
"""Frames at first that are not measured, and frames that are."""
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino", "torch")


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """How long a model takes here.

    Attributes:
        milliseconds: of a whole warm frame; three quarters of the frames took longer, since other programs may have
            slowed them down.
    """

    milliseconds: float

    @property
    def keeps_up(self) -> bool:
        """Whether it does as many frames as a camera gives."""
        return self.milliseconds <= CAMERA_MILLISECONDS


def ways(settings: EngineSettings, *, ghcu: bool = False) -> list[EngineSettings]:
    """Return how the shipped models may run, the most accurate way first; at least one.

    Args:
        settings: whose weights are replaced. An engine that was chosen stays; a graphics card needs no 8 bits.
        ghcu: the GHCU is wanted; a model that has none is left out.
    """
    exact, small = (replace(settings, weights=weights) for weights in (DEFAULT_WEIGHTS, SMALL_WEIGHTS))
    found = [exact]
    if settings.engine == EngineName.AUTO and _on_processor(settings) and int8_path(DEFAULT_WEIGHTS).is_file():
        found.append(replace(exact, engine=EngineName.ONNX_INT8))
    if SMALL_WEIGHTS.is_file() and not (ghcu and not ghcu_path(SMALL_WEIGHTS).is_file()):
        found.append(small)
    return found


def _on_processor(settings: EngineSettings) -> bool:
    return settings.device == Device.CPU or (settings.device == Device.AUTO and card_name() is None)


def automatic_model(settings: EngineSettings, *, ghcu: bool = False) -> EngineSettings:
    """Return the first of :func:`ways` that keeps up with a camera, or the last; may measure, which takes seconds.

    Raises:
        UserError: where something is wrong with the application's files.
        ModelError: likewise, or the engine or device does not work.
    """
    *measured, last = ways(settings, ghcu=ghcu)
    return next((way for way in measured if speed_of(way).keeps_up), last)


def speed_of(settings: EngineSettings) -> ModelSpeed:
    """Return what was measured with ``settings`` before, or measure and remember it."""
    known = remembered_speed(settings)
    if known is not None:
        return known
    speed = ModelSpeed(round(float(np.quantile(warm_frames(settings), 0.25)), 2))
    log.info("a frame of %s takes %.1f ms here", settings.title, speed.milliseconds)
    remember(FILE_NAME, _key(settings), speed)
    return speed


def remembered_speed(settings: EngineSettings) -> ModelSpeed | None:
    """Return what was measured with ``settings`` before, None if nothing was."""
    try:
        return from_plain(ModelSpeed, recall(FILE_NAME, _key(settings)))
    except JsonError:
        return None


def warm_frames(settings: EngineSettings) -> list[float]:
    """Return the milliseconds that whole warm frames take; the picture stands still, as a person may.

    On a processor none counts for more than the processor's time for a frame: what other programs take at the first
    start, they may not take at the next.
    """
    picture = read_picture(PORTRAIT)
    pipeline = build_pipeline(settings, TrackingSettings())

    def milliseconds(index: int) -> float:
        started = time.perf_counter()
        pipeline.process(Frame(index, index / 30, picture, started))
        return 1e3 * (time.perf_counter() - started)

    try:
        for index in range(COLD):
            milliseconds(index)
        begun = time.process_time()
        measured = [milliseconds(index) for index in range(COLD, COLD + WARM)]
        own = 1e3 * (time.process_time() - begun) / WARM
    finally:
        pipeline.close()
    return [min(each, own) for each in measured] if _on_processor(settings) else measured


def _key(settings: EngineSettings) -> str:
    threads = default_threads() if settings.threads is None else settings.threads
    card = None if settings.device == Device.CPU else card_name()
    place = f"{settings.engine} on {settings.device} ({card or 'no card'})"
    sides = ("symmetric",) if settings.symmetric else ()
    return circumstances(PACKAGES, read_card(settings.weights), place, f"{threads} threads", *sides)
