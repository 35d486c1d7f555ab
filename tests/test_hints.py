"""Hints: each way to spoil a picture of a face gets its own sentence, and a good picture gets none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.modes import Mode
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.live.presenters.hint_watcher import HintWatcher
from app.gui.live.presenters.hints import LOST, LOST_AFTER, POOR, REMEMBERED, TEXTS, Hint, HintJudge, HintKind
from app.sources.demo import DemoClip
from app.tracking.conditions import Edge
from app.tracking.pipeline import Pipeline, build_pipeline
from model.geometry import Crop
from model.solvers import SolveReport
from model.solvers.report import StopReason
from tests.fakes import face_points
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.slow

Image = NDArray[np.uint8]
Spoil = Callable[[Image], Image]
SIZE = (640, 360)
GOOD, SPOILT = 3, 12
"""Pictures of a scene: first as they are, then spoilt."""
STEP = 0.2


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    """The demo clip's first pictures, smaller."""
    demo = DemoClip()
    frames = [demo.read() for _ in range(GOOD + SPOILT)]
    demo.close()
    return [np.asarray(cv2.resize(f.image, SIZE, interpolation=cv2.INTER_AREA), np.uint8) for f in frames if f]


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    pipeline = build_pipeline(EngineSettings(threads=1), TrackingSettings(measure_flicker=False))
    yield pipeline
    pipeline.close()


def hints_for(pipeline: Pipeline, pictures: list[Image]) -> list[Hint | None]:
    """The hint after each picture, as the window would find it looking five times a second."""
    pipeline.forget()
    judge = HintJudge()
    last_face: FrameResult | None = None
    found = []
    for index, image in enumerate(pictures):
        result = pipeline.process(Frame(index, index * STEP, image, 50 + index * STEP))
        last_face = result if result.faces else last_face
        found.append(judge.look(result, last_face))
    return found


def noisy(values: NDArray[np.floating]) -> Image:
    noise = np.random.default_rng(0).normal(0, 2, values.shape)
    return np.asarray(np.rint(values + noise).clip(0, 255), np.uint8)


def gain(factor: float) -> Spoil:
    return lambda image: noisy(image * np.float32(factor))


def blur(pixels: float) -> Spoil:
    return lambda image: noisy(np.asarray(cv2.GaussianBlur(image, (0, 0), pixels), np.float32))


def shift(across: float, down: float = 0.0) -> Spoil:
    matrix = np.array([[1, 0, across], [0, 1, down]], np.float64)
    return lambda image: np.asarray(cv2.warpAffine(image, matrix, SIZE, borderValue=(120, 120, 120)), np.uint8)


def shrink(factor: float) -> Spoil:
    matrix = np.array([[factor, 0, (1 - factor) * SIZE[0] / 2], [0, factor, (1 - factor) * SIZE[1] / 2]])
    flags = cv2.INTER_LINEAR

    def spoil(image: Image) -> Image:
        # Averaged down first, as a camera's pixels average over what they see.
        soft = cv2.GaussianBlur(image, (0, 0), max(0.1, 0.4 / factor))
        return np.asarray(cv2.warpAffine(soft, matrix, SIZE, flags=flags, borderValue=(120, 120, 120)), np.uint8)

    return spoil


def sheet(image: Image) -> Image:
    covered = image.copy()
    covered[:, 180:460] = 90
    return covered


def lamp_behind(image: Image) -> Image:
    dark = image * np.float32(0.06)
    dark[:, :200] = 250
    dark[:, 440:] = 250
    return noisy(dark)


def test_a_good_picture_gets_no_hint(pipeline: Pipeline, pictures: list[Image]) -> None:
    assert hints_for(pipeline, pictures) == [None] * len(pictures)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (gain(0.05), HintKind.DARK),
        (lamp_behind, HintKind.BACKLIT),
        (gain(4.0), HintKind.BRIGHT),
        (blur(12.0), HintKind.BLURRED),
        (shift(-300), HintKind.CUT_OFF),
    ],
    ids=["darkened", "backlit", "glaring", "blurred", "shifted"],
)
def test_a_tracked_face_that_could_be_better(
    pipeline: Pipeline, pictures: list[Image], spoil: Spoil, kind: HintKind
) -> None:
    # The face is brought there gently, so that the tracker does not lose it on the way.
    way = [shift(-300 * k / 12)(pictures[0]) for k in range(12)] if kind == HintKind.CUT_OFF else pictures[:GOOD]
    hints = hints_for(pipeline, [*way, *(spoil(image) for image in pictures[GOOD : GOOD + 4])])
    assert hints[: GOOD + 1] == [None] * (GOOD + 1)  # one look is not enough to say something
    assert {hint.kind for hint in hints if hint is not None} == {kind}
    assert hints[-1] is not None
    assert not hints[-1].lost
    if kind == HintKind.CUT_OFF:
        assert hints[-1].edge == Edge.LEFT
        assert "left edge" in hints[-1].sentence()
        assert "right edge" in hints[-1].sentence(mirrored=True)


def test_a_face_far_away_is_too_small(pipeline: Pipeline, pictures: list[Image]) -> None:
    far = [shrink(0.86**k)(pictures[0]) for k in range(13)]
    kinds = [hint and hint.kind for hint in hints_for(pipeline, far)]
    assert kinds[:9] == [None] * 9
    assert HintKind.SMALL in kinds
    assert set(kinds) <= {None, HintKind.SMALL}


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (gain(0.02), HintKind.BLACK),
        (sheet, HintKind.COVERED),
        (blur(40.0), HintKind.BLURRED),
        (lambda image: np.full_like(image, 252), HintKind.BRIGHT),
    ],
    ids=["switched off", "covered", "out of focus", "glaring"],
)
def test_a_face_that_is_lost(pipeline: Pipeline, pictures: list[Image], spoil: Spoil, kind: HintKind) -> None:
    spoilt = [spoil(image) for image in pictures[GOOD:]]
    hints = hints_for(pipeline, [*pictures[:GOOD], *spoilt, *spoilt[-1:] * 14])
    assert {hint.kind for hint in hints if hint is not None and hint.lost} == {kind}
    assert hints[-1] is not None
    assert hints[-1].lost
    assert hints[-1].sentence() == TEXTS[kind]


