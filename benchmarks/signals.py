"""How right and how steady the signals are.

    python -m benchmarks.signals [--pose | --clip | --faces LIST IMAGES]

1. Faces turned by known angles: the face model seen by a pinhole camera, its points with noise, by cameras whose focal
   length is not the assumed one, and with other noses than the model's.
2. The demo clip, RwR and cold on the same frames: the standard deviation of every signal while the head is nearly
   still and no folder hides it, after a straight line is taken off, and its change from frame to frame; roll against
   the true rotation; blinks and PERCLOS against the true ones.
3. The time that the signals of one face take.
4. With ``--faces``, a list in WFLW's format and its pictures: signals from the network's landmarks against those from
   people's, and how far the labelled faces are turned.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.modes import Mode
from app.core.settings import EngineSettings, TrackingSettings
from app.lab.accuracy.predict import RectPredictor
from app.lab.accuracy.wflw import read_image, read_list
from app.sources.demo import DemoClip, demo_truth
from app.tracking.engine import engine_of
from app.tracking.pipeline import build_pipeline
from benchmarks.script import parser_of, run_script
from model.signals.head import FACE_MODEL, RIGID, head_pose, rotation
from model.signals.track import NAMES, SIGNALS, Signals, SignalTracker, signal_values
from model.topology import POINTS

Array = NDArray[np.float64]

SIZE = (1280, 720)
DISTANCE_MM = 600.0
YAWS, PITCHES, ROLLS = range(-60, 61, 15), range(-30, 31, 15), range(-30, 31, 15)
NOISE_TRIALS = 5
CLOSED = 0.8
"""The clip's lids count as closed from this share on."""


def main() -> None:
    """Print what was asked for, or all of it."""
    parser = parser_of(__doc__)
    parser.add_argument("--pose", action="store_true", help="the first and the last part alone")
    parser.add_argument("--clip", action="store_true", help="the second part alone")
    parser.add_argument("--faces", type=Path, nargs=2, metavar=("LIST", "IMAGES"), help="the fourth part alone")
    arguments = parser.parse_args()
    if arguments.faces is not None:
        print_faces(*arguments.faces)
        return
    if not arguments.clip:
        print_pose()
        print_time()
    if not arguments.pose:
        print_clip()


def seen(model: Array, angles: tuple[float, float, float], focal: float) -> Array:
    """Return landmarks (98, 2) whose rigid points are those of ``model`` (13, 3) in mm, 60 cm away."""
    turned = model @ rotation(*angles).T * (1, 1, -1) + (0, 0, DISTANCE_MM)
    points = np.zeros((POINTS, 2))
    centre = ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)
    points[list(RIGID)] = focal * max(SIZE) * turned[:, :2] / turned[:, 2:] + centre
    return points


def print_pose() -> None:
    """Print the error of the angles and the distance over a grid of poses."""
    random = np.random.default_rng(0)
    deeper = FACE_MODEL * (1, 1, 1.15)
    print("condition, mean (95th percentile) of the absolute error: yaw, pitch, roll in degrees; distance in %")
    for name, model, focal, noise in (
        ("as assumed", FACE_MODEL, 1.0, 0.0),
        ("points with noise of 0.5 % of the inter-ocular distance", FACE_MODEL, 1.0, 0.005),
        ("points with noise of 2 %", FACE_MODEL, 1.0, 0.02),
        ("focal length 0.7", FACE_MODEL, 0.7, 0.0),
        ("focal length 1.5", FACE_MODEL, 1.5, 0.0),
        ("a face 15 % deeper", deeper, 1.0, 0.0),
    ):
        errors = []
        for angles in itertools.product(YAWS, PITCHES, ROLLS):
            clean = seen(model, angles, focal)
            pixels = noise * 90 * focal * max(SIZE) / DISTANCE_MM
            for _ in range(NOISE_TRIALS if noise else 1):
                pose = head_pose(clean + random.normal(0, pixels, clean.shape), SIZE)
                assert pose is not None
                found = (pose.yaw, pose.pitch, pose.roll)
                errors.append([*np.subtract(found, angles), 100 * (pose.z * 10 / DISTANCE_MM - 1)])
        off = np.abs(errors)
        means, most = off.mean(axis=0), np.percentile(off, 95, axis=0)
        print(f"{name}: " + ", ".join(f"{mean:.2f} ({high:.2f})" for mean, high in zip(means, most, strict=True)))


def print_time() -> None:
    """Print the processor time of one face's signals."""
    tracker, points = SignalTracker(), seen(FACE_MODEL, (10, 5, 0), 1.0)
    points += np.random.default_rng(0).normal(0, 0.3, points.shape)
    started = time.process_time()
    for frame in range(1000):
        tracker.update(points, SIZE, frame / 30)()
    print(f"signals of one face: {time.process_time() - started:.2f} ms of processor time")


