"""The demo clip shows the motion that its file of true motion claims, and loops."""

from __future__ import annotations

from functools import cache

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.places import DEMO_CLIP
from app.sources.demo import FACE_CENTRE, NOISE, DemoClip, SensorNoise, demo_truth
from app.sources.paced import PacedSource
from app.sources.video import VideoSource
from model.geometry import similarity
from tests.fakes import portrait

pytestmark = pytest.mark.slow

FRAMES, WIDTH, HEIGHT = 330, 1280, 720
FACE = (slice(88, 180), slice(184, 268))
"""Rows and columns of the face in the portrait."""


@cache
def frames(*indices: int) -> dict[int, NDArray[np.uint8]]:
    """Some frames of the committed clip."""
    with av.open(str(DEMO_CLIP)) as container:
        container.streams.video[0].thread_type = "AUTO"
        decoded = enumerate(container.decode(video=0))
        return {index: np.asarray(frame.to_ndarray(format="rgb24")) for index, frame in decoded if index in indices}


SAMPLES = (72, 80, 90, 112, 140, 165, 190)
"""Frames in which the face is as in the portrait."""


def agreement(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> float:
    """Correlation of the face in the portrait with the face in ``image``, brought back by ``matrix``."""
    grey = cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY)
    back = cv2.warpAffine(image, matrix, (512, 512), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    face = cv2.GaussianBlur(cv2.cvtColor(back, cv2.COLOR_RGB2GRAY), (0, 0), 0.8)[FACE]
    return float(np.corrcoef(grey[FACE].ravel(), face.ravel())[0, 1])


@pytest.mark.parametrize("index", SAMPLES)
def test_true_motion_is_where_the_face_is(index: int) -> None:
    image, truth = frames(*SAMPLES)[index], demo_truth().matrix[index]
    best = agreement(image, truth)
    assert best > 0.95
    # A deviation of 3 pixels or 1 degree in any direction fits worse.
    for shift in ((3, 0), (-3, 0), (0, 3), (0, -3)):
        moved = truth.copy()
        moved[:, 2] += shift
        assert agreement(image, moved) < best
    centre = tuple(truth @ [*FACE_CENTRE, 1.0])
    for degrees in (-1.0, 1.0):
        turn = np.vstack([similarity(1.0, degrees, centre, centre), [0, 0, 1]])
        assert agreement(image, (turn @ np.vstack([truth, [0, 0, 1]]))[:2]) < best


def test_motion_file_belongs_to_the_clip() -> None:
    assert len(demo_truth().matrix) == FRAMES == VideoSource(DEMO_CLIP).info.frames


def test_the_clip_continues_across_its_seam() -> None:
    """Landmarks step no further from the last frame to the first than elsewhere, and the picture changes no more."""
    points = demo_truth().landmarks
    steps = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=-1)
    assert steps[0].max() < np.median(steps[1:].max(axis=1)) * 2
    assert steps[0].mean() < np.percentile(steps[1:].mean(axis=1), 90)
    speeds = np.diff(np.concatenate([points[-2:], points[:2]]), axis=0)
    assert np.linalg.norm(np.diff(speeds, axis=0), axis=-1).max() < 3  # nothing starts or stops there
    seen = frames(FRAMES - 2, FRAMES - 1, 0, 1)
    changes = [
        float(np.abs(seen[last].astype(int) - seen[first]).mean())
        for last, first in ((FRAMES - 2, FRAMES - 1), (FRAMES - 1, 0), (0, 1))
    ]
    assert changes[1] < 1.3 * max(changes[0], changes[2])


