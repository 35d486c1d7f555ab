"""The filters that landmarks are compared with, in words.

Their settings are fixed in the window: a comparison means the same in every session, and can be repeated. ``main.py
lab`` compares whole grids of settings and ``main.py evaluate`` takes any.
"""

from app.core.modes import MODE_NAMES, Baseline, Mode
from app.gui.presenters.options import Option
from app.tracking.smoothing import SmoothingSettings

_USED = SmoothingSettings()

FILTERS = (
    Option(
        Baseline.EMA,
        MODE_NAMES[Mode.EMA],
        f"The cold solve smoothed by an exponential moving average (alpha {_USED.alpha:g}): steadier, but late",
    ),
    Option(
        Baseline.ONE_EURO,
        MODE_NAMES[Mode.ONE_EURO],
        f"The cold solve smoothed by the 1 euro filter (cut-off {_USED.min_cutoff:g} Hz, beta {_USED.beta:g}): "
        "less when the face moves",
    ),
)
