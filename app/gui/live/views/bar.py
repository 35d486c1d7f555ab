"""The bar under the picture: the source, what is kept, what is measured, and the window's own buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QLayout, QMenu, QPushButton, QWidget

from app.gui.live.presenters.chooser import Ask, Choice
from app.gui.live.presenters.readouts import Facts
from app.gui.presenters.actions import BY_NAME, ActionName
from app.gui.theme import theme
from app.gui.widgets.controls import menu_text
from app.gui.widgets.drawing import AT_LEFT, smooth_painter
from app.gui.widgets.icons import SIZE, icon
from app.gui.widgets.layouts import in_row
from app.sources.spec import SourceSpec

SOURCE_WIDTH, NARROW_SOURCE_WIDTH = 190, 110
LEFT, BESIDE_ICON, RIGHT = 13, 40, 30
"""Where the name begins on that button without its icon and with it, and the place of the arrow behind it."""
ROOM_FOR_ICON = 150
"""Width of the source's button below which its name needs the place of its icon."""
SIGN_WIDTH = 40
ROOM_FOR_WORDS = 1100
ROOM_FOR_STATES = 836
LEAST_WIDTH = 632

SHAPES_OF_ACTIONS: dict[str, str] = {
    ActionName.SNAPSHOT: "camera",
    ActionName.SESSIONS: "sessions",
    ActionName.DRAWER: "lab",
    ActionName.HOLD_STILL: "target",
    ActionName.MIRROR: "mirror",
    ActionName.PRIVACY: "privacy",
    ActionName.SHARE: "share",
    ActionName.PREFERENCES: "preferences",
    ActionName.KEYS: "keys",
}
"""Icons of the buttons whose icon never changes."""


