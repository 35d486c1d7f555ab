"""Every view of the window as a picture: all are there, none is blank, each shows what its name says.

Set LDEQ_SCREENSHOTS to a folder to keep them and look at them; the light ones go into a folder in it.
"""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Iterator
from functools import partial
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication

from app.gui.holdstill.presenters import hold_still as holdstill
from app.gui.presenters.palettes import DARK, LIGHT, Palette
from app.gui.theme import theme
from app.holdstill.measurement import measure
from app.holdstill.samples import Sampler
from benchmarks.screenshots import SIZE, Photographer

SECONDS = 1.0
TEST_SECONDS = 4.0
"""Of the hold-still test: the demo clip's face keeps still for no longer."""
DEMO_CHIP, PRIVACY_CHIP, RECORDING_CHIP = "#ffc24b", "#2d5f8f", "#c81e2b"
CHIPS = (slice(14, 40), slice(14, 90)), (slice(14, 40), slice(120, 200)), (slice(14, 40), slice(1000, 1100))
"""Where the chips lie: rows and columns of the demo's, of privacy's and of the recording's."""

LIVE_PAGE = ("compare", "lab-drawer", "side-by-side", "live", "recorded", "privacy", "hold-still", "no-camera", "faces")
SHEETS = ("preferences", "share", "keys", "tour")
OTHER_PAGES = ("session", "sessions", "card", "trouble")
LIGHT_ONES = ("no-camera", "faces")

Image = NDArray[np.uint8]


def kept_or(folder: Path) -> Path:
    """Return the folder that the environment names, otherwise ``folder``."""
    wanted = os.environ.get("LDEQ_SCREENSHOTS", "")
    return Path(wanted) if wanted else folder


def read(path: Path) -> Image:
    """Return a picture as (height, width, 3) RGB."""
    image = cv2.imread(str(path))
    assert image is not None, f"{path} is no picture"
    return np.asarray(image[:, :, ::-1])


@pytest.fixture(scope="module")
def dark(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    """All views in dark, by name."""
    folder = kept_or(tmp_path_factory.mktemp("dark"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holdstill, "Sampler", partial(Sampler, TEST_SECONDS))
        patch.setattr(holdstill, "measure", partial(measure, seconds=TEST_SECONDS))
        Photographer(qapp, folder, tmp_path_factory.mktemp("recordings"), "dark", SECONDS).take_all()
    yield {name: read(folder / f"{name}.png") for name in (*LIVE_PAGE, *SHEETS, *OTHER_PAGES)}
    theme.apply(qapp, DARK)


@pytest.fixture(scope="module")
def light(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    """Two views in light, by name."""
    folder = kept_or(tmp_path_factory.mktemp("views")) / "light"
    photographer = Photographer(qapp, folder, tmp_path_factory.mktemp("light"), "light", SECONDS)
    photographer.take_faces()
    photographer.take_no_camera()
    yield {name: read(folder / f"{name}.png") for name in LIGHT_ONES}
    theme.apply(qapp, DARK)


def share_of(image: Image, colour: str) -> float:
    """Return the share of pixels that have exactly this colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return float(((image[..., 0] == red) & (image[..., 1] == green) & (image[..., 2] == blue)).mean())


def is_painted(image: Image, colours: Palette, others: Palette) -> bool:
    """Whether a picture of the window is whole, not blank, and dressed in ``colours``."""
    width, height = SIZE
    many = len(np.unique(image[::8, ::8].reshape(-1, 3), axis=0)) > 100
    dressed = share_of(image, colours.ground) > 0.01 and share_of(image, others.ground) < 0.005
    return image.shape == (height, width, 3) and many and dressed


def chips(image: Image) -> tuple[bool, bool, bool]:
    """Whether the demo's, privacy's and the recording's chip can be seen."""
    colours = DEMO_CHIP, PRIVACY_CHIP, RECORDING_CHIP
    seen = [share_of(image[place], colour) > 0.2 for place, colour in zip(CHIPS, colours, strict=True)]
    return seen[0], seen[1], seen[2]


def test_every_view_is_painted_in_dark(dark: dict[str, Image]) -> None:
    assert [name for name, image in dark.items() if not is_painted(image, DARK, LIGHT)] == []


def test_two_views_are_painted_in_light(light: dict[str, Image]) -> None:
    assert [name for name, image in light.items() if not is_painted(image, LIGHT, DARK)] == []
    assert all(chips(image) == (True, False, False) for image in light.values())


def test_no_two_views_are_the_same(dark: dict[str, Image]) -> None:
    assert [pair for pair in combinations(dark, 2) if np.array_equal(dark[pair[0]], dark[pair[1]])] == []


def test_chips_say_what_is_so(dark: dict[str, Image]) -> None:
    expected = {
        **dict.fromkeys((*LIVE_PAGE, *SHEETS), (True, False, False)),
        **dict.fromkeys(OTHER_PAGES, (False, False, False)),
        "live": (True, False, True),
        "privacy": (True, True, False),
    }
    assert {name: chips(image) for name, image in dark.items()} == expected


def test_privacy_shows_nobody(dark: dict[str, Image]) -> None:
    def detail(image: Image) -> float:
        """Of the hair above the forehead, where no landmark is drawn."""
        return float(cv2.Laplacian(image[190:270, 460:620].astype(np.float32), cv2.CV_32F).std())

    assert detail(dark["privacy"]) < 0.2 * detail(dark["recorded"])


def test_sheets_and_banners_lie_over_the_picture(dark: dict[str, Image]) -> None:
    for name in SHEETS:
        assert share_of(dark[name], DARK.card) > share_of(dark["recorded"], DARK.card) + 0.02, name
    banner = slice(55, 90), slice(210, 900)
    for name in ("recorded", "no-camera", "trouble"):
        assert float(dark[name][banner].std()) > 5, name
