"""Writes the demo clip and its true motion next to the portrait: ``python -m benchmarks.demo_clip.make``.

Only needed to change the clip; the result is part of the project. About two minutes on a laptop.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.places import ASSETS
from benchmarks.demo_clip.face import Face
from benchmarks.demo_clip.motion import FPS, FRAMES, HEIGHT, OCCLUDED, STILL, WIDTH, pose
from benchmarks.demo_clip.render import Renderer
from benchmarks.script import parser_of, run_script

_ENCODER = {"crf": "17", "preset": "slow", "g": "60", "threads": "2", "movflags": "+faststart"}
_BT709 = 1


def main() -> None:
    """Render every frame into ``demo.mp4`` and write ``demo_motion.npz``."""
    parser = parser_of(__doc__)
    parser.add_argument("--portrait", type=Path, default=ASSETS / "portrait.jpg")
    parser.add_argument("-o", "--out", type=Path, default=ASSETS, help="folder for demo.mp4 and demo_motion.npz")
    parser.add_argument("--crf", default=_ENCODER["crf"], help="x264 quality, lower is better")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_motion(chosen.out / "demo_motion.npz")
    write_clip(chosen.out / "demo.mp4", read_portrait(chosen.portrait), chosen.crf)


def read_portrait(path: Path) -> NDArray[np.uint8]:
    """Return the portrait as (512, 512, 3) uint8 RGB."""
    decoded = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
    if decoded is None:
        raise SystemExit(f"{path} is not a picture.")
    return decoded.astype(np.uint8, copy=False)


def write_motion(path: Path) -> None:
    """Write what is known about each frame: the arrays of :class:`app.sources.demo.DemoTruth`."""
    times = np.arange(FRAMES) / FPS
    poses, face = [pose(float(t)) for t in times], Face()
    expressions = [p.expression for p in poses]
    landmarks = [face.landmarks(p.expression) @ p.head[:, :2].T + p.head[:, 2] for p in poses]
    np.savez_compressed(
        path,
        matrix=np.stack([p.head for p in poses]),
        landmarks=np.array(landmarks, np.float32),
        blink=np.array([e.blink for e in expressions], np.float32),
        mouth=np.array([max(e.open, e.smile, e.relax) for e in expressions], np.float32),
        brows=np.array([e.brows for e in expressions], np.float32),
        still=(times >= STILL[0]) & (times <= STILL[1]),
        occluded=(times > OCCLUDED[0]) & (times < OCCLUDED[1]),
    )


def write_clip(path: Path, portrait: NDArray[np.uint8], crf: str) -> None:
    """Encode all frames as H.264, 4:2:0, BT.709."""
    renderer = Renderer(portrait)
    with av.open(str(path), "w", options={"movflags": _ENCODER["movflags"]}) as container:
        options = {name: value for name, value in _ENCODER.items() if name != "movflags"} | {"crf": crf}
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        for index in tqdm(range(FRAMES), unit="frame"):
            picture = av.VideoFrame.from_ndarray(renderer.frame(index), format="rgb24")
            frame = picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    run_script(main)
