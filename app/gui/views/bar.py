"""The bar under the picture: source, start and stop, record, snapshot, mirror, keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from app.gui import theme
from app.gui.presenters import actions
from app.gui.presenters.actions import BY_NAME
from app.gui.presenters.chooser import Choice
from app.gui.presenters.state import SessionState
from app.gui.views.icons import SIZE, icon

SOURCE_WIDTH = 230


class _SourceButton(QPushButton):
    """Shows icon, name and the small arrow that says "a menu", which no style sheet places well."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""

    @property
    def name(self) -> str:
        """The name shown, as a whole."""
        return self._name

    def show_name(self, name: str) -> None:
        """Show ``name``, shortened in the middle where it is long."""
        if name != self._name:
            self._name = name
            self.setAccessibleName(f"Source: {name}")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        icon("source").paint(painter, 13, round(middle - SIZE / 2), SIZE, SIZE)
        room = QRectF(40, 0, self.width() - 70, self.height())
        text = self.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.setPen(QColor(theme.palette().text))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.setPen(QPen(QColor(theme.palette().dim), 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        x = self.width() - 18.0
        painter.drawPolyline(
            QPolygonF([QPointF(x - 4, middle - 2), QPointF(x, middle + 2), QPointF(x + 4, middle - 2)])
        )


class ControlBar(QWidget):
    """Buttons; ``asked`` carries the name of the action a person clicked.

    Signals:
        asked: an action's name.
        chosen: a source's ``Choice.spec``.
        menu_opened: the list of sources is about to be read; it may be brought up to date.
    """

    asked = Signal(str)
    chosen = Signal(str)
    menu_opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.source = _SourceButton()
        self.source.setToolTip(BY_NAME[actions.SOURCE].tooltip)
        self.source.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.source.setFixedWidth(SOURCE_WIDTH)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self.menu_opened)
        self.source.setMenu(self.menu)
        self.play = self._button(actions.PLAY, "stop")
        self.record = self._button(actions.RECORD, "record", theme.palette().record)
        self.record.setCheckable(True)
        self.snapshot = self._button(actions.SNAPSHOT, "camera")
        self.mirror = self._button(actions.MIRROR, "mirror")
        self.mirror.setCheckable(True)
        self.keys = self._button(actions.KEYS, "keys")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 10, 8, 12)
        layout.setSpacing(8)
        layout.addWidget(self.source)
        layout.addWidget(self.play)
        layout.addStretch(1)
        layout.addWidget(self.record)
        layout.addWidget(self.snapshot)
        layout.addStretch(1)
        layout.addWidget(self.mirror)
        layout.addWidget(self.keys)
        self._active: bool | None = None
        self._recording: bool | None = None

    def show_choices(self, choices: Sequence[Choice], current: str | None) -> None:
        """Fill the source menu."""
        self.menu.clear()
        for choice in choices:
            if choice.begins_group:
                self.menu.addSeparator()
            entry = self.menu.addAction(choice.label)
            entry.setEnabled(bool(choice.spec))
            if choice.spec and choice.spec == current:
                entry.setCheckable(True)
                entry.setChecked(True)
            entry.triggered.connect(lambda _checked=False, spec=choice.spec: self.chosen.emit(spec))

    def show_state(self, state: SessionState, source_name: str, mirrored: bool, has_picture: bool) -> None:
        """Show what can be done now."""
        self.source.show_name(source_name)
        if state.active != self._active:
            self._active = state.active
            self.play.setText("  Stop" if state.active else "  Start")
            self.play.setIcon(icon("stop" if state.active else "play"))
        recording = state.recording is not None
        if recording != self._recording:
            self._recording = recording
            self.record.setText("  Finish" if recording else "  Record")
            self.record.setIcon(
                icon("stop", theme.palette().on_record) if recording else icon("record", theme.palette().record)
            )
        self.record.setChecked(recording)
        self.record.setEnabled(recording or state.can_record)
        self.snapshot.setEnabled(has_picture)
        self.mirror.setChecked(mirrored)

    def _button(self, name: str, shape: str, colour: str | None = None) -> QPushButton:
        action = BY_NAME[name]
        button = QPushButton(icon(shape, colour), f"  {action.label}")
        button.setObjectName(name)
        button.setIconSize(QSize(SIZE, SIZE))
        button.setToolTip(action.tooltip)
        button.setAccessibleName(action.label)
        # Space records whatever was clicked last, so no button may take the keyboard.
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda _checked=False: self.asked.emit(name))
        return button
