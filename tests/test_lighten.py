"""A light model and the teacher whose features it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from model.config import LdeqConfig, preset
from model.errors import ModelError
from model.network import Ldeq, LightStem, Stem
from model.training.lighten import Imitation, lightened
from tests.training_fakes import multiplications, of_shape, some_faces, tiny_recipe, unlike_a_new_one

pytestmark = pytest.mark.usefixtures("one_thread")

HEAVY = LdeqConfig(name="tiny", input_size=64, injection=8, width=16, increment=8, max_steps=2, face_mesh=True)
LIGHT = replace(HEAVY, light=True)


def a_teacher() -> Ldeq:
    torch.manual_seed(0)
    teacher = Ldeq(HEAVY)
    for inject in teacher.cell.hourglass.inject:
        assert isinstance(inject, nn.Conv2d)
        inject.reset_parameters()
    return unlike_a_new_one(teacher)


@torch.inference_mode()
def test_features_of_a_teacher_without_slopes_are_taken_over_as_they_are() -> None:
    teacher = a_teacher()
    assert isinstance(teacher.stem, Stem)
    assert teacher.stem.mesh is not None
    for module in teacher.stem.mesh.modules():
        if isinstance(module, nn.PReLU):
            module.weight.zero_()
    model = lightened(teacher, LIGHT).eval()
    assert isinstance(model.stem, LightStem)
    x = torch.randn(1, 3, 64, 64)
    for found, wanted in zip(model.stem.encoder(x), teacher.stem.mesh.encoder(x), strict=True):
        torch.testing.assert_close(found, wanted)
    seen, taught = model.cell.unpack(model.stem(x)), teacher.cell.unpack(teacher.stem(x))
    readers = zip(model.cell.hourglass.inject, teacher.cell.hourglass.inject, strict=True)
    for (reader, wanted_reader), found, wanted in zip(readers, seen[1:], taught[1:], strict=True):
        torch.testing.assert_close(reader(found), wanted_reader(wanted), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_the_cell_is_the_teachers() -> None:
    teacher = a_teacher()
    found, wanted = lightened(teacher, LIGHT).cell.state_dict(), teacher.cell.state_dict()
    for name in found:
        assert torch.equal(found[name], wanted[name]) != ("inject" in name), name


def test_a_light_model_comes_nearer_to_its_teacher() -> None:
    teacher = a_teacher()
    model = lightened(teacher, LIGHT).train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    recipe, faces = of_shape(tiny_recipe(1), light=True), some_faces()
    objective = Imitation(teacher)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)

    def distance() -> float:
        torch.manual_seed(1)
        return objective(model, recipe, faces[torch.arange(4)], recipe.stages[0])

    start = distance()
    for _ in range(20):
        objective(model, recipe, faces[torch.arange(4)], recipe.stages[0])
        optimiser.step()
    assert distance() < 0.7 * start
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert all(value.grad is None for value in teacher.parameters())


@pytest.mark.parametrize(
    ("teacher", "config"),
    [
        (replace(HEAVY, face_mesh=False), LIGHT),
        (LIGHT, LIGHT),
        (HEAVY, HEAVY),
        (replace(HEAVY, width=24), LIGHT),
    ],
)
def test_another_kind_of_model_teaches_nothing(teacher: LdeqConfig, config: LdeqConfig) -> None:
    with pytest.raises(ModelError, match="cannot teach"):
        lightened(Ldeq(teacher), config)


def test_a_light_model_is_made_of_face_mesh_features() -> None:
    with pytest.raises(ModelError, match="face_mesh"):
        LdeqConfig(light=True)


def test_a_light_stem_multiplies_less_than_one_of_its_own() -> None:
    light, plain, heavy = (multiplications(Ldeq(preset(name))) for name in ("ldeq-s-light", "ldeq-s", "ldeq-s-mesh"))
    assert light < plain < heavy