def test_a_face_that_walks_out(pipeline: Pipeline, pictures: list[Image]) -> None:
    walk = [shift(30.0 * k)(pictures[0]) for k in range(16)]
    hints = hints_for(pipeline, [*walk, *walk[-1:] * 6])
    assert hints[-1] == Hint(HintKind.GONE, True, Edge.RIGHT)
    assert hints[-1].sentence() == "The face left the picture at the right edge."
    assert hints[-1].sentence(mirrored=True) == "The face left the picture at the left edge."


def result(captured: float, image: Image, points: NDArray[np.float32] | None) -> FrameResult:
    """A result as the pipeline would give it, with a face at ``points`` or without."""
    faces: tuple[FaceResult, ...] = ()
    if points is not None:
        report = SolveReport(1, (0.1,), 0, StopReason.BUDGET, False, "first frame")
        estimate = Estimate(Mode.COLD, points, np.ones(98, np.float32), report)
        faces = (FaceResult(0, Crop.around_points(points, 1.25), estimate),)
    return FrameResult(Frame(0, captured, image, captured), faces)


@pytest.fixture(scope="module")
def textured() -> Image:
    """Something sharp without a face: tiles of many greys."""
    tiles = np.random.default_rng(0).integers(60, 200, (45, 80, 1), np.uint8)
    return np.asarray(tiles.repeat(8, axis=0).repeat(8, axis=1).repeat(3, axis=2), np.uint8)


def test_pictures_in_which_there_never_was_a_face(textured: Image) -> None:
    for image, kind in (
        (textured, HintKind.NOTHING),
        (np.asarray(textured * 0.09, np.uint8), HintKind.DARK),
        (textured * 0 + 2, HintKind.BLACK),
        (textured * 0 + 255, HintKind.BRIGHT),
    ):
        judge = HintJudge()
        assert judge.look(result(10.0, image, None), None) is None
        assert judge.look(result(10.0 + LOST_AFTER - 0.05, image, None), None) is None
        assert judge.look(result(10.01 + LOST_AFTER, image, None), None) == Hint(kind, True)


def test_the_place_of_a_face_is_forgotten(textured: Image) -> None:
    judge = HintJudge()
    face = result(10.0, textured, face_points(320, 180, 150))
    assert judge.look(face, face) is None
    for later, kind in (
        (LOST_AFTER + 0.01, HintKind.COVERED),
        (REMEMBERED - 0.1, HintKind.COVERED),
        (REMEMBERED + 0.1, HintKind.NOTHING),
    ):
        hint = judge.look(result(10.0 + later, textured, None), face)
        assert hint is not None
        assert hint.kind == kind


def test_top_edge_is_the_same_in_a_mirror() -> None:
    hint = Hint(HintKind.CUT_OFF, False, Edge.TOP)
    assert hint.sentence(mirrored=True) == hint.sentence() == "The face is cut off at the top edge: move to the middle."


def test_a_shown_hint_does_not_blink(textured: Image) -> None:
    judge = HintJudge()
    shown = []
    for k in range(20):
        side = 2 * POOR.inter_ocular * (0.97 if k < 4 else 1.06 if k < 12 else 1.3)
        face = result(10.0 + k * STEP, textured, face_points(320, 180, side))
        hint = judge.look(face, face)
        shown.append(hint and hint.kind)
    assert shown == [None] + [HintKind.SMALL] * 11 + [None] * 8


def test_limits_for_lost_faces_are_stricter() -> None:
    assert LOST.light < POOR.light
    assert LOST.bright > POOR.bright
    assert LOST.sharpness < POOR.sharpness
    assert LOST.inter_ocular < POOR.inter_ocular


def test_every_text_is_one_sentence() -> None:
    for text in TEXTS.values():
        assert text.endswith(".")
        assert text.count(".") == 1


def test_watcher_looks_on_its_own_thread_and_tells_of_changes(textured: Image) -> None:
    told: list[str] = []
    watcher = HintWatcher(lambda: told.append(threading.current_thread().name), pause=0.002)
    assert watcher.stop(PATIENCE_SECONDS)  # before it ever ran
    watcher = HintWatcher(lambda: told.append(threading.current_thread().name), pause=0.002)
    watcher.start()
    small = [result(10.0 + k, textured, face_points(320, 180, 30)) for k in range(3)]
    for each in small:
        watcher.consume(each)
        wait_until(lambda each=each: watcher._looked_at is each)  # type: ignore[misc]
    assert watcher.hint == Hint(HintKind.SMALL, False)
    assert told == ["hints"]
    watcher.consume(result(14.0, textured, None))
    wait_until(lambda: watcher.hint is not None and watcher.hint.lost)
    watcher.clear()
    assert watcher.hint is None
    assert watcher.stop(PATIENCE_SECONDS)


def test_watcher_survives_a_picture_it_cannot_cope_with(textured: Image) -> None:
    watcher = HintWatcher(pause=0.002)
    watcher.start()
    broken = result(10.0, textured[:0], face_points(320, 180, 30))
    watcher.consume(broken)
    wait_until(lambda: watcher._looked_at is broken)
    good = result(11.0, textured, None)
    watcher.consume(good)
    wait_until(lambda: watcher._looked_at is good)
    assert watcher.stop(PATIENCE_SECONDS)
