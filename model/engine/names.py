"""Names of the engines, devices and number formats, as the command line, settings and files write them."""

from __future__ import annotations

from enum import StrEnum


class EngineName(StrEnum):
    """What can run a model; see :func:`model.engine.open.open_engine`."""

    AUTO = "auto"
    ONNX = "onnx"
    ONNX_INT8 = "onnx-int8"
    OPENVINO = "openvino"
    TORCH = "torch"
    TORCH_F32 = "torch-f32"


class Device(StrEnum):
    """Where a model can run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """Number format that convolutions are calculated in."""

    FLOAT32 = "f32"
    FLOAT16 = "f16"
    BFLOAT16 = "bf16"
    INT8 = "int8"
