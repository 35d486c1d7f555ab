"""Every view of the window is painted, in the theme's colours and with the chips that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.session import LiveSession
from app.gui.live.presenters.settings import LiveSettings
from app.gui.main_window import MainWindow
from app.gui.presenters.actions import ActionName
from app.gui.presenters.palettes import DARK, LIGHT, Palette, Theme
from app.gui.theme import theme
from tests.fakes import portrait
from tests.gui_fakes import SIZE, FakeLive, fake_parts
from tests.painted import pixels
from tests.session_fakes import record, tracked
from tests.waiting import PATIENCE_MS

WINDOW = (1440, 900)
DEMO_CHIP, PRIVACY_CHIP, RECORDING_CHIP = "#ffc24b", "#2d5f8f", "#c81e2b"
CHIPS = (slice(14, 40), slice(14, 90)), (slice(14, 40), slice(120, 200)), (slice(14, 40), slice(1000, 1100))
"""Where the chips lie: rows and columns of the demo's, of privacy's and of the recording's."""

LIVE, NO_CHIPS = (True, False, False), (False, False, False)

Image = NDArray[np.uint8]
Open = Callable[..., MainWindow]


@pytest.fixture
def open_window(qapp: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setattr("app.gui.window_state.FRAME_MS", ())  # the offscreen platform's screen is smaller than WINDOW
    windows: list[MainWindow] = []
    face = np.asarray(cv2.resize(portrait(), SIZE), np.uint8)

    def open_one(source: str | None, palette: Palette = DARK, faces: int = 1) -> MainWindow:
        name = Theme.DARK if palette is DARK else Theme.LIGHT
        chosen = Remembered(source=source, folder=tmp_path / "sessions", theme=name, tour_seen=True)
        parts = replace(
            fake_parts(cameras=()), live=lambda source, tracking: FakeLive(source, tracking, faces, image=face)
        )
        window = MainWindow(LiveSettings(chosen), lambda *args: LiveSession(parts, *args), list)
        windows.append(window)
        window.show()
        window.begin()
        window.resize(*WINDOW)
        return window

    yield open_one
    for window in windows:
        window.close()
        qtbot.waitUntil(lambda window=window: window.presenter.session.state.closed, timeout=PATIENCE_MS)  # type: ignore[misc]
        window.deleteLater()
    theme.apply(qapp, DARK)


def share_of(image: Image, colour: str) -> float:
    """Return the share of pixels that have exactly this colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return float(((image[..., 0] == red) & (image[..., 1] == green) & (image[..., 2] == blue)).mean())


def is_painted(image: Image, colours: Palette, others: Palette) -> bool:
    """Whether a picture of the window is whole, not blank, and in ``colours``."""
    width, height = WINDOW
    many = len(np.unique(image[::4, ::4].reshape(-1, 3), axis=0)) > 100
    dressed = share_of(image, colours.ground) > 0.01 and share_of(image, others.ground) < 0.005
    return image.shape == (height, width, 3) and many and dressed


def chips(image: Image) -> tuple[bool, bool, bool]:
    """Whether the demo's, privacy's and the recording's chip can be seen."""
    colours = DEMO_CHIP, PRIVACY_CHIP, RECORDING_CHIP
    seen = [share_of(image[place], colour) > 0.2 for place, colour in zip(CHIPS, colours, strict=True)]
    return seen[0], seen[1], seen[2]


class Album:
    """Waits until a window shows something new that is painted, and keeps it."""

    def __init__(self, qtbot: QtBot, colours: Palette = DARK, others: Palette = LIGHT) -> None:
        self._qtbot = qtbot
        self._palettes = colours, others
        self.views: dict[str, Image] = {}

    def take(self, name: str, window: MainWindow, shown: tuple[bool, bool, bool] = LIVE) -> None:
        def seen() -> None:
            image = pixels(window)
            assert is_painted(image, *self._palettes), f"{name} is blank, or in another theme's colours"
            assert chips(image) == shown, f"{name} shows other chips"
            same = [other for other, known in self.views.items() if np.array_equal(known, image)]
            assert not same, f"{name} looks as {same}"
            self.views[name] = image

        self._qtbot.waitUntil(seen, timeout=PATIENCE_MS)


def test_the_live_page_and_its_sheets(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("demo")
    qtbot.waitUntil(lambda: window.view.picture is not None, timeout=PATIENCE_MS)
    album = Album(qtbot)
    album.take("live", window)
    for name in (ActionName.COMPARE, ActionName.DRAWER, ActionName.HEAT):
        window.act(name)
        album.take(name, window)
    window.act(ActionName.DRAWER)
    for sheet in (ActionName.PREFERENCES, ActionName.SHARE, ActionName.KEYS, ActionName.TOUR):
        before = pixels(window)
        window.act(sheet)
        album.take(sheet, window)
        assert share_of(album.views[sheet], DARK.card) > share_of(before, DARK.card) + 0.02, sheet
        window.act(ActionName.DISMISS)
    window.act(ActionName.PRIVACY)
    album.take("privacy", window, (True, True, False))
    window.act(ActionName.PRIVACY)
    window.act(ActionName.RECORD)
    album.take("recording", window, (True, False, True))
    window.act(ActionName.RECORD)
    qtbot.waitUntil(window.page.banner.isVisible, timeout=PATIENCE_MS)
    album.take("recorded", window)
    window.act(ActionName.HOLD_STILL)
    album.take("hold still", window)


def test_sessions_and_the_viewer(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    record(tmp_path / "sessions" / "walk", tracked(12))
    window = open_window("demo")
    album = Album(qtbot)
    window.act(ActionName.SESSIONS)
    qtbot.waitUntil(lambda: bool(window.sessions.list.library.view.rows), timeout=PATIENCE_MS)
    album.take("sessions", window, NO_CHIPS)
    window.sessions.open(tmp_path / "sessions" / "walk")
    qtbot.waitUntil(lambda: window.sessions.viewer.viewer.view().stage == "open", timeout=PATIENCE_MS)
    album.take("viewer", window, NO_CHIPS)


def test_trouble(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("missing.mp4")
    qtbot.waitUntil(window.page.banner.isVisible, timeout=PATIENCE_MS)
    Album(qtbot).take("trouble", window, NO_CHIPS)
    without = open_window(None)
    qtbot.waitUntil(without.page.banner.isVisible, timeout=PATIENCE_MS)
    Album(qtbot).take("no camera", without)


def test_light_and_several_faces(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("demo", LIGHT, faces=3)
    qtbot.waitUntil(lambda: window.view.picture is not None, timeout=PATIENCE_MS)
    album = Album(qtbot, LIGHT, DARK)
    album.take("faces", window)
    window.act(ActionName.PREFERENCES)
    album.take("preferences", window)
