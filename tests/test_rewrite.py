"""The cell that is exported computes what the trained one does."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from model.config import LdeqConfig
from model.engine.export import write_graph
from model.engine.onnx_engine import session
from model.engine.rewrite import rewritten_cell
from model.network import Cell

CONFIG = LdeqConfig(name="tiny", input_size=128, injection=16, width=16, increment=16, max_steps=3)


@pytest.fixture
def cell() -> Cell:
    """A cell whose norms do scale and shift, the way trained ones do."""
    torch.manual_seed(7)
    cell = Cell(CONFIG).eval()
    for module in cell.modules():
        if isinstance(module, nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, 0.3)
            nn.init.normal_(module.bias, 0.0, 0.3)
    return cell


def inputs(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    cells = CONFIG.heatmap_size
    return torch.rand(count, CONFIG.landmarks, cells, cells) ** 8, torch.randn(count, CONFIG.encoding, cells, cells)


@torch.no_grad()
def test_rewritten_cell_computes_the_same(cell: Cell) -> None:
    z, u = inputs(2)
    expected = cell(z, u)
    assert (rewritten_cell(cell)(z, u) - expected).abs().max() < 2e-5
    assert torch.equal(cell(z, u), expected)  # the cell itself is as it was


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 3])
def test_graph_of_the_rewritten_cell_computes_the_same(cell: Cell, tmp_path: Path, count: int) -> None:
    path = tmp_path / "cell.onnx"
    write_graph(rewritten_cell(cell), inputs(1), path, ["z", "u"], "f")
    z, u = inputs(count)
    (found,) = session(path, "cpu", 1).run(None, {"z": z.numpy(), "u": u.numpy()})
    assert abs(found - cell(z, u).numpy()).max() < 5e-5


@torch.no_grad()
def test_graph_joins_nothing_on_the_way_up_and_reads_no_sizes(cell: Cell, tmp_path: Path) -> None:
    path = tmp_path / "cell.onnx"
    write_graph(rewritten_cell(cell), inputs(1), path, ["z", "u"], "f")
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("Concat") == 1  # of the state and the injection
    assert kinds.count("Shape") == 0
    norms = sum(isinstance(module, nn.GroupNorm) for module in cell.modules())
    assert kinds.count("BatchNormalization") == kinds.count("InstanceNormalization") == norms
