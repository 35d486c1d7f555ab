"""The last ten seconds of flicker, a curve per mode."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSizePolicy

from app.core.modes import MODES
from app.gui.live.presenters.flicker import TRACE_SECONDS, FlickerView
from app.gui.presenters.scale import GrowingScale
from app.gui.theme import theme

HEIGHT = 118
HIGH_PERCENTILE = 99.0
"""A single spike, such as a re-detection, may leave the axis; it must not flatten everything else."""

LINE_WIDTH = 1
"""Any wider line takes Qt's slow way: 10 times the time, measured with 2 x 600 points."""


class FlickerTrace(pg.PlotWidget):
    """Both modes' flicker per frame over the last 10 seconds, in % of the inter-ocular distance."""

    def __init__(self) -> None:
        super().__init__()
        self._scale = GrowingScale(floor=0.5)
        self._top = 0.0
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Flicker of every frame of the last 10 s, in % of the inter-ocular distance")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        item = self.getPlotItem()
        # Room for the outermost labels, which stand half outside the axes.
        item.setContentsMargins(0, 0, 16, 0)
        item.showGrid(x=False, y=True, alpha=0.12)
        item.disableAutoRange()
        for side in ("left", "bottom"):
            item.getAxis(side).setStyle(tickFont=theme.figures(10), tickLength=0, hideOverlappingLabels=False)
            item.getAxis(side).setPen(pg.mkPen(None))
            item.getAxis(side).setTickPen(pg.mkPen(None))
        item.getAxis("left").setWidth(30)
        item.getAxis("bottom").setHeight(18)
        seconds = (-TRACE_SECONDS, -TRACE_SECONDS / 2, 0.0)
        item.getAxis("bottom").setTicks([[(s, f"{s:g} s" if s else "now") for s in seconds]])
        self.setXRange(-TRACE_SECONDS, 0, padding=0.02)
        self._curves = {mode: pg.PlotCurveItem(connect="finite", antialias=True) for mode in reversed(MODES)}
        for curve in self._curves.values():
            item.addItem(curve, ignoreBounds=True)
            curve.setVisible(False)
        self._colour()
        self._rescale()

    def show_flicker(self, flicker: FlickerView) -> None:
        """Draw the pair's traces."""
        highest = 0.0
        for mode, curve in self._curves.items():
            values = flicker.modes[mode].trace
            finite = values[np.isfinite(values)] if mode in flicker.pair else values[:0]
            curve.setVisible(finite.size > 0)
            if finite.size:
                highest = max(highest, float(np.percentile(finite, HIGH_PERCENTILE)))
                curve.setData(flicker.times, values)
        self._scale.see(highest, flicker.now)
        self._rescale()

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change between dark and light."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_curves"):
            self._colour()

    def _colour(self) -> None:
        colours = theme.palette()
        self.setBackground(colours.card)
        for side in ("left", "bottom"):
            self.getPlotItem().getAxis(side).setTextPen(pg.mkPen(QColor(colours.faint)))
        for mode, curve in self._curves.items():
            curve.setPen(pg.mkPen(colours.modes[mode], width=LINE_WIDTH))

    def _rescale(self) -> None:
        if self._scale.top != self._top:
            self._top = self._scale.top
            # A margin beyond the outermost ticks, or pyqtgraph leaves their labels out.
            self.setYRange(-0.08 * self._top, 1.08 * self._top, padding=0)
            ticks = [(value, f"{value:.3g}") for value in (0.0, self._top / 2, self._top)]
            self.getPlotItem().getAxis("left").setTicks([ticks])