def print_clip() -> None:
    """Print noise at rest, and roll and eyes against the truth, for RwR and cold."""
    pipeline = build_pipeline(EngineSettings(), TrackingSettings(compare=True))
    clip, truth = DemoClip(), demo_truth()
    frames = len(truth.blink)
    values = {mode: np.full((frames, len(NAMES)), np.nan) for mode in (Mode.RWR, Mode.COLD)}
    stamps = np.full(frames, np.nan)
    while (frame := clip.read()) is not None:
        stamps[frame.index] = frame.timestamp
        for face in pipeline.process(frame).faces[:1]:
            for estimate in (face.estimate, face.other):
                if estimate is not None and estimate.signals is not None:
                    values[Mode(estimate.mode)][frame.index] = row(estimate.signals)
    clip.close()
    pipeline.close()
    still = truth.still & ~truth.occluded & (truth.blink <= 0) & (truth.mouth <= 0)
    print(
        f"\n{int(still.sum())} still frames: signal, unit; standard deviation; frame to frame (RwR, cold, ratio each)"
    )
    for index, signal in enumerate(SIGNALS[:-3]):
        columns = [np.where(still, values[mode][:, index], np.nan) for mode in (Mode.RWR, Mode.COLD)]
        figures = []
        for measure in (steadiness, jitter):
            rwr, cold = (measure(stamps, column) for column in columns)
            figures.append(f"{rwr:.4f}, {cold:.4f}, {rwr / cold:.2f}")
        print(f"{signal.name}, {signal.unit}; {'; '.join(figures)}")
    true_roll = np.degrees(np.arctan2(truth.matrix[:, 1, 0], truth.matrix[:, 0, 0]))
    clear = ~truth.occluded
    true_blinks = int(np.count_nonzero(np.diff((truth.blink > 0.5).astype(int)) == 1))
    print(f"\nblinks in the clip: {true_blinks}; closed by {CLOSED:.0%} in {np.mean(truth.blink >= CLOSED):.3f} of it")
    for mode, found in values.items():
        roll = found[:, 2] - true_roll
        error = np.nanstd(roll[clear])
        blinks, perclos = np.nanmax(found[:, -2]), found[-1, -1]
        print(f"{mode}: roll {error:.2f} degrees from the true one (constant taken off), ", end="")
        print(f"{blinks:.0f} blinks, PERCLOS {perclos:.3f}")


def print_faces(faces: Path, images: Path) -> None:
    """Print the difference of the signals of the network's landmarks from those of the labels."""
    settings = EngineSettings()
    engine = engine_of(settings)
    predictor = RectPredictor(engine, engine.config.crop_scale, None)
    labelled, found = [], []
    for face in read_list(faces):
        image = read_image(images, face)
        size = (image.shape[1], image.shape[0])
        prediction = predictor.predict(image, 0.0, face.box)
        assert prediction is not None
        pair = [SignalTracker().update(points, size, 0.0)() for points in (face.landmarks, prediction.landmarks)]
        if pair[0] is not None and pair[1] is not None:
            labelled.append(row(pair[0]))
            found.append(row(pair[1]))
    truth, off = np.array(labelled), np.abs(np.subtract(found, labelled))
    print(f"{len(truth)} faces: signal, unit, labels' 5th percentile, median, 95th; absolute difference's median, 90th")
    for index, signal in enumerate(SIGNALS[:-3]):
        low, middle, high = np.percentile(truth[:, index], (5, 50, 95))
        usual, most = np.percentile(off[:, index], (50, 90))
        print(f"{signal.name}, {signal.unit}, {low:.2f}, {middle:.2f}, {high:.2f}; {usual:.3f}, {most:.3f}")


def row(signals: Signals) -> list[float]:
    """Return the values of all signals, NaN for what is not known."""
    return [np.nan if value is None else float(value) for value in signal_values(signals)]


def steadiness(seconds: Array, values: Array) -> float:
    """Return the standard deviation of ``values`` from their best straight line over ``seconds``."""
    known = np.isfinite(values)
    line = np.polyfit(seconds[known], values[known], 1)
    return float(np.std(values[known] - np.polyval(line, seconds[known])))


def jitter(seconds: Array, values: Array) -> float:
    """Return the root mean square change from one frame to the next over the square root of two.

    That is the standard deviation of noise that differs from frame to frame; slow motion of the head hardly adds to it.
    """
    return float(np.sqrt(np.nanmean(np.diff(values) ** 2) / 2))


if __name__ == "__main__":
    run_script(main)
