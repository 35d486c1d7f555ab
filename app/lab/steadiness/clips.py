"""Clips in which it is known how the face moves: the demo, and pictures that were moved as a whole.

The demo says itself how its head moves (:mod:`app.sources.demo`). Of labelled clips in WFLW-V form those are used whose
labels move as one rigid shape; there the labels say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.frame import Frame
from app.lab.accuracy.wflw_v import VideoFiles, find_videos, read_frames, read_labels
from app.lab.steadiness.measure import Array, Mask, Truth, pixels_of
from app.sources.demo import EYES, FACE_CENTRE, HEAD, DemoClip, demo_truth
from model.topology import inter_ocular

STILL, MOVING, COVERED = "still", "moving", "covered"
SLOW = 0.3
"""% of the eye distance that a face which keeps still moves at most from frame to frame."""
RIGID = 0.01
"""% of the eye distance by which labels may miss one rigid shape (root mean square of the worst frame)."""

EYE_CORNERS = np.array([(194.6, 100.6), (255.7, 104.0)])
"""Portrait pixels of the demo's outer eye corners: the middle of where LDEQ Live, MediaPipe and dlib see them, which
differ by at most a pixel. Only their distance counts, the unit of all figures."""
LID_REACH = (16.0, 13.0)
"""Portrait pixels, across and down from an eye's middle, within which a blink moves the picture, and some to spare."""
JAW = ((170.0, 280.0), (120.0, 218.0))
"""Portrait columns and rows between which the mouth moves the picture, and some to spare."""
BROWS = ((170.0, 282.0), (66.0, 97.0))
"""Portrait columns and rows between which the brows move the picture, and some to spare."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownClip:
    """A clip and how its face moves.

    Attributes:
        name: for people.
        frames: opens it anew: every frame, in order.
        width: of its pictures.
        height: of its pictures.
        truth: one for all frames.
    """

    name: str
    frames: Callable[[], Iterator[Frame]]
    width: int
    height: int
    truth: Truth


def demo() -> KnownClip:
    """Return the demo clip, with the sensor's noise that the application adds."""
    known = demo_truth()
    parts = ((known.mouth > 0, JAW), (known.brows > 0, BROWS))

    def holds(places: Array) -> Mask:
        x, y, half_width, half_height = HEAD
        head = np.hypot((places[:, 0] - x) / half_width, (places[:, 1] - y) / half_height) <= 1
        lids = np.any([(np.abs(places - eye) <= LID_REACH).all(axis=-1) for eye in EYES], axis=0)
        moved = (known.blink > 0)[:, None] & lids
        for moves, ((left, right), (top, bottom)) in parts:
            there = (places[:, 0] > left) & (places[:, 0] < right) & (places[:, 1] > top) & (places[:, 1] < bottom)
            moved |= moves[:, None] & there
        return np.asarray(head & ~moved)

    def frames() -> Iterator[Frame]:
        with closing(DemoClip()) as clip:
            while (frame := clip.read()) is not None:
                yield frame

    with closing(DemoClip()) as clip:
        info = clip.info
    stretches = {STILL: known.still, MOVING: ~known.still & ~known.occluded, COVERED: known.occluded}
    ruler = float(np.hypot(*(EYE_CORNERS[1] - EYE_CORNERS[0])))
    truth = Truth(known.matrix, ruler, np.array(FACE_CENTRE), stretches, holds)
    return KnownClip("demo", frames, info.width, info.height, truth)


def rigid_clips(root: Path) -> tuple[list[KnownClip], list[str]]:
    """Return the clips of a folder in WFLW-V form whose labels move as one rigid shape, and the names of the others.

    Raises:
        UserError: for a folder or files that are no such clips.
    """
    clips, others = [], []
    for files in find_videos(root):
        labels = read_labels(files)[0].astype(np.float64)
        matrix = rigid_motion(labels)
        apart = pixels_of(labels[0], matrix) - labels
        size = np.array([inter_ocular(shape) for shape in labels])
        if 100 * float((np.sqrt((apart**2).sum(axis=-1).mean(axis=1)) / size).max()) > RIGID:
            others.append(files.name)
            continue
        steps = np.sqrt((np.diff(labels, axis=0) ** 2).sum(axis=-1).mean(axis=1)) / size[1:]
        still = np.full(len(labels), bool(100 * np.median(steps) <= SLOW))
        truth = Truth(
            matrix,
            float(size[0]),
            labels[0].mean(axis=0),
            {STILL: still, MOVING: ~still},
            holds_everywhere(len(labels)),
        )
        height, width = next(iter(read_frames(files.video)))[1].shape[:2]
        clips.append(KnownClip(files.name, _frames_of(files), width, height, truth))
    return clips, others


def rigid_motion(shapes: Array) -> Array:
    """Return the similarities (n, 2, 3) that take the first of n shapes (n, k, 2) nearest to each of them."""
    flat = shapes[..., 0] + 1j * shapes[..., 1]
    middle = flat.mean(axis=1)
    first = flat[0] - middle[0]
    turn = ((flat - middle[:, None]) * first.conj()).sum(axis=1) / (np.abs(first) ** 2).sum()
    shift = middle - turn * middle[0]
    rows = [np.stack([turn.real, -turn.imag, shift.real], -1), np.stack([turn.imag, turn.real, shift.imag], -1)]
    return np.stack(rows, axis=1)


def _frames_of(files: VideoFiles) -> Callable[[], Iterator[Frame]]:
    def frames() -> Iterator[Frame]:
        for index, (seconds, image) in enumerate(read_frames(files.video)):
            yield Frame(index, seconds, image, 0.0)

    return frames


def holds_everywhere(count: int) -> Callable[[Array], Mask]:
    """Return the answer for ``count`` frames of a picture that moves as a whole."""

    def holds(places: Array) -> Mask:
        return np.ones((count, len(places)), np.bool_)

    return holds
