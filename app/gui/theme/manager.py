"""Applies the chosen theme, or the system's, also while the window is open."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication

from app.gui.presenters.palettes import DARK, LIGHT, PALETTES, Palette, Theme
from app.gui.theme import theme

_SCHEMES = {
    Theme.SYSTEM: Qt.ColorScheme.Unknown,
    Theme.DARK: Qt.ColorScheme.Dark,
    Theme.LIGHT: Qt.ColorScheme.Light,
}


class ThemeManager(QObject):
    """Gives the application the colours of a theme and follows the system's dark and light.

    Widgets that paint ask :func:`app.gui.theme.theme.palette` each time and need nothing else: they are repainted.
    Those that cache something made of colours, such as icons, rebuild it on :attr:`changed`.

    Args:
        application: gets the colours.
        choice: the theme to begin with.

    Signals:
        changed: other colours are in force.
    """

    changed = Signal()

    def __init__(self, application: QApplication, choice: Theme = Theme.SYSTEM) -> None:
        super().__init__()
        self._application = application
        self._choice = choice
        self._palette: Palette | None = None
        self._tell_system()
        self._scheme = application.styleHints().colorScheme()
        self._apply()
        application.styleHints().colorSchemeChanged.connect(self._follow)

    @property
    def choice(self) -> Theme:
        """The theme chosen."""
        return self._choice

    def choose(self, choice: Theme) -> None:
        """Use the theme ``choice`` from now on."""
        if choice != self._choice:
            self._choice = choice
            self._tell_system()
            self._apply()

    def swap(self) -> None:
        """Change to the other one of dark and light."""
        self.choose(Theme.LIGHT if theme.palette().name == Theme.DARK else Theme.DARK)

    def _tell_system(self) -> None:
        # So that what the system draws fits: window frames, file dialogs.
        self._application.styleHints().setColorScheme(_SCHEMES[self._choice])

    def _follow(self, scheme: Qt.ColorScheme) -> None:
        self._scheme = scheme
        self._apply()

    def _apply(self) -> None:
        colours = palette_for(self._choice, self._scheme)
        if colours is self._palette:
            return
        self._palette = colours
        if not self._application.styleSheet():
            theme.apply(self._application, colours)
        elif colours is not theme.palette():
            theme.restyle(self._application, colours)
        self.changed.emit()


def palette_for(choice: Theme, scheme: Qt.ColorScheme) -> Palette:
    """Return the colours of a theme; SYSTEM follows ``scheme``, and is dark where the system states no preference."""
    if choice == Theme.SYSTEM:
        return LIGHT if scheme == Qt.ColorScheme.Light else DARK
    return PALETTES[choice]
