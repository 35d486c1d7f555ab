"""What is drawn on the picture besides landmarks: labels, the divider, and tags that tell faces apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from app.core.frame import FaceResult
from app.core.modes import MODE_NAMES
from app.gui.presenters.colour_scale import HEAT_COLOURS, HEAT_TICKS, RECENT_SECONDS
from app.gui.presenters.faces import face_name, identity_colour
from app.gui.presenters.picture import Placement
from app.gui.presenters.readouts import Caption
from app.gui.theme import theme
from app.gui.widgets.charts import draw_scale_bar
from app.gui.widgets.drawing import AT_LEFT, draw_plate
from app.gui.widgets.overlay import hairline

CHIP_HEIGHT = 26.0
CAPTION_SIZES = (20, 14)
"""Of a caption's letters: where it fits into one line, and where it does not."""
CAPTION_EDGE, CAPTION_DOT = 18.0, 22.0
"""Left and right of a caption's text, and for the dot before it."""
TAG_HEIGHT = 18.0
BOX_MARGIN = 0.06
"""Room between a face's landmarks and its box, as share of their size."""

HANDLE = (5.0, 34.0)
"""Half the width, and the height, of the divider's handle."""

BESIDE = 12.0
"""Between the divider and the names of the modes beside it."""

LEGEND = (210.0, 52.0)
LEGEND_NAME = f"Flicker of each point over {RECENT_SECONDS:g} s"

ON_TAG = "#10141a"
TAG_GROUND = "#c0101419"


def chip_width(text: str, bold: bool = False, dot: bool = False) -> float:
    """Return how wide a chip with this text is."""
    return QFontMetricsF(_font(bold)).horizontalAdvance(text) + 22 + (14 if dot else 0)


def draw_chip(
    painter: QPainter, x: float, y: float, text: str, ink: str, ground: str, bold: bool = False, dot: str = ""
) -> None:
    """Draw a round plate with its top left corner at (x, y), with a dot before the text where it has a colour."""
    box = QRectF(x, y, chip_width(text, bold, bool(dot)), CHIP_HEIGHT)
    draw_plate(painter, box, QColor(ground), CHIP_HEIGHT / 2)
    left = 11.0
    if dot:
        painter.setBrush(QColor(dot))
        painter.drawEllipse(QPointF(x + 15, box.center().y()), 4.2, 4.2)
        left += 14
    painter.setPen(QColor(ink))
    painter.setFont(_font(bold))
    painter.drawText(box.adjusted(left, 0, 0, 0), AT_LEFT, text)


def draw_caption(painter: QPainter, caption: Caption, middle: float, bottom: float, width: float) -> None:
    """Write a sentence around ``middle``, above ``bottom``, in as many lines as a plate of ``width`` needs."""
    colours = theme.palette()
    words = AT_LEFT | Qt.TextFlag.TextWordWrap
    room = QRectF(0, 0, width - 2 * CAPTION_EDGE - CAPTION_DOT, 1000)
    large, small = (theme.figures(size, QFont.Weight.DemiBold) for size in CAPTION_SIZES)
    font = large if QFontMetricsF(large).horizontalAdvance(caption.text) < room.width() else small
    text = QFontMetricsF(font).boundingRect(room, int(words), caption.text)
    plate = QRectF(0, 0, text.width() + 1 + 2 * CAPTION_EDGE + CAPTION_DOT, text.height() + 20)
    plate.moveCenter(QPointF(middle, bottom - plate.height() / 2))
    painter.setPen(QPen(QColor(colours.modes[caption.mode]), 2.0))
    painter.setBrush(QColor(colours.veil))
    painter.drawRoundedRect(plate, 14, 14)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours.modes[caption.mode]))
    painter.drawEllipse(QPointF(plate.left() + CAPTION_EDGE + 5, plate.center().y()), 6.0, 6.0)
    painter.setPen(QColor(colours.text))
    painter.setFont(font)
    painter.drawText(plate.adjusted(CAPTION_EDGE + CAPTION_DOT, 0, -CAPTION_EDGE + 1, 0), words, caption.text)


