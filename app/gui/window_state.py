"""The window's geometry, open parts, theme and comparison view, restored from the last run."""

from __future__ import annotations

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QApplication, QMainWindow

from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.heatmap import live_heat
from app.gui.live.presenters.page import LivePresenter
from app.gui.live.views.page import LivePage
from app.gui.theme.manager import ThemeManager

START_SIZE = (1440, 900)
LEAST_SIZE = (1170, 620)


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
        window.setMinimumSize(*LEAST_SIZE)
        available = window.screen().availableGeometry()
        window.resize(min(START_SIZE[0], available.width()), min(START_SIZE[1], available.height()))
        if presenter.chosen.geometry:
            window.restoreGeometry(QByteArray.fromBase64(presenter.chosen.geometry.encode()))
        page.open_parts(presenter.chosen.panels)
        page.view.set_compare_view(presenter.chosen.compare_view)
        page.view.set_divider(presenter.chosen.divider)
        page.view.divider_moved.connect(lambda share: presenter.choose(divider=share))
        page.panel.compare_view.chosen.connect(self.show_both)

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
        """Fill the screen, or go back to a window."""
        if self._window.isFullScreen():
            self._window.showNormal()
        else:
            self._window.showFullScreen()
