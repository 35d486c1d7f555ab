"""A message over the picture with the actions it offers, and the entry for a stream's address."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QLabel, QLineEdit, QPushButton, QSizePolicy, QWidget

from app.gui.presenters.actions import OFFERS, ActionName
from app.gui.presenters.banner import Banner, Tone
from app.gui.widgets.controls import rename
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.page_button import PageButton

MARGINS = (16, 10, 8, 10)
INDENT = 20
"""Of the buttons below the sentence, which begin where it does."""
GAP, OFFER_GAP = 12, 8
LEAST_TEXT = 220
"""Width of the sentence from which on a button may stand beside it."""


class BannerView(QFrame):
    """Shows one :class:`Banner`, as wide as :meth:`fit` says.

    Signals:
        offered: an action was chosen; carries its name.
        dismissed: the message was closed.
    """

    offered = Signal(str)
    dismissed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._banner: Banner | None = None
        self._offers: list[QPushButton] = []
        self._width = 0
        self._mark = QLabel()
        self._mark.setFixedSize(8, 8)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._beside, self._below = in_row(spacing=OFFER_GAP), in_row(spacing=OFFER_GAP)
        self._close = close = QPushButton("✕")
        close.setObjectName("quiet")
        close.setToolTip("Close the message (Esc)")
        close.setAccessibleName("Close the message")
        close.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        close.clicked.connect(self.dismissed)
        sentence = in_row(self._mark, (self._text, 1), self._beside, close, spacing=GAP)
        self._rows = in_column(sentence, self._below, on=self, margins=MARGINS, spacing=0)
        self.hide()

    @property
    def banner(self) -> Banner | None:
        """What is shown."""
        return self._banner

    def show_banner(self, banner: Banner | None) -> None:
        """Show ``banner``; None hides the view."""
        if banner == self._banner:
            return
        self._banner = banner
        if banner is None:
            self.hide()
            return
        self._text.setText(banner.text)
        rename(self._mark, f"{banner.tone}-mark")
        self._show_offers(banner.offers)
        self._fit()
        self.show()
        self.raise_()
        self._announce(banner)

    def _announce(self, banner: Banner) -> None:
        """Have a screen reader say the message, since the keyboard never gets to it."""
        told = QAccessibleAnnouncementEvent(self, banner.text)
        if banner.tone == Tone.ERROR:
            told.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(told)

    def fit(self, width: int) -> None:
        """Be so wide, and as high as the sentence and the offers need."""
        if width != self._width:
            self._width = width
            self._fit()

    def press(self, offer: ActionName) -> None:
        """Choose the action ``offer``, as a click on its button does."""
        for button in self.findChildren(QPushButton, "offer"):
            if button.text() == OFFERS[offer]:
                button.click()
                return

    def _show_offers(self, offers: tuple[ActionName, ...]) -> None:
        for old in self._offers:
            old.setObjectName("")
            old.hide()
            old.deleteLater()
        self._offers = []
        for offer in offers:
            button = QPushButton(OFFERS[offer], self)
            button.setObjectName("offer")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _checked=False, name=offer: self.offered.emit(name))
            button.show()
            self._offers.append(button)

    def _fit(self) -> None:
        """Put a single offer beside the sentence, several into a row below it, or below each other: as they fit."""
        for place in (self._beside, self._below):
            while place.takeAt(0) is not None:
                pass
        for widget in (self._close, *self._offers):
            widget.ensurePolished()
        widths = [button.sizeHint().width() for button in self._offers]
        inside = self._width - MARGINS[0] - MARGINS[2]
        taken = self._mark.width() + self._close.sizeHint().width() + 3 * GAP
        beside = len(widths) == 1 and inside - taken - widths[0] >= LEAST_TEXT
        in_a_row = sum(widths) + OFFER_GAP * (len(widths) - 1) <= inside - INDENT
        self._below.setDirection(QBoxLayout.Direction.LeftToRight if in_a_row else QBoxLayout.Direction.TopToBottom)
        self._below.setContentsMargins(INDENT, 8 if self._offers and not beside else 0, 0, 0)
        for button in self._offers:
            (self._beside if beside else self._below).addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        if not beside and self._offers:
            self._below.addStretch(1)
        self._rows.activate()
        self.setFixedSize(self._width, self._rows.totalHeightForWidth(self._width))


class AddressEntry(QFrame):
    """Asks for a stream's address without a dialog.

    Signals:
        entered: carries the address.
    """

    entered = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.line = QLineEdit()
        self.line.setPlaceholderText("rtsp://… or http://…")
        self.line.setAccessibleName("Address of the stream")
        self.line.returnPressed.connect(self._enter)
        self.play = PageButton("Play", "Play this stream (Return)", self._enter)
        self.play.setObjectName("offer")
        in_row(QLabel("Stream"), (self.line, 1), self.play, on=self, margins=(16, 10, 10, 10), spacing=12)
        self.hide()

    def ask(self) -> None:
        """Show the entry and take the keyboard."""
        self.show()
        self.raise_()
        self.line.setFocus()
        self.line.selectAll()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes the entry."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _enter(self) -> None:
        address = self.line.text().strip()
        if address:
            self.hide()
            self.entered.emit(address)
