"""The hold-still test in the window: its stages without widgets, its overlay and its card page with them."""

from __future__ import annotations

import os

from app.sources.spec import CameraSpec
from app.tracking.live import LiveState

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import RecordingError
from app.core.frame import FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.gui.holdstill.presenters.hold_still import COUNTDOWN_SECONDS, HoldStill, HoldStillStage, card_choices
from app.gui.holdstill.views import card_page
from app.gui.holdstill.views.card_drawing import FINE, HEIGHT, WIDTH, save_sheet, sheet_image
from app.gui.holdstill.views.card_page import CardPage, CardView
from app.gui.holdstill.views.overlay import SIZE, HoldStillOverlay
from app.gui.live.presenters.state import SessionState
from app.gui.presenters.palettes import DARK, LIGHT, Palette
from app.holdstill.card import Format, SourceKind, camera_of
from app.holdstill.card_file import CardFile, read_card, write_card
from app.holdstill.samples import TEST_SECONDS
from app.holdstill.text import CardSheet, ComparisonSheet, Sheet, card_sheet, comparison_sheet
from app.sources.base import SourceInfo
from app.sources.spec import CameraFormat
from app.tracking.live import LiveStatus
from tests.holdstill_fakes import FPS, Points, card, noisy, results, still_face
from tests.painted import count_colour
from tests.waiting import PATIENCE_MS

pytestmark = pytest.mark.slow

INFO = SourceInfo("HD Webcam", 640, 360, 30.0, None, True, requested=CameraFormat(1280, 720, 30.0))
NOTHING = SessionState()


class FakeSession:
    """A session that runs until told otherwise."""

    def __init__(self) -> None:
        self.tracking = TrackingSettings()
        self.stage = LiveState.RUNNING

    @property
    def state(self) -> SessionState:
        status = LiveStatus(self.stage, INFO, "fake, CPU")
        return SessionState(CameraSpec("0"), 1, True, status, self.tracking)

    def configure(self, change: Callable[[TrackingSettings], TrackingSettings]) -> None:
        self.tracking = change(self.tracking)


