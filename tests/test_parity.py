"""Against what the released implementation computes for deterministic weights and images.

The fixture is research data outside the repository; without it these tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.config import LdeqConfig
from model.heatmap import decode
from model.network import Ldeq
from model.official import our_name, released_uncertainty
from model.solvers import SOLVER_FUNCTIONS

FIXTURE = Path(__file__).resolve().parents[2] / "shared" / "data" / "official_parity_small.json"
pytestmark = pytest.mark.skipif(not FIXTURE.is_file(), reason="the parity fixture is not beside the repository")


@pytest.fixture(scope="module")
def fixture() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(FIXTURE.read_text())
    return values


def deterministic_state(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """Build the weights of the fixture's recipe under our names."""
    state = {}
    for i, (name, shape) in enumerate(shapes.items()):
        if name.endswith("num_batches_tracked"):
            continue
        t = np.arange(int(np.prod(shape)), dtype=np.float64)
        base = np.sin(0.731 * t + 1.37 * i) + 0.5 * np.sin(0.113 * t + 0.29 * i)
        if name.endswith("running_var"):
            values = 1 + 0.3 * np.abs(base)
        elif name.endswith("running_mean"):
            values = 0.1 * base
        elif name.endswith("norm.weight"):
            values = 1 + 0.1 * base
        elif name.endswith("bias"):
            values = 0.05 * base
        else:
            values = base * np.sqrt(1.2 / np.prod(shape[1:]))
        state[our_name(name)] = torch.from_numpy(values.reshape(shape).astype(np.float32))
    return state


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The random cell does not converge and amplifies rounding, so sums must run in the fixture's order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def image(t: int) -> torch.Tensor:
    k, y, x = np.meshgrid(np.arange(3.0), np.arange(256.0), np.arange(256.0), indexing="ij")
    values = np.sin(x / (11 + 3 * k) + 0.05 * t) + np.cos(y / (17 - 2 * k) - 0.03 * t) + 0.3 * np.sin((x + y) / 7 + k)
    return torch.from_numpy(values[None].astype(np.float32))


@pytest.mark.parametrize(("case", "tolerance"), [(0, 1e-5), (1, 1e-5), (2, 1e-4)], ids=["anderson", "fpi", "broyden"])
@torch.inference_mode()
def test_matches_released_implementation(fixture: dict[str, Any], case: int, tolerance: float) -> None:
    settings, expected = fixture["cases"][case]["config"], fixture["cases"][case]["expected"]
    config = LdeqConfig(
        injection=settings["inj"], width=settings["base"], increment=settings["inc"], kernel=5,
        groups=settings["groups"], beta=settings["beta"], half_pixel=False,
    )  # fmt: skip
    model = Ldeq(config).eval()
    missing, unexpected = model.load_state_dict(deterministic_state(fixture["state_dict_shapes"]), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    solve = SOLVER_FUNCTIONS[settings["solver"]]

    def run(u: torch.Tensor, z: torch.Tensor, steps: int) -> torch.Tensor:
        state, _ = solve(lambda z: model.cell(z, u), z, steps, settings["rel"])
        return model.cell(state, u)

    u = model.stem(image(0))
    still = run(u, model.zero_state(u), settings["iters"])
    points, spread = decode(still, half_pixel=False)[0], released_uncertainty(still)
    assert np.abs(points[0].numpy() - np.array(expected["still_keypoints"])).max() < tolerance
    assert np.abs(spread[0].numpy() - np.array(expected["still_uncertainty"])).max() < tolerance

    z = model.zero_state(u)
    for t, keypoints in enumerate(expected["rwr_keypoints"]):
        z = run(model.stem(image(t)), z, 1)
        points, _ = decode(z, half_pixel=False)
        assert np.abs(points[0].numpy() - np.array(keypoints)).max() < tolerance
