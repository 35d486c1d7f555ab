"""bfloat16 where it is faster than float32."""

from __future__ import annotations

import torch

ON_CPU: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported()
"""Where it is not supported, convolutions in bfloat16 are emulated and several times as slow as in float32."""


def autocast(device_type: str) -> torch.autocast:
    """Return a context in which convolutions run in bfloat16, on CUDA and on CPUs that support it."""
    return torch.autocast(device_type, torch.bfloat16, enabled=device_type != "cpu" or ON_CPU)
