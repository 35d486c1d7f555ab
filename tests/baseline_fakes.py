"""Stand-ins for the libraries of baselines, in a folder that goes before the real ones.

Both find the bright square of ``tests.fakes.face_image`` and answer with points that say where it is, so a picture that
comes across wrongly, or a coordinate that is scaled wrongly, shows.
"""

from __future__ import annotations

from pathlib import Path

from app.lab.speed.baseline import SCRIPT

MESH = """
from types import SimpleNamespace
import numpy as np

FACEMESH_FACE_OVAL = frozenset([(10, 338), (338, 297)])
FACEMESH_LEFT_EYEBROW, FACEMESH_RIGHT_EYEBROW = frozenset([(276, 283)]), frozenset([(46, 53)])
FACEMESH_NOSE = frozenset([(168, 6)])
FACEMESH_LEFT_EYE, FACEMESH_RIGHT_EYE = frozenset([(263, 249)]), frozenset([(33, 7)])
FACEMESH_LIPS = frozenset([(61, 146)])


class FaceMesh:
    def __init__(self, static_image_mode, max_num_faces, refine_landmarks):
        self.still = static_image_mode

    def process(self, image):
        print("a library that talks")
        rows, columns = np.nonzero(image[..., 0] > 128)
        if len(rows) == 0:
            return SimpleNamespace(multi_face_landmarks=None)
        height, width = image.shape[:2]
        middle = ((columns.min() + columns.max() + 1) / 2 / width, (rows.min() + rows.max() + 1) / 2 / height)
        marks = [SimpleNamespace(x=middle[0] + 0.001 * (n % 20 - 9.5), y=middle[1]) for n in range(478)]
        return SimpleNamespace(multi_face_landmarks=[SimpleNamespace(landmark=marks)])
"""

DLIB = """
import numpy as np

__version__ = "20.0.1"
SMALLEST = 8


class rectangle:
    def __init__(self, left, top, right, bottom):
        self.edges = left, top, right, bottom

    def left(self): return self.edges[0]
    def top(self): return self.edges[1]
    def right(self): return self.edges[2]
    def bottom(self): return self.edges[3]
    def area(self): return (self.right() - self.left()) * (self.bottom() - self.top())


class point:
    def __init__(self, x, y):
        self.x, self.y = x, y


class shape:
    def __init__(self, parts):
        self._parts = parts

    def parts(self): return self._parts


def resize_image(image, rows, columns):
    return np.ascontiguousarray(image[:: image.shape[0] // rows, :: image.shape[1] // columns])


def get_frontal_face_detector():
    def detect(image, upsample):
        rows, columns = np.nonzero(image[..., 0] > 128)
        if len(rows) == 0 or np.ptp(rows) < SMALLEST:
            return []
        box = [int(v) for v in (columns.min(), rows.min(), columns.max(), rows.max())]
        return [rectangle(0, 0, 2, 2), rectangle(*box)]
    return detect


def shape_predictor(path):
    assert open(path).read() == "the model"
    return lambda image, face: shape([point(face.left() + n, face.top()) for n in range(68)])
"""

BEFORE = """
import runpy, sys
sys.path.insert(0, {folder!r})
runpy.run_path({script!r}, run_name="__main__")
"""


def with_libraries(folder: Path, *names: str) -> Path:
    """Write stand-ins for "mediapipe" and "dlib" and return the script that runs the baselines' script with them."""
    solutions = folder / "mediapipe" / "python" / "solutions"
    solutions.mkdir(parents=True)
    broken = "" if "mediapipe" in names else "raise ImportError('mediapipe is not there')"
    (folder / "mediapipe" / "__init__.py").write_text(broken)
    for each in (solutions.parent, solutions):
        (each / "__init__.py").write_text("")
    (solutions / "face_mesh.py").write_text(MESH)
    (folder / "dlib.py").write_text(DLIB if "dlib" in names else "raise ImportError('dlib is not there')")
    models = folder / "face_recognition_models"
    (models / "models").mkdir(parents=True)
    (models / "__init__.py").write_text("import a_part_of_setuptools_that_is_gone")
    (models / "models" / "shape_predictor_68_face_landmarks.dat").write_text("the model")
    return script(folder, BEFORE.format(folder=str(folder), script=str(SCRIPT)))


def script(folder: Path, text: str) -> Path:
    """Write a script."""
    path = folder / "a script.py"
    path.write_text(text)
    return path
