"""Discs that hold landmarks with a known probability."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from app.cli import main as cli
from app.core.errors import EXIT_BAD_INPUT
from app.core.places import DEFAULT_WEIGHTS
from model.config import LANDMARKS, LdeqConfig
from model.engine.export import export_onnx
from model.engine.open import open_engine
from model.errors import ModelError
from model.geometry import Crop
from model.network import Ldeq
from model.rwr.cold import cold_solve
from model.rwr.solution import disc_radii
from model.training.uncertainty import Solved, fit, held, widened
from model.uncertainty import NOTE, PERCENTS, Calibration, read_calibration, seen_at
from model.weights import read_card, save_weights, write_card
from tests.fakes import face_image, face_points, portrait
from tests.lab_fakes import list_line
from tests.training_fakes import write_faces

pytestmark = pytest.mark.slow


def drawn(count: int, factor: float, seed: int, channels: int = 0) -> Solved:
    """Return faces whose law is known: the error grows with the spread to the power of 1.2, and is five times as large
    for the fifth of the points that the second channel tells."""
    random = np.random.default_rng(seed)
    shape = (count, LANDMARKS)
    spread = 0.015 * np.exp(0.4 * random.standard_normal(shape))
    scale = np.linspace(0.5, 2.0, LANDMARKS)
    error = factor * scale * spread**1.2 * random.rayleigh(size=shape)
    seen = random.normal(3.0, 0.1, (*shape, channels)).astype(np.float32)
    if channels:
        covered = random.random(shape) < 0.2
        error[covered] *= 5
        seen[covered, 1] += 4
    return Solved(error, spread, seen)


def test_discs_hold_what_they_say() -> None:
    found = fit(drawn(400, 1.0, 0))
    assert found.exponent == pytest.approx(1.2, abs=0.05)
    ratio = np.array(found.scale)[-1] / np.array(found.scale)[0]
    assert ratio == pytest.approx(4.0, rel=0.2)
    for percent, share in held(found, drawn(400, 1.0, 1)).items():
        assert share == pytest.approx(percent, abs=1.0)


def test_what_is_seen_at_a_landmark_tells_covered_ones() -> None:
    training, faces = drawn(200, 1.0, 0, channels=2), drawn(200, 1.0, 1, channels=2)
    found, blind = fit(training), fit(Solved(training.errors, training.spreads, training.seen[..., :0]))
    assert (found.channels, blind.channels) == (2, 0)
    covered = faces.seen[..., 1] > 5
    inside, without = (faces.ratios(each) <= each.quantiles[1] for each in (found, blind))
    assert without[covered].mean() < 0.5
    assert inside[covered].mean() == pytest.approx(0.8, abs=0.04)
    assert held(found, faces)[80] == pytest.approx(80, abs=1.0)


def test_the_nearest_cell_is_seen() -> None:
    u = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4)
    points = np.array([[0.3, 0.9], [-2.0, 0.0], [1.0, 1.0], [np.nan, 0.5]], np.float32)
    expected = [[13, 29], [0, 16], [15, 31], [8, 24]]
    assert seen_at(u, points, 2).tolist() == expected
    assert seen_at(torch.from_numpy(u).half(), points, 1).tolist() == [[value] for value, _ in expected]


def test_unseen_faces_widen_the_discs() -> None:
    learned = fit(drawn(400, 1.0, 0))
    harder = drawn(400, 1.3, 1)
    assert held(learned, harder)[80] < 70
    wider = widened(learned, harder)
    assert wider.quantiles[0] / learned.quantiles[0] == pytest.approx(1.3, rel=0.03)
    for percent, share in held(wider, drawn(400, 1.3, 2)).items():
        assert share == pytest.approx(percent, abs=1.0)


def test_the_shipped_weights_know_their_uncertainty() -> None:
    found = read_calibration(read_card(DEFAULT_WEIGHTS))
    assert found is not None
    engine = open_engine(DEFAULT_WEIGHTS, "onnx", "cpu", 1)
    crop = Crop(224.0, 130.0, 130.0)  # of the face
    u = engine.encode(crop.extract(portrait(), engine.config.input_size)[None])
    solution = cold_solve(engine, u, crop)
    smaller, middle, larger = (disc_radii(found, solution, crop, u[0], percent) for percent in PERCENTS)
    assert (smaller > 0).all()
    assert (smaller < middle).all()
    assert (middle < larger).all()
    assert 0.005 < np.median(middle) / crop.side < 0.05, "a few percent of the inter-ocular distance, as NME says"
    doubtful = dataclasses.replace(solution, fresh_spread=2 * solution.fresh_spread)
    assert (disc_radii(found, doubtful, crop, u[0], 80) > middle).all()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_weights(path, Ldeq(LdeqConfig(name="tiny", input_size=64, injection=8, width=16, increment=8)), {"of": "test"})
    export_onnx(path)
    return path


def test_the_command_enters_it_beside_the_other_notes(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_faces(tmp_path / "faces", 8)
    images = tmp_path / "images"
    images.mkdir()
    lines = []
    for number, x in enumerate((120, 160)):
        cv2.imwrite(str(images / f"{number}.png"), face_image(320, 240, x, 120, 100))
        lines.append(list_line(face_points(x, 120, 100), "000000", f"{number}.png"))
    (tmp_path / "list.txt").write_text("\n".join(lines))
    before = read_card(weights)
    assert read_calibration(before) is None
    words = ["train-uncertainty", "--data", str(data), "--weights", str(weights), "--list", str(tmp_path / "list.txt")]
    assert cli.main([*words, "--images", str(images)]) == 0
    after = read_card(weights)
    assert (after.files, after.config, after.notes["of"]) == (before.files, before.config, "test")
    assert read_calibration(after) is not None
    assert "every second unseen face" in capsys.readouterr().out
    assert cli.main([*words, "--images", str(images), "--device", "cuda"]) == EXIT_BAD_INPUT
    assert "leave --device out" in capsys.readouterr().err
    assert cli.main([*words, "--images", str(images), "--limit-faces", "1"]) == EXIT_BAD_INPUT
    assert "needs 2 faces or more" in capsys.readouterr().err
    (tmp_path / "list.txt").write_text(lines[0])
    assert cli.main([*words, "--images", str(images)]) == EXIT_BAD_INPUT
    assert "list.txt names 1 face; give 2 or more" in capsys.readouterr().err
    assert read_card(weights) == after


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scale": (1.0,) * 3}, "of 3 landmarks"),
        ({"quantiles": (1.0,)}, "1 quantiles"),
        ({"exponent": "one"}, "cannot be used"),
        ({"appearance": ((1.0,) * 3,) * 2}, "of 6 regions"),
        ({"appearance": ((1.0,) * 99,) * 6}, "of 99 channels"),
    ],
)
def test_damaged_constants_are_refused(weights: Path, change: dict[str, object], sentence: str) -> None:
    card = read_card(weights)
    values = Calibration(1.0, (1.0,) * LANDMARKS, (1.0, 1.7, 2.7)).to_dict() | change
    write_card(dataclasses.replace(card, notes={NOTE: values}))
    with pytest.raises(ModelError, match=sentence):
        read_calibration(read_card(weights))
