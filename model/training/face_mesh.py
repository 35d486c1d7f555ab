"""Reads the published weights of MediaPipe's face mesh into :class:`model.face_mesh.FaceMeshEncoder`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.errors import ModelError
from model.face_mesh import FaceMeshEncoder, ResidualBlock
from model.network import IMAGENET_MEAN, IMAGENET_STD


def published_encoder(path: Path) -> FaceMeshEncoder:
    """Return the encoder of ``face_landmark.tflite`` (mediapipe up to 0.10.21, Apache-2.0).

    The published network takes RGB in [0, 1]; the first convolution is changed to take pictures as
    :func:`model.network.normalise_image` leaves them. The padding below and to the right then means another colour.

    Raises:
        ModelError: where the file is missing or holds another network.
    """
    encoder = FaceMeshEncoder()
    try:
        layers = _layers(path)
        with torch.no_grad():
            for module in _in_order(encoder):
                _fill(module, next(layers))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; restore it") from error
    except Exception as error:  # what the reader raises for other files may be anything
        raise ModelError(f"{path} is not MediaPipe's face_landmark.tflite; restore it") from error
    first = encoder.first
    assert first.bias is not None
    with torch.no_grad():
        first.bias += (first.weight.sum(dim=(2, 3)) * torch.tensor(IMAGENET_MEAN)).sum(dim=1)
        first.weight *= torch.tensor(IMAGENET_STD)[:, None, None]
    return encoder


def _in_order(encoder: FaceMeshEncoder) -> Iterator[nn.Conv2d | nn.PReLU]:
    """Yield the layers in the order in which the graph runs them."""
    yield encoder.first
    yield encoder.activation
    for block in encoder.modules():
        if isinstance(block, ResidualBlock):
            yield from (block.depthwise, block.pointwise, block.activation)


def _fill(module: nn.Conv2d | nn.PReLU, values: list[NDArray[np.float32]]) -> None:
    if isinstance(module, nn.PReLU):
        (slopes,) = values
        module.weight.copy_(torch.from_numpy(slopes.reshape(-1)))
        return
    weight, bias = values
    # TensorFlow has (out, h, w, in), depthwise (1, h, w, out).
    axes = (3, 0, 1, 2) if module.groups > 1 else (0, 3, 1, 2)
    weight = np.ascontiguousarray(weight.transpose(axes))
    if weight.shape != module.weight.shape:
        raise ValueError(f"a convolution has shape {weight.shape}")
    assert module.bias is not None
    module.weight.copy_(torch.from_numpy(weight))
    module.bias.copy_(torch.from_numpy(bias))


def _layers(path: Path) -> Iterator[list[NDArray[np.float32]]]:
    """Yield the constants of every convolution and PReLU of a graph, in order."""
    import tflite  # only used to make weights

    model = tflite.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    kinds = {tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D, tflite.BuiltinOperator.PRELU}
    widened: dict[int, int] = {}  # constants are float16 and widened by an operator of the graph
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = operator.InputsAsNumpy().tolist()
        if kind == tflite.BuiltinOperator.DEQUANTIZE:
            widened[int(operator.Outputs(0))] = inputs[0]
        elif kind in kinds:
            yield [_constant(model, graph.Tensors(widened.get(index, index))) for index in inputs[1:]]


def _constant(model: Any, tensor: Any) -> NDArray[np.float32]:
    import tflite

    kind = {tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.FLOAT32: np.float32}[tensor.Type()]
    values = model.Buffers(tensor.Buffer()).DataAsNumpy().view(kind)
    return np.asarray(values.reshape(tensor.ShapeAsNumpy()), np.float32)
