"""bfloat16 where it is faster than float32."""

from __future__ import annotations

from functools import cache

import torch


@cache
def cpu_has_bfloat16() -> bool:
    """Return whether the processor calculates in bfloat16.

    Where it does not, convolutions in bfloat16 are emulated and several times as slow as in float32. PyTorch can tell
    only where it was built with oneDNN, which it is not for Apple's processors.
    """
    built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return built and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device_type: str) -> torch.autocast:
    """Return a context in which convolutions run in bfloat16, on CUDA and on CPUs that support it."""
    return torch.autocast(device_type, torch.bfloat16, enabled=device_type != "cpu" or cpu_has_bfloat16())
