"""Screens, with the library's capture replaced by a fake."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import mss
import numpy as np
import pytest
from mss.exception import ScreenShotError
from mss.screenshot import ScreenShot

from app.core.errors import SourceError
from app.sources import screen as screens
from app.sources.open import open_source
from app.sources.release import ReleaseGuard
from app.sources.screen import (
    FRAME_RATE,
    MACOS,
    NO_SCREEN,
    WAYLAND,
    ScreenInfo,
    ScreenSource,
    list_screens,
    screen_problem,
)
from app.sources.spec import ScreenSpec, parse_source


class FakeMss:
    """Two screens side by side; a pixel's blue and green tell its place, red is 200."""

    made: list[FakeMss]
    problem: Exception | None = None
    scale = 1

    def __init__(self) -> None:
        if self.problem is not None:
            raise self.problem
        self.monitors = [
            {"left": 0, "top": 0, "width": 340, "height": 100},
            {"left": 0, "top": 0, "width": 140, "height": 100},
            {"left": 140, "top": 10, "width": 200, "height": 90},
        ]
        self.closed = 0
        self.broken: Exception | None = None
        self.made.append(self)

    def __enter__(self) -> FakeMss:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def grab(self, place: dict[str, Any]) -> ScreenShot:
        if self.broken is not None:
            raise self.broken
        rows, columns = np.mgrid[: place["height"], : place["width"]]
        image = np.zeros((place["height"], place["width"], 4), np.uint8)
        image[..., 0] = columns + place["left"]
        image[..., 1] = rows + place["top"]
        image[..., 2] = 200
        image = image.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
        shot = ScreenShot.from_size(bytearray(image.tobytes()), image.shape[1], image.shape[0])
        return shot

    def close(self) -> None:
        self.closed += 1
        if self.broken is not None:
            raise ScreenShotError("the connection is gone")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeMss]:
    class Fake(FakeMss):
        made: list[FakeMss] = []  # noqa: RUF012

    monkeypatch.setattr(mss, "MSS", Fake)
    monkeypatch.setattr(screens, "screen_problem", lambda platform, environment: "")
    return Fake


def test_screens_are_listed_by_number(fake: type[FakeMss]) -> None:
    assert list_screens() == [ScreenInfo(1, 0, 0, 140, 100), ScreenInfo(2, 140, 10, 200, 90)]
    assert list_screens()[1].label == "Screen 2 (200 \u00d7 90)"
    assert all(capture.closed for capture in fake.made)


@pytest.mark.parametrize(
    ("spec", "size", "corner", "name"),
    [
        ("screen", (140, 100), (0, 0), "Screen 1"),
        ("screen:2", (200, 90), (140, 10), "Screen 2"),
        ("screen:2@30,20,50x40", (50, 40), (170, 30), "Screen 2, 50 \u00d7 40"),
    ],
)
def test_a_screen_or_a_part_of_it_in_rgb(
    fake: type[FakeMss], spec: str, size: tuple[int, int], corner: tuple[int, int], name: str
) -> None:
    source = open_source(parse_source(spec), realtime=True, loop=True)
    info = source.info
    assert (info.name, info.width, info.height, info.live, info.frames) == (name, *size, True, None)
    frame = source.read()
    assert frame is not None
    assert frame.image.shape == (size[1], size[0], 3)
    assert frame.image.flags.c_contiguous
    assert frame.image[0, 0].tolist() == [200, corner[1], corner[0]]
    source.close()


def test_dense_screens_give_their_pixels(fake: type[FakeMss]) -> None:
    fake.scale = 2
    source = ScreenSource(ScreenSpec(1))
    assert (source.info.width, source.info.height) == (280, 200)


def test_pictures_come_at_their_rate_and_a_late_one_is_not_followed_by_a_burst(
    fake: type[FakeMss], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]

    def wait(guard: ReleaseGuard, seconds: float) -> bool:
        now[0] += seconds
        return guard.closed

    monkeypatch.setattr(screens, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(ReleaseGuard, "wait_closed", wait)
    source = ScreenSource(ScreenSpec(1))
    times = []
    for index in range(6):
        frame = source.read()
        assert frame is not None
        assert frame.index == index
        times.append(frame.timestamp)
        now[0] += 1.0 if index == 2 else 0.01
    period = 1 / FRAME_RATE
    assert np.diff(times) == pytest.approx([period, period, 1.0, 0.01, period - 0.01])  # no burst


def test_a_closed_screen_delivers_nothing(fake: type[FakeMss]) -> None:
    source = ScreenSource(ScreenSpec(1))
    source.close()
    source.close()
    assert source.read() is None
    assert fake.made[-1].closed == 1


def test_what_is_not_there_is_one_sentence(fake: type[FakeMss]) -> None:
    with pytest.raises(SourceError, match=r"There is no screen 3: choose one of Screen 1 \(140 .+ Screen 2"):
        open_source(parse_source("screen:3"))
    with pytest.raises(SourceError, match="does not fit on Screen 1"):
        open_source(parse_source("screen:1@100,0,41x10"))
    assert all(capture.closed == 1 for capture in fake.made)


@pytest.mark.parametrize("broken", [ScreenShotError("gone"), OSError("gone"), AssertionError()])
def test_a_screen_that_goes_away_is_an_error_and_can_be_closed(fake: type[FakeMss], broken: Exception) -> None:
    source = ScreenSource(ScreenSpec(1))
    fake.made[-1].broken = broken
    with pytest.raises(SourceError, match="Screen 1 cannot be captured any more"):
        source.read()
    source.close()
    assert source.read() is None


@pytest.mark.parametrize("problem", [ScreenShotError("no display"), OSError("libxcb is missing")])
def test_nothing_to_capture(fake: type[FakeMss], problem: Exception) -> None:
    fake.problem = problem
    assert list_screens() == []
    with pytest.raises(SourceError, match="No screen can be captured here"):
        open_source(parse_source("screen"))


@pytest.mark.parametrize(
    ("platform", "environment", "problem"),
    [
        ("linux", {}, NO_SCREEN),
        ("linux", {"DISPLAY": ":0"}, ""),
        ("linux", {"DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland"}, WAYLAND),
        ("linux", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, WAYLAND),
        ("win32", {}, ""),
    ],
)
def test_known_problems(platform: str, environment: dict[str, str], problem: str) -> None:
    assert screen_problem(platform, environment) == problem


@pytest.mark.parametrize(("allowed", "problem"), [(True, ""), (False, MACOS)])
def test_macos_is_asked(monkeypatch: pytest.MonkeyPatch, allowed: bool, problem: str) -> None:
    monkeypatch.setattr(screens, "_macos_allows", lambda: allowed)
    assert screen_problem("darwin", {}) == problem


@pytest.mark.skipif(sys.platform == "darwin", reason="the frameworks are there")
def test_macos_without_the_question_allows() -> None:
    assert screens._macos_allows()
