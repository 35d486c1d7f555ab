"""Fit where the box of the 98 landmarks lies relative to the face detector's box and keypoints.

    python -m benchmarks.detector_box --data FACES [--faces 6000]

FACES are the training faces. Each is pasted into a larger scene, at a random place and size, and both detectors look at
it. Prints the numbers of ``app/tracking/detector.py``, and how well they do on a held-out quarter of the faces.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from app.core.places import FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR
from app.tracking.detector import SURE, BlazeFace, Sighting
from app.tracking.face_box import even_features, odd_features, relative_keypoints
from benchmarks.script import parser_of, run_script
from model.training.data import load_faces

Array = NDArray[np.float64]

FACE_SHARE = (0.15, 0.55)
"""Side of the landmark box over that of the scene."""
LARGEST_SCENE = 640
KNOWN = 0.05
"""Every landmark's weight must reach it: the box of landmarks that are guessed is no truth."""
SAME_FACE = 0.6
"""Detections farther from the face than this share of its side are false alarms."""
OFF = 0.3
"""Those beyond this share are reported as off."""
NOISE = (0.03, 0.03, 0.06)
"""Residuals beyond these count linearly, not squared: right, down, log growth."""
HELD_OUT = 4
SEED = 0


def scene(image: NDArray[np.uint8], landmarks: Array, random: np.random.Generator) -> tuple[NDArray[np.uint8], Array]:
    """Paste a face crop into a scene of its own blurred colours; return it and the landmarks in it."""
    size = image.shape[0]
    face = np.ptp(landmarks, axis=0).max()
    side = max(size, round(face / random.uniform(*FACE_SHARE)))
    blurred = cv2.resize(image, (6, 6), interpolation=cv2.INTER_AREA)
    canvas = cv2.resize(blurred, (side, side), interpolation=cv2.INTER_LINEAR)
    x, y = random.integers(0, side - size + 1, 2)
    canvas[y : y + size, x : x + size] = image
    scale = min(1.0, LARGEST_SCENE / side)
    if scale < 1:
        canvas = cv2.resize(canvas, (LARGEST_SCENE, LARGEST_SCENE), interpolation=cv2.INTER_AREA)
    return np.asarray(canvas, np.uint8), (landmarks + np.array([x, y])) * scale


def wanted(sighting: Sighting, landmarks: Array) -> Array:
    """Return shift right, down and log growth (3,) from a detector's box to the landmarks'."""
    x1, y1, x2, y2 = sighting.box
    side = max(x2 - x1, y2 - y1)
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    right, down = ((low + high) / 2 - ((x1 + x2) / 2, (y1 + y2) / 2)) / side
    return np.array([right, down, np.log((high - low).max() / side)])


def distance(targets: Array) -> Array:
    """Return how far the detector's box lies from the face (n,), over the side of the landmark box."""
    return np.hypot(targets[:, 0], targets[:, 1]) / np.exp(targets[:, 2])


def robust_fit(features: Array, target: Array, noise: float) -> Array:
    """Return the weights of least Huber loss, by iteratively reweighted least squares."""
    trust: Array = np.ones(len(features))
    weights: Array = np.zeros(features.shape[1])
    for _ in range(20):
        weighted = features * trust[:, None]
        normal = weighted.T @ features + 1e-3 * np.eye(features.shape[1])
        weights = np.asarray(np.linalg.solve(normal, weighted.T @ target), np.float64)
        trust = 1 / np.maximum(1, np.abs(features @ weights - target) / noise)
    return weights


def fit(keypoints: Array, targets: Array) -> list[Array]:
    """Return the weights of right, down and log growth."""
    features = (odd_features(keypoints), even_features(keypoints), even_features(keypoints))
    return [robust_fit(*each) for each in zip(features, targets.T, NOISE, strict=True)]


def predict(keypoints: Array, weights: list[Array]) -> Array:
    """Return right, down and log growth (n, 3)."""
    features = (odd_features(keypoints), even_features(keypoints), even_features(keypoints))
    return np.stack([each @ weight for each, weight in zip(features, weights, strict=True)], axis=-1)


def main() -> None:
    """Look at the faces, fit, and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labels.npz and faces-*.tar")
    parser.add_argument("--faces", type=int, default=6000)
    args = parser.parse_args()
    faces = load_faces(args.data, torch.device("cpu"), args.faces)
    known = np.flatnonzero((faces.weights.numpy() >= KNOWN).all(axis=1))
    for name, path in (("SHORT_RANGE", SHORT_RANGE_DETECTOR), ("FULL_RANGE", FULL_RANGE_DETECTOR)):
        detector = BlazeFace(path)
        random = np.random.default_rng(SEED)
        keypoints, targets, confidences = [], [], []
        for row in known:
            image, landmarks = scene(faces.images[row].numpy(), faces.landmarks[row].numpy().astype(float), random)
            for sighting in detector.look(image)[:1]:
                keypoints.append(relative_keypoints(sighting.box, sighting.keypoints))
                targets.append(wanted(sighting, landmarks))
                confidences.append(sighting.confidence)
        detector.close()
        print(f"{name}: {len(known)} faces with a known box, {len(targets)} found")
        report_misses(np.stack(targets), np.array(confidences))
        near = distance(np.stack(targets)) <= SAME_FACE
        report(np.stack(keypoints)[near], np.stack(targets)[near])


def report_misses(targets: Array, confidences: Array) -> None:
    """Print how often the detector's box is off the face, by how sure the detector is."""
    off = distance(targets) > OFF
    for meaning, chosen in ((f"below {SURE}", confidences < SURE), (f"of {SURE} or more", confidences >= SURE)):
        print(f"  confidence {meaning}: {chosen.sum()} faces, {100 * off[chosen].mean():.1f} % off by more than {OFF}")


def report(keypoints: Array, targets: Array) -> None:
    """Print a detector's weights, and the error of weights fitted without the held-out faces on those."""
    held = np.arange(len(keypoints)) % HELD_OUT == 0
    error = predict(keypoints[held], fit(keypoints[~held], targets[~held])) - targets[held]
    constant = targets[held] - np.median(targets[~held], axis=0)
    print(f"  {len(keypoints)} boxes on the face; right, down, log growth")
    print(f"  standard deviation of the error with constants {np.round(constant.std(axis=0), 4)}")
    print(f"  standard deviation of the error as fitted {np.round(error.std(axis=0), 4)}")
    fitted = fit(keypoints, targets)
    low, high = np.quantile(predict(keypoints, fitted), (0.005, 0.995), axis=0)
    print(f"  99 % of the fitted values are from {np.round(low, 3)} to {np.round(high, 3)}")
    for part, weights in zip(("right", "down", "log_growth"), fitted, strict=True):
        print(f"  {part}=({', '.join(f'{weight:.3f}' for weight in weights)}),")


if __name__ == "__main__":
    run_script(main)
