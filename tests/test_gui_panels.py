"""The panels as widgets: what they paint, what they tell, and that they stay out of the keyboard's way."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from dataclasses import replace
from types import SimpleNamespace
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.core.frame import FrameResult
from app.core.modes import Baseline, Mode
from app.core.presets import PRESETS
from app.core.settings import TrackingSettings
from app.gui.live.presenters.choices import baseline_options
from app.gui.live.presenters.flicker import FlickerView, ModeFlicker
from app.gui.live.presenters.heatmap import HeatKind
from app.gui.live.presenters.solver import SolverHistory
from app.gui.live.presenters.solver_readouts import WEIGHT_STEPS, step_of, weight_at
from app.gui.live.views.flicker import FlickerNumbers, FlickerTrace, RegionBars
from app.gui.live.views.heatmap import HeatMapView
from app.gui.live.views.solver import CONTROLS_WIDTH, SolverPanel
from app.gui.presenters.banner import Banner, Tone
from app.gui.presenters.colour_scale import HEAT_COLOURS, LEVELS
from app.gui.presenters.compare import CompareView
from app.gui.presenters.faces import FaceChoice, identity_colour
from app.gui.presenters.palettes import DARK, LIGHT
from app.gui.presenters.picture import prepare
from app.gui.presenters.readouts import Caption, Hud
from app.gui.presenters.zoom import FaceZoom
from app.gui.theme import theme
from app.gui.widgets import banner as banner_module
from app.gui.widgets.banner import BannerView
from app.gui.widgets.segments import Segments
from app.gui.widgets.toggle import Toggle
from app.gui.widgets.video import VideoView
from app.sources.opencv import forget_qt_plugins
from model.geometry import Crop
from model.rwr.settings import RwrSettings
from model.topology import POINTS
from tests.gui_fakes import estimate, frame_result
from tests.painted import count_colour, pixels
from tests.waiting import PATIENCE_MS

Pixels = NDArray[np.uint8]
NEAR = 12
"""Levels by which a colour differs at most from the one that it is painted with."""
WAIT_MS = 20000

W = TypeVar("W", bound=QWidget)


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    forget_qt_plugins()
    return ["ldeq-live"]


def shown(qtbot: QtBot, widget: W, width: int = 400, height: int = 260) -> W:
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    return widget


def flicker(pair: tuple[Mode, Mode] = (Mode.RWR, Mode.COLD), now: float = 10.0, **values: float) -> FlickerView:
    """Return a view in which the modes named flicker that much."""
    times = np.linspace(-10, 0, 300, dtype=np.float32)
    modes = {mode: ModeFlicker() for mode in Mode}
    for name, value in values.items():
        mode = Mode(name.replace("_", "-"))
        trace = (value + 0.2 * value * np.sin(np.arange(300))).astype(np.float32)
        modes[mode] = ModeFlicker(value, value, (value,) * 6, np.full(POINTS, value, np.float32), trace)
    return FlickerView(times, modes, pair, 0, now)  # type: ignore[arg-type]


class TestFlickerCard:
    @pytest.mark.parametrize("widget", [FlickerTrace, FlickerNumbers, RegionBars])
    def test_every_pair_has_its_colours(self, application: QApplication, qtbot: QtBot, widget: type) -> None:
        view = shown(qtbot, widget(), 300, 130)
        view.show_flicker(flicker((Mode.RWR, Mode.EMA), rwr=0.4, ema=0.8, cold=1.0))
        painted = pixels(view)
        assert count_colour(painted, DARK.modes[Mode.RWR], 40) > 20
        assert count_colour(painted, DARK.modes[Mode.EMA], 40) > 20
        assert count_colour(painted, DARK.modes[Mode.COLD], NEAR) == 0
        view.show_flicker(flicker((Mode.COLD, Mode.ONE_EURO), 20.0, cold=0.9, one_euro=0.5))
        painted = pixels(view)
        assert count_colour(painted, DARK.modes[Mode.RWR], NEAR) == 0
        assert count_colour(painted, DARK.modes[Mode.ONE_EURO], 40) > 20

    @pytest.mark.parametrize("widget", [FlickerTrace, FlickerNumbers, RegionBars])
    def test_follows_dark_and_light(self, application: QApplication, qtbot: QtBot, widget: type) -> None:
        view = shown(qtbot, widget(), 300, 130)
        view.show_flicker(flicker(rwr=0.4, cold=0.8))
        theme.apply(application, LIGHT)
        painted = pixels(view)
        assert count_colour(painted, LIGHT.modes[Mode.RWR], 40) > 20
        assert count_colour(painted, DARK.modes[Mode.RWR], NEAR) == 0

    def test_a_gap_is_not_bridged(self, application: QApplication, qtbot: QtBot) -> None:
        view = shown(qtbot, FlickerTrace(), 320, 118)
        whole = flicker(rwr=0.4)
        trace = whole.modes[Mode.RWR].trace.copy()
        trace[100:200] = np.nan
        view.show_flicker(replace(whole, modes=whole.modes | {Mode.RWR: replace(whole.modes[Mode.RWR], trace=trace)}))
        painted = pixels(view)
        middle = painted[:, painted.shape[1] // 2 - 10 : painted.shape[1] // 2 + 10]
        assert count_colour(painted, DARK.modes[Mode.RWR], 60) > 20
        assert count_colour(middle, DARK.modes[Mode.RWR], 60) == 0

    def test_nothing_is_painted_again_for_the_same_figures(self, application: QApplication, qtbot: QtBot) -> None:
        view = shown(qtbot, RegionBars(), 300, 130)
        view.show_flicker(flicker(rwr=0.4))
        asked: list[bool] = []
        view.update = lambda: asked.append(True)  # type: ignore[assignment, method-assign]
        view.show_flicker(flicker(rwr=0.4001))
        assert not asked
        view.show_flicker(flicker(rwr=0.5))
        assert asked


class TestHeatMap:
    def test_hot_and_calm_modes_have_their_colours(self, application: QApplication, qtbot: QtBot) -> None:
        view = shown(qtbot, HeatMapView())
        view.show_flicker(flicker(rwr=0.1, cold=3.0))
        painted = pixels(view)
        left, right = painted[40:220, :200], painted[40:220, 200:]
        hot = tuple(HEAT_COLOURS[-1].tolist())
        calm = tuple(HEAT_COLOURS[0].tolist())
        assert count_colour(right, hot, NEAR) > 200
        assert count_colour(left, hot, NEAR) == 0
        assert count_colour(left, calm, NEAR) > 50
        assert count_colour(right, calm, NEAR) == 0

    def test_the_change_is_one_face(self, application: QApplication, qtbot: QtBot) -> None:
        view = shown(qtbot, HeatMapView())
        view.show_what(HeatKind.CHANGE)
        view.show_flicker(flicker(rwr=0.1, cold=3.0))
        assert count_colour(pixels(view)[40:220], "#1f6fe5", NEAR) > 200

    def test_is_not_brought_up_to_date_while_hidden_or_too_often(self, application: QApplication, qtbot: QtBot) -> None:
        view = shown(qtbot, HeatMapView())
        view.show_flicker(flicker(rwr=0.1))
        calm = pixels(view)
        view.show_flicker(flicker(now=10.05, rwr=3.0))
        assert (pixels(view) == calm).all()
        view.hide()
        view.show_flicker(flicker(now=11.0, rwr=3.0))
        view.show()
        assert (pixels(view) == calm).all()
        view.show_flicker(flicker(now=12.0, rwr=3.0))
        assert (pixels(view) != calm).any()

    def test_is_stretched_at_first_where_its_size_changes_and_then_drawn_anew(
        self, application: QApplication, qtbot: QtBot
    ) -> None:
        view, wanted = shown(qtbot, HeatMapView()), shown(qtbot, HeatMapView(), 640, 420)
        for each in (view, wanted):
            each.show_flicker(flicker(rwr=0.1, cold=3.0))
        small, large = pixels(view), pixels(wanted)
        view.resize(640, 420)
        stretched = pixels(view)
        hottest = tuple(HEAT_COLOURS[-1].tolist())
        assert count_colour(stretched, hottest, NEAR) > count_colour(small, hottest, NEAR)
        assert (stretched != large).any()
        qtbot.waitUntil(lambda: bool((pixels(view) == large).all()), timeout=WAIT_MS)


class TestSegments:
    def test_shows_options_and_tells_the_choice(self, application: QApplication, qtbot: QtBot) -> None:
        segments = shown(qtbot, Segments("Baseline"), 240, 28)
        segments.show_options(baseline_options(Mode.RWR), Baseline.OPPOSITE)
        assert segments.current == Baseline.OPPOSITE
        with qtbot.waitSignal(segments.chosen) as chosen:
            qtbot.mouseClick(segments.buttons[Mode.EMA], Qt.MouseButton.LeftButton)
        assert chosen.args == [Mode.EMA]
        segments.show_options(baseline_options(Mode.COLD), Mode.ONE_EURO)
        assert segments.current == Mode.ONE_EURO
        assert segments.buttons[Baseline.OPPOSITE].text() == "RwR"

    def test_none_may_be_on(self, application: QApplication, qtbot: QtBot) -> None:
        segments = shown(qtbot, Segments("Baseline"))
        segments.show_options(baseline_options(Mode.RWR), Mode.EMA)
        segments.show_options(baseline_options(Mode.RWR), "")
        assert segments.current == ""

    def test_what_is_shown_is_not_told_as_a_choice(self, application: QApplication, qtbot: QtBot) -> None:
        segments = shown(qtbot, Segments("Baseline"))
        told: list[str] = []
        segments.chosen.connect(told.append)
        segments.show_options(baseline_options(Mode.RWR), Mode.EMA)
        segments.show_options(baseline_options(Mode.RWR), Baseline.OPPOSITE)
        assert told == []

    def test_arrow_keys_choose_once_tab_is_there_and_shortcuts_rest(
        self, application: QApplication, qtbot: QtBot
    ) -> None:
        window = shown(qtbot, QWidget())
        segments = Segments("Baseline")
        QVBoxLayout(window).addWidget(segments)
        segments.show_options(baseline_options(Mode.RWR), Baseline.OPPOSITE)
        seeks: list[int] = []
        QShortcut(QKeySequence("Right"), window).activated.connect(lambda: seeks.append(1))
        window.activateWindow()
        segments.buttons[Baseline.OPPOSITE].setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(lambda: segments.buttons[Baseline.OPPOSITE].hasFocus(), timeout=PATIENCE_MS)
        with qtbot.waitSignal(segments.chosen) as chosen:
            qtbot.keyClick(segments.buttons[Baseline.OPPOSITE], Qt.Key.Key_Right)
        assert chosen.args == [Mode.EMA]
        assert segments.buttons[Mode.EMA].hasFocus()
        assert seeks == []
        segments.show_options(baseline_options(Mode.COLD), Mode.EMA)  # the same choices under other names
        assert segments.buttons[Mode.EMA].hasFocus()


@pytest.mark.parametrize(("kind", "said"), [(FlickerNumbers, "RwR: 0.50 % now"), (RegionBars, "Brows: RwR 0.50 %")])
def test_figures_that_are_painted_are_told_to_screen_readers(
    application: QApplication, qtbot: QtBot, kind: type[FlickerNumbers | RegionBars], said: str
) -> None:
    widget = shown(qtbot, kind())
    widget.show_flicker(flicker(rwr=0.5))
    spoken = QAccessible.queryAccessibleInterface(widget)
    assert spoken.text(QAccessible.Text.Name)
    assert said in spoken.text(QAccessible.Text.Description)
    widget.show_flicker(flicker())
    assert "not" in spoken.text(QAccessible.Text.Description)


def test_words_on_the_picture_are_told_to_screen_readers(application: QApplication, qtbot: QtBot) -> None:
    view = shown(qtbot, VideoView())
    spoken = QAccessible.queryAccessibleInterface(view)
    view.show_hud(Hud(message="Opening talk.mp4…"))
    assert spoken.text(QAccessible.Text.Description) == "Opening talk.mp4…"
    view.show_hud(Hud(notice="No face in view", caption=Caption(Mode.RWR, "RwR on")))
    assert spoken.text(QAccessible.Text.Description) == "No face in view RwR on"


@pytest.mark.parametrize(("tone", "politeness"), [(Tone.GOOD, "Polite"), (Tone.ERROR, "Assertive")])
def test_messages_are_announced_to_screen_readers(
    application: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tone: Tone, politeness: str
) -> None:
    told: list[QAccessibleAnnouncementEvent] = []
    kinds = QAccessible.AnnouncementPoliteness
    monkeypatch.setattr(
        banner_module, "QAccessible", SimpleNamespace(AnnouncementPoliteness=kinds, updateAccessibility=told.append)
    )
    picture = shown(qtbot, QWidget())
    view = BannerView(picture)
    view.show_banner(Banner("saved", tone, "Saved."))
    view.show_banner(None)
    assert [(event.message(), event.politeness()) for event in told] == [("Saved.", kinds[politeness])]


class TestSolverPanel:
    def solver(self, settings: RwrSettings | None = None) -> SolverHistory:
        history = SolverHistory()
        tracking = TrackingSettings(compare=True, recurrence=settings)
        for i in range(30):
            history.add(replace(frame_result(i, captured=i / 30, tracking=tracking), settings=tracking))
        return history

    def test_shows_what_is_in_force_and_tells_nobody(self, application: QApplication, qtbot: QtBot) -> None:
        panel = shown(qtbot, SolverPanel(), 820, 250)
        told: list[object] = []
        for signal in (panel.weight_changed, panel.budget_changed, panel.preset_chosen):
            signal.connect(told.append)
        calm = PRESETS[0]
        panel.show_view(self.solver(calm.settings).view(1.0), 1.0)
        assert panel.presets.current == calm.name
        assert panel.weight.slider.value() == step_of(calm.settings.recurrence_weight)
        assert panel.budget.slider.value() == calm.settings.evaluations
        assert panel.reset.isEnabled()
        panel.show_view(self.solver(RwrSettings(recurrence_weight=1.23)).view(1.0), 2.0)
        assert panel.presets.current == ""
        assert panel.weight._value.text() == "1.23"
        assert told == []

    def test_sliders_and_presets_tell_what_a_person_wants(self, application: QApplication, qtbot: QtBot) -> None:
        panel = shown(qtbot, SolverPanel(), 820, 250)
        panel.show_view(self.solver(PRESETS[0].settings).view(1.0), 1.0)
        slider = panel.weight.slider
        with qtbot.waitSignal(panel.weight_changed) as weight:
            qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() - 1, slider.height() // 2))
        assert weight.args == [weight_at(WEIGHT_STEPS)]
        with qtbot.waitSignal(panel.budget_changed) as budget:
            qtbot.keyClick(panel.budget.slider, Qt.Key.Key_End)
        assert budget.args == [6]
        with qtbot.waitSignal(panel.preset_chosen) as preset:
            qtbot.mouseClick(panel.presets.buttons["fast"], Qt.MouseButton.LeftButton)
        assert preset.args == ["fast"]
        with qtbot.waitSignal(panel.preset_chosen) as reset:
            qtbot.mouseClick(panel.reset, Qt.MouseButton.LeftButton)
        assert reset.args == ["balanced"]

    @pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return])
    def test_what_tab_reaches_is_pressed_by_the_keyboard(
        self, application: QApplication, qtbot: QtBot, key: Qt.Key
    ) -> None:
        window = QWidget()
        panel = SolverPanel()
        QVBoxLayout(window).addWidget(panel)
        shown(qtbot, window, 820, 250)
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=WAIT_MS)
        recorded: list[bool] = []
        for each in (Qt.Key.Key_Space, Qt.Key.Key_Return):
            QShortcut(QKeySequence(each), window).activated.connect(lambda: recorded.append(True))
        panel.show_view(self.solver(RwrSettings(recurrence_weight=1.23)).view(1.0), 1.0)
        told: list[str] = []
        panel.preset_chosen.connect(told.append)
        for button in (panel.presets.buttons["calm"], panel.reset):
            assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
            button.setFocus(Qt.FocusReason.TabFocusReason)
            qtbot.keyClick(button, key)
        assert told == ["calm", "balanced"]
        assert recorded == []

    def test_residuals_are_painted_for_both_ways(self, application: QApplication, qtbot: QtBot) -> None:
        panel = shown(qtbot, SolverPanel(), 820, 250)
        panel.show_view(self.solver().view(1.0), 1.0)
        painted = pixels(panel.chart)
        assert count_colour(painted, DARK.modes[Mode.RWR], NEAR) > 30
        assert count_colour(painted, DARK.modes[Mode.COLD], NEAR) > 30

    def test_cold_starts_are_listed(self, application: QApplication, qtbot: QtBot) -> None:
        panel = shown(qtbot, SolverPanel(), 820, 250)
        history = SolverHistory()
        cold = frame_result(captured=0.0)
        first = replace(cold.faces[0].estimate, report=estimate(Mode.COLD, 0.5, np.zeros((98, 2), np.float32)).report)
        history.add(replace(cold, faces=(replace(cold.faces[0], estimate=replace(first, mode=Mode.RWR)),)))
        panel.show_view(history.view(0.0), 1.0)
        assert panel._log.toPlainText() == "0:00.0  first frame"

    def test_the_sliders_stay_where_there_is_little_room(self, application: QApplication, qtbot: QtBot) -> None:
        panel = shown(qtbot, SolverPanel(), 820, 250)
        columns = panel._columns
        assert [column.isVisible() for column in columns] == [True, True, True]
        panel.resize(470, 250)
        assert [column.isVisible() for column in columns] == [True, True, False]
        panel.resize(CONTROLS_WIDTH, 250)
        assert [column.isVisible() for column in columns] == [True, False, False]


def compared(faces: int = 1) -> FrameResult:
    """Return a frame whose baseline lies 20 px below; of several faces the second is at the right."""
    base = frame_result(tracking=TrackingSettings(compare=True), faces=faces)
    found = []
    for number, own in enumerate(base.faces):
        away = np.array([90.0 * number, 0.0], np.float32) - np.float32(45 * (faces - 1))
        points = own.estimate.landmarks * np.float32(0.5) + np.array([80, 45], np.float32) + away * np.array([1, 0])
        crop = Crop(160.0 + float(away[0]), 90.0, 50.0)
        moved = (points + np.array([0, 20])).astype(np.float32)
        assert own.other is not None
        found.append(
            replace(
                own,
                crop=crop,
                estimate=replace(own.estimate, landmarks=points.astype(np.float32)),
                other=replace(own.other, landmarks=moved),
            )
        )
    return replace(base, faces=tuple(found), settings=TrackingSettings(compare=True))


class TestVideoView:
    def view(self, qtbot: QtBot, result: FrameResult, compare_view: str = CompareView.OVERLAY) -> VideoView:
        view = shown(qtbot, VideoView(), 640, 360)
        view.set_compare_view(compare_view)
        zoom = FaceZoom(FaceChoice())
        for _ in range(2):  # the first picture tells the view that two modes are compared
            region = zoom(result, view.device_size) if view.close_up else None
            view.show_picture(prepare(result, view.device_size, False, region))
        return view

    def coloured(self, painted: Pixels) -> NDArray[np.bool_]:
        """Return where anything but the grey frame and the stage is."""
        return np.ptp(painted.astype(int), axis=-1) > 60

    def test_split_shows_each_mode_on_its_side(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, compared(), CompareView.SPLIT)
        drawn = self.coloured(pixels(view))
        chosen, baseline = slice(140, 175), slice(228, 262)  # above the baseline's and below the chosen one's landmarks
        assert drawn[chosen, :315].any()
        assert not drawn[chosen, 325:].any()
        assert not drawn[baseline, :315].any()
        assert drawn[baseline, 325:].any()

    def test_the_divider_follows_mouse_and_keys(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, compared(), CompareView.SPLIT)
        with qtbot.waitSignal(view.divider_moved) as moved:
            qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(322, 100))
            qtbot.mouseMove(view, QPoint(480, 100))
            qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(480, 100))
        assert moved.args == [pytest.approx(0.75)]
        assert not self.coloured(pixels(view))[245:262, :470].any()
        view.nudge_divider(-5)
        assert view.comparison.divider == pytest.approx(0.65)

    def test_the_divider_is_let_go_where_the_view_is_hidden(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, compared(), CompareView.SPLIT)
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(322, 100))
        view.hide()
        view.show()
        qtbot.mouseMove(view, QPoint(480, 100))
        assert view.comparison.divider == pytest.approx(0.5)

    def test_side_by_side_shows_the_same_place_twice(self, application: QApplication, qtbot: QtBot) -> None:
        image = np.random.default_rng(0).integers(60, 90, (180, 320, 1), np.uint8).repeat(3, axis=2)
        result = compared()
        result = replace(result, frame=replace(result.frame, image=image))
        view = self.view(qtbot, result, CompareView.SIDE_BY_SIDE)
        assert view.close_up
        assert view.device_size == (319, 360)
        painted = pixels(view)
        left, right = painted[:300, :319], painted[:300, 321:]
        plain = ~self.coloured(left) & ~self.coloured(right)
        same = (np.abs(left.astype(int) - right) <= 2).all(axis=-1)
        assert plain.mean() > 0.5
        assert same[plain].mean() > 0.8  # type: ignore[index]
        assert not same.all()

    def test_where_nothing_is_compared_there_is_one_picture(self, application: QApplication, qtbot: QtBot) -> None:
        for name in (CompareView.SPLIT, CompareView.SIDE_BY_SIDE):
            view = self.view(qtbot, frame_result(), name)
            assert view.device_size == (640, 360)
            assert not view.close_up

    def test_asks_for_other_pictures_when_comparing_begins(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, frame_result(), CompareView.SIDE_BY_SIDE)
        with qtbot.waitSignal(view.resized):
            view.show_picture(prepare(compared(), view.device_size, False))

    def test_the_close_up_fills_the_view_with_the_face(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, compared())
        far = self.coloured(pixels(view)).sum()
        with qtbot.waitSignal(view.resized):
            view.toggle_close_up()
        assert view.close_up
        region = FaceZoom(FaceChoice())(compared(), view.device_size)
        view.show_picture(prepare(compared(), view.device_size, False, region))
        assert self.coloured(pixels(view)).sum() > 2 * far

    def test_a_click_chooses_a_face_and_beside_it_none(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, compared(faces=2))
        told: list[int | None] = []
        view.face_clicked.connect(told.append)
        for x, y in ((230, 180), (410, 180), (20, 20)):
            qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
        assert told == [0, 1, None]

    def test_several_faces_have_names_in_their_colours(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, compared(faces=2))
        view.show_face(1)
        painted = pixels(view)
        filled = count_colour(painted, identity_colour(1), NEAR)
        assert filled > 150
        assert 20 < count_colour(painted, identity_colour(0), NEAR) < filled
        one = self.view(qtbot, compared())
        assert count_colour(pixels(one), identity_colour(0), 2) == 0

    def test_heat_colours_the_face_shown(self, application: QApplication, qtbot: QtBot) -> None:
        view = self.view(qtbot, compared())
        view.show_face(0)
        view.show_heat({Mode.RWR: np.full(POINTS, LEVELS - 1, np.uint8)})
        hot = tuple(HEAT_COLOURS[-1].tolist())
        assert count_colour(pixels(view), hot, 30) > 100
        view.show_heat(None)
        view.update()
        assert count_colour(pixels(view), hot, 8) == 0


def test_a_switch_asks_for_its_colour_when_painted(application: QApplication, qtbot: QtBot) -> None:
    switch = shown(qtbot, Toggle("RwR", lambda: theme.palette().modes[Mode.RWR]), 40, 24)
    switch.setChecked(True)
    qtbot.waitUntil(lambda: switch.property("position") == 1.0, timeout=PATIENCE_MS)
    assert count_colour(pixels(switch), DARK.modes[Mode.RWR], NEAR) > 100
    theme.apply(application, LIGHT)
    assert count_colour(pixels(switch), LIGHT.modes[Mode.RWR], NEAR) > 100
