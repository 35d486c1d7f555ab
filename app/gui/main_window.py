"""The main window: pages, keyboard shortcuts, and the wiring between widgets and presenters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QMoveEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import QMainWindow, QStackedWidget

from app.core.files import nearest_folder
from app.core.frame import FrameResult
from app.gui.dropped import DroppedKind, dropped_sources, kind_of
from app.gui.holdstill.presenters.hold_still import HoldStill
from app.gui.holdstill.views.card_drawing import save_sheet
from app.gui.holdstill.views.card_page import CardPage
from app.gui.holdstill.views.overlay import HoldStillOverlay
from app.gui.live.presenters.chooser import CameraChoice, ScreenChoice
from app.gui.live.presenters.page import LivePresenter, MakeSession
from app.gui.live.presenters.preferences import Preferences
from app.gui.live.presenters.readouts import Facts, recording_text
from app.gui.live.presenters.remembered import Memory, Remembered, forget
from app.gui.live.presenters.settings import LiveSettings, recordings_folder
from app.gui.live.presenters.share import status_lines
from app.gui.live.presenters.snapshot import save_in_background
from app.gui.live.views.first_look import FirstPress
from app.gui.live.views.keys import KeyList
from app.gui.live.views.page import LivePage, PagePart, connect_page
from app.gui.live.views.preferences import PreferencesSheet
from app.gui.live.views.share import ShareSheet
from app.gui.live.views.source_menu import SourceMenu
from app.gui.presenters import actions
from app.gui.presenters.actions import ActionName
from app.gui.presenters.background import BackgroundSaves, in_background
from app.gui.viewer.pages import SessionPages
from app.gui.widgets.emitting import emitter
from app.gui.widgets.files import ask_for_folder
from app.gui.widgets.frame_bridge import FrameBridge
from app.gui.widgets.page_clicks import PageClicks
from app.gui.widgets.sheet import Sheet
from app.gui.widgets.video import VideoView
from app.gui.window_state import WindowState
from app.sessions.recorder import RecordingSummary
from app.sources.spec import PathSpec, SourceSpec, StreamSpec
from app.tracking.live import LiveState

log = logging.getLogger(__name__)

REFRESH_MS = 125
MOTION_MS = 40
"""Traces move 25 times a second; figures that change faster than eight times could not be read."""
CLOSE_SECONDS = 30.0
ENDED = "Recording ended"
SAVE_SECONDS = 5.0
"""How long a snapshot or a report card may still take to be written once everything else has ended."""


class _Signals(QObject):
    """Carries notifications from other threads to the window's."""

    changed = Signal()
    saved = Signal(object, str)
    dropped = Signal(list, str)


