"""Another tracker on the same frames: MediaPipe's face mesh, in an interpreter that has a mediapipe of its own.

The models of the face mesh (478 points with the irises) are inside mediapipe 0.10.21 and were left out later, so
they cannot be had beside the mediapipe that finds our faces. ``python3 -m venv V`` and ``V/bin/pip install
mediapipe==0.10.21`` make an interpreter for ``--rival V/bin/python``.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType

from app.errors import UserError

SCRIPT = Path(__file__).with_name("rival_script.py")
NAME = "MediaPipe face mesh, 478 points"


class Rival:
    """A process that follows a video with the other tracker, some frames at a time.

    Args:
        python: the interpreter.
        video: what it follows, again and again.

    Raises:
        UserError: where it cannot.
    """

    def __init__(self, python: Path, video: Path) -> None:
        try:
            self._process = subprocess.Popen(
                [str(python), "-I", str(SCRIPT), str(video.resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise UserError(f"{python} cannot be run ({error.strerror}); give the path of a Python program.") from error
        if self._answer() != "ready":
            self.close()
            raise UserError(f"{python} has no mediapipe 0.10.21 with a face mesh; install it there with pip.")

    def run(self, frames: int) -> list[float]:
        """Follow the next frames and return the milliseconds of each."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{frames}\n")
        self._process.stdin.flush()
        answer = self._answer()
        if not answer:
            raise UserError("The rival ended in the middle of its work; run it without --rival.")
        milliseconds: list[float] = json.loads(answer)
        return milliseconds

    def close(self) -> None:
        """End it; safe to call twice."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Rival:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
