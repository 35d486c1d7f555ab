"""``main.py lab``: its page, pictures and JSON, and what it says when it cannot run."""

from __future__ import annotations

import json
import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import pytest

from app.cli import main as cli
from app.core.version import VERSION
from app.lab.flicker.page import page
from app.lab.flicker.plots import Picture, Spot
from app.tracking import engine
from model.config import LdeqConfig
from model.weights import WeightsCard, write_card
from tests.fakes import SquareEngine
from tests.lab_fakes import RWR, experiment, result, square_clip

pytestmark = pytest.mark.slow


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    root.mkdir()
    path = [150 + 10 * math.sin(t) for t in range(10)]
    for name in ("a", "b"):
        square_clip(root, name, path, path, path)
    (root / "animated_ids.txt").write_text("a\n")
    (root / "real_ids.txt").write_text("b\n")
    return root


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of which only the card is read: a fake engine runs."""
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(b"not read")
    write_card(WeightsCard(path, LdeqConfig(name="tiny", crop_scale=1.5), {path.name: "c0ffee"}, {}))
    monkeypatch.setattr(engine, "open_engine", lambda *_: SquareEngine())
    return path


class Page(HTMLParser):
    """Notes what a page points to and checks that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.pictures.append(values["src"] or "")
        self.titles += [values["title"] or ""] if "title" in values else []
        self.links += [value or "" for name, value in attrs if name in ("href", "src") and tag != "img"]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_lab_writes_page_pictures_and_json(
    clips: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "here"
    methods = ["--methods", "rwr", "ema"]
    assert cli.main(["lab", str(clips), *methods, "--weights", str(weights), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "animated, mean of 1, NME in %" in printed
    assert "Attribution of flicker:" in printed
    assert re.search(r"real: (\d+|none) of 10 live filters", printed)
    assert printed.rstrip().endswith(f"Written: {out / 'lab.html'}")
    values = json.loads((out / "lab.json").read_text(encoding="utf-8"))
    assert values["versions"]["ldeq-live"] == VERSION
    # The crop is the model's own, not a constant.
    assert values["settings"]["scale"] == 1.5
    assert {method["family"] for method in values["methods"]} == {"cold", "RwR", "EMA"}
    assert [clip["clip"] for clip in values["methods"][0]["clips"]] == ["a", "b"]
    assert {row["group"] for row in values["blame"]["groups"]} == {"animated", "real"}
    pngs = {path.stem: cv2.imread(str(path)) for path in out.glob("*.png")}
    # The squares are rigid: their expressions have no lag to plot.
    assert set(pngs) == {"jitter_accuracy", "jitter_accuracy_eyes_mouth", "jitter_lag", "nad", "attribution"}
    for name, picture in pngs.items():
        assert picture is not None, name
        assert picture.std() > 5, name
    for name in pngs:
        assert (out / f"{name}.pdf").read_bytes().startswith(b"%PDF-"), name
    html = Page()
    html.feed((out / "lab.html").read_text(encoding="utf-8"))
    assert html.open == []
    assert len(html.pictures) == len(pngs)
    assert all(source.startswith("data:image/png;base64,") for source in html.pictures)
    assert html.links == []
    # Every dot says what it is: at least cold and RwR, in two groups and three plots.
    assert len(html.titles) >= 2 * 3 * 2
    assert any(title.startswith("RwR: NMF ") for title in html.titles)


def test_a_clip_whose_name_is_no_text_has_its_place_on_the_page(weights: Path, tmp_path: Path) -> None:
    clips, out, path = tmp_path / "clips", tmp_path / "out", [150 + 10 * math.sin(t) for t in range(10)]
    clips.mkdir()
    square_clip(clips, "a", path, path, path)
    for file in clips.rglob("a.*"):
        file.rename(file.with_name(os.fsdecode(b"caf\xe9") + file.suffix))
    assert cli.main(["lab", str(clips), "--methods", "rwr", "--weights", str(weights), "--out", str(out)]) == 0
    assert "caf?" in (out / "lab.html").read_text(encoding="utf-8")


def test_json_alone(clips: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--methods", "kalman", "--frames", "4", "--scale", "1.1", "--no-attribution", "--no-page"]
    assert cli.main(["lab", str(clips), *options, "--weights", str(weights), "--out", str(out)]) == 0
    assert [path.name for path in out.iterdir()] == ["lab.json"]
    values = json.loads((out / "lab.json").read_text(encoding="utf-8"))
    assert (values["settings"]["frames"], values["settings"]["scale"]) == (4, 1.1)
    assert values["methods"][0]["clips"][0]["frames"] == 4
    assert values["blame"] == {"groups": [], "clips": []}
    assert values["verdicts"] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{tmp}/nowhere"], "nowhere has no folder 'videos'; give the folder that holds videos"),
        (["{tmp}/empty"], "names no video"),
        (["{clips}", "--ids", "{tmp}/none.txt"], "none.txt cannot be read"),
        (["{clips}", "--methods", "ema", "magic"], "no method 'magic'; choose from rwr"),
        (["{clips}", "--frames", "2"], "--frames must be at least 3, not 2"),
        (["{clips}", "--scale", "0"], "--scale must be between 0.1 and 10, not 0"),
        (["{clips}", "--threads", "0"], "threads must be at least 1"),
        (["{clips}", "--weights", "{tmp}/no.safetensors"], "no weights at"),
        (
            ["{clips}", "--weights", "{tmp}/w300.safetensors"],
            "finds 68 points; the lab's clips have 98",
        ),
        (["{clips}", "--out", "{tmp}/file/lab"], "Cannot write .*: its folder is a file"),
        (["{short}", "--weights", "{weights}"], "gives 2 frames; the lab needs at least 3"),
    ],
)
def test_what_cannot_run_is_told_in_a_sentence(
    clips: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    (tmp_path / "empty" / "videos").mkdir(parents=True)
    (tmp_path / "file").write_text("in the way")
    square_clip(tmp_path / "short", "a", [150, 153], [150, 153], [150, 153])
    other = tmp_path / "w300.safetensors"
    other.write_bytes(b"not read")
    write_card(WeightsCard(other, LdeqConfig(landmarks=68), {other.name: "c0ffee"}, {}))
    places = {"tmp": tmp_path, "clips": clips, "short": tmp_path / "short", "weights": weights}
    filled = [word.format(**places) for word in arguments]
    out = [] if "--out" in filled else ["--out", str(tmp_path / "out")]
    assert cli.main(["lab", *filled, *out]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if "clip" not in line or line.startswith("ldeq-live")]
    assert len(lines) == 1
    assert re.search(says, lines[0])


def test_names_of_groups_are_no_markup() -> None:
    measured = experiment(result("RwR", "RwR", **RWR), result("EMA", "a <b> & c", nmf=20.0, nme=5.0))
    provenance = {
        "weights": {"file": "<i>.safetensors", "sha256": None},
        **{"engine": "fake", "settings": {"frames": None, "scale": 1.25}, "date": "today"},
    }
    text = page(measured, {"nad": Picture(b"png", (Spot(0.5, 0.5, 'say "<hi>"'),))}, provenance)
    html = Page()
    html.feed(text)
    assert html.open == []
    assert "a &lt;b&gt; &amp; c" in text
    assert "<i>" not in text
    assert "NME is in % of the inter-ocular distance, lag in frames" in text
    assert html.titles == ['say "<hi>"']
    assert len(html.pictures) == 1
