"""Parts of a picture: every small face lies whole in one that is fine enough for it."""

from __future__ import annotations

import numpy as np
import pytest

from app.tracking.parts import SEEN_FROM, SMALLEST_FACE, Part, parts_of


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (720, 1280), (1920, 1080), (4032, 3024), (1000, 40)])
def test_every_face_lies_whole_in_a_part_that_is_fine_enough(size: tuple[int, int]) -> None:
    width, height = size
    parts = parts_of(width, height)
    random = np.random.default_rng(0)
    for _ in range(300):
        side = float(np.exp(random.uniform(np.log(1.01 * SMALLEST_FACE), np.log(min(width, height)))))
        x, y = random.uniform(0, width - side), random.uniform(0, height - side)
        assert any(
            part.x <= x and part.y <= y and x + side <= part.x + part.width and y + side <= part.y + part.height
            for part in parts
            if side >= SEEN_FROM * part.side
        ), (x, y, side)


def test_the_whole_picture_is_looked_at_first_and_then_ever_smaller_parts() -> None:
    parts = parts_of(1280, 720)
    sides = [part.side for part in parts]
    assert parts[0] == Part(0, 0, 1280, 720)
    assert sides == sorted(sides, reverse=True)


def test_parts_lie_inside_the_picture_and_cover_it() -> None:
    covered = np.zeros((720, 1280), bool)
    for part in parts_of(1280, 720):
        assert part.x >= 0
        assert part.x + part.width <= 1280
        assert part.y + part.height <= 720
        if part.side < 400:
            covered[part.y : part.y + part.height, part.x : part.x + part.width] = True
    assert covered.all()


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (160, 200)])
def test_small_pictures_are_looked_at_whole(size: tuple[int, int]) -> None:
    assert parts_of(*size) == (Part(0, 0, *size),)
