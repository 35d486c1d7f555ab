"""The flicker card: figures now and over the last seconds, a curve per mode, and bars by region."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.modes import MODE_NAMES
from app.gui.live.presenters.flicker import NOW_SECONDS, TRACE_SECONDS, FlickerView
from app.gui.live.presenters.readouts import FlickerTexts, flicker_texts
from app.gui.presenters.colour_scale import RECENT_SECONDS
from app.gui.presenters.readouts import NOTHING
from app.gui.presenters.scale import GrowingScale
from app.gui.theme import theme
from app.gui.widgets.charts import draw_curve
from app.gui.widgets.drawing import AT_LEFT, AT_RIGHT, draw_plate, smooth_painter
from model.topology import REGIONS, Region

NUMBERS_HEIGHT = 78


class FlickerNumbers(QWidget):
    """Two columns, one per mode of the pair; a mode that is not solved is dimmed."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[str, FlickerTexts] = {mode: FlickerTexts(NOTHING, NOTHING) for mode in FlickerView().pair}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Landmark motion that the picture does not explain, in % of the distance between the outer eye corners. "
            f"Large: the last {NOW_SECONDS:g} s. Small: the last {RECENT_SECONDS:g} s."
        )
        self.setAccessibleName("Flicker")

    def sizeHint(self) -> QSize:
        """As high as a column needs."""
        return QSize(260, NUMBERS_HEIGHT)

    def show_flicker(self, flicker: FlickerView) -> None:
        """Show the figures of the pair's modes."""
        texts = {mode: flicker_texts(flicker, mode) for mode in flicker.pair}
        if texts != self._texts:
            self._texts = texts
            self.setAccessibleDescription(". ".join(_in_words(mode, own) for mode, own in texts.items()))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both columns."""
        painter = smooth_painter(self)
        width = self.width() / len(self._texts)
        for column, mode in enumerate(self._texts):
            self._paint_column(painter, QRectF(column * width, 0, width, NUMBERS_HEIGHT), mode)

    def _paint_column(self, painter: QPainter, box: QRectF, mode: str) -> None:
        texts = self._texts[mode]
        measured = texts.recent != NOTHING
        colour = QColor(theme.palette().modes[mode] if measured else theme.palette().line)
        draw_plate(painter, QRectF(box.left(), 3, 4, 12), colour, 2)
        painter.setFont(theme.figures(12, QFont.Weight.DemiBold))
        painter.setPen(QColor(theme.palette().text if measured else theme.palette().faint))
        painter.drawText(QRectF(box.left() + 11, 0, box.width() - 11, 18), AT_LEFT, MODE_NAMES[mode])
        painter.setFont(theme.figures(30, QFont.Weight.DemiBold))
        painter.drawText(QRectF(box.left(), 20, box.width(), 36), AT_LEFT, texts.now)
        if measured:
            advance = painter.fontMetrics().horizontalAdvance(texts.now)
            painter.setPen(QColor(theme.palette().dim))
            painter.setFont(theme.figures(13))
            painter.drawText(QRectF(box.left() + advance + 4, 29, 30, 24), AT_LEFT, "%")
        painter.setPen(QColor(theme.palette().dim if measured else theme.palette().faint))
        painter.setFont(theme.figures(12, QFont.Weight.Normal))
        text = f"{texts.recent} % over {RECENT_SECONDS:g} s" if measured else "not solved"
        painter.drawText(QRectF(box.left(), 58, box.width(), 18), AT_LEFT, text)


def _in_words(mode: str, texts: FlickerTexts) -> str:
    """Return a column as a screen reader says it."""
    if texts.recent == NOTHING:
        return f"{MODE_NAMES[mode]}: not solved"
    return f"{MODE_NAMES[mode]}: {texts.now} % now, {texts.recent} % over {RECENT_SECONDS:g} s"


TRACE_HEIGHT = 118
TRACE_LEFT, TRACE_RIGHT, TRACE_BOTTOM = 42.0, 16.0, 18.0
"""Room for the figures on the left, and for the labels below, the outermost of which stand half outside the axis."""

TRACE_MARGINS = 0.02, 0.08
"""The curves stay this share of the axes' lengths away from the ends."""

HIGH_PERCENTILE = 99.0
"""A single spike, such as a re-detection, may exceed the axis, so that it does not flatten everything else."""


