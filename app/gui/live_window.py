"""The live window: puts the widgets together and passes on what a person does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from app.gui.bridge import FrameBridge
from app.gui.cameras import CameraFinder
from app.gui.presenters import actions
from app.gui.presenters.chooser import OPEN_FILE, OPEN_STREAM, CameraChoice, choices
from app.gui.presenters.desk import LiveDesk, MakeSession
from app.gui.presenters.readouts import hud
from app.gui.presenters.state import ENDED, RUNNING
from app.gui.settings import LiveSettings
from app.gui.snapshot import save_in_background
from app.gui.views.banner import AddressEntry, BannerView
from app.gui.views.bar import ControlBar
from app.gui.views.files import ask_for_file
from app.gui.views.keys import KeyList
from app.gui.views.panel import SidePanel
from app.gui.views.video import VideoView

log = logging.getLogger(__name__)

REFRESH_MS = 125
CLOSE_SECONDS = 30.0
START_SIZE = (1440, 860)
BANNER_WIDTH = 720
BANNER_TOP = 50


class _Signals(QObject):
    """Carries news from other threads to the window's."""

    changed = Signal()
    saved = Signal(object, str)


class LiveWindow(QMainWindow):
    """One window with one session.

    Args:
        settings: how to begin.
        make_session: makes the session; tests put in their own.
        find_cameras: lists the cameras for the source menu; may take a while.

    Signals:
        released: after the window was closed, once files are finished and threads have ended.
    """

    released = Signal()

    def __init__(
        self,
        settings: LiveSettings,
        make_session: MakeSession,
        find_cameras: Callable[[], Sequence[CameraChoice]],
    ) -> None:
        super().__init__()
        self.setWindowTitle("LDEQ Live")
        self._signals = _Signals()
        self.desk = LiveDesk(settings, make_session, self._signals.changed.emit)
        self.view = VideoView()
        self.bar = ControlBar()
        self.panel = SidePanel()
        self.banner = BannerView(self.view)
        self.address = AddressEntry(self.view)
        self.keys = KeyList(self.view)
        self._finder = CameraFinder(find_cameras)
        self._bridge = FrameBridge(lambda: self.desk.session.results)
        self._closing_since: float | None = None
        self._lay_out()
        self._connect()
        self._add_shortcuts()
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)

    def begin(self) -> None:
        """Start the threads and play."""
        self._bridge.start()
        self._timer.start()
        self.desk.begin()
        self._finder.search()
        self.refresh()

    def act(self, name: str) -> None:
        """Do an action or take a banner's way out."""
        if name == actions.RECORD and not (self.desk.session.state.recording or self.desk.session.state.can_record):
            return
        if not self.desk.toggle(name):
            self._doings[name]()
        self._tell_bridge()
        self.refresh()

    def refresh(self) -> None:
        """Bring everything but the picture up to date."""
        state = self.desk.session.state
        if state.closed or self._closing_since is not None:
            self._finish_closing()
            return
        if state.stage not in (RUNNING, ENDED) and self.view.picture is not None:
            self.view.show_picture(None)
            self._bridge.take()
        picture = self.view.picture
        facts = self.desk.facts(picture.result if picture is not None else None)
        self.panel.show_facts(facts)
        self.view.show_hud(hud(facts))
        self.bar.show_state(facts.state, self.desk.source_name, facts.mirrored, self.view.picture is not None)
        self.banner.show_banner(self.desk.banner(facts.state))
        self._place_banner()
        self._tell_bridge()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Finish the recording and release the source first, without blocking; then close for good."""
        if self._closing_since is None:
            self._closing_since = time.monotonic()
            self.desk.session.close()
            self.setEnabled(False)
            self.hide()
        if self.desk.session.state.closed or time.monotonic() - self._closing_since > CLOSE_SECONDS:
            self._timer.stop()
            self._bridge.stop()
            self._finder.stop(0.5)
            event.accept()
            self.released.emit()
        else:
            event.ignore()

    def _finish_closing(self) -> None:
        if self._closing_since is not None and self._timer.isActive():
            self.close()

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        left.addWidget(self.view, 1)
        left.addWidget(self.bar)
        ground = QWidget()
        ground.setObjectName("ground")
        layout = QHBoxLayout(ground)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(left, 1)
        layout.addWidget(self.panel)
        self.setCentralWidget(ground)
        self.setMinimumSize(1080, 600)
        available = self.screen().availableGeometry()
        self.resize(min(START_SIZE[0], available.width()), min(START_SIZE[1], available.height()))

    def _connect(self) -> None:
        # Queued: news arrive from other threads, and from within what they would change.
        self._signals.changed.connect(self.refresh, Qt.ConnectionType.QueuedConnection)
        self._signals.saved.connect(self._snapshot_saved, Qt.ConnectionType.QueuedConnection)
        self._bridge.ready.connect(self._show_newest, Qt.ConnectionType.QueuedConnection)
        self._finder.found.connect(self._fill_sources, Qt.ConnectionType.QueuedConnection)
        self.view.painted.connect(self.desk.painted)
        self.view.resized.connect(self._tell_bridge)
        self.view.resized.connect(self._place_banner)
        self.bar.asked.connect(self.act)
        self.bar.chosen.connect(self._choose)
        self.bar.menu_opened.connect(self._fill_sources)
        self.bar.menu_opened.connect(self._finder.search)
        self.panel.rwr.switch.clicked.connect(lambda: self.act(actions.RWR))
        self.panel.compare.switch.clicked.connect(lambda: self.act(actions.COMPARE))
        self.panel.ghcu.switch.clicked.connect(lambda: self.act(actions.GHCU))
        self.banner.offered.connect(self._take_offer)
        self.banner.dismissed.connect(self._dismiss)
        self.address.entered.connect(self._play)
        self._doings: dict[str, Callable[[], object]] = {
            actions.SOURCE: self._open_sources,
            actions.CHOOSE: self._open_sources,
            actions.SNAPSHOT: self._snapshot,
            actions.FULL_SCREEN: self._toggle_full_screen,
            actions.KEYS: self._toggle_keys,
            actions.DISMISS: self._dismiss,
            actions.QUIT: self.close,
            actions.SHOW_FOLDER: self._show_folder,
        }

    def _add_shortcuts(self) -> None:
        for action in actions.ACTIONS:
            shortcut = QShortcut(QKeySequence(action.key), self)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(lambda name=action.name: self.act(name))

    def _tell_bridge(self) -> None:
        self._bridge.show_at(*self.view.device_size, self.desk.mirrored)

    def _show_newest(self) -> None:
        picture = self._bridge.take()
        if picture is not None and self.desk.session.state.stage in (RUNNING, ENDED):
            self.view.show_picture(picture)

    def _place_banner(self) -> None:
        width = min(BANNER_WIDTH, self.view.width() - 28)
        for entry in (self.banner, self.address):
            entry.setFixedWidth(width)
            entry.adjustSize()
            entry.move((self.view.width() - width) // 2, BANNER_TOP)
        if self.address.isVisible():
            self.banner.move(self.banner.x(), BANNER_TOP + self.address.height() + 10)
        self.keys.adjustSize()
        self.keys.move((self.view.width() - self.keys.width()) // 2, (self.view.height() - self.keys.height()) // 2)

    def _take_offer(self, name: str) -> None:
        banner = self.banner.banner
        if banner is not None and name != actions.CHOOSE:
            self.desk.dismiss(banner)
        self.act(name)

    def _dismiss(self) -> None:
        if self.keys.isVisible():
            self.keys.hide()
        elif self.address.isVisible():
            self.address.hide()
        elif self.banner.banner is not None:
            self.desk.dismiss(self.banner.banner)
            self.refresh()
        elif self.isFullScreen():
            self.showNormal()

    def _toggle_keys(self) -> None:
        self.keys.setVisible(not self.keys.isVisible())
        self.keys.raise_()

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def _open_sources(self) -> None:
        self.bar.source.showMenu()

    def _fill_sources(self) -> None:
        self.bar.show_choices(choices(self._finder.cameras), self.desk.session.state.source)

    def _choose(self, spec: str) -> None:
        if spec == OPEN_FILE:
            ask_for_file(self, self._play)
        elif spec == OPEN_STREAM:
            self.address.ask()
            self._place_banner()
        elif spec:
            self._play(spec)

    def _play(self, source: str) -> None:
        self.desk.play(source)
        self.refresh()

    def _snapshot(self) -> None:
        picture = self.view.picture
        if picture is not None:
            save_in_background(picture.result, self.desk.folder, self._signals.saved.emit)

    def _snapshot_saved(self, path: Path | None, error: str) -> None:
        self.desk.saved(path, error)
        self.refresh()

    def _show_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.desk.folder)))
