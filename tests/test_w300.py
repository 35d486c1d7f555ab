"""300W: reading .pts files, the two normalisations, and the 68 points of a model with 98."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.cli import evaluate
from app.core.errors import UserError
from app.lab.accuracy.predict import Box, Prediction, RectPredictor
from app.lab.accuracy.w300 import evaluate_w300, find_faces, read_pts
from model.config import LdeqConfig
from model.conventions import OFFSETS_300W, SHIFT_300W, moved_right, to_300w
from model.errors import ModelError
from model.network import Ldeq
from model.topology import MIRROR_68, REGIONS, TO_68, inter_ocular, inter_pupil_68, mirror_map, region_points
from model.weights import WeightsCard, load_initial, save_weights, write_card
from tests.fakes import SquareEngine, face_image, face_points
from tests.lab_fakes import SIDE, write_pts

TINY = LdeqConfig(name="tiny", input_size=64, injection=16, width=16, increment=8)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "common set"
    folder.mkdir()
    for i in range(3):
        x = 120 + 10 * i
        cv2.imwrite(str(folder / f"helen_{i}.png"), face_image(320, 240, x, 120, SIDE))
        write_pts(folder / f"helen_{i}.pts", to_300w(face_points(x, 120, SIDE)))
    return folder


class Shifted:
    """A predictor that knows what is seen (left of the labels), moves it, and misses what it is told to miss."""

    engine_name = "fake"

    def __init__(self, truths: list[NDArray[np.float32]], shift: float, missed: int | None = None) -> None:
        self.truths = truths
        self.shift = shift
        self.missed = missed
        self.boxes: list[Box] = []

    def start(self) -> None: ...

    def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
        index = len(self.boxes)
        self.boxes.append(box)
        if index == self.missed:
            return None
        seen = moved_right(self.truths[index], -SHIFT_300W)
        return Prediction(seen + np.array([self.shift, 0.0], np.float32), 4)

    def close(self) -> None: ...


def test_pts_count_pixels_from_one(faces: Path) -> None:
    np.testing.assert_allclose(read_pts(faces / "helen_1.pts"), to_300w(face_points(130, 120, SIDE)), atol=1e-3)


def test_both_normalisations_see_a_known_shift(faces: Path) -> None:
    (faces / "._helen_0.pts").write_bytes(b"\0\5\x16\7")  # as macOS puts it beside each file on foreign disks
    found = find_faces(faces)
    predictor = Shifted([face.landmarks for face in found], shift=3.0)
    result = evaluate_w300(predictor, found)
    truth = np.stack([face.landmarks for face in found])
    assert result.inter_pupil.nme.value == pytest.approx(100 * float(np.mean(3.0 / inter_pupil_68(truth))))
    assert result.inter_ocular.nme.value == pytest.approx(100 * float(np.mean(3.0 / inter_ocular(truth))))
    assert result.inter_pupil.nme.value != pytest.approx(result.inter_ocular.nme.value, rel=1e-3)
    assert result.errors.mean() == pytest.approx(result.inter_pupil.nme.value)
    low, high = truth[0].min(axis=0), truth[0].max(axis=0)
    np.testing.assert_allclose(predictor.boxes[0], [*low, *high])


def test_inter_pupil_is_between_the_eyes_centres() -> None:
    points = np.zeros((68, 2))
    points[36:42] = np.random.default_rng(0).normal(size=(6, 2)) + np.array([-20, 5])
    points[42:48] = points[36:42] + np.array([40, 9])
    assert float(inter_pupil_68(points)) == pytest.approx(41.0)


def test_ninety_eight_points_become_300ws_68(faces: Path) -> None:
    found = find_faces(faces)
    every = [face_points(120 + 10 * i, 120, SIDE) for i in range(3)]
    assert evaluate_w300(Shifted(every, 0.0), found).inter_pupil.nme.value == pytest.approx(0, abs=0.03)


def test_offsets_turn_and_grow_with_the_face() -> None:
    upright = face_points(120, 120, SIDE)
    step = to_300w(upright) - upright[TO_68]
    np.testing.assert_allclose(step, OFFSETS_300W * inter_ocular(upright), atol=1e-3)
    turned = 2 * upright @ np.array([[0.0, 1.0], [-1.0, 0.0]], np.float32)
    np.testing.assert_allclose(
        to_300w(turned) - turned[TO_68], 2 * step @ np.array([[0.0, 1.0], [-1.0, 0.0]]), atol=1e-3
    )
    torch.testing.assert_close(to_300w(torch.from_numpy(upright)[None])[0].numpy(), to_300w(upright))


@pytest.mark.parametrize("count", [98, 68])
def test_points_move_right_in_the_picture_by_parts_of_the_eyes_distance(count: int) -> None:
    upright = face_points(120, 120, SIDE) if count == 98 else to_300w(face_points(120, 120, SIDE))
    turned = upright @ np.array([[0.6, 0.8], [-0.8, 0.6]], np.float32)
    both = np.stack([upright, turned])
    step = moved_right(both, 0.02) - both
    np.testing.assert_allclose(step[..., 0], 0.02 * float(inter_ocular(upright)), atol=1e-3)
    np.testing.assert_array_equal(step[..., 1], 0)
    torch.testing.assert_close(moved_right(torch.from_numpy(both), 0.02).numpy(), moved_right(both, 0.02))


def test_missed_faces_are_failures_without_an_nme(faces: Path) -> None:
    found = find_faces(faces)
    result = evaluate_w300(Shifted([face.landmarks for face in found], 0.0, missed=1), found)
    assert result.missed == 1
    assert result.inter_pupil.nme.value == pytest.approx(0)
    assert result.inter_pupil.fr10.value == pytest.approx(100 / 3)
    assert np.isinf(result.errors[1])


@pytest.mark.parametrize("text", ["", "version: 1\n{\n1 2 3\n}", "version: 1\n{\n1 x\n}", "version: 1\n{\n1 2\n3 4\n}"])
def test_other_files_are_refused_by_name(faces: Path, text: str) -> None:
    (faces / "helen_0.pts").write_text(text)
    with pytest.raises(UserError, match=r"helen_0\.pts"):
        find_faces(faces)


def test_missing_pictures_and_folders_are_named(faces: Path) -> None:
    (faces / "helen_2.png").unlink()
    with pytest.raises(UserError, match="no picture"):
        find_faces(faces)
    with pytest.raises(UserError, match=r"no \.pts files"):
        find_faces(faces / "nowhere")


def test_command_writes_every_face(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "tiny.safetensors"
    weights.write_bytes(b"not read by the fake engine")
    write_card(WeightsCard(weights, TINY, {weights.name: "c0ffee"}, {}))
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers())
    out = tmp_path / "out.json"
    words = ["evaluate", "300w", "--root", str(faces), "--weights", str(weights), "--limit", "2", "--json", str(out)]
    code = evaluate.run(parser.parse_args(words), open_predictor=lambda _: RectPredictor(SquareEngine(), 1.25, None))
    values = json.loads(out.read_text())
    assert code == 0
    assert [face["name"] for face in values["faces"]] == ["helen_0.png", "helen_1.png"]
    assert values["inter_pupil"]["nme"] == pytest.approx(np.mean([face["nme"] for face in values["faces"]]))
    assert "inter-ocular" in capsys.readouterr().out


def test_mirror_and_regions_agree_between_the_schemes() -> None:
    np.testing.assert_array_equal(TO_68[MIRROR_68], mirror_map(98)[TO_68])
    np.testing.assert_array_equal(mirror_map(68), MIRROR_68)
    together = np.concatenate([region_points(region, 68) for region in REGIONS])
    assert sorted(together) == list(range(68))


@torch.inference_mode()
def test_a_68_point_model_begins_as_part_of_the_98_point_one(tmp_path: Path) -> None:
    torch.manual_seed(3)
    whole = Ldeq(TINY).eval()
    path = tmp_path / "whole.safetensors"
    save_weights(path, whole, {})
    part = load_initial(path, LdeqConfig.from_dict({**TINY.to_dict(), "landmarks": 68})).eval()
    u = whole.stem(torch.randn(2, 3, 64, 64))
    z = torch.rand(2, 98, 16, 16)
    points = torch.from_numpy(TO_68)
    with_others_silent = torch.zeros_like(z)
    with_others_silent[:, points] = z[:, points]
    torch.testing.assert_close(part.cell(z[:, points], u), whole.cell(with_others_silent, u)[:, points])


def test_points_cannot_be_taken_from_a_model_without_them(tmp_path: Path) -> None:
    small = LdeqConfig.from_dict({**TINY.to_dict(), "landmarks": 68})
    path = tmp_path / "small.safetensors"
    save_weights(path, Ldeq(small), {})
    with pytest.raises(ModelError, match="finds 68 points; a model of 98"):
        load_initial(path, TINY)
    save_weights(path, Ldeq(TINY), {})
    with pytest.raises(ModelError, match="does not fit"):
        load_initial(path, LdeqConfig.from_dict({**small.to_dict(), "width": 24}))
