"""The window's geometry, open parts, theme and comparison view, restored from the last run."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QApplication, QMainWindow

from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.heatmap import live_heat
from app.gui.live.presenters.page import LivePresenter
from app.gui.live.views.page import LivePage
from app.gui.theme.manager import ThemeManager

START_SIZE = (1440, 900)
LEAST_SIZE = (640, 330)
"""Fits a screen of 1280 x 720 pixels at twice the scale, with the title bar."""
FRAME_MS: tuple[int, ...] = (0, 250, 1000)
"""When to look after a window was shown: window managers add the title bar a little later."""
SETTLED_MS = 500
"""A window that has not moved for so long was let go."""


def fitted(client: QRect, frame: QRect, available: QRect) -> QRect:
    """Return where a window belongs so that its whole frame is on the screen; it is moved first and shrunk if it must.

    Args:
        client: the window without its frame.
        frame: with its title bar and borders.
        available: the part of the screen that windows may cover.
    """
    left, top = client.left() - frame.left(), client.top() - frame.top()
    width = min(client.width(), available.width() - (frame.width() - client.width()))
    height = min(client.height(), available.height() - (frame.height() - client.height()))
    right_most = available.right() + 1 - (frame.width() - client.width()) + left - width
    lowest = available.bottom() + 1 - (frame.height() - client.height()) + top - height
    x = max(available.left() + left, min(client.left(), right_most))
    y = max(available.top() + top, min(client.top(), lowest))
    return QRect(x, y, width, height)


class WindowState:
    """Restores the window as it was left, changes it, and tells the presenter what to remember.

    Args:
        window: to be placed.
        page: the live page.
        presenter: keeps what was chosen.
    """

    def __init__(self, window: QMainWindow, page: LivePage, presenter: LivePresenter) -> None:
        self._window, self._page, self._presenter = window, page, presenter
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self.theme_manager = ThemeManager(application, presenter.chosen.theme)
        self.theme_manager.changed.connect(page.bar.refresh_icons)
        self._heat = False
        self._framed: tuple[QSize, QScreen] | None = None
        self._settling = QTimer(window)
        self._settling.setSingleShot(True)
        self._settling.setInterval(SETTLED_MS)
        self._settling.timeout.connect(self._fit)
        window.setMinimumSize(*LEAST_SIZE)
        available = window.screen().availableGeometry()
        window.resize(min(START_SIZE[0], available.width()), min(START_SIZE[1], available.height()))
        if presenter.chosen.geometry:
            window.restoreGeometry(QByteArray.fromBase64(presenter.chosen.geometry.encode(errors="replace")))
        page.open_parts(presenter.chosen.panels)
        page.view.set_compare_view(presenter.chosen.compare_view)
        page.view.set_divider(presenter.chosen.divider)
        page.view.divider_moved.connect(lambda share: presenter.choose(divider=share))
        page.panel.compare_view.chosen.connect(self.show_both)

    def fit_when_framed(self) -> None:
        """Keep the window, title bar included, on the screen once it is shown."""
        for milliseconds in FRAME_MS:
            QTimer.singleShot(milliseconds, self._window, self._fit)

    def watch_frame(self) -> None:
        """Fit the window again where its title bar came late, and where it was dragged to another screen."""
        window = self._window
        framed = window.frameGeometry().size() - window.size(), window.screen()
        if window.isVisible() and (framed != self._framed or self._settling.isActive()):
            self._framed = framed
            self._settling.start()  # again for every move: a window is not pulled out of a dragging hand

    def _fit(self) -> None:
        window = self._window
        if window.isMaximized() or window.isFullScreen() or not window.isVisible():
            return
        wanted = fitted(window.geometry(), window.frameGeometry(), window.screen().availableGeometry())
        if wanted != window.geometry():
            window.setGeometry(wanted)

    def remember(self) -> None:
        """Have the presenter remember the window's geometry and open parts."""
        geometry = bytes(self._window.saveGeometry().toBase64().data()).decode()
        self._presenter.choose(geometry=geometry, panels=self._page.open)

    def show_both(self, view: str) -> None:
        """Show two modes in this way."""
        self._page.view.set_compare_view(view)
        self._presenter.choose(compare_view=view)

    def next_view(self) -> None:
        """Show two modes in the next way."""
        self.show_both(self._page.view.comparison.next_view())

    def toggle_heat(self) -> None:
        """Colour the points on the face by their flicker, or by their region again."""
        self._heat = not self._heat

    def show_heat(self, flicker: FlickerView) -> None:
        """Bring the colours of the points up to date."""
        self._page.view.show_heat(live_heat(flicker) if self._heat else None)

    def swap_theme(self) -> None:
        """Change between dark and light."""
        self.theme_manager.swap()
        self._presenter.choose(theme=self.theme_manager.choice)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back to a window, which is maximised if it was before."""
        self._window.setWindowState(self._window.windowState() ^ Qt.WindowState.WindowFullScreen)
