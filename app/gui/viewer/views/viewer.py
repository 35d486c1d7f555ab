"""The page of one session: its picture, a scrub bar, the timeline, and the panel beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui.presenters.actions import ActionName
from app.gui.presenters.banner import Banner, Tone
from app.gui.presenters.compare import VIEW_OPTIONS
from app.gui.presenters.faces import FaceChoice
from app.gui.presenters.player import Player
from app.gui.presenters.readouts import Hud
from app.gui.presenters.zoom import FaceZoom
from app.gui.viewer.presenters.library import Library
from app.gui.viewer.presenters.readouts import ViewerFacts, ViewerStage
from app.gui.viewer.presenters.viewer import Viewer
from app.gui.viewer.views.panel import ViewerPanel
from app.gui.viewer.views.timeline import TimelineView
from app.gui.widgets.banner import BannerView
from app.gui.widgets.controls import label, show_text
from app.gui.widgets.emitting import emitter
from app.gui.widgets.frame_bridge import FrameBridge
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.page_button import PageButton
from app.gui.widgets.recording_sign import RecordingSign
from app.gui.widgets.scrub import ScrubBar
from app.gui.widgets.segments import Segments
from app.gui.widgets.video import VideoView

REFRESH_MS = 50
BANNER_WIDTH = 560
ROOM_FOR_VIEWS = 1000
"""Width of the page from which the choice of views fits beside the session's name and the buttons."""
LEAST_PICTURE = 76
"""Its height where a low window has to show the timeline, too."""
LEAST_TITLE = 120
"""Pixels of a session's name that are shown where there is room for them."""
SIGN_MARGIN = 10
"""Between the sign of a recording and the picture's corner."""
STOP_SECONDS = 2.0
"""How long a replay or a clip that is stopped by closing the window may take to remove what it wrote."""


