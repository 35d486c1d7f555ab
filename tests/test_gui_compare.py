"""Two modes on one frame, several faces and the close-up, tested without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.frame import FaceResult, FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.gui.presenters.compare import (
    EDGE,
    GRIP,
    STEP,
    VIEW_OPTIONS,
    CompareView,
    Comparison,
    compared,
    is_comparing,
)
from app.gui.presenters.faces import IDENTITY_COLOURS, FaceChoice, face_at, face_name, identity_colour
from app.gui.presenters.picture import Placement, Region, prepare
from app.gui.presenters.zoom import SPAN, FaceZoom
from model.geometry import Crop
from tests.gui_fakes import estimate, frame_result

WIDTH, HEIGHT = 320, 180


def face(identity: int, x: float, y: float, side: float) -> FaceResult:
    """Return a face whose landmarks fill 80 % of its crop."""
    circle = frame_result().faces[0].estimate.landmarks
    points = (circle - circle.mean(axis=0)) / np.ptp(circle) * 0.8 * side + (x, y)
    return FaceResult(identity, Crop(x, y, side), estimate(Mode.RWR, 0.5, points.astype(np.float32)))


def frame(*faces: FaceResult, time: float = 0.0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> FrameResult:
    base = frame_result(captured=time, image=np.zeros((size[1], size[0], 3), np.uint8))
    return replace(base, faces=tuple(sorted(faces, key=lambda own: -own.crop.side)))


class TestComparison:
    def test_views_take_turns(self) -> None:
        comparison = Comparison()
        assert [comparison.view, *(comparison.next_view() for _ in range(3))] == [
            CompareView.OVERLAY,
            CompareView.SPLIT,
            CompareView.SIDE_BY_SIDE,
            CompareView.OVERLAY,
        ]
        assert tuple(option.name for option in VIEW_OPTIONS) == tuple(CompareView)

    def test_a_view_nobody_knows_is_the_overlay(self) -> None:
        assert Comparison("holograph", float("nan")).view == CompareView.OVERLAY
        assert Comparison("holograph", float("nan")).divider == 0.5

    def test_without_a_baseline_there_is_one_picture(self) -> None:
        for view in CompareView:
            layout = Comparison(view).layout(800, 600, comparing=False)
            assert [(pane.left, pane.width, pane.height) for pane in layout.panes] == [(0, 800, 600)]
            assert layout.divider is None

    def test_side_by_side_shares_the_width(self) -> None:
        left, right = Comparison(CompareView.SIDE_BY_SIDE).layout(801, 600, comparing=True).panes
        assert left.width == right.width == int(left.width)
        assert left.left == 0
        assert right.left + right.width == 801
        assert right.left > left.width

    def test_the_divider_stays_in_view(self) -> None:
        comparison = Comparison(CompareView.SPLIT)
        assert comparison.layout(800, 600, comparing=True).divider == 400
        comparison.set_divider(-3)
        assert comparison.divider == EDGE
        comparison.nudge(1000)
        assert comparison.divider == 1 - EDGE
        comparison.nudge(-1)
        assert comparison.divider == pytest.approx(1 - EDGE - STEP)

    def test_the_mouse_takes_the_divider_only_near_it_and_only_in_the_split_view(self) -> None:
        comparison = Comparison(CompareView.SPLIT)
        assert comparison.grips(400 + GRIP, 800, comparing=True)
        assert not comparison.grips(401 + GRIP, 800, comparing=True)
        assert not comparison.grips(400, 800, comparing=False)
        comparison.set_view(CompareView.SIDE_BY_SIDE)
        assert not comparison.grips(400, 800, comparing=True)

    def test_the_face_alone_is_shown_when_asked_for_or_where_there_is_little_room(self) -> None:
        comparison = Comparison()
        assert not comparison.close_up(comparing=True)
        comparison.set_view(CompareView.SIDE_BY_SIDE)
        assert comparison.close_up(comparing=True)
        assert not comparison.close_up(comparing=False)
        comparison.toggle_near()
        assert comparison.close_up(comparing=False)
        comparison.set_view(CompareView.OVERLAY)
        assert comparison.close_up(comparing=True)
        comparison.toggle_near()
        assert not comparison.close_up(comparing=True)

    def test_knows_what_is_compared_with_and_without_a_face(self) -> None:
        one = frame_result()
        baseline = replace(one.faces[0], other=replace(one.faces[0].estimate, mode=Mode.EMA))
        assert compared(replace(one, faces=(baseline,))) == (Mode.RWR, Mode.EMA)
        assert is_comparing(replace(one, faces=(baseline,)))
        empty = replace(one, faces=(), settings=TrackingSettings(compare=True))
        assert compared(empty) == (Mode.RWR, Mode.COLD)
        assert is_comparing(empty)
        assert compared(one) == (Mode.RWR, None)
        assert not is_comparing(one)


class TestFaceChoice:
    def test_is_the_largest_until_another_is_clearly_larger(self) -> None:
        choice = FaceChoice()
        for large, small in ((100, 90), (100, 110), (100, 124)):
            shown = choice.pick(frame(face(3, 80, 90, large), face(5, 240, 90, small)))
            assert shown is not None
            assert shown.face == 3
        shown = choice.pick(frame(face(3, 80, 90, 100), face(5, 240, 90, 126)))
        assert shown is not None
        assert shown.face == 5

    def test_a_chosen_face_wins_while_it_is_in_view(self) -> None:
        choice = FaceChoice()
        choice.choose(5)
        both = frame(face(3, 80, 90, 150), face(5, 240, 90, 50))
        assert [own.face for own in (choice.pick(both), choice.pick(both)) if own] == [5, 5]
        alone = choice.pick(frame(face(3, 80, 90, 150)))
        assert alone is not None
        assert alone.face == 3
        assert choice.pick(frame()) is None
        back = choice.pick(both)
        assert back is not None
        assert back.face == 5

    def test_next_goes_from_left_to_right_and_then_back_to_the_largest(self) -> None:
        choice = FaceChoice()
        three = frame(face(0, 250, 90, 40), face(4, 60, 90, 50), face(9, 150, 90, 60))
        assert [choice.next(three) for _ in range(5)] == [4, 9, 0, None, 4]
        assert choice.next(frame()) is None

    def test_identities_keep_their_colour(self) -> None:
        assert len(set(IDENTITY_COLOURS)) == 8
        assert identity_colour(3) == identity_colour(11) == IDENTITY_COLOURS[3]
        assert face_name(3) == "#3"


class TestFaceAt:
    placement = Placement.fit(WIDTH, HEIGHT, 640, 360)

    def test_finds_the_face_under_the_mouse(self) -> None:
        faces = frame(face(3, 80, 90, 100), face(5, 240, 90, 80)).faces
        assert face_at(faces, self.placement, 160, 180) == 3
        assert face_at(faces, self.placement, 480, 180) == 5
        assert face_at(faces, self.placement, 320, 20) is None

    def test_of_two_it_is_the_smaller_one(self) -> None:
        faces = frame(face(3, 160, 90, 150), face(5, 160, 90, 50)).faces
        assert face_at(faces, self.placement, 320, 180) == 5

    def test_works_in_the_mirror(self) -> None:
        faces = frame(face(3, 80, 90, 100)).faces
        mirrored = Placement.fit(WIDTH, HEIGHT, 640, 360, mirrored=True)
        assert face_at(faces, mirrored, 480, 180) == 3
        assert face_at(faces, mirrored, 160, 180) is None

    def test_a_face_without_numbers_is_nowhere(self) -> None:
        broken = face(3, 80, 90, 100)
        points = np.full_like(broken.estimate.landmarks, np.nan)
        gone = replace(broken, estimate=replace(broken.estimate, landmarks=points))
        assert face_at([gone], self.placement, 160, 180) is None


class TestRegion:
    @pytest.mark.parametrize("mirrored", [False, True])
    def test_points_lie_on_their_pixels(self, mirrored: bool) -> None:
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        image[100, 130] = 255
        result = frame_result(image=image)
        picture = prepare(result, (300, 200), mirrored, Region(100.25, 80.5, 60, 40))
        assert picture.pixels.shape == (200, 300, 4)
        rows, columns = np.nonzero(picture.pixels[:, :, 0])
        weights = picture.pixels[rows, columns, 0].astype(float)
        found = np.average(columns + 0.5, weights=weights), np.average(rows + 0.5, weights=weights)
        (placed,) = picture.placement(300, 200).place(np.array([[130.0, 100.0]]))
        np.testing.assert_allclose(found, placed, atol=0.1)

    def test_beyond_the_frame_is_black(self) -> None:
        result = frame_result(image=np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
        picture = prepare(result, (100, 100), False, Region(-50, 0, 100, 100))
        assert picture.pixels[50, 20, :3].tolist() == [0, 0, 0]
        assert picture.pixels[50, 80, :3].tolist() == [200, 200, 200]

    def test_a_view_of_another_shape_shows_it_all(self) -> None:
        picture = prepare(frame_result(), (100, 100), False, Region(100, 50, 40, 40))
        corners = picture.placement(300, 100).place(np.array([[99.5, 49.5], [139.5, 89.5]]))
        np.testing.assert_allclose(corners, [[100, 0], [200, 100]])


class TestFaceZoom:
    size = (400, 600)
    frame_size = (1920, 1080)

    def shown(self, zoom: FaceZoom, x: float, y: float, side: float, time: float, identity: int = 0) -> Region:
        region = zoom(frame(face(identity, x, y, side), time=time, size=self.frame_size), self.size)
        assert region is not None
        return region

    def test_the_face_fills_the_shorter_side(self) -> None:
        region = self.shown(FaceZoom(FaceChoice()), 900, 500, 200, 0.0)
        assert region.width == pytest.approx(SPAN * 200)
        assert region.height == pytest.approx(SPAN * 300)
        assert region.left + region.width / 2 == pytest.approx(900.5)
        assert region.top + region.height / 2 == pytest.approx(500.5)

    def test_stands_still_while_the_crop_trembles(self) -> None:
        zoom = FaceZoom(FaceChoice())
        rng = np.random.default_rng(0)
        regions = {
            self.shown(zoom, 900 + rng.normal(), 500 + rng.normal(), 200 + rng.normal(), i / 30) for i in range(100)
        }
        assert len(regions) == 1

    def test_follows_a_moving_face_without_jumps(self) -> None:
        zoom = FaceZoom(FaceChoice())
        lefts = [self.shown(zoom, 700 + min(i, 60) * 4, 500, 200, i / 30).left for i in range(200)]
        steps = np.diff(lefts)
        assert (steps >= 0).all()
        assert steps.max() <= 4.0
        assert lefts[-1] + SPAN * 100 == pytest.approx(940, abs=0.05 * SPAN * 200)

    def test_jumps_to_another_face_and_to_a_face_out_of_view(self) -> None:
        zoom = FaceZoom(FaceChoice())
        self.shown(zoom, 300, 500, 200, 0.0)
        assert self.shown(zoom, 900, 500, 100, 0.03).left == pytest.approx(900.5 - SPAN * 50)
        assert self.shown(zoom, 910, 500, 140, 0.06, identity=4).width == pytest.approx(SPAN * 140)

    def test_stays_inside_the_frame(self) -> None:
        region = self.shown(FaceZoom(FaceChoice()), 20, 1070, 200, 0.0)
        assert region.left == 0
        assert region.top + region.height == pytest.approx(1080)

    def test_a_face_larger_than_the_frame_is_centred(self) -> None:
        region = self.shown(FaceZoom(FaceChoice()), 900, 500, 1800, 0.0)
        assert region.top + region.height / 2 == pytest.approx(540)

    def test_keeps_its_place_while_the_face_is_gone(self) -> None:
        zoom = FaceZoom(FaceChoice())
        assert zoom(frame(size=self.frame_size), self.size) is None
        before = self.shown(zoom, 900, 500, 200, 0.1)
        assert zoom(frame(time=5.0, size=self.frame_size), self.size) == before

    def test_another_source_is_shown_whole_until_a_face_is_found(self) -> None:
        zoom = FaceZoom(FaceChoice())
        self.shown(zoom, 900, 500, 200, 0.1)
        zoom.forget()
        assert zoom(frame(time=0.2, size=(320, 180)), self.size) is None
        assert self.shown(zoom, 900, 500, 200, 0.3).width == pytest.approx(SPAN * 200)
