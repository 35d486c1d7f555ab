"""An engine that sees every crop twice, as it is and mirrored, and answers as one network that is symmetric.

With M the mirroring of a picture or of a state (which also swaps the landmarks of left and right), the cell

    g(z, u) = (f(z, u) + M f(M z, u_M)) / 2,        u_M the injection of the mirrored crop,

gives a mirrored crop the mirrored answer exactly, whatever f is. Its fixed point is solved, warm-started and decoded
like any other. The mistakes of f and of its mirror image are partly independent, so their mean has fewer; the network
runs on twice as many crops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from model.config import LdeqConfig
from model.engine.base import Asynchronous, Engine, State
from model.engine.names import Precision
from model.errors import ModelError
from model.heatmap import mirrored, mirrored_mean


class SymmetricEngine:
    """Runs another engine on crops and their mirror images.

    The injection u (n, 2 C, h, h) holds the crop's channels before those of the mirrored crop.
    """

    def __init__(self, engine: Engine) -> None:
        """Let ``engine`` run the network; :func:`symmetric_engine` keeps what it is able to."""
        self._engine = engine

    @property
    def one_sided(self) -> Engine:
        """The engine that runs the network."""
        return self._engine

    @property
    def config(self) -> LdeqConfig:
        """Shape and solver of the model."""
        return self._engine.config

    @property
    def name(self) -> str:
        """Library and device in use, and that crops are seen twice."""
        return f"{self._engine.name}, symmetric"

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions."""
        return self._engine.precision

    def encode(self, crops: NDArray[np.uint8]) -> State:
        """Return the injection u for RGB crops (n, input_size, input_size, 3)."""
        u = self._engine.encode(_pairs(crops, crops[:, :, ::-1]))
        return array_namespace(u).reshape(u, (len(crops), -1, *u.shape[2:]))

    def zero_state(self, count: int) -> State:
        """Return z0 = 0."""
        return self._engine.zero_state(count)

    def evaluate(self, z: State, u: State) -> State:
        """Return g(z, u)."""
        xp, count = array_namespace(z), z.shape[0]
        both = self._engine.evaluate(_pairs(z, mirrored(z)), xp.reshape(u, (2 * count, -1, *u.shape[2:])))
        both = xp.reshape(both, (count, 2, *z.shape[1:]))
        return mirrored_mean(both[:, 0, ...], both[:, 1, ...])

    def decode(self, z: State) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return landmarks (n, k, 2) and spread (n, k) in crop units."""
        return self._engine.decode(z)


class _AsynchronousSymmetricEngine(SymmetricEngine):
    def wait(self) -> None:
        """Block until all work submitted so far is done."""
        assert isinstance(self._engine, Asynchronous)
        self._engine.wait()


def symmetric_engine(engine: Engine) -> SymmetricEngine:
    """Return the symmetric engine that ``engine`` runs the network of; asynchronous if that is.

    Raises:
        ModelError: where the columns of a mirrored heatmap would lie between those of a heatmap.
    """
    if not engine.config.half_pixel:
        raise ModelError("weights of the published model cannot run symmetrically; switch that off")
    return (_AsynchronousSymmetricEngine if isinstance(engine, Asynchronous) else SymmetricEngine)(engine)


def one_sided(engine: Engine) -> Engine:
    """Return an engine that sees a crop only as it is: the one inside a symmetric engine, any other itself."""
    return engine.one_sided if isinstance(engine, SymmetricEngine) else engine


def _pairs(first: Any, second: Any) -> Any:
    """Return two batches (n, ...) as one (2 n, ...), the members of a pair beside each other."""
    xp = array_namespace(first)
    return xp.reshape(xp.stack([first, second], axis=1), (-1, *first.shape[1:]))
