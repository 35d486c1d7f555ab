"""Faces that keep still, with noise, motion and blinks of known size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.holdstill.card import Camera, Card, Circumstances, EngineFacts, Figures, Format, Software, SourceKind
from app.holdstill.measurement import measure
from app.holdstill.samples import Sampler
from app.tracking.conditions import Conditions, FaceView
from model.geometry import Crop
from model.metrics.flicker_meter import METER, reading_of
from model.solvers import SolveReport
from model.solvers.report import StopReason
from model.topology import MIRROR, POINTS, inter_ocular
from tests.fakes import face_points

Points = NDArray[np.float64]
FPS = 30.0
BLANK = np.zeros((360, 640, 3), np.uint8)
CONDITIONS = Conditions(120.0, 0.0, 0.0, 40.0, 0.5, 2.0, FaceView(100.0, 0.5, 0.0, None))


def still_face() -> Points:
    """Return a face of 100 pixels between the outer eye corners, with eyes that are open."""
    points = face_points(320, 180, 200).astype(np.float64)
    for first, last, centre in ((60, 67, -40.0), (68, 75, 40.0)):
        angle = np.arange(last - first + 1) / (last - first + 1) * 2 * np.pi
        points[first : last + 1] = np.stack([320 + centre - np.cos(angle) * 10, 155 - np.sin(angle) * 6], -1)
    points[96:] = (280, 155), (360, 155)
    assert (MIRROR[60], MIRROR[68]) == (72, 64)
    scale = 100 / inter_ocular(points)
    return np.asarray((points - points.mean(0)) * scale + (320, 180))


def noisy(count: int, sigma: float | NDArray[np.floating], seed: int = 0) -> Points:
    """Return white noise (count, 98, 2) of standard deviation ``sigma`` pixels along each axis, per point if (98,)."""
    spread = np.broadcast_to(np.asarray(sigma, np.float64), (POINTS,))
    return np.asarray(np.random.default_rng(seed).normal(size=(count, POINTS, 2)) * spread[:, None])


def results(
    modes: Mapping[Mode, Points],
    head: Points | None = None,
    face: int | None = 0,
    start: float = 100.0,
    fps: float = FPS,
    first: int = 0,
) -> list[FrameResult]:
    """Return what a pipeline would say about a face.

    Args:
        modes: noise (n, 98, 2) of each mode; the first is the chosen one.
        head: where the face truly is, (n, 98, 2); the picture explains all of this motion. Still if not given.
        face: its identity; None for frames without one.
        start: when the first frame was captured.
        fps: of frames.
        first: index of the first frame.
    """
    count = len(next(iter(modes.values())))
    truth = np.broadcast_to(still_face(), (count, POINTS, 2)) if head is None else head
    frames = []
    for index in range(count):
        estimates = [_estimate(mode, noise, truth, index) for mode, noise in modes.items()]
        faces = () if face is None else (FaceResult(face, Crop(320, 180, 300), *estimates[:2]),)
        frame = Frame(first + index, (first + index) / fps, BLANK, start + index / fps)
        frames.append(FrameResult(frame, faces, {}, (), TrackingSettings(compare=len(modes) > 1)))
    return frames


def sampler(frames: list[FrameResult], late: float = 0.03) -> Sampler:
    """Return a sampler that has seen the frames, each ``late`` seconds after its capture."""
    collected = Sampler(judge=lambda result, face: CONDITIONS)
    for result in frames:
        collected.add(result, result.frame.captured + late)
    return collected


@cache
def figures(rwr: float = 0.1, cold: float = 0.3, seconds: float = 10.0) -> Figures:
    """Return the figures of a still face whose two modes have so much noise."""
    count = int(seconds * FPS)
    return measure(sampler(results({Mode.RWR: noisy(count, rwr, 1), Mode.COLD: noisy(count, cold, 2)})).sitting())


def card(label: str = "", camera: str = "HD Webcam", **noise: float) -> Card:
    """Return a report card that needs no weights."""
    return Card(
        "2026-11-21T19:05:12+00:00",
        label,
        Camera(camera, SourceKind.CAMERA, Format(1280, 720, 30.0), Format(1920, 1080, 30.0)),
        EngineFacts("fake, CPU", "ldeq-s.safetensors", "65a424e4" * 8),
        {"rwr": True, "compare": True},
        Software("0.1.0", "3.11.9", "Linux x86_64", METER),
        figures(**noise),
    )


def circumstances(folder: Path, tracking: TrackingSettings | None = None) -> Circumstances:
    """Return the circumstances of a test with a weights' file in ``folder``."""
    weights = folder / "tiny.safetensors"
    weights.write_bytes(b"weights")
    camera = Camera("HD Webcam", SourceKind.CAMERA, Format(640, 360, 30.0))
    return Circumstances(camera, "fake, CPU", weights, tracking or TrackingSettings(compare=True))


def _estimate(mode: str, noise: Points, truth: Points, index: int) -> Estimate:
    landmarks = (truth[index] + noise[index]).astype(np.float32)
    reading = None
    if index:
        motion = truth[index] + noise[index] - truth[index - 1] - noise[index - 1]
        reading = reading_of(motion, truth[index] - truth[index - 1], float(inter_ocular(truth[index])))
    warm = mode == Mode.RWR
    report = SolveReport(1 if warm else 3, (0.1,), 0, StopReason.BUDGET, warm, "" if warm else "RwR off")
    return Estimate(mode, landmarks, np.full(POINTS, 2.0, np.float32), report, reading)
