"""The animated picture of the README: the same face with RwR off and on, close to an eye and the mouth.

    python -m benchmarks.rwr_animation docs/images/rwr.webp [--first 106] [--last 236]

The demo clip is tracked once, each frame with RwR off and on. The views move with the head, whose true motion in the
demo clip is known, so that the skin stands still and whatever moves besides lips and lids is the landmarks' own
flicker. Each landmark draws its last positions behind it. The figures are the live meter's, over the last second.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.core.settings import EngineSettings, TrackingSettings
from app.sources.demo import DemoClip, demo_truth
from app.tracking.pipeline import build_pipeline
from benchmarks.script import parser_of, run_script
from model.metrics.flicker_meter import FlickerReading, FlickerWindow
from model.topology import REGION_OF_POINT, REGIONS

FPS = 30
TITLES = ("RwR off", "RwR on")
TITLE_COLOURS = ((255, 138, 128), (128, 226, 160))
BACKGROUND = (16, 18, 22)
QUIET = (150, 156, 166)

MARGIN, GUTTER, GAP, HEADER, TRACE = 14, 22, 8, 54, 58
TRAIL = 15
"""Earlier positions drawn behind each landmark, in frames."""
BRIGHTNESS = 0.8
"""Of the face, so that landmarks stand out."""
SMOOTH = 4
"""Everything is drawn this many times as large and reduced, for smooth edges."""
WINDOW_SECONDS = 1.0
TRACE_SECONDS = 3.0
TRACE_TOP = 1.0
"""Flicker at the upper edge of the traces, in %."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """A part of the portrait to look at.

    Attributes:
        centre: of the view, portrait pixels.
        scale: view pixels per portrait pixel.
        width: of the view in pixels.
        height: of the view in pixels.
        regions: names of the regions whose landmarks are drawn.
    """

    centre: tuple[float, float]
    scale: float
    width: int
    height: int
    regions: tuple[str, ...]

    @property
    def matrix(self) -> Points:
        """(2, 3) float64, portrait pixels to view pixels."""
        x, y = self.centre
        return np.array(
            [[self.scale, 0, self.width / 2 - self.scale * x], [0, self.scale, self.height / 2 - self.scale * y]]
        )


VIEWS = (
    View((203.3, 100.6), 19.0, 400, 244, ("eyes", "pupils")),
    View((229.5, 149.5), 9.2, 400, 194, ("mouth",)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """One frame of the clip.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        landmarks: RwR off and on, (98, 2) frame pixels each.
        flicker: RwR off and on.
    """

    image: NDArray[np.uint8]
    landmarks: tuple[Points, Points]
    flicker: tuple[FlickerReading | None, FlickerReading | None]


def main() -> None:
    """Track the demo clip and write the picture."""
    parser = parser_of(__doc__)
    parser.add_argument("out", type=Path, help="a .webp file")
    parser.add_argument("--first", type=int, default=106, help="first frame shown")
    parser.add_argument("--last", type=int, default=236, help="last frame shown")
    parser.add_argument("--quality", type=int, default=50)
    args = parser.parse_args()
    frames = track(args.last + 1)
    pictures = draw_all(frames, args.first)
    data = encode(pictures, args.quality)
    args.out.write_bytes(data)
    print(f"{args.out}: {len(pictures)} frames of {pictures[0].width} x {pictures[0].height}, {len(data) / 1e6:.2f} MB")


def track(count: int) -> list[Tracked]:
    """Return the first ``count`` frames of the demo clip, each tracked with RwR off and on.

    Raises:
        RuntimeError: if a frame shows no face.
    """
    pipeline = build_pipeline(EngineSettings(), TrackingSettings(compare=True))
    tracked: list[Tracked] = []
    with closing(pipeline), closing(DemoClip()) as clip:
        while len(tracked) < count and (frame := clip.read()) is not None:
            faces = pipeline.process(frame).faces
            if not faces or faces[0].other is None:
                raise RuntimeError(f"No face was found in frame {frame.index}.")
            both = (faces[0].other, faces[0].estimate)
            landmarks = (both[0].landmarks.astype(np.float64), both[1].landmarks.astype(np.float64))
            tracked.append(Tracked(frame.image, landmarks, (both[0].flicker, both[1].flicker)))
    return tracked


def draw_all(frames: Sequence[Tracked], first: int) -> list[Image.Image]:
    """Return a picture for each frame from ``first`` on; earlier ones only fill averages and traces."""
    to_portrait = [np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2] for matrix in demo_truth().matrix]
    places = [
        tuple(apply(to_portrait[index], landmarks) for landmarks in frame.landmarks)
        for index, frame in enumerate(frames)
    ]
    windows = [FlickerWindow(WINDOW_SECONDS) for _ in TITLES]
    pictures = []
    for index, frame in enumerate(frames):
        for window, reading in zip(windows, frame.flicker, strict=True):
            window.add(index / FPS, reading)
        if index < first:
            continue
        readings = [window.reading() for window in windows]
        canvas = Image.new("RGB", canvas_size(), BACKGROUND)
        for side in range(len(TITLES)):
            left = MARGIN + side * (VIEWS[0].width + GUTTER)
            write_header(canvas, left, side, readings[side])
            top = HEADER
            for view in VIEWS:
                history = [earlier[side] for earlier in places[max(first, index - TRAIL) : index + 1]]
                canvas.paste(draw_view(frame.image, to_portrait[index], history, view), (left, top))
                top += view.height + GAP
            recent = [
                earlier.flicker[side] for earlier in frames[max(0, index - round(TRACE_SECONDS * FPS)) : index + 1]
            ]
            draw_trace(canvas, left, top, side, recent)
        pictures.append(canvas)
    return pictures


def canvas_size() -> tuple[int, int]:
    """Return width and height of the picture."""
    width = 2 * MARGIN + len(TITLES) * VIEWS[0].width + (len(TITLES) - 1) * GUTTER
    return width, HEADER + sum(view.height + GAP for view in VIEWS) + TRACE + MARGIN


def draw_view(image: NDArray[np.uint8], to_portrait: Points, history: list[Points], view: View) -> Image.Image:
    """Return a part of the frame, moved with the head, with landmarks and their trails.

    Args:
        image: the frame.
        to_portrait: (2, 3), frame pixels to portrait pixels.
        history: (98, 2) portrait pixels, oldest first, the frame's own last.
        view: what to show.
    """
    matrix = compose(view.matrix, to_portrait)
    skin = cv2.warpAffine(image, matrix, (view.width, view.height), flags=cv2.INTER_CUBIC)
    skin = np.rint(skin * BRIGHTNESS).astype(np.uint8)
    large = Image.fromarray(skin).resize((view.width * SMOOTH, view.height * SMOOTH), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(large, "RGBA")
    seen = [(apply(view.matrix, points) * SMOOTH).tolist() for points in history]
    shown = [point for region in REGIONS if region.name in view.regions for point in region.points]
    for point in shown:
        colour = REGIONS[REGION_OF_POINT[point]].colour
        path = [tuple(points[point]) for points in seen]
        for age, ends in enumerate(zip(path[-2::-1], path[:0:-1], strict=True)):
            pen.line(ends, fill=(*colour, round(255 * (1 - age / TRAIL))), width=round(1.8 * SMOOTH))
        x, y = path[-1]
        for radius, fill in ((4.6, (0, 0, 0)), (3.4, colour)):
            reach = radius * SMOOTH
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill)
    return large.resize((view.width, view.height), Image.Resampling.LANCZOS)


def write_header(canvas: Image.Image, left: int, side: int, reading: FlickerReading | None) -> None:
    """Write the mode's name and its flicker above its column."""
    pen = ImageDraw.Draw(canvas)
    pen.text((left, 13), TITLES[side], fill=TITLE_COLOURS[side], font=ImageFont.load_default(30))
    right = left + VIEWS[0].width
    if reading is not None:
        pen.text((right, 12), f"{reading.overall:.2f} %", "white", ImageFont.load_default(26), anchor="ra")
    pen.text((right - 96, 23), "flicker", QUIET, ImageFont.load_default(18), anchor="ra")


