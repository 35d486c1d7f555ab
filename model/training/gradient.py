"""Names of the gradients at a fixed point, as the command line and recipes write them."""

from __future__ import annotations

from enum import StrEnum


class Gradient(StrEnum):
    """How the gradient at a fixed point is found.

    JFB takes the last evaluation's for it (Fung et al., 2022), IMPLICIT solves for the fixed point's own, see
    :mod:`model.training.implicit`.
    """

    JFB = "jfb"
    IMPLICIT = "implicit"
