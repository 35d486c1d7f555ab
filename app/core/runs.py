"""Runs of True in a row of flags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def runs(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return where each run of True in ``flags`` (n,) begins and where it has ended, (runs, 2)."""
    return np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)
