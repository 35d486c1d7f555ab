"""``evaluate compare``: two evaluations of the same units, pair by pair."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli import evaluate
from app.core.errors import EXIT_OK, UserError
from app.lab.accuracy.comparison import compare, read_evaluation
from model.metrics.accuracy import accuracy

pytestmark = pytest.mark.slow

FACES = 60


def wflw(path: Path, nme: list[float | None], mode: str = "off", **extra: Any) -> Path:
    faces = [
        {"name": f"{i}.jpg", "nme": value, "nme_eyes_mouth": None if value is None else value / 2, "nmf": None}
        for i, value in enumerate(nme)
    ]
    content = {"dataset": "wflw", "per_face": faces, "weights": {"name": "tiny"}, "settings": {"mode": mode}, **extra}
    path.write_text(json.dumps(content))
    return path


def videos(path: Path, nmf: list[float], names: str = "abcdefgh") -> Path:
    rows = [
        {"id": name, "nme": 4.0 + i, "nme_eyes_mouth": 3.0, "nmf": value}
        for i, (name, value) in enumerate(zip(names, nmf, strict=False))
    ]
    path.write_text(json.dumps({"dataset": "wflw-v", "videos": rows}))
    return path


def hard_faces() -> list[float | None]:
    return list(np.random.default_rng(0).gamma(2, 2.5, FACES))


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers())
    return evaluate.run(parser.parse_args(["evaluate", "compare", *map(str, arguments)]))


@pytest.mark.slow
def test_faces_are_compared_pair_by_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cold = hard_faces()
    warm = [value * 1.01 + 0.02 * (-1) ** i for i, value in enumerate(cold) if value is not None]
    out = tmp_path / "out.json"
    files = wflw(tmp_path / "cold.json", cold), wflw(tmp_path / "warm.json", list(reversed(warm)), "rwr")
    # The order of the second file's faces must not matter.
    content = json.loads(files[1].read_text())
    for face, name in zip(content["per_face"], reversed(range(FACES)), strict=True):
        face["name"] = f"{name}.jpg"
    files[1].write_text(json.dumps(content))
    assert run(*files, "--json", out) == EXIT_OK
    figures = {figure["name"]: figure for figure in json.loads(out.read_text())["figures"]}
    assert set(figures) == {"NME", "NME eyes+mouth", "FR@10", "AUC@10"}
    nme = figures["NME"]
    assert nme["units"] == FACES
    assert nme["ratio"] == pytest.approx(np.mean(np.array(warm, float)) / np.mean(np.array(cold, float)))
    low, high = nme["ratio_interval"]
    assert 1.005 < low < nme["ratio"] < high < 1.015
    plain = accuracy(np.array(cold, float) / 100)
    assert figures["FR@10"]["baseline"] == pytest.approx(plain.fr10)
    assert figures["AUC@10"]["baseline"] == pytest.approx(plain.auc10)
    printed = capsys.readouterr().out
    assert "A: cold.json (tiny, off)" in printed
    assert "B: warm.json (tiny, rwr)" in printed
    assert f"{nme['ratio']:.3f} [{low:.3f}, {high:.3f}]" in printed


def test_a_missed_face_fails_and_leaves_the_error_to_the_others(tmp_path: Path) -> None:
    both = wflw(tmp_path / "a.json", [4.0, 6.0, 8.0]), wflw(tmp_path / "b.json", [4.0, None, 16.0])
    figures = {item.name: item for item in compare(*map(read_evaluation, both))}
    assert figures["NME"].units == 2
    assert figures["NME"].ratio.value == pytest.approx(20 / 12)
    assert figures["FR@10"].units == 3
    assert figures["FR@10"].value == pytest.approx(200 / 3)
    assert not np.isfinite(figures["FR@10"].ratio.value)
    assert figures["FR@10"].difference.value == pytest.approx(200 / 3)


def test_videos_are_compared_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cold = videos(tmp_path / "cold.json", [300, 250, 400, 320, 310, 290, 500, 330])
    warm = videos(tmp_path / "warm.json", [120, 100, 180, 130, 125, 112, 205, 130])
    assert run(cold, warm) == EXIT_OK
    (nmf,) = [item for item in compare(read_evaluation(cold), read_evaluation(warm)) if item.name == "NMF"]
    assert nmf.units == 8
    assert nmf.ratio.value == pytest.approx(1102 / 2700)
    assert 0.38 < nmf.ratio.low < nmf.ratio.value < nmf.ratio.high < 0.43
    printed = capsys.readouterr().out
    assert "bootstrap over pairs of videos" in printed
    assert "1.000 [1.000, 1.000]" in printed, "the same NME"


def test_300w_files_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "300w.json"
    path.write_text(json.dumps({"dataset": "300w", "faces": [{"name": f"{i}", "nme": 3.0 + i} for i in range(5)]}))
    figures = {item.name: item for item in compare(read_evaluation(path), read_evaluation(path))}
    assert figures["NME"].ratio.value == 1
    assert figures["FR@10"].difference.value == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no json", "cannot be read: it is not JSON"),
        ("[1, 2]", "is not an evaluation"),
        ('{"dataset": "coco"}', "is not an evaluation"),
        ('{"dataset": ["wflw"]}', "is not an evaluation"),
        ('{"dataset": "300w", "faces": [{"name": "a", "nme": 1}], "weights": "tiny"}', "does not hold the faces"),
        ('{"dataset": "wflw", "nme": 4.8}', "does not hold the faces one by one; evaluate again"),
        ('{"dataset": "wflw-v", "videos": []}', "does not hold the videos one by one"),
        ('{"dataset": "300w", "faces": 554}', "does not hold the faces one by one"),
        ('{"dataset": "wflw", "per_face": [{"name": "a"}]}', "does not hold the faces one by one"),
    ],
)
def test_files_that_are_no_evaluation_are_named(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content)
    with pytest.raises(UserError, match=sentence) as caught:
        run(path, wflw(tmp_path / "a.json", [1.0]))
    assert "odd.json" in str(caught.value)


def test_different_data_are_refused(tmp_path: Path) -> None:
    faces = wflw(tmp_path / "a.json", [1.0, 2.0])
    with pytest.raises(UserError, match="One file is an evaluation of wflw, the other of wflw-v"):
        run(faces, videos(tmp_path / "v.json", [300, 200]))
    with pytest.raises(UserError, match="measured on different faces"):
        run(faces, wflw(tmp_path / "b.json", [1.0, 2.0, 3.0]))
    with pytest.raises(UserError, match=r"nowhere.json cannot be read"):
        run(faces, tmp_path / "nowhere.json")