class Bench:
    """A hold-still test with a clock that is set by hand; jobs run when told to."""

    def __init__(self, folder: Path) -> None:
        self.session = FakeSession()
        self.chosen = self.session.tracking
        self.now = 100.0
        self.jobs: list[Callable[[], None]] = []
        self.pictures: list[tuple[Sheet, Path]] = []
        self.changes = 0
        self.frames = 0
        weights = folder / "tiny.safetensors"
        weights.write_bytes(b"weights")
        self.folder = folder / "cards"
        self.test = HoldStill(
            self.session,
            lambda: self.chosen,
            lambda: weights,
            lambda: self.folder,
            lambda sheet, path: self.pictures.append((sheet, path)),
            self._changed,
            self.jobs.append,
            lambda: self.now,
        )

    def _changed(self) -> None:
        self.changes += 1

    def feed(self, frames: list[FrameResult]) -> None:
        for result in frames:
            self.now = result.frame.captured + 0.03
            self.test.consume(result)
            self.test.tick()

    def work(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()

    def sit(self, head: Points | None = None, face: int | None = 0, seconds: float = 12.6) -> None:
        """Feed frames from now on, through the countdown to the end of the test."""
        count = int(seconds * FPS)
        modes = {Mode.RWR: noisy(count, 0.1, 1), Mode.COLD: noisy(count, 0.4, 2)}
        if head is not None:
            head = head[self.frames : self.frames + count]
        self.feed(results(modes, head, face, start=self.now, first=self.frames))
        self.frames += count


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_ten_seconds_become_a_card(bench: Bench) -> None:
    assert bench.test.view().stage == HoldStillStage.IDLE
    bench.test.start()
    assert bench.test.view().stage == HoldStillStage.COUNTDOWN
    assert bench.session.tracking.compare
    bench.sit(seconds=COUNTDOWN_SECONDS + 5)
    view = bench.test.view()
    assert view.stage == HoldStillStage.MEASURING
    assert view.progress == pytest.approx(0.5, abs=0.02)
    assert view.count in ("5", "6")
    assert view.good
    bench.sit(seconds=5.2)
    assert bench.test.view().stage == HoldStillStage.WORKING
    assert not bench.session.tracking.compare
    bench.work()
    view = bench.test.view()
    assert view.stage == HoldStillStage.DONE
    assert isinstance(view.sheet, CardSheet)
    assert view.sheet.verdict == "RwR flickers 75% less than Cold"
    assert view.path is not None
    assert read_card(view.path) == view.sheet.card
    assert view.sheet.card.camera.asked == Format(1280, 720, 30.0)
    assert view.sheet.card.settings["compare"] is True
    assert bench.pictures == [(view.sheet, view.path.with_suffix(".png"))]
    bench.test.cancel()
    assert bench.test.view().stage == HoldStillStage.IDLE
    assert view.path.exists()


def test_compare_stays_on_where_the_person_had_it_on_and_other_switches_are_kept(bench: Bench) -> None:
    bench.chosen = bench.session.tracking = TrackingSettings(compare=True, measure_flicker=False)
    bench.test.start()
    assert bench.session.tracking.measure_flicker
    bench.session.tracking = replace(bench.session.tracking, rwr=False)
    bench.test.cancel()
    assert bench.session.tracking == TrackingSettings(rwr=False, compare=True, measure_flicker=False)


def test_a_test_that_is_begun_again_leaves_no_comparison_behind(bench: Bench) -> None:
    bench.test.start()
    bench.sit(seconds=COUNTDOWN_SECONDS + 1)
    bench.test.start()
    assert bench.session.tracking.compare
    bench.test.cancel()
    assert not bench.session.tracking.compare


def test_nobody_in_front_of_the_camera(bench: Bench) -> None:
    bench.test.start()
    bench.sit(face=None, seconds=1)
    view = bench.test.view()
    assert (view.stage, view.good) == (HoldStillStage.COUNTDOWN, False)
    assert view.headline == "No face in view"
    bench.sit(face=None, seconds=5)
    assert bench.test.view().headline == "No face in view"
    bench.sit(face=None, seconds=7)
    bench.work()
    view = bench.test.view()
    assert view.stage == HoldStillStage.FAILED
    assert "No face was in view" in view.advice
    assert not list(bench.folder.glob("*")) if bench.folder.exists() else True
    bench.test.start()
    assert bench.test.view().stage == HoldStillStage.COUNTDOWN


def test_a_restless_head_is_told_so_at_once_and_at_the_end(bench: Bench) -> None:
    bench.test.start()
    count = int(13 * FPS)
    path = np.stack([30 * np.sin(2 * np.pi * 0.5 * np.arange(count) / FPS), np.zeros(count)], -1)
    moving = np.asarray(still_face() + path[:, None, :])
    bench.sit(moving, seconds=5)
    assert bench.test.view().headline == "You are moving"
    bench.sit(moving, seconds=8)
    bench.work()
    assert bench.test.view().stage == HoldStillStage.FAILED
    assert "The head moved too much" in bench.test.view().advice
    assert not bench.session.tracking.compare


@pytest.mark.parametrize("seconds", [1.0, 5.0])
def test_a_source_that_stops_ends_the_test(bench: Bench, seconds: float) -> None:
    bench.test.start()
    bench.sit(seconds=seconds)
    bench.session.stage = LiveState.ENDED
    bench.test.tick()
    view = bench.test.view()
    assert (view.stage, "The source stopped" in view.advice) == (HoldStillStage.FAILED, True)
    bench.test.start()
    assert "Nothing plays" in bench.test.view().advice


def test_pictures_that_stop_coming_end_the_test(bench: Bench) -> None:
    bench.test.start()
    bench.sit(seconds=4)
    bench.now += TEST_SECONDS + 5
    bench.test.tick()
    assert "No more frames" in bench.test.view().advice


def test_a_card_that_cannot_be_saved_is_shown_all_the_same(bench: Bench) -> None:
    bench.folder.write_text("a file where the folder should be")
    bench.test.start()
    bench.sit()
    bench.work()
    view = bench.test.view()
    assert view.stage == HoldStillStage.DONE
    assert view.sheet is not None
    assert view.path is None
    assert "Cannot write" in view.problem
    bench.folder.unlink()
    bench.test.save("Ada")
    bench.work()
    view = bench.test.view()
    assert view.path is not None
    assert view.problem == ""
    assert read_card(view.path).label == "Ada"


def test_an_error_inside_is_a_sentence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("app.gui.holdstill.presenters.hold_still.measure", broken)
    bench.test.start()
    bench.sit()
    bench.work()
    assert "repeat the test" in bench.test.view().advice


def test_cards_are_compared_with_earlier_ones(bench: Bench) -> None:
    earlier = bench.folder / "hold-still 2026-11-20 10.00.00.json"
    write_card(earlier, card("Grace", rwr=0.3))
    bench.test.start()
    bench.sit()
    bench.work()
    (other,) = bench.test.view().others
    assert other.path == earlier
    bench.test.compare(other.path)
    bench.work()
    sheet = bench.test.view().sheet
    assert isinstance(sheet, ComparisonSheet)
    assert (sheet.comparison.first.label, sheet.comparison.second.camera.name) == ("Grace", "HD Webcam")
    bench.test.save("ignored")
    bench.work()
    view = bench.test.view()
    assert view.path is not None
    assert bench.pictures[-1] == (sheet, view.path.with_name(f"{view.path.stem} compared.png"))
    assert view.note == f"Saved as {view.path.stem} compared.png."
    assert view.sheet is sheet
    bench.test.compare(None)
    assert isinstance(bench.test.view().sheet, CardSheet)
    assert bench.test.view().note == ""
    bench.test.compare(Path("gone.json"))
    assert not bench.jobs


def test_what_an_earlier_test_finds_too_late_is_not_shown(bench: Bench) -> None:
    bench.test.start()
    bench.sit()
    late = bench.jobs.pop()
    bench.test.start()
    late()
    assert bench.test.view().stage == HoldStillStage.COUNTDOWN
    assert len(list(bench.folder.glob("*.json"))) == 1, "the card itself is kept"


def test_kinds_of_sources_and_labels_of_cards() -> None:
    assert camera_of(INFO).kind == SourceKind.CAMERA
    assert camera_of(replace(INFO, demo=True)).kind == SourceKind.DEMO
    assert camera_of(replace(INFO, live=False, requested=None)).asked is None
    assert camera_of(replace(INFO, live=False)).kind == SourceKind.FILE
    made = replace(card("Ada"), created=datetime(2026, 11, 21, 9, 5, tzinfo=UTC).isoformat())
    unnamed = replace(made, label="")
    files = (CardFile(Path("a"), made), CardFile(Path("b"), unnamed))
    assert card_choices(files) == [
        ("21 Nov 09:05   Ada, HD Webcam", Path("a")),
        ("21 Nov 09:05   HD Webcam", Path("b")),
    ]
    assert len(card_choices(files * 20)) == 12


@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_cards_are_drawn_in_the_modes_colours(application: QApplication, palette: Palette) -> None:
    for sheet in (card_sheet(card("Ada")), comparison_sheet(card("Ada"), card("Grace", rwr=0.3))):
        image = sheet_image(sheet, palette)
        assert (image.width(), image.height()) == (WIDTH * FINE, HEIGHT * FINE)
        for mode in (Mode.RWR, Mode.COLD):
            assert count_colour(image, palette.modes[mode]) > 2000, mode
        assert image.pixelColor(4, 4) == QColor(palette.ground)


def test_a_card_is_told_to_screen_readers(
    application: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = CardView()
    qtbot.addWidget(view)
    monkeypatch.setattr(card_page, "QAccessible", SimpleNamespace(isActive=lambda: True))
    for sheet, words in (
        (card_sheet(card("Ada")), "RwR flicker"),
        (comparison_sheet(card("Ada"), card("Grace", rwr=0.3)), "Grace"),
        (None, ""),
    ):
        view.show_sheet(sheet)
        assert words in view.accessibleDescription()
    assert not view.accessibleDescription()


def test_the_picture_is_a_whole_png_or_a_sentence(application: QApplication, tmp_path: Path) -> None:
    sheet = card_sheet(card("Ada"))
    save_sheet(sheet, tmp_path / "card.png")
    assert QImage(str(tmp_path / "card.png")).width() == WIDTH * FINE
    assert [path.name for path in tmp_path.iterdir()] == ["card.png"]
    with pytest.raises(RecordingError, match="Cannot write"):
        save_sheet(sheet, tmp_path / "card.png" / "below.png")


def test_the_overlay_guides_and_hands_over_to_the_card(application: QApplication, qtbot: QtBot, bench: Bench) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(800, 600)
    parent.show()
    overlay = HoldStillOverlay(parent, bench.test)
    page = CardPage(bench.test)
    qtbot.addWidget(page)
    overlay.start()
    assert overlay.isVisible()
    assert not overlay.repeat.isVisible()
    bench.sit()
    overlay.refresh()
    assert "figures" in overlay.accessibleDescription()
    bench.work()
    with qtbot.waitSignal(overlay.finished):
        overlay.refresh()
    assert not overlay.isVisible()
    page.refresh()
    page.resize(1000, 760)
    page.show()
    qtbot.waitUntil(page.isActiveWindow, timeout=PATIENCE_MS)
    assert not page.label.hasFocus(), "keys mean the window's actions until the name is clicked"
    assert page.folder.isEnabled()
    assert not page.compare.isEnabled()
    page.label.setText("Ada, by the window")
    page.save.click()
    bench.work()
    page.refresh()
    path = bench.test.view().path
    assert path is not None
    assert read_card(path).label == "Ada, by the window"
    assert page.grab().width() == 1000
    with qtbot.waitSignal(page.show_folder) as asked:
        page.folder.click()
    assert asked.args == [bench.folder]


def test_the_overlay_can_be_closed_and_offers_to_repeat(application: QApplication, qtbot: QtBot, bench: Bench) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    overlay = HoldStillOverlay(parent, bench.test)
    overlay.start()
    bench.session.stage = LiveState.STOPPED
    overlay.refresh()
    assert overlay.repeat.isVisible()
    bench.session.stage = LiveState.RUNNING
    overlay.repeat.click()
    assert bench.test.view().stage == HoldStillStage.COUNTDOWN
    with qtbot.waitSignal(overlay.closed):
        overlay.close_button.click()
    assert not overlay.isVisible()
    assert bench.test.view().stage == HoldStillStage.IDLE
    overlay.start()
    bench.session.stage = LiveState.STOPPED
    overlay.refresh()
    with qtbot.waitSignal(overlay.closed):
        overlay.close_button.click()
    assert not overlay.isVisible()


def test_the_overlay_fits_a_narrow_video_and_repeats_with_the_same_face(
    application: QApplication, qtbot: QtBot, bench: Bench
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(312, 272)
    parent.show()
    overlay = HoldStillOverlay(parent, bench.test)

    def inside() -> bool:
        application.processEvents()
        button = overlay.close_button
        return parent.rect().contains(overlay.geometry()) and overlay.rect().contains(button.geometry())

    overlay.start(3)
    assert inside()
    assert overlay.size().height() == SIZE.height()
    bench.session.stage = LiveState.STOPPED
    bench.test._fail("The head moved too much: lean on something, look at the camera and repeat the test. " * 2)
    overlay.refresh()
    assert inside()
    assert overlay.size().height() > SIZE.height()
    bench.session.stage = LiveState.RUNNING
    overlay.repeat.click()
    assert bench.test._face == 3
    parent.resize(900, 600)
    overlay.place()
    assert overlay.size() == SIZE


def test_the_menu_offers_earlier_cards(application: QApplication, qtbot: QtBot, bench: Bench) -> None:
    write_card(bench.folder / "hold-still 2026-11-20 10.00.00.json", card("Grace", rwr=0.3))
    page = CardPage(bench.test)
    qtbot.addWidget(page)
    bench.test.start()
    bench.sit()
    bench.work()
    page.refresh()
    page._fill_menu()
    (entry,) = page.menu.actions()
    assert "Grace" in entry.text()
    entry.trigger()
    bench.work()
    page.refresh()
    page._fill_menu()
    assert page.menu.actions()[-1].text() == "This card alone"
    page.menu.actions()[-1].trigger()
    assert isinstance(bench.test.view().sheet, CardSheet)