class FlickerTrace(QWidget):
    """Both modes' flicker per frame over the last 10 seconds, in % of the inter-ocular distance."""

    def __init__(self) -> None:
        super().__init__()
        self._scale = GrowingScale(floor=0.5)
        self._flicker = FlickerView()
        self.setFixedHeight(TRACE_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Flicker of every frame of the last 10 s, in % of the inter-ocular distance")
        self.setAccessibleName("Flicker of the last 10 s")

    def show_flicker(self, flicker: FlickerView) -> None:
        """Draw the pair's traces."""
        self._flicker = flicker
        traces = [flicker.modes[mode].trace for mode in flicker.pair]
        measured = [trace[np.isfinite(trace)] for trace in traces]
        highest = max((float(np.percentile(each, HIGH_PERCENTILE)) for each in measured if each.size), default=0.0)
        self._scale.see(highest, flicker.now)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the axes' figures and the curves, the pair's first mode on top."""
        colours, top = theme.palette(), self._scale.top
        painter = smooth_painter(self)
        plot = QRectF(TRACE_LEFT, 0, self.width() - TRACE_LEFT - TRACE_RIGHT, TRACE_HEIGHT - TRACE_BOTTOM)
        beside, below = TRACE_MARGINS[0] * plot.width(), TRACE_MARGINS[1] * plot.height()
        area = plot.adjusted(beside, below, -beside, -below)
        painter.setFont(theme.figures(10))
        painter.setPen(QColor(colours.faint))
        for share in (0.0, 0.5, 1.0):
            y = area.bottom() - share * area.height()
            unit = " %" if share == 1 else ""
            painter.drawText(QRectF(0, y - 8, TRACE_LEFT - 5, 16), AT_RIGHT, f"{share * top:.3g}{unit}")
            seconds = (share - 1) * TRACE_SECONDS
            around = QRectF(area.left() + share * area.width() - 30, plot.bottom(), 60, TRACE_BOTTOM)
            painter.drawText(around, Qt.AlignmentFlag.AlignCenter, f"{seconds:g} s" if seconds else "now")
        painter.setClipRect(plot)
        x = area.right() + self._flicker.times * (area.width() / TRACE_SECONDS)
        for mode in reversed(self._flicker.pair):
            pen = QPen(QColor(colours.modes[mode]), 1)
            pen.setCosmetic(True)  # wider lines take ten times as long
            painter.setPen(pen)
            draw_curve(painter, x, area.bottom() - self._flicker.modes[mode].trace * (area.height() / top))


def _region_in_words(region: Region, values: tuple[tuple[str, float], ...]) -> str:
    figures = ", ".join(f"{MODE_NAMES[mode]} {value:.{DECIMALS}f} %" for mode, value in values)
    return f"{region.name.capitalize()}: {figures or 'not measured'}"


LINE_HEIGHT = 19
NAME_WIDTH = 66
FIGURE_WIDTH = 38
DECIMALS = 2

Shown = tuple[tuple[tuple[str, float], ...], ...]
"""By region, the modes that have a value, with it."""


class RegionBars(QWidget):
    """The last 5 seconds per region; both modes share one scale."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: Shown = ((),) * len(REGIONS)
        self._scale = GrowingScale(floor=0.5)
        self._top = self._scale.top
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Flicker of each region over the last 5 s; the figure is the larger bar's")
        self.setAccessibleName("Flicker by region")

    def sizeHint(self) -> QSize:
        """One line per region."""
        return QSize(260, LINE_HEIGHT * len(REGIONS))

    def show_flicker(self, flicker: FlickerView) -> None:
        """Show the regions of the pair's modes."""
        regions = {mode: flicker.modes[mode].regions for mode in flicker.pair}
        shown: Shown = tuple(
            tuple(
                (mode, round(values[row], DECIMALS))
                for mode, values in regions.items()
                if values is not None and math.isfinite(values[row])
            )
            for row in range(len(REGIONS))
        )
        top = self._scale.see(max((value for row in shown for _, value in row), default=0.0), flicker.now)
        if (shown, top) != (self._shown, self._top):
            self._shown, self._top = shown, top
            self.setAccessibleDescription(". ".join(map(_region_in_words, REGIONS, shown)))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint every region's line."""
        painter = smooth_painter(self)
        painter.setFont(theme.figures(12, QFont.Weight.Normal))
        for row, region in enumerate(REGIONS):
            top = row * LINE_HEIGHT
            painter.setPen(QColor(theme.palette().faint))  # a rim: the pupils' white would vanish on a white card
            painter.setBrush(QColor(*region.colour))
            painter.drawEllipse(QRectF(0, top + LINE_HEIGHT / 2 - 3, 6, 6))
            painter.setPen(QColor(theme.palette().dim))
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(13, top, NAME_WIDTH, LINE_HEIGHT), middle, region.name.capitalize())
        painter.setFont(theme.figures(11))
        for row, values in enumerate(self._shown):
            self._paint_bars(painter, row * LINE_HEIGHT, values)

    def _paint_bars(self, painter: QPainter, top: float, values: tuple[tuple[str, float], ...]) -> None:
        room = self.width() - NAME_WIDTH - FIGURE_WIDTH - 13
        left = NAME_WIDTH + 13
        colours = theme.palette()
        height = 4.0 if len(values) > 1 else 6.0
        first = top + (LINE_HEIGHT - (height * len(values) + 2 * (len(values) - 1))) / 2
        painter.setPen(Qt.PenStyle.NoPen)
        if not values:
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(QRectF(left, top + LINE_HEIGHT / 2 - 2, room, 4), 2, 2)
            return
        for number, (mode, value) in enumerate(values):
            y = first + number * (height + 2)
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(QRectF(left, y, room, height), height / 2, height / 2)
            painter.setBrush(QColor(colours.modes[mode]))
            width = max(height, room * min(1.0, value / self._top))
            painter.drawRoundedRect(QRectF(left, y, width, height), height / 2, height / 2)
        painter.setPen(QColor(colours.text))
        figure = QRectF(self.width() - FIGURE_WIDTH, top, FIGURE_WIDTH, LINE_HEIGHT)
        painter.drawText(figure, AT_RIGHT, f"{max(value for _, value in values):.{DECIMALS}f}")
