"""Dark or light: what a person chose, what the system wishes, and changing clothes while the window is open."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication

from app.gui.presenters.palettes import DARK, LIGHT, PALETTES, SYSTEM, Palette
from app.gui.theme import theme

_SCHEMES = {SYSTEM: Qt.ColorScheme.Unknown, DARK.name: Qt.ColorScheme.Dark, LIGHT.name: Qt.ColorScheme.Light}


class ThemeManager(QObject):
    """Dresses the application and keeps it dressed as chosen.

    Widgets that paint ask :func:`app.gui.theme.theme.palette` each time and need nothing else: they are painted anew.
    Those that keep something made of colours, such as icons, make it again when :attr:`changed` comes.

    Args:
        application: to be dressed.
        choice: one of ``app.gui.presenters.palettes.THEMES``.

    Signals:
        changed: other colours are in force.
    """

    changed = Signal()

    def __init__(self, application: QApplication, choice: str = SYSTEM) -> None:
        super().__init__()
        self._application = application
        self._choice = choice
        self._worn: Palette | None = None
        self._tell_system()
        self._scheme = application.styleHints().colorScheme()
        self._put_on()
        application.styleHints().colorSchemeChanged.connect(self._follow)

    @property
    def choice(self) -> str:
        """What was chosen: "system", "dark" or "light"."""
        return self._choice

    def choose(self, choice: str) -> None:
        """Wear ``choice``, one of ``app.gui.presenters.palettes.THEMES``, from now on."""
        if choice != self._choice:
            self._choice = choice
            self._tell_system()
            self._put_on()

    def swap(self) -> None:
        """Change to the other one of dark and light."""
        self.choose(LIGHT.name if theme.palette().name == DARK.name else DARK.name)

    def _tell_system(self) -> None:
        # So that what the system draws fits: window frames, file dialogs.
        self._application.styleHints().setColorScheme(_SCHEMES[self._choice])

    def _follow(self, scheme: Qt.ColorScheme) -> None:
        self._scheme = scheme
        self._put_on()

    def _put_on(self) -> None:
        colours = palette_for(self._choice, self._scheme)
        if colours is self._worn:
            return
        self._worn = colours
        sheet = self._application.styleSheet()
        if not sheet:
            theme.apply(self._application, colours)
        elif colours is not theme.palette() or sheet != theme.style_sheet(colours):
            # The second: a window that opens while others wear what the application's own sheet does not say.
            theme.restyle(self._application, colours)
        self.changed.emit()


def palette_for(choice: str, scheme: Qt.ColorScheme) -> Palette:
    """Return the colours of a choice; "system" follows ``scheme``, and is dark where the system has no wish."""
    if choice == SYSTEM:
        return LIGHT if scheme == Qt.ColorScheme.Light else DARK
    return PALETTES[choice]