class ViewerView(QWidget):
    """Shows one session; a page among the window's pages.

    Args:
        viewer: the session that is open.
        library: for the sessions to compare with.
        go_live: goes back to the live page.

    Signals:
        closed: back to the list of sessions.
        show_folder: carries a folder to show.
    """

    closed = Signal()
    show_folder = Signal(Path)
    _changed = Signal()

    def __init__(self, viewer: Viewer, library: Library, go_live: Callable[[], object]) -> None:
        super().__init__()
        self.setObjectName("ground")
        self.viewer = viewer
        self._player = Player(lambda: viewer.player)
        self._library = library
        self.picture = VideoView()
        self.scrub = ScrubBar()
        self.timeline = TimelineView()
        self.panel = ViewerPanel(self._other_sessions)
        self.sign = RecordingSign(go_live)
        self.sign.setParent(self.picture)
        self.banner = BannerView(self.picture)
        self.compare_view = Segments("How both takes are shown")
        self.folder = PageButton("Show folder", "Show the session's files", self._show_folder)
        self.picture.setMinimumHeight(LEAST_PICTURE)
        self._title, self._subtitle = label("title"), label("dim")
        # They may be cut off, so that the buttons beside them never are.
        self._title.setMinimumWidth(1)
        self._subtitle.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._bridge = FrameBridge(lambda: self.viewer.results)
        self._bridge_runs = False
        self._zoom = FaceZoom(FaceChoice())
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()

    def open(self, folder: Path) -> None:
        """Open a session."""
        if not self._bridge_runs:
            self._bridge_runs = True
            self._bridge.start()
        self.picture.show_picture(None)
        self._zoom.forget()
        self.viewer.open(folder)
        self.refresh()

    def close_session(self) -> None:
        """Close the session and go back; what is being made of it goes on."""
        self.viewer.close()
        self.picture.show_picture(None)
        self.closed.emit()

    def stop(self) -> None:
        """Release everything before the window closes."""
        self._timer.stop()
        job = self.viewer.end()
        self._bridge.stop(0.5)
        if job is not None:
            job.wait(STOP_SECONDS)

    def blur(self, private: bool) -> None:
        """Show blurred pictures from now on, or clear ones again."""
        self._bridge.blur(private)

    def act(self, name: ActionName) -> bool:
        """Do what one of the window's actions means here; return False for those that mean nothing."""
        if name == ActionName.DISMISS:
            if self.viewer.view().message is not None:
                self.viewer.dismiss()
            else:
                self.close_session()
            return True
        if name == ActionName.COMPARE_VIEW:
            self._set_compare_view(self.picture.comparison.next_view())
            return True
        if name == ActionName.CLOSE_UP:
            self.picture.toggle_close_up()
            return True
        if self.viewer.player is None:
            return False
        if name == ActionName.RECORD:  # Space, which records the live picture alone
            name = ActionName.PAUSE
        if name in self._player.actions:
            self._player.actions[name]()
        elif name == ActionName.DIVIDER_LEFT:  # its key, [
            self.viewer.begin_part()
        elif name == ActionName.DIVIDER_RIGHT:
            self.viewer.end_part()
        else:
            return False
        self.refresh()
        return True

    def refresh(self) -> None:
        """Update everything; called by a timer while the page is shown."""
        view, player = self.viewer.view(), self.viewer.player
        widest = min(max(LEAST_TITLE, self.width() // 4), self._room_for_title())
        title = self._title.fontMetrics().elidedText(view.title, Qt.TextElideMode.ElideMiddle, widest)
        show_text(self._title, title)
        self._title.setToolTip(view.title if title != view.title else "")
        room = self._subtitle.width()
        show_text(
            self._subtitle, self._subtitle.fontMetrics().elidedText(view.subtitle, Qt.TextElideMode.ElideRight, room)
        )
        self._subtitle.setToolTip(view.subtitle)
        self.panel.show_view(view)
        self.panel.setEnabled(view.stage == ViewerStage.OPEN)
        self.timeline.show_timeline(view.timeline)
        self.timeline.show_part(view.part)
        playback = player.playback if player is not None else None
        self.scrub.show_playback(playback)
        self.timeline.show_position(playback.position if playback is not None else 0.0)
        self.compare_view.setVisible(len(view.bars) > 1)
        self.picture.show_hud(_hud(view))
        self.sign.move(self.picture.width() - self.sign.width() - SIGN_MARGIN, SIGN_MARGIN)
        self._show_message(view)

    def _room_for_title(self) -> int:
        """Return how wide the session's name may be beside the buttons."""
        margins, gap = self._top.contentsMargins(), self._top.spacing()
        beside = (self._back, self.folder, self.compare_view)
        taken = [
            gap + each.sizeHint().width() for each in beside if self._top.indexOf(each) >= 0 and not each.isHidden()
        ]
        return self._left.geometry().width() - margins.left() - margins.right() - sum(taken) - gap

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Home and End go to the ends; the window has other keys as its shortcuts, see :meth:`act`."""
        player = self.viewer.player
        if event.key() == Qt.Key.Key_Home and player is not None:
            player.seek_to(0.0)
        elif event.key() == Qt.Key.Key_End and player is not None:
            player.seek_to(player.duration)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the choice of views a row of its own where it does not fit beside the buttons."""
        row, place = (self._top, 3) if self.width() >= ROOM_FOR_VIEWS else (self._below, 1)
        if row.indexOf(self.compare_view) < 0:
            row.insertWidget(place, self.compare_view)
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Keep up to date while shown."""
        self._timer.start()
        self.setFocus()

    def hideEvent(self, event: QHideEvent) -> None:
        """Pause while hidden."""
        self._timer.stop()
        self._player.pause(True)

    def _lay_out(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._back = PageButton("\u2039  Sessions", "Back to the list (Esc)", self.close_session)
        self._back.setObjectName("quiet")
        self._top = in_row(self._back, self._title, (self._subtitle, 1), self.folder, margins=(8, 8, 8, 4), spacing=12)
        self._below = in_row(None, self.compare_view, margins=(8, 0, 8, 0))
        parts = (self._top, self._below, (self.picture, 1), self.scrub, self.timeline)
        self._left = in_column(*parts, margins=(0, 0, 0, 8), spacing=4)
        in_row((self._left, 1), self.panel, on=self, spacing=8)
        self.compare_view.show_options(VIEW_OPTIONS, VIEW_OPTIONS[0].name)
        self.compare_view.setMinimumWidth(self.compare_view.sizeHint().width() + 24)  # the chosen one is bold

    def _connect(self) -> None:
        self._changed.connect(self.refresh)
        self.viewer.listen(emitter(self._changed))
        self._bridge.ready.connect(self._show_newest)
        self.picture.resized.connect(self._fit)
        self.compare_view.chosen.connect(self._set_compare_view)
        self.scrub.pause_asked.connect(self._player.pause)
        self.scrub.sought.connect(self._seek)
        self.scrub.stepped.connect(self._player.step)
        self.scrub.speed_chosen.connect(self._player.set_speed)
        self.timeline.sought.connect(self._seek)
        self.timeline.part_chosen.connect(self._choose_part)
        self.banner.offered.connect(self._take_offer)
        self.banner.dismissed.connect(self.viewer.dismiss)
        panel, viewer = self.panel, self.viewer
        panel.shown.connect(viewer.show)
        panel.compared.connect(viewer.compare_with)
        panel.other_session.connect(viewer.compare_with_session)
        panel.begin_part.connect(viewer.begin_part)
        panel.end_part.connect(viewer.end_part)
        panel.whole.connect(lambda: viewer.choose_part(0.0, 0.0))
        panel.replay_asked.connect(viewer.replay)
        panel.export_asked.connect(viewer.export)
        panel.cancel_asked.connect(viewer.cancel)

    def _seek(self, seconds: float) -> None:
        self._player.seek(seconds)
        self.refresh()

    def _choose_part(self, start: float, end: float) -> None:
        self.viewer.choose_part(start, end)
        self.refresh()

    def _set_compare_view(self, name: str) -> None:
        self.picture.set_compare_view(name)
        self.compare_view.show_options(VIEW_OPTIONS, name)
        self._fit()

    def _fit(self) -> None:
        self._bridge.show_at(*self.picture.device_size, False, self._zoom if self.picture.close_up else None)
        self._place_banner()

    def _show_newest(self) -> None:
        picture = self._bridge.take()
        if picture is not None and self.viewer.results is not None:
            self.picture.show_picture(picture)

    def _show_message(self, view: ViewerFacts) -> None:
        message, banner = view.message, None
        if message is not None:
            offers = (ActionName.SHOW_FOLDER,) if message.path is not None else ()
            banner = Banner(("viewer", message), Tone.GOOD if message.good else Tone.ERROR, message.text, offers)
        elif view.stage == ViewerStage.FAILED:
            banner = Banner(("viewer", view.problem), Tone.ERROR, view.problem)
        if banner != self.banner.banner:
            self.banner.show_banner(banner)
            self._place_banner()

    def _place_banner(self) -> None:
        width = min(BANNER_WIDTH, self.picture.width() - 28)
        self.banner.fit(width)
        self.banner.move((self.picture.width() - width) // 2, 14)

    def _show_folder(self) -> None:
        if self.viewer.folder is not None:
            self.show_folder.emit(self.viewer.folder)

    def _take_offer(self, name: ActionName) -> None:
        message = self.viewer.view().message
        if name == ActionName.SHOW_FOLDER and message is not None and message.path is not None:
            self.show_folder.emit(message.path.parent)

    def _other_sessions(self) -> Sequence[tuple[str, Path]]:
        rows = [row for row in self._library.view.rows if row.usable and row.folder != self.viewer.folder]
        return [(f"{row.title}   {row.detail}", row.folder) for row in rows]


def _hud(view: ViewerFacts) -> Hud:
    if view.stage == ViewerStage.OPENING:
        return Hud(message="Opening the session\u2026")
    shown = [row.title for row in view.takes if row.first]
    baseline = [row.title for row in view.takes if row.second]
    mode = "   ".join([*(f"\u25cf {title}" for title in shown), *(f"\u25cb {title}" for title in baseline)])
    return Hud(mode=mode, notice=view.problem if view.stage == ViewerStage.OPEN else "")
