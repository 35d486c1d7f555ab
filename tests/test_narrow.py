"""Narrowing: which channels stay, and what a narrower model then computes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config import LdeqConfig, preset
from model.errors import ModelError
from model.network import Ldeq
from model.training.narrow import narrowed
from tests.training_fakes import multiplications, unlike_a_new_one

pytestmark = pytest.mark.usefixtures("one_thread")

NARROW = LdeqConfig(name="narrow", input_size=64, injection=8, width=16, increment=8)
MOST_MACS = 0.2e9


def widened(model: Ldeq) -> Ldeq:
    """Return a model of twice the channels that computes the same: every second channel repeats the one before it.

    Nothing reads the copies, and the statistics of a group are the same with them.
    """
    narrow = model.config
    wide = Ldeq(replace(narrow, injection=2 * narrow.injection, width=2 * narrow.width, increment=2 * narrow.increment))
    state = {}
    for name, value in model.state_dict().items():
        if name.endswith("conv.weight") or name == "cell.head.weight":
            given = 3 if "block1" in name else narrow.landmarks if "tail" in name else 0
            read = torch.stack([value[:, given:], torch.zeros_like(value[:, given:])], dim=2).flatten(1, 2)
            value = torch.cat([value[:, :given], read], dim=1)
        if value.ndim and not name.startswith("cell.head"):
            value = value.repeat_interleave(2, dim=0)
        state[name] = value
    wide.load_state_dict(state)
    return wide


def test_the_channels_that_are_read_stay() -> None:
    torch.manual_seed(0)
    model = unlike_a_new_one(Ldeq(NARROW))
    found = narrowed(widened(model), NARROW).state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


@torch.inference_mode()
def test_the_same_width_is_the_same_model_at_another_size() -> None:
    torch.manual_seed(0)
    teacher = unlike_a_new_one(Ldeq(NARROW))
    model = narrowed(teacher, replace(NARROW, input_size=128)).eval()
    x = torch.rand(1, 3, 128, 128)
    u = teacher.stem(x)
    z = teacher.zero_state(u)
    torch.testing.assert_close(model.cell(z, model.stem(x)), teacher.cell(z, u))


def test_face_mesh_features_are_left_out() -> None:
    teacher = Ldeq(replace(NARROW, face_mesh=True))
    assert narrowed(teacher, NARROW).stem.mesh is None


@pytest.mark.parametrize(
    "config",
    [
        replace(NARROW, width=24),
        replace(NARROW, injection=16),
        replace(NARROW, groups=4),
        replace(NARROW, kernel=5),
        replace(NARROW, face_mesh=True),
    ],
)
def test_what_the_teacher_does_not_have_cannot_be_kept(config: LdeqConfig) -> None:
    with pytest.raises(ModelError, match="cannot begin with weights of"):
        narrowed(Ldeq(NARROW), config)


def test_the_smaller_preset_does_a_third_of_the_work() -> None:
    assert multiplications(Ldeq(preset("ldeq-xs"))) <= MOST_MACS
    assert multiplications(Ldeq(preset("ldeq-s"))) > 3 * multiplications(Ldeq(preset("ldeq-xs")))
