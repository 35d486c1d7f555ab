"""Runs in another interpreter (see baseline.py) and tracks pictures with what is installed there.

``baseline_script.py list`` prints which trackers work and why the others do not.
``baseline_script.py NAME WIDTH HEIGHT`` prints a line about that tracker, then a line with points and times for every
picture that arrives on standard input as HEIGHT x WIDTH x 3 bytes, RGB. All lines are JSON. Needs numpy, which these
trackers need anyway.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

Follow = Callable[[Any], "list[tuple[float, float]] | None"]
"""Gives the points on a picture (h, w, 3) uint8 RGB, in pixels with centres at integers; None without a face."""

DLIB_MODEL = "models/shape_predictor_68_face_landmarks.dat"
DLIB_HEIGHT = 240
"""Rows of the picture that dlib's face detector is given: it finds faces from 80 pixels on, and is slow beyond need."""


def about_mesh(name: str) -> dict[str, Any]:
    """Return label, regions and outer eye corners of MediaPipe's face mesh."""
    from mediapipe.python.solutions import face_mesh

    def points(edges: frozenset[tuple[int, int]]) -> list[int]:
        return sorted({end for edge in edges for end in edge})

    way = "video" if name == "mediapipe" else "still pictures"
    return {
        "label": f"MediaPipe {version('mediapipe')} face mesh, 478 points, {way}",
        "regions": {
            "contour": points(face_mesh.FACEMESH_FACE_OVAL),
            "brows": points(face_mesh.FACEMESH_LEFT_EYEBROW | face_mesh.FACEMESH_RIGHT_EYEBROW),
            "nose": points(face_mesh.FACEMESH_NOSE),
            "eyes": points(face_mesh.FACEMESH_LEFT_EYE | face_mesh.FACEMESH_RIGHT_EYE),
            "mouth": points(face_mesh.FACEMESH_LIPS),
        },
        "corners": [33, 263],
    }


def follow_mesh(name: str) -> Follow:
    """Open MediaPipe's face mesh, of a video or of still pictures."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    mesh = FaceMesh(static_image_mode=name != "mediapipe", max_num_faces=1, refine_landmarks=True)

    def follow(image: Any) -> list[tuple[float, float]] | None:
        faces = mesh.process(image).multi_face_landmarks
        if not faces:
            return None
        height, width = image.shape[:2]
        # A coordinate of 0 is the left edge of the first pixel, whose centre is 0 elsewhere.
        return [(mark.x * width - 0.5, mark.y * height - 0.5) for mark in faces[0].landmark]

    return follow


def about_dlib(name: str) -> dict[str, Any]:
    """Return label, regions and outer eye corners of dlib's shape predictor."""
    import dlib  # type: ignore[import-not-found]

    dlib_model()
    return {
        "label": f"dlib {dlib.__version__}, 68 points",
        "regions": {
            "contour": [*range(17)],
            "brows": [*range(17, 27)],
            "nose": [*range(27, 36)],
            "eyes": [*range(36, 48)],
            "mouth": [*range(48, 68)],
        },
        "corners": [36, 45],
    }


def follow_dlib(name: str) -> Follow:
    """Open dlib's face detector, which looks at every picture, and its shape predictor."""
    import dlib

    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(dlib_model())

    def find(image: Any, scale: int) -> Any:
        small = image if scale == 1 else dlib.resize_image(image, image.shape[0] // scale, image.shape[1] // scale)
        faces = detector(small, 0)
        if not faces:
            return None
        face = max(faces, key=dlib.rectangle.area)
        edges = (face.left(), face.top(), face.right(), face.bottom())
        return dlib.rectangle(*(scale * edge for edge in edges))

    def follow(image: Any) -> list[tuple[float, float]] | None:
        scale = max(1, round(image.shape[0] / DLIB_HEIGHT))
        face = find(image, scale)
        if face is None and scale > 1:
            face = find(image, 1)
        return None if face is None else [(part.x, part.y) for part in predictor(image, face).parts()]

    return follow


def dlib_model() -> str:
    """Return the path of the shape predictor's model.

    Raises:
        ImportError: if it is not installed.
    """
    # Not imported: that needs a part of setuptools that is gone from newer ones.
    package = find_spec("face_recognition_models")
    if package is None or not package.submodule_search_locations:
        raise ImportError("No module named 'face_recognition_models'")
    path = os.path.join(next(iter(package.submodule_search_locations)), DLIB_MODEL)
    if not os.path.isfile(path):
        raise ImportError(f"{path} is missing")
    return path


TRACKERS = {
    "mediapipe": (about_mesh, follow_mesh),
    "mediapipe-still": (about_mesh, follow_mesh),
    "dlib": (about_dlib, follow_dlib),
}


def list_trackers() -> dict[str, Any]:
    """Return the labels of the trackers that are here, and the reasons why others are not."""
    found, missing = {}, {}
    for name, (about, _) in TRACKERS.items():
        try:
            found[name] = about(name)["label"]
        except Exception as error:  # a foreign library may fail in any way
            missing[name] = f"{error}".strip().partition("\n")[0] or type(error).__name__
    return {"found": found, "missing": missing}


def serve(name: str, width: int, height: int, say: Callable[[dict[str, Any]], None]) -> None:
    """Answer pictures until there are no more."""
    import numpy as np

    about, open_tracker = TRACKERS[name]
    follow = open_tracker(name)
    say(about(name))
    size = width * height * 3
    while len(data := sys.stdin.buffer.read(size)) == size:
        image = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        wall, cpu = time.perf_counter(), time.process_time()
        points = follow(image)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        say({"ms": 1e3 * wall, "cpu_ms": 1e3 * cpu, "points": points})


def main() -> None:
    """Do what the arguments say."""
    # What the libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    if sys.argv[1] == "list":
        say(list_trackers())
    else:
        serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), say)


if __name__ == "__main__":
    main()