def draw_trace(canvas: Image.Image, left: int, top: int, side: int, recent: Sequence[FlickerReading | None]) -> None:
    """Draw the flicker of the last seconds, newest at the right, on the same scale for both modes."""
    width = VIEWS[0].width
    large = Image.new("RGB", (width * SMOOTH, TRACE * SMOOTH), (24, 27, 33))
    pen = ImageDraw.Draw(large)
    step = width * SMOOTH / (TRACE_SECONDS * FPS)
    line = [
        (
            width * SMOOTH - step * (len(recent) - 1 - place),
            TRACE * SMOOTH * (0.96 - 0.92 * min(reading.overall / TRACE_TOP, 1.0)),
        )
        for place, reading in enumerate(recent)
        if reading is not None
    ]
    if len(line) > 1:
        pen.line(line, fill=TITLE_COLOURS[side], width=round(1.8 * SMOOTH), joint="curve")
    canvas.paste(large.resize((width, TRACE), Image.Resampling.LANCZOS), (left, top))


def encode(pictures: Sequence[Image.Image], quality: int) -> bytes:
    """Return the pictures as an animated WebP that loops."""
    data = io.BytesIO()
    pictures[0].save(
        data,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / FPS),
        loop=0,
        quality=quality,
        method=4,
    )
    return data.getvalue()


def apply(matrix: Points, points: Points) -> Points:
    """Return (n, 2) ``points`` moved by a (2, 3) ``matrix``."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def compose(second: Points, first: Points) -> Points:
    """Return the (2, 3) matrix that applies ``first``, then ``second``."""
    return np.asarray((np.vstack([second, (0, 0, 1)]) @ np.vstack([first, (0, 0, 1)]))[:2])


if __name__ == "__main__":
    run_script(main)
