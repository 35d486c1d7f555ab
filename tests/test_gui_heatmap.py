"""The heat map: the face it is drawn on, its colours, and what they say."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.modes import Mode
from app.gui.live.presenters.flicker import FlickerView, ModeFlicker
from app.gui.live.presenters.heatmap import HeatKind, heat_view, live_heat
from app.gui.presenters.canonical_face import REACH, canonical_face, heat_field
from app.gui.presenters.colour_scale import (
    CHANGE_COLOURS,
    CHANGE_STOPS,
    HEAT_COLOURS,
    HIGHEST,
    LEVELS,
    LOWEST,
    change_place,
    flicker_place,
    levels,
    ramp,
)
from app.gui.presenters.readouts import NOTHING
from model.topology import LEFT_EYE_OUTER, MIRROR, POINTS, REGIONS, RIGHT_EYE_OUTER


def flicker(pair: tuple[Mode, Mode] = (Mode.RWR, Mode.COLD), **points: np.ndarray) -> FlickerView:
    """Return a view in which the modes named have these points."""
    modes = {mode: ModeFlicker() for mode in Mode}
    for name, values in points.items():
        mode = Mode(name)
        recent = float(np.sqrt(np.mean(np.square(values))))
        modes[mode] = ModeFlicker(recent=recent, points=values.astype(np.float32))
    return FlickerView(modes=modes, pair=pair)  # type: ignore[arg-type]


def even(value: float) -> np.ndarray:
    return np.full(POINTS, value)


def light(colours: np.ndarray) -> np.ndarray:
    """Return CIE lightness L* of sRGB colours (n, 3) uint8."""
    linear = np.where(colours > 10, ((colours / 255 + 0.055) / 1.055) ** 2.4, colours / 255 / 12.92)
    y = linear @ (0.2126, 0.7152, 0.0722)
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


class TestCanonicalFace:
    def test_is_level_symmetric_and_of_unit_size(self) -> None:
        face = canonical_face()
        assert face.shape == (POINTS, 2)
        np.testing.assert_allclose(face[MIRROR] * (-1, 1), face, atol=1e-4)
        np.testing.assert_allclose(face[[LEFT_EYE_OUTER, RIGHT_EYE_OUTER]], [[-0.5, 0], [0.5, 0]], atol=1e-3)

    def test_has_its_features_in_place(self) -> None:
        heights = {region.name: canonical_face()[list(region.points), 1].mean() for region in REGIONS}
        assert heights["brows"] < heights["eyes"] < heights["nose"] < heights["mouth"]
        assert canonical_face()[16, 1] == canonical_face()[:, 1].max()

    def test_a_value_spreads_around_its_point_and_a_constant_stays_one(self) -> None:
        field = heat_field()
        np.testing.assert_allclose(field.spread(even(7.0)), 7.0, rtol=1e-4)
        for point in (16, 54, 96):
            single = field.spread(np.eye(POINTS)[point])
            row, column = np.unravel_index(single.argmax(), single.shape)
            height, width = single.shape
            found = (
                field.left + (column + 0.5) * field.width / width,
                field.top + (row + 0.5) * field.height / height,
            )
            np.testing.assert_allclose(found, canonical_face()[point], atol=0.03)

    def test_weights_fall_with_the_distance_to_the_power_of_three_and_a_half(self) -> None:
        field = heat_field()
        rows, columns = field.cover.shape
        row, column = 20, 30
        cell = (
            field.left + (column + 0.5) * field.width / columns,
            field.top + (row + 0.5) * field.height / rows,
        )
        distance = np.hypot(*(canonical_face() - cell).T)
        expected = (distance**2 + REACH**2) ** -1.75
        np.testing.assert_allclose(field.weights[row * columns + column], expected / expected.sum(), rtol=1e-4)

    def test_covers_the_face_and_not_its_corners(self) -> None:
        cover = heat_field().cover
        assert cover[cover.shape[0] // 2, cover.shape[1] // 2] == pytest.approx(1.0, abs=0.01)
        assert max(cover[0, 0], cover[0, -1], cover[-1, 0], cover[-1, -1]) < 0.05


class TestColours:
    def test_the_flicker_scale_is_even_for_the_eye(self) -> None:
        steps = np.diff(light(HEAT_COLOURS))
        assert (steps > 0).all()
        assert steps.max() < 2.5 * steps.mean()

    def test_the_scale_of_change_has_two_ends_and_a_grey_middle(self) -> None:
        middle = CHANGE_COLOURS[LEVELS // 2].astype(int)
        assert np.ptp(middle) < 25
        first, last = CHANGE_COLOURS[0].astype(int), CHANGE_COLOURS[-1].astype(int)
        assert first[2] > first[0] + 100
        assert last[0] > last[2] + 100

    def test_ramp_meets_its_stops(self) -> None:
        colours = ramp(CHANGE_STOPS)
        assert colours.shape == (LEVELS, 3)
        assert "#" + bytes(colours[0]).hex() == CHANGE_STOPS[0]
        assert "#" + bytes(colours[-1]).hex() == CHANGE_STOPS[-1]

    def test_places_on_the_scales(self) -> None:
        np.testing.assert_allclose(
            flicker_place(np.array([0.0, LOWEST, np.sqrt(LOWEST * HIGHEST), HIGHEST, 99])), [0, 0, 0.5, 1, 1]
        )
        np.testing.assert_allclose(
            change_place(np.array([0.01, 0.25, 0.5, 1.0, 2.0, 4.0, 9])), [0, 0, 0.25, 0.5, 0.75, 1, 1]
        )
        assert levels(np.array([0.0, 0.5, 1.0])).tolist() == [0, LEVELS // 2, LEVELS - 1]


class TestHeatView:
    def test_one_face_per_measured_mode(self) -> None:
        both = heat_view(flicker(rwr=even(0.4), cold=even(0.8)))
        assert [(pane.title, pane.figure) for pane in both.panes] == [("RwR", "0.40 %"), ("Cold", "0.80 %")]
        one = heat_view(flicker(rwr=even(0.4)))
        assert [pane.title for pane in one.panes] == ["RwR"]

    def test_more_flicker_is_a_higher_level(self) -> None:
        values = even(0.3)
        values[list(REGIONS[4].points)] = 1.2
        (pane,) = heat_view(flicker(rwr=values)).panes
        assert pane.levels is not None
        assert pane.levels[80] > pane.levels[0]
        assert pane.worst == "mouth"

    def test_the_change_tells_where_the_first_is_calmer(self) -> None:
        first, second = even(0.4), even(0.8)
        second[0] = 0.1
        view = heat_view(flicker((Mode.RWR, Mode.EMA), rwr=first, ema=second), HeatKind.CHANGE)
        (pane,) = view.panes
        assert pane.title == "RwR against EMA"
        assert pane.levels is not None
        assert pane.levels[0] == LEVELS - 1
        assert (pane.levels[1:] == LEVELS // 4).all()
        assert pane.figure == "0.50 \u00d7"
        assert view.ticks[2] == (0.5, "1 \u00d7")

    @pytest.mark.parametrize("what", [HeatKind.FLICKER, HeatKind.CHANGE])
    def test_nothing_measured_is_a_dash(self, what: str) -> None:
        (pane,) = heat_view(flicker(), what).panes
        assert (pane.figure, pane.worst, pane.levels) == (NOTHING, "", None)

    def test_tells_whether_it_looks_different(self) -> None:
        view = heat_view(flicker(rwr=even(0.4)))
        assert view.same(heat_view(flicker(rwr=even(0.4))))
        assert not view.same(heat_view(flicker(rwr=even(1.4))))
        assert not view.same(heat_view(flicker()))
        assert not view.same(heat_view(flicker(rwr=even(0.4), cold=even(0.4))))
        assert not view.same(heat_view(flicker(rwr=even(0.4)), HeatKind.CHANGE))

    def test_levels_for_the_live_face(self) -> None:
        heat = live_heat(flicker(rwr=even(HIGHEST)))
        assert list(heat) == [Mode.RWR]
        assert (heat[Mode.RWR] == LEVELS - 1).all()