class _SourceButton(QPushButton):
    """Shows icon, name and a menu arrow, which a style sheet cannot place well."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""

    @property
    def name(self) -> str:
        """The name shown, as a whole."""
        return self._name

    @property
    def room_for_name(self) -> int:
        """Width for the name, in pixels."""
        return self.width() - self._left - RIGHT

    @property
    def _left(self) -> int:
        """Where the name begins; an icon stands before it where there is room for both."""
        return BESIDE_ICON if self.width() >= ROOM_FOR_ICON else LEFT

    def show_name(self, name: str) -> None:
        """Show ``name``, shortened in the middle where it is long."""
        if name != self._name:
            self._name = name
            self.setAccessibleName(f"Source: {name}")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = smooth_painter(self)
        middle = self.height() / 2
        if self._left > LEFT:
            icon("source").paint(painter, LEFT, round(middle - SIZE / 2), SIZE, SIZE)
        room = QRectF(self._left, 0, self.room_for_name, self.height())
        text = self.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideMiddle, self.room_for_name)
        painter.setPen(QColor(theme.palette().text))
        painter.drawText(room, AT_LEFT, text)
        painter.setPen(QPen(QColor(theme.palette().dim), 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        x = self.width() - 18.0
        painter.drawPolyline(
            QPolygonF([QPointF(x - 4, middle - 2), QPointF(x, middle + 2), QPointF(x + 4, middle - 2)])
        )


class ControlBar(QWidget):
    """Buttons; ``asked`` carries the name of the action the user clicked.

    Signals:
        asked: an action's name.
        chosen: ``Choice.opens`` of the entry that a person took in the list of sources.
        menu_opened: the list of sources is about to be read; it may be brought up to date.
    """

    asked = Signal(str)
    chosen = Signal(object)
    menu_opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.source = _SourceButton()
        self.source.setToolTip(BY_NAME[ActionName.SOURCE].tooltip)
        self.source.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.source.setFixedWidth(SOURCE_WIDTH)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self.menu_opened)
        self.source.setMenu(self.menu)
        self.play = self._button(ActionName.PLAY)
        self.record = self._button(ActionName.RECORD)
        self.snapshot = self._button(ActionName.SNAPSHOT)
        self.sessions = self._button(ActionName.SESSIONS)
        self.lab = self._button(ActionName.DRAWER)
        self.hold_still = self._button(ActionName.HOLD_STILL)
        self.mirror = self._sign(ActionName.MIRROR)
        self.privacy = self._sign(ActionName.PRIVACY)
        self.share = self._sign(ActionName.SHARE)
        self.preferences = self._sign(ActionName.PREFERENCES)
        self.keys = self._sign(ActionName.KEYS)
        for button in (self.record, self.lab, self.mirror, self.privacy, self.share):
            button.setCheckable(True)
        layout = in_row(
            *(self.source, self.play, None),
            *(self.record, self.snapshot, self.sessions, None),
            *(self.lab, self.hold_still, None),
            *(self.mirror, self.privacy, self.share, self.preferences, self.keys),
            on=self,
            margins=(14, 10, 8, 12),
            spacing=6,
        )
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)  # it makes room itself
        self._active = False
        self._recording = False
        self._narrow = False
        self._tight = False
        self.refresh_icons()

    def minimumSizeHint(self) -> QSize:
        """The width without labels."""
        return QSize(LEAST_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Hide the labels where there is no room for them; icons and tooltips stay."""
        narrow = self.width() < ROOM_FOR_WORDS
        if narrow != self._narrow:
            self._narrow = narrow
            for button in (self.snapshot, self.sessions, self.lab, self.hold_still):
                button.setText("" if narrow else f"  {BY_NAME[ActionName(button.objectName())].label}")
                _show_as_sign(button, narrow)
        tight = self.width() < ROOM_FOR_STATES
        spare = self.width() - LEAST_WIDTH if tight else SOURCE_WIDTH
        self.source.setFixedWidth(min(NARROW_SOURCE_WIDTH + max(0, spare), SOURCE_WIDTH))
        if tight != self._tight:
            self._tight = tight
            self._label_states()
            for button in (self.play, self.record):
                _show_as_sign(button, tight)
        super().resizeEvent(event)
        layout = self.layout()
        if layout is not None:
            layout.activate()

    def _label_states(self) -> None:
        """Label the buttons that start and stop, where there is room for words."""
        starts, records = "Stop" if self._active else "Start", "Finish" if self._recording else "Record"
        for button, word in ((self.play, starts), (self.record, records)):
            button.setText("" if self._tight else f"  {word}")
            button.setAccessibleName(word)

    def refresh_icons(self) -> None:
        """Redraw the icons in the current colours."""
        colours = theme.palette()
        for button in self.findChildren(QPushButton):
            shape = SHAPES_OF_ACTIONS.get(button.objectName())
            if shape is not None:
                button.setIcon(icon(shape))
        self.play.setIcon(icon("stop" if self._active else "play"))
        stop = icon("stop", colours.on_record)
        self.record.setIcon(stop if self._recording else icon("record", colours.record))
        self.source.update()

    def show_choices(self, choices: Sequence[Choice]) -> None:
        """Fill the source menu."""
        fill_source_menu(self.menu, choices, self.chosen.emit)

    def show_state(self, facts: Facts, source_name: str, has_picture: bool) -> None:
        """Show what can be done now."""
        state = facts.state
        self.source.show_name(source_name)
        recording = state.recording is not None
        if (state.active, recording) != (self._active, self._recording):
            self._active, self._recording = state.active, recording
            self._label_states()
            self.refresh_icons()
        self.record.setChecked(recording)
        self.record.setEnabled(recording or state.can_record)
        self.snapshot.setEnabled(has_picture)
        self.hold_still.setEnabled(state.can_record)
        self.mirror.setChecked(facts.mirrored)
        self.privacy.setChecked(facts.private)
        self.share.setChecked(bool(facts.sharing))

    def _button(self, name: ActionName) -> QPushButton:
        action = BY_NAME[name]
        button = QPushButton(f"  {action.label}")
        button.setObjectName(name)
        button.setIconSize(QSize(SIZE, SIZE))
        button.setToolTip(action.tooltip)
        button.setAccessibleName(action.label)
        # Space records whatever was clicked last, so no button may take the keyboard.
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda _checked=False: self.asked.emit(name))
        return button

    def _sign(self, name: ActionName) -> QPushButton:
        """Return a button with only an icon; its tooltip says what it does."""
        button = self._button(name)
        button.setText("")
        button.setFixedWidth(SIGN_WIDTH)
        button.setProperty("sign", True)
        return button


def _show_as_sign(button: QPushButton, alone: bool) -> None:
    """Style a button for its icon alone, or for its icon and a word."""
    button.setProperty("sign", alone)
    button.setMinimumWidth(SIGN_WIDTH if alone else 0)
    theme.polish(button)


def fill_source_menu(menu: QMenu, choices: Sequence[Choice], chosen: Callable[[SourceSpec | Ask], object]) -> None:
    """Replace the entries of ``menu``; ``chosen`` is called with ``Choice.opens`` of the one the user takes."""
    for beside in menu.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly):
        beside.deleteLater()  # clear() alone would keep it for as long as the window lives
    menu.clear()
    for choice in choices:
        if choice.begins_group:
            menu.addSeparator()
        if choice.children:
            fill_source_menu(menu.addMenu(menu_text(choice.label)), choice.children, chosen)
            continue
        entry = menu.addAction(menu_text(choice.label))
        entry.setEnabled(choice.opens is not None)
        entry.setCheckable(choice.checked)
        entry.setChecked(choice.checked)
        entry.triggered.connect(lambda _checked=False, opens=choice.opens: chosen(opens))