def test_landmarks_lie_on_what_they_name() -> None:
    """Brows, lids and lips are darker than the skin beside them, wherever an expression puts them."""
    truth = demo_truth()
    lips = np.linalg.norm(truth.landmarks[:, 90] - truth.landmarks[:, 94], axis=-1)
    raised, shut, wide = (int(values.argmax()) for values in (truth.brows, truth.blink, lips))
    seen = frames(raised, shut, wide)

    def grey(index: int, points: NDArray[np.float64]) -> float:
        smooth = cv2.GaussianBlur(cv2.cvtColor(seen[index], cv2.COLOR_RGB2GRAY), (0, 0), 1.5)
        x, y = np.rint(points).astype(int).T
        return float(smooth[y, x].mean())

    def middle(index: int, *points: int) -> NDArray[np.float64]:
        return truth.landmarks[index][list(points)].astype(float).mean(axis=0)[None]

    brow = np.concatenate([middle(raised, upper, lower) for upper, lower in ((35, 40), (36, 39), (43, 49), (44, 48))])
    below = np.array([0.0, 14.0])
    assert grey(raised, brow) < grey(raised, brow + below) - 20
    lids = truth.landmarks[shut].astype(float)[[61, 62, 63, 69, 70, 71]]
    assert grey(shut, lids) < grey(shut, lids + below) - 20
    assert np.linalg.norm(truth.landmarks[shut][62] - truth.landmarks[shut][66]) < 3
    assert grey(wide, 0.3 * middle(wide, 90) + 0.7 * middle(wide, 94)) < 80


def test_motion_is_a_similarity_that_loops_smoothly() -> None:
    matrix = demo_truth().matrix
    linear = matrix[:, :, :2]
    assert linear[:, 0, 0] == pytest.approx(linear[:, 1, 1])
    assert linear[:, 0, 1] == pytest.approx(-linear[:, 1, 0])
    centre = matrix @ [*FACE_CENTRE, 1.0]
    step = np.linalg.norm(centre - np.roll(centre, 1, axis=0), axis=1)
    assert step.max() < 20
    assert step[0] < 6  # over the seam
    assert step[demo_truth().still].max() < 0.4
    assert step.max() > 8  # fast enough to blur


def test_face_has_a_good_size_and_stays_in_the_picture() -> None:
    corners = np.array([[184, 70, 1], [268, 70, 1], [184, 185, 1], [268, 185, 1]], float)
    boxes = corners @ demo_truth().matrix.transpose(0, 2, 1)
    heights = np.ptp(boxes[..., 1], axis=1)
    assert heights.min() > 250
    assert heights.max() < 480
    assert boxes.min() > 0
    assert boxes[..., 0].max() < WIDTH
    assert boxes[..., 1].max() < HEIGHT


def test_eyes_close_mouth_opens_and_the_folder_passes() -> None:
    truth = demo_truth()
    blink, mouth = int(truth.blink.argmax()), int(truth.mouth.argmax())
    assert truth.blink[blink] > 0.9
    assert truth.mouth[mouth] > 0.8

    middle = int(np.flatnonzero(truth.occluded).mean())
    seen = frames(blink, blink - 12, middle)

    def pupils(index: int) -> float:
        image = cv2.warpAffine(seen[index], truth.matrix[index], (512, 512), flags=cv2.WARP_INVERSE_MAP)
        return float(image[99:103, 200:205].mean())

    assert pupils(blink) > pupils(blink - 12) + 20
    image = seen[middle].astype(int)
    blue = (image[..., 2] > image[..., 0] + 40) & (image[..., 1] < 130)
    assert blue[400:600, 480:800].mean() > 0.5


def test_noise_has_its_strength_and_never_repeats_nearby() -> None:
    noise = SensorNoise(320, 180)
    flat = np.full((180, 320, 3), 128, np.uint8)
    views = [noise.add(flat, index).astype(float) - 128 for index in range(6)]
    assert np.array_equal(noise.add(flat, 3), noise.add(flat, 3))
    assert abs(views[0].mean(axis=2).std() - NOISE) < 0.5
    for one in range(6):
        for other in range(one):
            assert abs(np.corrcoef(views[one].ravel(), views[other].ravel())[0, 1]) < 0.02
    assert (noise.add(np.full((180, 320, 3), 255, np.uint8), 0) >= 230).all()  # saturates, does not wrap


def test_demo_clip_is_finite_and_paced_it_is_live() -> None:
    clip = DemoClip()
    assert clip.info.demo
    assert not clip.info.live
    assert clip.info.frames == FRAMES
    frame = clip.read()
    assert frame is not None
    assert frame.image.shape == (HEIGHT, WIDTH, 3)
    clip.close()
    assert clip.read() is None
    demo = PacedSource(DemoClip, loop=True)
    assert (demo.info.name, demo.info.demo, demo.info.live, demo.info.frames) == ("Demo clip", True, True, None)
    assert demo.read() is not None
    demo.close()
