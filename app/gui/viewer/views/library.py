"""The page of recorded sessions: a grid of pictures, the newest first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHideEvent, QImage, QKeyEvent, QPainter, QPainterPath, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.gui.theme import theme
from app.gui.viewer.presenters.jobs import Outcome
from app.gui.viewer.presenters.library import Library, SessionRow
from app.gui.widgets.controls import label, rename, show_text, small_label
from app.gui.widgets.drawing import AT_LEFT, draw_plate
from app.gui.widgets.emitting import emitter
from app.gui.widgets.files import ask_for_folder
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.page_button import PageButton
from app.gui.widgets.recording_sign import RecordingSign
from app.media.privacy import blurred

TILE = QSize(268, 218)
PICTURE_HEIGHT = 144.0
EDGE = 8.0
ROW = Qt.ItemDataRole.UserRole
KEPT_KEYS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter)
"""Keys that move in the list, whatever the window uses them for elsewhere."""


class _Thumbnails(QObject):
    """Loads small pictures on a thread of its own.

    Signals:
        loaded: a path and its picture.
    """

    loaded = Signal(Path, QImage)

    def load(self, paths: list[Path]) -> None:
        """Load pictures, one after another."""
        tell = emitter(self.loaded)

        def run() -> None:
            for path in paths:
                image = QImage(str(path))
                if not image.isNull():
                    tell(path, image)

        threading.Thread(target=run, name="session-thumbnails", daemon=True).start()


def _blurred(image: QImage) -> QImage:
    """Return a picture blurred beyond recognition."""
    clear = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(clear.constBits(), np.uint8).reshape(clear.height(), clear.bytesPerLine())
    pixels = blurred(rows[:, : 3 * clear.width()].reshape(clear.height(), clear.width(), 3))
    height, width = pixels.shape[:2]
    # A copy that owns its memory: the array goes when this function ends.
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class _Tile(QStyledItemDelegate):
    """Paints one session."""

    def __init__(self, pictures: dict[Path, QImage]) -> None:
        super().__init__()
        self._pictures = pictures

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """All tiles are alike."""
        return TILE

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the picture, the texts below it and the badge on it."""
        row: SessionRow = index.data(ROW)
        colours = theme.palette()
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        tile = QRectF(option.rect).adjusted(EDGE / 2, EDGE / 2, -EDGE / 2, -EDGE / 2)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        under = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.setPen(QColor(colours.tones["info"]) if chosen else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.hover if under else colours.card))
        painter.drawRoundedRect(tile, 12, 12)
        box = QRectF(tile.left() + EDGE, tile.top() + EDGE, tile.width() - 2 * EDGE, PICTURE_HEIGHT)
        self._paint_picture(painter, box, row)
        text = QRectF(box.left() + 2, box.bottom() + 8, box.width() - 4, 20)
        painter.setFont(theme.figures(14, QFont.Weight.DemiBold))
        painter.setPen(QColor(colours.text if row.usable else colours.faint))
        title = painter.fontMetrics().elidedText(row.title, Qt.TextElideMode.ElideMiddle, int(text.width()))
        painter.drawText(text, AT_LEFT, title)
        painter.setFont(theme.figures(12, QFont.Weight.Normal))
        painter.setPen(QColor(colours.dim))
        painter.drawText(text.translated(0, 20), AT_LEFT, row.detail)
        painter.restore()

    def _paint_picture(self, painter: QPainter, box: QRectF, row: SessionRow) -> None:
        colours = theme.palette()
        shape = QPainterPath()
        shape.addRoundedRect(box, 8, 8)
        painter.fillPath(shape, QColor(colours.raised))
        image = self._pictures.get(row.thumbnail) if row.thumbnail is not None else None
        if image is not None:
            painter.save()
            painter.setClipPath(shape)
            scale = max(box.width() / image.width(), box.height() / image.height())
            size = QSize(round(image.width() * scale), round(image.height() * scale))
            corner = box.center().x() - size.width() / 2, box.center().y() - size.height() / 2
            painter.drawImage(QRectF(*corner, size.width(), size.height()), image)
            painter.restore()
        else:
            painter.setPen(QColor(colours.faint))
            painter.setFont(theme.figures(12, QFont.Weight.Normal))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "landmarks only" if row.usable else "no picture")
        if row.badge:
            painter.setFont(theme.figures(11, QFont.Weight.DemiBold))
            width = painter.fontMetrics().horizontalAdvance(row.badge) + 16
            chip = QRectF(box.right() - width - 6, box.top() + 6, width, 20)
            draw_plate(painter, chip, QColor(colours.veil), 10)
            painter.setPen(QColor(colours.demo))
            painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, row.badge)


