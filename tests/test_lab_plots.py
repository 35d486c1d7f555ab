"""The pictures: which are drawn, what lies where in them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from app.lab.flicker.figures import GroupFigures
from app.lab.flicker.grid import FAMILIES, RWR_NAME
from app.lab.flicker.plots import LOOKS, draw, frontier, scatter
from tests.lab_fakes import RWR, experiment, result

pytestmark = pytest.mark.slow


def nme(own: GroupFigures) -> float:
    return own.nme_ratio


def test_every_family_is_told_apart_by_colour_and_by_shape() -> None:
    looks = [LOOKS[family.title] for family in FAMILIES]
    assert len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == len(FAMILIES)


def test_the_frontier_is_what_nothing_else_beats() -> None:
    points = np.array([(3.0, 1.0), (1.0, 3.0), (2.0, 3.0), (2.0, 2.0), (4.0, 1.0), (5.0, 0.5)])
    assert frontier(points).tolist() == [[1, 3], [2, 2], [3, 1], [5, 0.5]]
    assert frontier(np.empty((0, 2))).shape == (0, 2)


def test_a_dot_lies_where_its_figures_say_and_tells_its_name() -> None:
    measured = experiment(
        result("RwR", RWR_NAME, **RWR),
        result("EMA", "EMA 0.8", nmf=80.0, nme=5.5),
        result("EMA", "EMA 0.1", nmf=300.0, nme=20.0),
    )
    picture = scatter(measured, nme, "NME / cold", 1.2)
    assert picture is not None
    texts = [spot.text for spot in picture.spots]
    assert len(texts) == 2 * 3
    assert texts[2].startswith("EMA 0.8: NMF 0.800 x cold, NME 1.100 x, lag +0.00 frames")
    assert not any("EMA 0.1" in text for text in texts)
    # In each panel the steadier is to the left, the more accurate below; y runs down.
    cold, rwr, ema = picture.spots[:3]
    assert 0 < rwr.x < ema.x < cold.x < 0.5 < picture.spots[3].x < 1
    assert 0 < ema.y < rwr.y < cold.y < 1
    image = cv2.imdecode(np.frombuffer(picture.png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    height, width = image.shape[:2]
    blue, green, red = image[round(ema.y * height), round(ema.x * width)].astype(int)
    assert blue - red > 100, "the dot of an EMA is blue"
    assert blue > green


def test_a_picture_for_papers_has_fonts_and_nothing_of_the_day() -> None:
    def pdf() -> bytes:
        picture = scatter(measured, nme, "NME / cold", 1.2)
        assert picture is not None
        return picture.pdf

    measured = experiment(result("RwR", RWR_NAME, **RWR))
    assert b"/Type3" not in pdf()
    assert b"/FontFile2" in pdf()
    assert b"CreationDate" not in pdf()
    assert pdf() == pdf()


def test_what_is_known_of_no_method_is_not_drawn() -> None:
    known = experiment(result("RwR", RWR_NAME, **RWR))
    assert set(draw(known, [("real", known.results[0]), ("animated", known.results[1])])) == {
        *("jitter_accuracy", "jitter_accuracy_eyes_mouth", "jitter_lag", "jitter_lag_expressions", "nad"),
    }
    assert scatter(known, lambda own: math.nan, "nothing", 2) is None


def test_the_same_figures_give_the_same_picture() -> None:
    measured = experiment(result("RwR", RWR_NAME, **RWR))
    first, second = (scatter(measured, nme, "NME / cold", 1.2) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("family", ["Savitzky-Golay, late", "a family of tomorrow"])
def test_a_family_whose_every_dot_is_far_away_is_no_obstacle(family: str) -> None:
    picture = scatter(experiment(result(family, "far", nmf=500.0)), nme, "NME / cold", 1.2)
    assert picture is not None
    assert {spot.text.split(":")[0] for spot in picture.spots} == {"cold"}
