"""Asynchronous upload of crops to a device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Staging:
    """Page-locked memory that a GPU reads by itself; a copy from pageable memory would block the processor.

    Args:
        shape: of the pictures, uint8.
        device: where they go. On a CPU the memory is ordinary.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        self._device = device
        self._buffer = torch.empty(shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
        self._pixels = self._buffer.numpy()
        self._read = torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def upload(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Return the pictures on the device; they may be written to as soon as this returns."""
        if self._read is not None:
            self._read.synchronize()  # the last pictures have long been read, but for a caller that never waits
        np.copyto(self._pixels, pictures)
        there = self._buffer.to(self._device, non_blocking=True, copy=True)
        if self._read is not None:
            self._read.record()
        return there
