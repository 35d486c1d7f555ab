"""Detection of CUDA without importing PyTorch, which takes a second and a half."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
"""The library that every NVIDIA driver brings."""

NAME_LENGTH = 256


def card_name() -> str | None:
    """Return the first card that CUDA offers this process and its driver's CUDA, None if there is no card.

    The driver itself is asked; it respects CUDA_VISIBLE_DEVICES.
    """
    try:
        driver = ctypes.CDLL(DRIVER)
        device, version, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(NAME_LENGTH)
        failed = (
            driver.cuInit(0)
            or driver.cuDeviceGet(ctypes.byref(device), 0)
            or driver.cuDeviceGetName(name, NAME_LENGTH, device)
            or driver.cuDriverGetVersion(ctypes.byref(version))
        )
    except (OSError, AttributeError):  # no driver, or something else of that name
        return None
    if failed:
        return None
    return (
        f"{name.value.decode(errors='replace')}, driver for CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    )


def torch_has_cuda() -> bool:
    """Whether the PyTorch that is installed was built for CUDA."""
    return _installed("torch", "lib", ("libtorch_cuda.so", "torch_cuda.dll"))


def onnxruntime_has_cuda() -> bool:
    """Whether the onnxruntime that is installed brings its CUDA part."""
    return _installed("onnxruntime", "capi", ("libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"))


def _installed(package: str, folder: str, files: tuple[str, ...]) -> bool:
    """Whether a package has one of these files. Its version does not tell: on Windows both builds may have the same."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return False
    return any((Path(spec.origin).parent / folder / file).is_file() for file in files)
