"""The last ten seconds of flicker, a curve per mode."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSizePolicy

from app.gui import theme
from app.gui.presenters.flicker import MODES, TRACE_SECONDS, FlickerView
from app.gui.presenters.scale import GrowingScale

HEIGHT = 118
HIGH_PERCENTILE = 99.0
"""A single spike, such as a re-detection, may leave the axis; it must not flatten everything else."""


class FlickerTrace(pg.PlotWidget):
    """Both modes' flicker per frame over the last 10 seconds, in % of the inter-ocular distance."""

    def __init__(self) -> None:
        super().__init__(background=theme.palette().card)
        self._scale = GrowingScale(floor=0.5)
        self._top = 0.0
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Flicker of every frame of the last 10 s, in % of the inter-ocular distance")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setAntialiasing(True)
        item = self.getPlotItem()
        # Room for the outermost labels, which stand half outside the axes.
        item.setContentsMargins(0, 0, 16, 0)
        item.showGrid(x=False, y=True, alpha=0.12)
        for side in ("left", "bottom"):
            axis = item.getAxis(side)
            axis.setPen(pg.mkPen(None))
            axis.setTextPen(pg.mkPen(QColor(theme.palette().faint)))
            axis.setStyle(tickFont=theme.figures(10), tickLength=0, hideOverlappingLabels=False)
        item.getAxis("left").setWidth(30)
        item.getAxis("bottom").setHeight(18)
        seconds = (-TRACE_SECONDS, -TRACE_SECONDS / 2, 0.0)
        item.getAxis("bottom").setTicks([[(s, f"{s:g} s" if s else "now") for s in seconds]])
        self.setXRange(-TRACE_SECONDS, 0, padding=0.02)
        self._curves = {
            mode: self.plot(pen=pg.mkPen(theme.palette().modes[mode], width=1.4), connect="finite")
            for mode in reversed(MODES)
        }
        self._rescale()

    def show_flicker(self, flicker: FlickerView) -> None:
        """Draw both traces."""
        times = np.asarray(flicker.times, np.float64)
        highest = 0.0
        for mode, curve in self._curves.items():
            values = np.asarray(flicker.modes[mode].trace, np.float64)
            finite = values[np.isfinite(values)]
            if finite.size:
                highest = max(highest, float(np.percentile(finite, HIGH_PERCENTILE)))
                curve.setData(times, values)
            else:
                curve.setData([], [])
        self._scale.see(highest)
        self._rescale()

    def _rescale(self) -> None:
        if self._scale.top != self._top:
            self._top = self._scale.top
            # A margin beyond the outermost ticks, or pyqtgraph leaves their labels out.
            self.setYRange(-0.08 * self._top, 1.08 * self._top, padding=0)
            ticks = [(value, f"{value:.3g}") for value in (0.0, self._top / 2, self._top)]
            self.getPlotItem().getAxis("left").setTicks([ticks])
