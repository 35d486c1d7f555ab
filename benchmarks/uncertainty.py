"""Do the discs of ``model.uncertainty`` hold as many landmarks as they say? A table and a reliability diagram.

    python3 -m benchmarks.uncertainty --list LIST --images DIR [--videos DIR --ids FILE] [--weights FILE]
        [--picture PNG] [--json OUT]

Measured are the faces of a WFLW list, each by a cold solve; the same faces with something pasted over a part of them
(:mod:`app.lab.accuracy.covered`), covered and open landmarks apart; and videos in WFLW-V form, by cold solves and by
RwR. ``docs/reports/uncertainty.md`` discusses the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.errors import UserError
from app.core.files import check_writable
from app.core.places import DEFAULT_WEIGHTS
from app.core.text_table import table
from app.lab.accuracy.covered import SEED, cover
from app.lab.accuracy.wflw import ATTRIBUTES, WflwFace, check_images, read_image, read_list
from app.lab.accuracy.wflw_v import VideoFiles, find_videos, read_frames, read_labels
from app.lab.flicker.plots import legend_below, panels, png_of
from benchmarks.script import add_json, add_list, parser_of, run_script, write_figures
from model.engine.base import Engine
from model.engine.open import open_engine
from model.files import write_whole
from model.geometry import Crop
from model.rwr.cold import cold_solve
from model.rwr.recurrence import Recurrence
from model.rwr.solution import Solution, disc_radii
from model.topology import REGIONS
from model.uncertainty import PERCENTS, Calibration, read_calibration
from model.weights import read_card

EVERY = 20
"""Frames of a video from one that is measured to the next; neighbours tell the same."""
STYLES = ("o-", "s-", "^--", "d--", "v-.", "x-.", "*:", "P:")

Measured = dict[str, tuple[int, dict[int, float]]]
"""By set: how many landmarks, and how many percent of them the discs hold, by percentage."""


class Discs:
    """Counts which landmarks lie in their discs."""

    def __init__(self, engine: Engine, calibration: Calibration) -> None:
        self._engine, self._calibration = engine, calibration

    def inside(self, u: Any, solution: Solution, crop: Crop, truth: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return (3, 98): whether the discs of each percentage hold the landmarks; ``u`` is of this face alone."""
        off = np.linalg.norm(solution.landmarks - truth, axis=-1)
        return np.stack([off <= disc_radii(self._calibration, solution, crop, u, percent) for percent in PERCENTS])

    def of_picture(self, picture: NDArray[np.uint8], crop: Crop, truth: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return the same for a cold solve of a crop's picture."""
        u = self._engine.encode(picture[None])
        return self.inside(u[0], cold_solve(self._engine, u, crop), crop, truth)

    def of_video(self, files: VideoFiles, *, recurrent: bool) -> Iterator[NDArray[np.bool_]]:
        """Yield the same for every twentieth frame of a video, by its boxes, with or without RwR."""
        config = self._engine.config
        recurrence = Recurrence(self._engine)
        landmarks, boxes = read_labels(files)
        for number, (seconds, image) in enumerate(read_frames(files.video)):
            measured = number % EVERY == EVERY - 1
            if not (measured or recurrent):
                continue
            x1, y1, x2, y2 = boxes[number].tolist()
            crop = Crop.around_box(x1, y1, x2, y2, config.crop_scale)
            u = self._engine.encode(crop.extract(image, config.input_size)[None])
            solution = recurrence.solve(u, crop, image, seconds) if recurrent else cold_solve(self._engine, u, crop)
            if measured:
                yield self.inside(u[0], solution, crop, landmarks[number])


def measure_faces(discs: Discs, engine: Engine, folder: Path, faces: list[WflwFace]) -> Measured:
    """Measure the faces of a list as they are, by region and by the attributes that matter, and covered."""
    size, scale = engine.config.input_size, engine.config.crop_scale
    crops = [Crop.around_box(*face.box, scale) for face in faces]
    pictures = [crop.extract(read_image(folder, face), size) for crop, face in zip(crops, faces, strict=True)]
    rng = np.random.default_rng(SEED)
    plain, changed, covered = [], [], []
    for crop, picture, face in zip(crops, tqdm(pictures, unit="face", disable=None), faces, strict=True):
        plain.append(discs.of_picture(picture, crop, face.landmarks))
        other = pictures[rng.integers(len(pictures))]
        pasted, hidden = cover(picture, other, crop.to_crop(face.landmarks).astype(np.float64), rng)
        changed.append(discs.of_picture(pasted, crop, face.landmarks))
        covered.append(hidden)
    found = {"faces": plain, "every second face (not fitted to)": plain[1::2]}
    measured = {name: _share(np.stack(inside)) for name, inside in found.items()}
    whole = np.stack(plain)
    for region in REGIONS:
        measured[f"faces: {region.name}"] = _share(whole[..., list(region.points)])
    for position, name in enumerate(ATTRIBUTES):
        rows = [i for i, face in enumerate(faces) if face.attributes is not None and face.attributes[position]]
        if rows:
            measured[f"faces: {name}"] = _share(whole[rows])
    hidden_points, all_changed = np.stack(covered), np.stack(changed).transpose(1, 0, 2)
    measured["under a pasted occluder"] = _share(all_changed[:, hidden_points])
    measured["beside a pasted occluder"] = _share(all_changed[:, ~hidden_points])
    return measured


def _share(inside: NDArray[np.bool_]) -> tuple[int, dict[int, float]]:
    """Return the count and the percentages of (n, 3, k) or (3, n) landmarks."""
    by_percent = inside if inside.ndim == 2 else inside.transpose(1, 0, 2).reshape(len(PERCENTS), -1)
    return by_percent.shape[1], dict(zip(PERCENTS, (by_percent.mean(axis=1) * 100).tolist(), strict=True))


def diagram(measured: Measured) -> bytes:
    """Draw how many percent of the landmarks the discs hold against how many they should, as PNG."""
    figure, (axis,) = panels(1)
    axis.plot([0, 100], [0, 100], color="#7f7f7f", linewidth=1, label="as stated")
    axis.fill_between([0, 100], [-3, 97], [3, 103], color="#000000", alpha=0.07, label="within 3 points")
    shown = {name: values for name, values in measured.items() if not name.startswith("faces: ")}
    for style, (name, (_, held)) in zip(STYLES, shown.items(), strict=False):
        axis.plot([0, *held, 100], [0, *held.values(), 100], style, markersize=5, label=name)
    axis.set_xlim(0, 100)
    axis.set_ylim(0, 100)
    axis.set_xlabel("stated probability of the disc, %")
    axis.set_ylabel("landmarks in it, %")
    legend_below(figure, [axis])
    return png_of(figure)


def main() -> None:
    """Parse the command line and run."""
    parser = parser_of(__doc__)
    add_list(parser)
    parser.add_argument("--videos", type=Path, help="folder in WFLW-V form")
    parser.add_argument("--ids", type=Path, help="its videos to measure")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="whose JSON has the constants")
    parser.add_argument("--threads", type=int, help="of onnxruntime")
    parser.add_argument("--picture", type=Path, help="draw the reliability diagram")
    add_json(parser)
    args = parser.parse_args()
    if args.picture is not None:
        check_writable(args.picture, overwrite=True)
    faces = read_list(args.list)
    check_images(args.images, faces)
    calibration = read_calibration(read_card(args.weights))
    if calibration is None:
        raise UserError(f"{args.weights.name} has no constants; run main.py train-uncertainty.")
    engine = open_engine(args.weights, "onnx", "cpu", args.threads)
    discs = Discs(engine, calibration)
    measured = measure_faces(discs, engine, args.images, faces)
    if args.videos is not None:
        videos = find_videos(args.videos, args.ids)
        for name, recurrent in (("videos, cold", False), ("videos, RwR", True)):
            inside = [each for video in videos for each in discs.of_video(video, recurrent=recurrent)]
            measured[name] = _share(np.stack(inside))
    rows = [
        (name, f"{count}", *(f"{value:.1f}" for value in held.values())) for name, (count, held) in measured.items()
    ]
    print(table(("landmarks in the disc of", "count", *(f"{percent} %" for percent in PERCENTS)), rows))
    if args.picture is not None:
        write_whole(args.picture, diagram(measured))
    write_figures(args.json, {name: {"count": count, "held": held} for name, (count, held) in measured.items()})


if __name__ == "__main__":
    run_script(main)
