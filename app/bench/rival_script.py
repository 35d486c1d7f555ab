"""Runs in another interpreter, see rival.py: follows a video with MediaPipe's face mesh and times it."""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Answer each number of frames on standard input with a list of milliseconds."""
    import cv2
    from mediapipe.python.solutions.face_mesh import FaceMesh

    capture = cv2.VideoCapture(sys.argv[1])
    mesh = FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)
    print("ready", flush=True)
    for line in sys.stdin:
        milliseconds: list[float] = []
        while len(milliseconds) < int(line):
            there, picture = capture.read()
            if not there:
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                continue
            image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            started = time.perf_counter()
            mesh.process(image)
            milliseconds.append(1e3 * (time.perf_counter() - started))
        print(json.dumps(milliseconds), flush=True)


if __name__ == "__main__":
    main()