def draw_notice(painter: QPainter, text: str, middle: float, bottom: float, width: float) -> float:
    """Write a sentence on a plate around ``middle``, above ``bottom`` and at most ``width`` wide; return its top.

    Where there is no room for that, it begins at the upper edge.
    """
    words = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    room = QRectF(0, 0, width - 22, 1000)
    needed = QFontMetricsF(_font(bold=False)).boundingRect(room, int(words), text)
    plate = QRectF(0, 0, needed.width() + 23, max(CHIP_HEIGHT, needed.height() + 10))
    plate.moveCenter(QPointF(middle, max(bottom - plate.height() / 2, plate.height() / 2)))
    draw_plate(painter, plate, QColor(theme.palette().veil), CHIP_HEIGHT / 2)
    painter.setPen(QColor(theme.palette().text))
    painter.setFont(_font(bold=False))
    painter.drawText(plate.adjusted(11, 0, -11, 0), words, text)
    return plate.top()


def draw_tags(painter: QPainter, faces: Sequence[FaceResult], placement: Placement, shown: int | None) -> None:
    """Draw a thin box and a name for every face; the tag of the one that is ``shown`` in the readouts is filled."""
    painter.setFont(theme.figures(11, QFont.Weight.DemiBold))
    width = hairline(painter)
    for face in faces:
        points = placement.place(face.estimate.landmarks)
        if not np.isfinite(points).all():
            continue
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        margin = BOX_MARGIN * max(right - left, bottom - top)
        box = QRectF(left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin)
        colour = QColor(identity_colour(face.face))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, width))
        painter.drawRect(box)
        name = face_name(face.face)
        tag = QRectF(box.left(), box.top() - TAG_HEIGHT, painter.fontMetrics().horizontalAdvance(name) + 14, TAG_HEIGHT)
        filled = face.face == shown
        draw_plate(painter, tag, colour if filled else QColor(TAG_GROUND), 4)
        painter.setPen(QColor(ON_TAG) if filled else colour)
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, name)


def draw_modes(painter: QPainter, modes: tuple[str, str | None], middle: float, top: float) -> float:
    """Name the mode left and the mode right of ``middle``; return where the names end."""
    colours, end = theme.palette(), middle
    for mode, left in zip(modes, (True, False), strict=True):
        if mode is not None:
            name = MODE_NAMES[mode]
            width = chip_width(name, bold=True, dot=True)
            x = middle - BESIDE - width if left else middle + BESIDE
            end = max(end, x + width)
            draw_chip(painter, x, top, name, colours.text, colours.veil, bold=True, dot=colours.modes[mode])
    return end


def draw_heat_legend(painter: QPainter, right: float, bottom: float) -> None:
    """Draw the legend of the points' colours; its lower right corner is given."""
    width, height = LEGEND
    plate = QRectF(right - width, bottom - height, width, height)
    draw_plate(painter, plate, QColor(theme.palette().veil), 8)
    painter.setPen(QColor(theme.palette().text))
    painter.setFont(theme.figures(11))
    painter.drawText(plate.adjusted(0, 5, 0, 0), Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, LEGEND_NAME)
    draw_scale_bar(painter, plate.left() + 20, plate.top() + 24, width - 40, HEAT_COLOURS, HEAT_TICKS)


def draw_divider(painter: QPainter, x: float, height: float) -> None:
    """Draw the line between two modes on one picture, with its handle."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 120))
    painter.drawRect(QRectF(x - 2, 0, 4, height))
    painter.setBrush(QColor("#ffffff"))
    painter.drawRect(QRectF(x - 1, 0, 2, height))
    half, length = HANDLE
    painter.drawRoundedRect(QRectF(x - half, (height - length) / 2, 2 * half, length), half, half)


def _font(bold: bool) -> QFont:
    return theme.figures(12, QFont.Weight.Bold if bold else QFont.Weight.Medium)
