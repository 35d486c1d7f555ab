"""Baselines: other trackers on the same pictures, each in an interpreter that has it installed.

MediaPipe's face mesh (478 points with the irises) has its models inside mediapipe 0.10.21; later versions leave them
out, so it cannot be installed beside the mediapipe that finds our faces. dlib's 68 points need dlib-bin and
face_recognition_models. ``python3 -m venv V`` and ``V/bin/pip install mediapipe==0.10.21`` (or the other two) make an
interpreter for ``--baseline V/bin/python``. Nothing of those packages is imported here.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.sources.video import VideoSource

SCRIPT = Path(__file__).with_name("baseline_script.py")
PATIENCE = 60.0
"""Seconds to wait for an answer; the first imports of a library from a cold disk are slow."""
STILL = "mediapipe-still"
"""Not a way to follow a video: it looks for the face anew in every picture."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A tracker that an interpreter has.

    Attributes:
        python: the interpreter.
        name: "mediapipe", "mediapipe-still" (every picture on its own), or "dlib".
        label: with its version, for people.
    """

    python: Path
    name: str
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """A baseline's answer to one picture.

    Attributes:
        points: (n, 2) float64 pixels, centres at integer coordinates; None if it found no face.
        milliseconds: by the clock, in its process, without the way there and back.
        cpu_milliseconds: of all its threads.
    """

    points: NDArray[np.float64] | None
    milliseconds: float
    cpu_milliseconds: float


def find_baselines(python: Path) -> list[Installed]:
    """Return the trackers that an interpreter has.

    Raises:
        UserError: if it cannot be run or has none.
    """
    command = [str(python), "-I", str(SCRIPT), "list"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{python} did not answer in {PATIENCE:.0f} s; give the path of a Python program.") from error
    except OSError as error:
        raise UserError(f"{python} cannot be run ({error.strerror}); give the path of a Python program.") from error
    answer = _read(done.stdout)
    if answer is None or not answer.keys() >= {"found", "missing"}:
        raise UserError(
            f"{python} does not behave like a Python program; give the path of one with a baseline tracker."
        )
    if not answer["found"]:
        why = "; ".join(dict.fromkeys(answer["missing"].values()))
        raise UserError(
            f"{python} has no baseline tracker ({why}); install mediapipe==0.10.21 there with pip, or dlib-bin and "
            "face_recognition_models."
        )
    return [Installed(python, name, label) for name, label in answer["found"].items()]


class Baseline:
    """A process that follows pictures of one size with another tracker.

    Args:
        installed: which.
        width: of the pictures.
        height: of the pictures.

    Attributes:
        label: of the tracker.
        regions: indices of its points by region, named as in ``model.topology`` but without pupils.
        corners: indices of the outer corners of the eyes.

    Raises:
        UserError: if it does not start.
    """

    def __init__(self, installed: Installed, width: int, height: int) -> None:
        self.label = installed.label
        self._size = (height, width, 3)
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                [str(installed.python), "-I", str(SCRIPT), installed.name, str(width), str(height)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
            )
        except OSError as error:
            self._complaints.close()
            raise UserError(f"{installed.python} cannot be run ({error.strerror}).") from error
        about = self._asked(b"", "regions", "corners")
        self.regions: dict[str, list[int]] = about["regions"]
        self.corners: tuple[int, int] = (about["corners"][0], about["corners"][1])

    def follow(self, image: NDArray[np.uint8]) -> Followed:
        """Give it the next picture, (height, width, 3) uint8 RGB, and return its answer.

        Raises:
            UserError: if it ended.
        """
        if image.shape != self._size:
            raise ValueError(f"the picture must be {self._size}, not {image.shape}")
        answer = self._asked(np.ascontiguousarray(image).data, "points", "ms", "cpu_ms")
        points = None if answer["points"] is None else np.array(answer["points"], np.float64)
        return Followed(points, answer["ms"], answer["cpu_ms"])

    def close(self) -> None:
        """End it; safe to call twice."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # the process that would read the rest is gone
                    stream.close()
        self._process.wait()
        self._complaints.close()

    def __enter__(self) -> Baseline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, question: bytes | memoryview, *keys: str) -> dict[str, Any]:
        """Write to the process and return its next answer; one that takes too long is killed, and so gives none.

        Raises:
            UserError: if no answer with these keys came.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = Timer(PATIENCE, self._process.kill)
        watch.start()
        try:
            with suppress(OSError):  # where it is gone, the answer that does not come tells
                self._process.stdin.write(question)
                self._process.stdin.flush()
            answer = _read(self._process.stdout.readline())
        finally:
            watch.cancel()
        if answer is not None and answer.keys() >= set(keys):
            return answer
        self._process.kill()
        self._process.wait()
        why = self._last_words()
        self.close()
        raise UserError(f"{self.label} ended in the middle of its work ({why}); leave out its --baseline.")

    def _last_words(self) -> str:
        """Return the last line that the process complained with."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "without a word")[:200]


class BaselineTurns:
    """Baselines that take turns with our engines, each on some frames of a video at a time.

    Args:
        installed: the baselines; of two with the same label the first takes part.
        video: what they follow, again and again.
        frames: of one turn.

    Attributes:
        milliseconds: of every frame so far, by baseline: by the clock, and CPU time.

    Raises:
        UserError: if one does not start, or the video cannot be read.
    """

    def __init__(self, installed: Sequence[Installed], video: Path, frames: int) -> None:
        self.milliseconds: dict[str, list[float]] = {}
        self._frames = frames
        self._stack = ExitStack()
        self._baselines: list[tuple[Baseline, Iterator[NDArray[np.uint8]]]] = []
        with closing(VideoSource(video)) as source:
            width, height = source.info.width, source.info.height
        unlike: dict[str, Installed] = {}
        for each in installed:
            if each.name != STILL:
                unlike.setdefault(each.label, each)
        try:
            for each in unlike.values():
                baseline = self._stack.enter_context(Baseline(each, width, height))
                self._baselines.append((baseline, self._stack.enter_context(closing(endless(video)))))
        except BaseException:
            self._stack.close()
            raise

    def run(self) -> None:
        """Let each have its turn.

        Raises:
            UserError: if one ended.
        """
        for baseline, images in self._baselines:
            answers = [baseline.follow(image) for image in islice(images, self._frames)]
            label = baseline.label
            wall, cpu = (self.milliseconds.setdefault(name, []) for name in (label, f"{label}, CPU time"))
            wall += [answer.milliseconds for answer in answers]
            cpu += [answer.cpu_milliseconds for answer in answers]

    def __enter__(self) -> BaselineTurns:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def endless(video: Path) -> Generator[NDArray[np.uint8]]:
    """Yield the pictures of a video, again and again; none of one that has none."""
    count = 1
    while count:
        count = 0
        with closing(VideoSource(video)) as source:
            while (frame := source.read()) is not None:
                count += 1
                yield frame.image


def _read(line: bytes) -> dict[str, Any] | None:
    """Return the answer in a line, None if there is none."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