class MainWindow(QMainWindow):
    """One window with one session.

    Args:
        settings: how to begin.
        make_session: makes the session; tests pass their own.
        find_cameras: lists the cameras for the source menu; may take a while.
        find_screens: lists the screens for it.
        memory: keeps choices for the next time; None forgets them.

    Signals:
        released: after the window was closed, once files are finished and threads have ended.
    """

    released = Signal()

    def __init__(
        self,
        settings: LiveSettings,
        make_session: MakeSession,
        find_cameras: Callable[[], Sequence[CameraChoice]],
        find_screens: Callable[[], Sequence[ScreenChoice]] = tuple,
        memory: Memory | None = None,
    ) -> None:
        super().__init__()
        self.setWindowTitle("LDEQ Live")
        self._memory = memory
        self._signals = _Signals()
        self._saves = BackgroundSaves()
        remember = memory.update if memory is not None else forget
        changed = emitter(self._signals.changed)
        self.presenter = LivePresenter(settings, make_session, changed, remember)
        self.hold_still = HoldStill(
            self.presenter.session,
            lambda: self.presenter.chosen.tracking,
            lambda: settings.model.engine.weights,
            lambda: self.presenter.folder,
            save_sheet,
            changed,
            self._saves.start,
        )
        self.presenter.attach(self.hold_still)
        self.page = LivePage()
        self.test_overlay = HoldStillOverlay(self.page.view, self.hold_still)
        self.page.lay_over(self.test_overlay)
        self.card = CardPage(self.hold_still)
        self.pages = QStackedWidget()
        for page in (self.page, self.card):
            self.pages.addWidget(page)
        self.sessions = SessionPages(
            self.pages,
            lambda: settings.model.engine,
            lambda: self.presenter.folder,
            lambda: self.presenter.recording,
            self._go_live,
            _open_folder,
        )
        self.setCentralWidget(self.pages)
        self.setAcceptDrops(True)
        self._clicks = PageClicks(self.pages)
        self._seen_finished: RecordingSummary | None = None
        self._sources = SourceMenu(
            self.page, find_cameras, find_screens, lambda: self.presenter.session.state, self._play, self._open
        )
        self._bridge = FrameBridge(lambda: self.presenter.session.results if self.page.in_front else None)
        self._closing_since: float | None = None
        self.window_state = WindowState(self, self.page, self.presenter)
        self._connect()
        self._add_shortcuts()
        self._first_press = FirstPress(self, self.page.panel.rwr)
        self._first_press.pressed.connect(self._end_first_look)
        self._timer = self._every(REFRESH_MS, self.refresh)
        self._motion = self._every(MOTION_MS, self._move)

    def begin(self) -> None:
        """Start the threads and play."""
        self._bridge.start()
        self._timer.start()
        self._motion.start()
        self.presenter.begin()
        self._sources.begin()
        self.refresh()
        self.setFocus()  # otherwise the first control in the tab order would have it and show its focus ring
        self._begin_first_look()

    @property
    def view(self) -> VideoView:
        """The picture."""
        return self.page.view

    def act(self, name: ActionName) -> None:
        """Perform an action, also one that a banner offers."""
        if self.presenter.first_look.active:
            if name == ActionName.RWR:
                self.presenter.adopt_first_look()
            self._end_first_look()
            if name == ActionName.DISMISS:
                return
        unseen = name in actions.LIVE_ONLY and self.pages.currentWidget() is not self.page
        if self.sessions.act(name) or unseen:
            return
        state = self.presenter.session.state
        if name == ActionName.RECORD and not (state.recording or state.can_record):
            return
        if not self.presenter.toggle(name):
            self._doings[name]()
        self._follow_preferences()  # a sheet that shows what was would change it back
        self._tell_bridge()
        self.refresh()

    def refresh(self) -> None:
        """Update everything that is read."""
        state = self.presenter.session.state
        if state.closed or self._closing_since is not None:
            self._finish_closing()
            return
        if state.stage not in (LiveState.RUNNING, LiveState.ENDED) and self.view.picture is not None:
            self.view.show_picture(None)
            self._bridge.forget()
        self.presenter.watch_cameras(self._sources.cameras)
        self.presenter.rest(self.sessions.shown)
        picture = self.view.picture
        result = picture.result if picture is not None else None
        self._move_first_look(result)
        facts = self.presenter.facts(result)
        self.page.show_facts(facts, self.presenter.source_name)
        self._show_elsewhere(facts)
        self.page.banner.show_banner(self.presenter.banner(facts.state))
        sheet = self.page.sheets.opened
        if isinstance(sheet, ShareSheet) and sheet.isVisible():
            sheet.show_status(status_lines(self.presenter.share_reading, facts.sharing))
        self.page.place()
        self._tell_bridge()

    def _show_elsewhere(self, facts: Facts) -> None:
        """Show on the other pages that a recording runs, and on this one how work on sessions ended."""
        recording, finished = recording_text(facts.state, facts.now), facts.state.finished
        if self.pages.currentWidget() is self.page:
            self._seen_finished = finished
        elif finished is not None and finished is not self._seen_finished:
            by_itself = finished.error or facts.state.stage in (LiveState.FAILED, LiveState.ENDED)
            recording = ENDED if by_itself else ""  # the live page says why
        self.card.sign.show_recording(recording)
        outcome = self.sessions.show_state(recording)
        if outcome is not None:
            self.presenter.work_ended(outcome.text, outcome.good)

    def showEvent(self, event: QShowEvent) -> None:
        """Fit the window's frame to the screen."""
        super().showEvent(event)
        handle = self.windowHandle()
        if handle is not None:
            handle.installEventFilter(self._clicks)
        self.window_state.fit_when_framed()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files, folders and addresses."""
        if dropped_sources(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped, once it is known whether it is a recorded session."""
        sources = dropped_sources(event.mimeData())
        event.acceptProposedAction()
        tell = emitter(self._signals.dropped)
        in_background(lambda: tell(sources, kind_of(sources[0])))

    def moveEvent(self, event: QMoveEvent) -> None:
        """Notice another screen, or a title bar that the window manager added."""
        super().moveEvent(event)
        self.window_state.watch_frame()

    def focusNextPrevChild(self, forwards: bool) -> bool:
        """Take the keyboard from what was hidden; Qt would pass it on to a control that nobody has chosen."""
        focused, page = self.focusWidget(), self.pages.currentWidget()
        if focused is not None and not focused.isVisible():
            if page is None or page.focusPolicy() == Qt.FocusPolicy.NoFocus:
                page = self
            page.setFocus()
            return True
        return super().focusNextPrevChild(forwards)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Finish the recording and release the source first, without blocking; then close for good."""
        if self._closing_since is None:
            self._closing_since = time.monotonic()
            self.window_state.remember()
            self.presenter.session.close()
            self.setEnabled(False)
            self.hide()
        if self.presenter.session.state.closed or time.monotonic() - self._closing_since > CLOSE_SECONDS:
            self._timer.stop()
            self._motion.stop()
            self._bridge.stop()
            self._sources.stop()
            self.sessions.stop()
            self.presenter.end()
            self._saves.wait(SAVE_SECONDS)
            if self._memory is not None:
                self._memory.close()
            event.accept()
            self.released.emit()
        else:
            event.ignore()

    def _finish_closing(self) -> None:
        if self._closing_since is not None and self._timer.isActive():
            self.close()

    def _move(self) -> None:
        """Update everything that moves."""
        if self.pages.currentWidget() is not self.page or self._closing_since is not None:
            return
        flicker = self.presenter.flicker()
        drawer = PagePart.DRAWER in self.page.open
        self.page.show_motion(flicker, self.presenter.solver() if drawer else None, self.presenter.player.playback)
        self.view.show_face(flicker.face)
        self.window_state.show_heat(flicker)

    def _connect(self) -> None:
        page, presenter = self.page, self.presenter
        self._signals.changed.connect(self.refresh)
        self._signals.changed.connect(self.card.refresh)
        self._signals.saved.connect(self._snapshot_saved)
        self._signals.dropped.connect(self._open_dropped)
        self._bridge.ready.connect(self._show_newest)
        connect_page(page, presenter, self.act)
        self.view.resized.connect(self._tell_bridge)
        page.banner.offered.connect(self._take_offer)
        page.banner.dismissed.connect(self._dismiss)
        self.test_overlay.finished.connect(lambda: self.pages.setCurrentWidget(self.card))
        self.card.repeat.connect(self._hold_still)
        self.card.closed.connect(self._go_live)
        self.card.show_folder.connect(_open_folder)
        self._doings: dict[ActionName, Callable[[], object]] = {
            ActionName.SOURCE: self._open_sources,
            ActionName.CHOOSE: self._open_sources,
            ActionName.SNAPSHOT: self._snapshot,
            ActionName.NEXT_FACE: lambda: presenter.next_face(self.view.picture.result if self.view.picture else None),
            ActionName.COMPARE_VIEW: self.window_state.next_view,
            ActionName.CLOSE_UP: self.view.toggle_close_up,
            ActionName.DIVIDER_LEFT: lambda: self.view.nudge_divider(-1),
            ActionName.DIVIDER_RIGHT: lambda: self.view.nudge_divider(1),
            ActionName.DRAWER: lambda: page.toggle_part(PagePart.DRAWER),
            ActionName.PANEL: lambda: page.toggle_part(PagePart.PANEL),
            ActionName.HEAT: self.window_state.toggle_heat,
            ActionName.SIGNALS: page.toggle_signals,
            ActionName.HOLD_STILL: self._hold_still,
            ActionName.SESSIONS: self._toggle_sessions,
            ActionName.OPEN_SESSION: self._open_session,
            ActionName.SHARE: lambda: self._toggle_sheet(self._make_share),
            ActionName.PREFERENCES: lambda: self._toggle_sheet(self._make_preferences),
            ActionName.KEYS: lambda: self._toggle_sheet(self._make_keys),
            ActionName.TOUR: self._begin_tour,
            ActionName.THEME: self.window_state.swap_theme,
            ActionName.FULL_SCREEN: self.window_state.toggle_full_screen,
            ActionName.DISMISS: self._dismiss,
            ActionName.QUIT: self.close,
            ActionName.SHOW_FOLDER: lambda: _open_folder(self.presenter.folder),
        }

    def _add_shortcuts(self) -> None:
        for action in actions.ACTIONS:
            shortcut = QShortcut(QKeySequence(action.key), self)
            shortcut.setAutoRepeat(action.name in actions.REPEATING)
            shortcut.activated.connect(lambda name=action.name: self.act(name))

    def _every(self, milliseconds: int, doing: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(milliseconds)
        timer.timeout.connect(doing)
        return timer

    def _tell_bridge(self) -> None:
        zoom = self.presenter.zoom if self.view.close_up else None
        self._bridge.show_at(*self.view.device_size, self.presenter.mirrored, zoom)
        self._bridge.blur(self.presenter.chosen.privacy)
        self.sessions.blur(self.presenter.chosen.privacy)

    def _show_newest(self) -> None:
        picture = self._bridge.take()
        if picture is not None and self.presenter.session.state.stage in (LiveState.RUNNING, LiveState.ENDED):
            self.view.show_picture(picture)

    def _take_offer(self, name: ActionName) -> None:
        banner = self.page.banner.banner
        if banner is not None and name != ActionName.CHOOSE:
            self.presenter.dismiss(banner)
        self.act(name)

    def _dismiss(self) -> None:
        if self.pages.currentWidget() is not self.page:
            self._go_live()
        elif self.page.dismiss():
            pass
        elif self.page.banner.banner is not None:
            self.presenter.dismiss(self.page.banner.banner)
            self.refresh()
        elif self.focusWidget() not in (None, self):
            self.setFocus()  # a slider would keep the arrow keys
        elif self.isFullScreen():
            self.window_state.toggle_full_screen()

    def _go_live(self) -> None:
        if self.pages.currentWidget() is not self.page:
            self.pages.setCurrentWidget(self.page)
            if self.page.sheets.opened is None:
                self.setFocus()  # as at the start; Qt gives it to the page's first control

    def _open_dropped(self, sources: list[PathSpec | StreamSpec], kind: DroppedKind) -> None:
        if self.presenter.first_look.active:
            self._end_first_look()
        first = sources[0]
        if isinstance(first, StreamSpec) or kind == DroppedKind.SOURCE:
            self._go_live()
            self.presenter.open_dropped(sources)
            self.refresh()
        elif kind == DroppedKind.SESSION:
            self.sessions.open(first.path)
        else:
            self.sessions.show(first.path)

    def _toggle_sessions(self) -> None:
        if self.sessions.shown:
            self._go_live()
        else:
            self.sessions.show()

    def _open_session(self) -> None:
        finished = self.presenter.session.state.finished
        if finished is not None:
            self.sessions.open(finished.path)

    def _toggle_sheet(self, make: Callable[[], Sheet]) -> None:
        unseen = self.pages.currentWidget() is not self.page
        self._go_live()
        if not (unseen and self.page.sheets.has_opened(make)):
            self.page.sheets.toggle(make)

    def _make_keys(self) -> KeyList:
        return KeyList(self.page)

    def _make_share(self) -> ShareSheet:
        sheet = ShareSheet(self.page)
        sheet.show_form(self.presenter.chosen.share)
        sheet.changed.connect(self.presenter.share)
        return sheet

    def _make_preferences(self) -> PreferencesSheet:
        sheet = PreferencesSheet(self.page)
        self._show_preferences(sheet)
        sheet.changed.connect(self._set_preferences)
        sheet.folder_asked.connect(self._ask_for_folder)
        return sheet

    def _show_preferences(self, sheet: PreferencesSheet) -> None:
        sheet.show_preferences(self.presenter.preferences, recordings_folder(Remembered()))

    def _follow_preferences(self) -> None:
        if isinstance(self.page.sheets.opened, PreferencesSheet):
            self._show_preferences(self.page.sheets.opened)

    def _begin_first_look(self) -> None:
        chosen = self.presenter.chosen
        # Who receives landmarks must not be shown flicker.
        if not (chosen.tour_seen or chosen.first_look_seen or self.presenter.sharing.active):
            self.presenter.first_look.begin(chosen.tracking)
        if self.presenter.first_look.active:
            self._first_press.watch(True)
        elif not chosen.tour_seen:
            self.page.tour.begin()

    def _move_first_look(self, result: FrameResult | None) -> None:
        look = self.presenter.first_look
        if look.active:
            look.move_on(self.presenter.session.state, result, time.perf_counter())
            if not look.active:
                self._end_first_look()

    def _end_first_look(self) -> None:
        """Let the tour follow, at the end of the first look or as soon as somebody presses anything."""
        self.presenter.first_look.end()
        self._first_press.watch(False)
        self.presenter.choose(first_look_seen=True)
        self.page.tour.begin()

    def _begin_tour(self) -> None:
        self._go_live()
        self.page.tour.begin()

    def _hold_still(self) -> None:
        self._go_live()
        self.test_overlay.start(self.presenter.flicker().face)

    def _set_preferences(self, preferences: Preferences) -> None:
        self.presenter.set_preferences(preferences)
        self.window_state.theme_manager.choose(preferences.theme)
        self._follow_preferences()
        self.refresh()

    def _ask_for_folder(self, start: str) -> None:
        ask_for_folder(self.page, "Folder for recordings", start, self._take_folder)

    def _take_folder(self, folder: str) -> None:
        self._set_preferences(replace(self.presenter.preferences, folder=Path(folder)))

    def _open_sources(self) -> None:
        self._go_live()
        self.page.bar.source.showMenu()

    def _play(self, source: SourceSpec) -> None:
        self.presenter.play(source)
        self.refresh()

    def _open(self, typed: str) -> None:
        self.presenter.open(typed)
        self.refresh()

    def _snapshot(self) -> None:
        picture = self.view.picture
        if picture is not None:
            saved = emitter(self._signals.saved)
            save_in_background(picture.result, self.presenter.folder, saved, self._saves.start)

    def _snapshot_saved(self, path: Path | None, error: str) -> None:
        self.presenter.saved(path, error)
        self.refresh()


def _open_folder(folder: Path) -> None:
    """Show a folder in the system's file manager; before anything was recorded, the nearest one above it."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(nearest_folder(folder))))