class _Grid(QListWidget):
    """The tiles; arrows and Enter belong to it while it has the keyboard."""

    def event(self, event: QEvent) -> bool:
        """Keep the keys that move in the list from being taken for the window's shortcuts."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in KEPT_KEYS
            and not event.modifiers() & Qt.KeyboardModifier.ControlModifier
        ):
            event.accept()
            return True
        return super().event(event)


class LibraryView(QWidget):
    """Shows the sessions of a folder; a page among the window's pages.

    Args:
        library: the list.
        go_live: goes back to the live page.

    Signals:
        opened: carries the folder of the session to open.
        closed: back to the live picture.
        show_folder: carries a folder to show.
        discarded: carries the folder of a session to move to the trash.
    """

    discarded = Signal(Path)
    opened = Signal(Path)
    closed = Signal()
    show_folder = Signal(Path)
    _changed = Signal()

    def __init__(self, library: Library, go_live: Callable[[], object]) -> None:
        super().__init__()
        self.setObjectName("ground")
        self.sign = RecordingSign(go_live)
        self.library = library
        self._pictures: dict[Path, QImage] = {}
        self._private = False
        self._working = False
        self._rows: tuple[SessionRow, ...] = ()
        self._thumbnails = _Thumbnails()
        self._thumbnails.loaded.connect(self._keep_picture)
        self._changed.connect(self.refresh)
        library.listen(emitter(self._changed))
        self.grid = _Grid()
        self._tile = _Tile(self._pictures)
        self.grid.setItemDelegate(self._tile)
        self.grid.setViewMode(QListWidget.ViewMode.IconMode)
        self.grid.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.grid.setMovement(QListWidget.Movement.Static)
        self.grid.setUniformItemSizes(True)
        self.grid.setMouseTracking(True)
        self.grid.setFrameShape(QFrame.Shape.NoFrame)
        self.grid.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.grid.setStyleSheet("background: transparent;")
        self.grid.setAccessibleName("Recorded sessions")
        self.grid.itemActivated.connect(self._open_item)
        self.grid.itemClicked.connect(self._open_item)
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.grid.customContextMenuRequested.connect(self._show_menu)
        self._folder = label("dim")
        # A long path is cut off rather than making the window wide.
        self._folder.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._empty = label("dim")
        self._work = small_label()
        self._work.hide()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        back = PageButton("\u2039  Live", "Back to the live picture (Esc)", self.closed.emit)
        back.setObjectName("quiet")
        self.other = PageButton("Other folder\u2026", "List the sessions of another folder", self._ask_folder)
        self.show_button = PageButton("Show folder", "Show this folder's files", self._show_folder)
        title = label("title", "Sessions")
        top = in_row(back, title, (self._folder, 1), self.sign, self.show_button, self.other, spacing=10)
        in_column(top, self._work, self._empty, (self.grid, 1), on=self, margins=(14, 10, 14, 10))

    def refresh(self) -> None:
        """Show the list as it is."""
        view = self.library.view
        self._folder.setText(str(view.folder))
        self._folder.setToolTip(str(view.folder))
        self._empty.setText("Reading\u2026" if view.reading and not view.rows else view.text)
        self._empty.setVisible(bool(self._empty.text()))
        if view.rows == self._rows:
            return
        self._rows = view.rows
        current = self.grid.currentItem()
        chosen = current.data(ROW).folder if current is not None else None
        self.grid.clear()
        for row in view.rows:
            item = QListWidgetItem()
            item.setData(ROW, row)
            item.setToolTip(row.tooltip)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{row.title}, {row.detail}, {row.badge}".rstrip(", "))
            if not row.usable:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.grid.addItem(item)
            if row.folder == chosen:
                self.grid.setCurrentItem(item)
        self._load_pictures()

    @property
    def said(self) -> str:
        """What is said of work on a session, "" for nothing."""
        return self._work.text()

    def show_work(self, running: str, ended: Outcome | None) -> None:
        """Say what is being made of a session, and how that ended until the page is left."""
        if running or ended is not None:
            show_text(self._work, running if ended is None else ended.text)
            rename(self._work, "wrong" if ended is not None and not ended.good else "small")
            self._working = ended is None
        elif self._working:
            self._working = False  # it was cancelled, or was told elsewhere
            show_text(self._work, "")
        self._work.setVisible(bool(self._work.text()))

    def hideEvent(self, event: QHideEvent) -> None:
        """Forget what was said."""
        show_text(self._work, "")

    def blur(self, private: bool) -> None:
        """Show blurred pictures from now on, or clear ones again."""
        if private != self._private:
            self._private = private
            self._pictures.clear()
            self._load_pictures()
            self.grid.viewport().update()

    def _load_pictures(self) -> None:
        wanted = [row.thumbnail for row in self._rows if row.thumbnail is not None]
        for path in self._pictures.keys() - set(wanted):
            del self._pictures[path]  # a quarter of a megabyte each
        self._thumbnails.load([path for path in wanted if path not in self._pictures])

    def showEvent(self, event: QShowEvent) -> None:
        """Read the folder whenever the page is shown."""
        self.library.refresh()
        self.grid.setFocus()

    def _open_item(self, item: QListWidgetItem) -> None:
        row: SessionRow = item.data(ROW)
        if row.usable:
            self.opened.emit(row.folder)

    def _show_menu(self, place: QPoint) -> None:
        item = self.grid.itemAt(place)
        if item is not None:
            menu = self.menu_of(item.data(ROW))
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.grid.viewport().mapToGlobal(place))

    def menu_of(self, row: SessionRow) -> QMenu:
        """Return what can be done with a session."""
        menu = QMenu(self)
        menu.addAction("Open", lambda: self.opened.emit(row.folder)).setEnabled(row.usable)
        menu.addAction("Show its files", lambda: self.show_folder.emit(row.folder))
        menu.addSeparator()
        menu.addAction("Move to the trash", lambda: self.discarded.emit(row.folder))
        return menu

    def _keep_picture(self, path: Path, image: QImage) -> None:
        if all(row.thumbnail != path for row in self._rows):
            return  # another list is shown by now
        self._pictures[path] = _blurred(image) if self._private else image
        self.grid.viewport().update()

    def _show_folder(self) -> None:
        self.show_folder.emit(self.library.view.folder)

    def _ask_folder(self) -> None:
        folder = str(self.library.view.folder)
        ask_for_folder(self, "Open a folder of sessions", folder, lambda chosen: self.library.open(Path(chosen)))
