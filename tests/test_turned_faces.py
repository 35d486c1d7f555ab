"""Faces that lie, hang or roll, small faces, and pictures that do not continue each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.events import FaceFound, FaceLost, LossReason, PictureSizeChanged, SceneCut
from app.core.frame import Frame, FrameResult
from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import EngineSettings, TrackingSettings
from app.tracking import face_solver
from app.tracking.consistency import DOUBTFUL, GROWTH, HANGING, SHIFT, crops_beside, mirror_gap
from app.tracking.detector import (
    SURE,
    SURE_BESIDE_UPRIGHT,
    Detection,
    MediaPipeDetector,
    TurnedBox,
    most_agreed,
    turned_back,
    with_turned,
)
from app.tracking.engine import engine_of
from app.tracking.parts import SMALLEST_FACE, Part, parts_of
from app.tracking.pipeline import Pipeline, build_pipeline
from app.tracking.tracker import Policy, crop_angle, next_crop, roll_of
from model.engine.names import Device, EngineName
from model.geometry import Crop
from model.rwr.solution import Solution
from model.solvers import SolveReport, StopReason
from model.topology import MIRROR, inter_ocular
from tests.fakes import SquareDetector, SquareEngine, WholePictureDetector, face_image, face_points, portrait

pytestmark = pytest.mark.slow

SIZE = 640


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """The real detector and engine."""
    built = build_pipeline(EngineSettings(DEFAULT_WEIGHTS, EngineName.ONNX, Device.CPU, 1), TrackingSettings())
    yield built
    built.close()


def turned(degrees: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the portrait turned clockwise about the middle of a larger picture, and the 2x3 matrix that does it."""
    picture = portrait()
    centre = (picture.shape[1] / 2, picture.shape[0] / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, -degrees, 0.8), np.float64)
    matrix[:, 2] += np.array((SIZE - picture.shape[1], SIZE - picture.shape[0])) / 2
    image = cv2.warpAffine(picture, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(image, np.uint8), np.asarray(matrix, np.float64)


def moved_back(result: FrameResult, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    (face,) = result.faces
    inverse = cv2.invertAffineTransform(matrix)
    return np.asarray(face.estimate.landmarks @ inverse[:, :2].T + inverse[:, 2], np.float64)


def alone(index: int, image: NDArray[np.uint8]) -> Frame:
    return Frame(index, index / 30, image, 0.0, continues=False)


@pytest.mark.parametrize("degrees", [45, 90, 180, 270])
def test_a_face_at_any_angle_is_found_as_if_it_were_upright(pipeline: Pipeline, degrees: int) -> None:
    image, matrix = turned(0)
    upright = moved_back(pipeline.process(alone(0, image)), matrix)
    image, matrix = turned(degrees)
    found = moved_back(pipeline.process(alone(1, image)), matrix)
    assert np.linalg.norm(found - upright, axis=1).mean() < 0.03 * inter_ocular(upright)


def test_a_rolling_face_is_followed_all_the_way_round(pipeline: Pipeline) -> None:
    pipeline.forget()
    image, matrix = turned(0)
    first = pipeline.process(Frame(0, 0.0, image, 0.0))
    upright, identity = moved_back(first, matrix), first.faces[0].face
    cold = 0
    for index, degrees in enumerate(range(6, 366, 6), start=1):
        image, matrix = turned(degrees)
        result = pipeline.process(Frame(index, index / 30, image, 0.0))
        assert [face.face for face in result.faces] == [identity], degrees
        away = np.linalg.norm(moved_back(result, matrix) - upright, axis=1).mean()
        assert away < 0.06 * inter_ocular(upright), degrees
        cold += not result.faces[0].estimate.report.warm
    assert cold <= 3


def test_the_roll_is_measured_clockwise() -> None:
    points = face_points(100, 100, 80).astype(np.float64)
    square = Crop(0.0, 0.0, 1.0, 70.0)
    assert roll_of(points) == pytest.approx(0, abs=10)
    assert roll_of(square.to_frame(points)) == pytest.approx(70 + roll_of(points), abs=1e-3)


@pytest.mark.parametrize(
    ("current", "roll", "angle"), [(0, 20, 0), (0, 40, 40), (40, 20, 40), (40, 5, 0), (170, -170, 170), (0, -90, -90)]
)
def test_the_crop_turns_when_the_face_has_turned_far(current: float, roll: float, angle: float) -> None:
    assert crop_angle(current, roll, Policy()) == angle


def test_a_still_turned_face_keeps_its_crop() -> None:
    policy = Policy()
    points = Crop(300.0, 200.0, 1.0, 120.0).to_frame(face_points(0, 0, 80) + 0.5)
    crop = next_crop(Crop(300.0, 200.0, 100.0), points, policy)
    assert crop.angle == pytest.approx(120, abs=10)
    assert next_crop(crop, points + np.float32(0.5), policy) == crop


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_what_is_seen_in_a_turned_picture_is_put_back(quarters: int) -> None:
    image = face_image(320, 240, 200, 90, 60)
    (straight,) = SquareDetector().detect(image)
    (seen,) = SquareDetector().detect(np.ascontiguousarray(np.rot90(image, quarters)))
    back = turned_back(seen, quarters, 320, 240)
    assert back.overlap(straight) > 0.99
    assert back.angle == 90 * quarters


def test_a_face_seen_upright_and_turned_is_one_face() -> None:
    upright = Detection(0, 0, 100, 100, 0.8)
    same, other = Detection(5, 5, 105, 105, 0.9, 180.0), Detection(300, 0, 400, 100, 0.85, 90.0)
    first, second = with_turned([upright], [same, other])
    assert (first.confidence, first.others) == (0.8, (same,))
    assert second == other


def test_a_face_seen_in_a_turned_picture_only_must_be_seen_better_than_upright_ones_at_its_place() -> None:
    upright = Detection(0, 0, 100, 100, 0.9)
    beside = Detection(70, 70, 170, 170, 0.85, 180.0)
    assert with_turned([upright], [beside]) == [upright]
    for first, confidence, side, found in (
        ([], SURE, 100, True),
        ([], SURE - 0.01, 100, False),
        ([upright], SURE_BESIDE_UPRIGHT, 100, True),
        ([upright], SURE_BESIDE_UPRIGHT - 0.01, 100, False),
        ([], 0.9, SMALLEST_FACE, True),
        ([], 0.9, SMALLEST_FACE - 1, False),
    ):
        turned = Detection(300, 0, 300 + side, side, confidence, 90.0)
        assert with_turned(first, [turned]) == [*first, *([turned] if found else [])]


def test_faces_that_are_seen_for_sure_in_any_position_come_before_larger_ones() -> None:
    large, small = Detection(200, 0, 300, 100, SURE - 0.1), Detection(0, 0, 50, 50, SURE - 0.1)
    hanging = replace(small, confidence=0.9, angle=180.0)
    assert with_turned([large, small], []) == [large, small]
    assert with_turned([large, small], [hanging]) == [replace(small, others=(hanging,)), large]


class SearchingDetector(SquareDetector):
    """Finds squares in parts, too, and notes which parts it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.searched: list[tuple[Part, ...]] = []

    def search(self, image: NDArray[np.uint8], parts: Sequence[Part]) -> list[Detection]:
        self.searched.append(tuple(parts))
        return super().detect(image)


def play(
    detector: SearchingDetector, settings: TrackingSettings, count: int, continues: bool = True
) -> list[FrameResult]:
    pipeline = Pipeline(SquareEngine(), detector, settings)
    image = face_image(640, 480, 200, 180, 120)
    return [pipeline.process(Frame(i, i / 30, image, 0.0, continues)) for i in range(count)]


def test_one_face_in_a_video_is_never_searched_for_in_parts() -> None:
    detector = SearchingDetector()
    play(detector, TrackingSettings(max_faces=1), 8)
    assert detector.searched == []


def test_a_video_is_searched_a_part_every_other_frame() -> None:
    detector = SearchingDetector()
    parts = parts_of(640, 480)
    count = 2 * len(parts)
    results = play(detector, TrackingSettings(max_faces=3), count)
    assert len(detector.searched) == len(parts)
    assert {part for looked in detector.searched for part in looked} == set(parts)
    assert all(len(result.faces) == 1 for result in results)


def test_a_file_is_searched_at_once_where_it_begins() -> None:
    detector = SearchingDetector()
    play(detector, TrackingSettings(max_faces=3, search_at_once=True), 3)
    assert detector.searched[0] == parts_of(640, 480)
    assert all(len(looked) == 1 for looked in detector.searched[1:])


def test_a_file_is_searched_at_once_after_a_cut_and_where_it_begins_again() -> None:
    detector = SearchingDetector()
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings(max_faces=3, search_at_once=True))
    face, other = face_image(640, 480, 200, 180, 120), face_image(640, 480, 400, 300, 90, background=120)
    other[:240] = 0
    other[240:, :80] = 255
    for index, picture in enumerate((face, face, other, other)):
        pipeline.process(Frame(index, index / 30, picture, 0.0))
    pipeline.forget()
    pipeline.process(Frame(0, 0.0, other, 0.0))
    whole = len(parts_of(640, 480))
    assert [len(looked) for looked in detector.searched] == [whole, 1, whole, 1, whole]


def test_pictures_that_stand_alone_are_solved_alone() -> None:
    images = [
        face_image(640, 480, 200, 180, 120),
        face_image(640, 480, 215, 190, 110),
        face_image(500, 400, 260, 200, 90),
    ]
    one_by_one = [
        Pipeline(SquareEngine(), SquareDetector(), TrackingSettings()).process(alone(0, image)) for image in images
    ]
    together = Pipeline(SquareEngine(), SquareDetector(), TrackingSettings())
    for index, (image, expected) in enumerate(zip(images, one_by_one, strict=True)):
        result = together.process(alone(index, image))
        assert result.events == (FaceFound(0),)
        assert not result.faces[0].estimate.report.warm
        np.testing.assert_array_equal(result.faces[0].estimate.landmarks, expected.faces[0].estimate.landmarks)


def test_a_picture_that_changes_its_size_starts_anew_and_says_so() -> None:
    pipeline = Pipeline(SquareEngine(), SquareDetector(), TrackingSettings())
    small, large = face_image(320, 240, 120, 120, 80), face_image(640, 480, 240, 240, 160)
    pipeline.process(Frame(0, 0.0, small, 0.0))
    result = pipeline.process(Frame(1, 1 / 30, large, 0.0))
    assert result.events == (
        PictureSizeChanged(640, 480), FaceLost(0, LossReason.PICTURE_REPLACED), FaceFound(result.faces[0].face)
    )  # fmt: skip
    (face,) = result.faces
    assert not face.estimate.report.warm
    assert np.abs(face.estimate.landmarks - face_points(240, 240, 160)).mean() < 6
    assert pipeline.process(Frame(2, 2 / 30, large, 0.0)).events == ()
    other = np.repeat(np.array([0, 255], np.uint8), 250)[None, :, None].repeat(400, axis=0).repeat(3, axis=2)
    events = pipeline.process(Frame(3, 3 / 30, other, 0.0)).events
    assert PictureSizeChanged(500, 400) in events
    assert SceneCut() not in events


def test_the_detector_finds_small_faces_in_parts_and_none_where_none_are() -> None:
    scene = np.full((720, 1280, 3), 90, np.uint8)
    small = cv2.resize(portrait(), None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    corners = [(40, 60), (600, 320), (1000, 500)]
    for x, y in corners:
        scene[y : y + small.shape[0], x : x + small.shape[1]] = small
    detector = MediaPipeDetector()
    try:
        found = detector.search(scene, parts_of(1280, 720))
        assert detector.search(np.full((720, 1280, 3), 90, np.uint8), parts_of(1280, 720)) == []
    finally:
        detector.close()
    assert len(found) == len(corners)
    for x, _ in corners:
        assert any(x < (face.x1 + face.x2) / 2 < x + small.shape[1] for face in found)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([(0.72, 7), (0.76, -3), (0.73, 162), (0.77, -177), (0.71, -23)], -3),
        ([(0.55, 10), (0.62, 168), (0.9, 172), (0.6, -170)], 172),
        ([(0.55, 100), (0.55, 100), (0.9, -80)], -80),
        ([(0.7, 0), (0.71, 180)], 0),
        ([(0.6, 90)], 90),
    ],
    ids=[
        "an upright face that one view takes for a hanging one",
        "a hanging face",
        "two views that hardly see one",
        "an upright face is likelier",
        "one view",
    ],
)
def test_the_surest_view_of_the_angle_that_most_agree_on_counts(seen: list[tuple[float, float]], expected: int) -> None:
    found = most_agreed([TurnedBox(Crop(0, 0, 1, angle), sure) for sure, angle in seen])
    assert found is not None
    assert found.box.angle == expected


def test_where_no_view_shows_a_face_there_is_no_box() -> None:
    assert most_agreed([]) is None


class MistakenDetector(WholePictureDetector):
    """Believes in a face at one box only, turned by an angle."""

    def __init__(self, box: Crop, turned: Crop) -> None:
        self._box, self._turned = box, turned

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        x, y, half = self._box.centre_x, self._box.centre_y, self._box.side / 2
        return [Detection(x - half, y - half, x + half, y + half, 0.6)]

    def turned_box(self, image: NDArray[np.uint8], box: Crop) -> TurnedBox | None:
        return TurnedBox(self._turned, 0.9)

    def close(self) -> None:
        pass


def found_by_mistake(box: Crop, turned: Crop, symmetric: bool = False, continues: bool = True) -> NDArray[np.floating]:
    """Return the landmarks in the portrait after a detector's mistake."""
    settings = EngineSettings(DEFAULT_WEIGHTS, EngineName.ONNX, Device.CPU, 1, symmetric)
    pipeline = Pipeline(engine_of(settings), MistakenDetector(box, turned), TrackingSettings())
    (face,) = pipeline.process(Frame(0, 0.0, portrait(), 0.0, continues)).faces
    return face.estimate.landmarks


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_network_does_not_believe_in_an_upright_face_that_hangs(pipeline: Pipeline, symmetric: bool) -> None:
    truth = pipeline.process(alone(0, portrait())).faces[0].estimate.landmarks
    box = Crop.around_points(truth, 1.0)
    for angle in (180.0, 90.0, -120.0):
        found = found_by_mistake(box, replace(box, angle=angle), symmetric)
        assert np.linalg.norm(found - truth, axis=1).mean() < 0.03 * inter_ocular(truth), angle


@pytest.mark.parametrize("continues", [True, False], ids=["first frame of a video", "photo"])
def test_a_face_beside_the_place_where_the_detector_sees_one_is_found(pipeline: Pipeline, continues: bool) -> None:
    truth = pipeline.process(alone(0, portrait())).faces[0].estimate.landmarks
    face = Crop.around_points(truth, 1.0)
    neck = replace(face, centre_y=face.centre_y + 0.8 * face.side, side=0.65 * face.side)
    found = found_by_mistake(neck, replace(neck, angle=164.0), continues=continues)
    assert np.linalg.norm(found - truth, axis=1).mean() < 0.05 * inter_ocular(truth)


def test_a_face_that_seems_to_hang_is_believed_only_if_no_upright_one_is_beside_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = pipeline.process(alone(0, portrait())).faces[0].estimate.landmarks
    face = Crop.around_points(truth, 1.0)
    neck = replace(face, centre_y=face.centre_y + 0.8 * face.side, side=0.65 * face.side)

    def sure_of_what_hangs(crop: Crop, answer: Solution, mirrored: Solution) -> float:
        return 0.9 * DOUBTFUL if abs(crop.angle) > HANGING else mirror_gap(crop, answer, mirrored)

    monkeypatch.setattr(face_solver, "mirror_gap", sure_of_what_hangs)
    found = found_by_mistake(neck, replace(neck, angle=164.0))
    assert np.linalg.norm(found - truth, axis=1).mean() < 0.05 * inter_ocular(truth)


def test_mirrored_answers_agree_where_each_is_the_others_mirror_image() -> None:
    crop = Crop(120.0, 80.0, 60.0, 30.0)
    points = np.random.default_rng(0).uniform(0.2, 0.8, (98, 2)).astype(np.float32)
    mirrored = points[MIRROR] * (-1, 1) + (1, 0)
    answer, other = (answer_at(crop.to_frame(each)) for each in (points, mirrored))
    assert mirror_gap(crop, answer, other) == pytest.approx(0, abs=1e-6)
    moved = answer_at(crop.to_frame(points + np.array((0.1, 0.0), np.float32)))
    assert mirror_gap(crop, moved, other) == pytest.approx(0.1, abs=1e-6)
    assert mirror_gap(crop, answer_at(np.full((98, 2), np.nan, np.float32)), other) == math.inf


def test_crops_beside_one_are_larger_and_show_what_lies_around_it() -> None:
    side = GROWTH * 20
    places = [(crop.centre_x - 100, crop.centre_y - 50) for crop in crops_beside(Crop(100.0, 50.0, 20.0, 30.0))]
    step = SHIFT * side
    np.testing.assert_allclose(places, [(0, 0), (0, -step), (0, step), (-step, 0), (step, 0)])
    assert {(crop.side, crop.angle) for crop in crops_beside(Crop(100.0, 50.0, 20.0, 30.0))} == {(side, 30.0)}


def answer_at(landmarks: NDArray[np.floating]) -> Solution:
    spread, report = np.zeros(98, np.float32), SolveReport(1, (0.0,), 0, StopReason.CONVERGED)
    return Solution(landmarks.astype(np.float32), spread, report, np.zeros((1, 98, 4, 4), np.float32), spread)
