"""Commands over damaged inputs, case by case: what a person may do with a file that is not what it was."""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.events import TrackingRestarted
from model.weights import sha256
from tests.fakes import portrait
from tests.fuzz_damage import damaged, damaged_json, damaged_lines

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
VIDEOS = (".mp4", ".mkv", ".mov", ".avi", ".nut")
PICTURES = (".png", ".jpg", ".webp", ".tiff", ".bmp", ".ppm")
GRAPHS = ("ldeq-s-stem.onnx", "ldeq-s-cell.onnx")
GHCU = ("ldeq-s-ghcu.json", "ldeq-s-ghcu.onnx")
SETTINGS = "settings"
"""The kind whose words are not a command line but a file of remembered choices."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to try: a kind, a number that names it within the kind, and the words of the command line."""

    kind: str
    number: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}: {' '.join(map(repr, self.words))}"


def drifting(index: int, width: int = 240, height: int = 180) -> NDArray[np.uint8]:
    """Return a picture of a face that drifts with ``index``."""
    image = cv2.resize(portrait(), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.roll(image, index, axis=1), np.uint8)


def make_samples(folder: Path) -> None:
    """Write a whole file of every kind into ``folder``."""
    from tests.holdstill_fakes import card
    from tests.recording_fakes import result
    from tests.session_fakes import EXACT, record
    from tests.sources_fakes import write_video

    folder.mkdir(parents=True, exist_ok=True)
    for suffix in VIDEOS:
        codec, pixels = {".avi": ("mpeg4", "yuv420p"), ".nut": ("huffyuv", "rgb24")}.get(suffix, ("libx264", "yuv420p"))
        write_video(
            folder / f"video{suffix}", [drifting(i) for i in range(12)], codec=codec, pixels=pixels, rate=Fraction(25)
        )
    for suffix in PICTURES:
        cv2.imwrite(str(folder / f"picture{suffix}"), cv2.cvtColor(drifting(0), cv2.COLOR_RGB2BGR))
    results = [result(i, image=drifting(i)) for i in range(12)]
    record(folder / "session", results)
    record(folder / "exact", [replace(results[0], events=(TrackingRestarted(),)), *results[1:]], EXACT)
    from app.holdstill.card_file import write_card

    write_card(folder / "card.json", card())
    faces = [{"name": f"{i}.jpg", "nme": 4.0 + i % 7, "nme_eyes_mouth": 3.0, "nmf": None} for i in range(30)]
    content = {"dataset": "wflw", "per_face": faces, "weights": {"name": "tiny"}, "settings": {"mode": "off"}}
    (folder / "evaluation.json").write_text(json.dumps(content))
    points = " ".join(f"{value:.2f}" for value in np.linspace(40, 140, 196))
    (folder / "list.txt").write_text(f"{points} 40 40 140 140 0 0 0 0 0 0 picture.jpg\n" * 3)
    _write_checkpoint(folder / "final.pth.tar")
    _write_settings(folder / "window.json")


def make_case(kind: str, number: int, samples: Path, folder: Path, seed: int) -> Case:
    """Return a case of a kind; its files are written into ``folder``."""
    place = folder / f"{kind} {number}"
    place.mkdir(parents=True)
    dice = random.Random(f"{seed} {kind} {number}")
    return Case(kind, number, tuple(map(str, KINDS[kind](samples, place, dice))))


def _video(samples: Path, place: Path, dice: random.Random) -> list[object]:
    bad = place / f"video{dice.choice(VIDEOS)}"
    bad.write_bytes(damaged((samples / bad.name).read_bytes(), dice))
    outputs: tuple[list[object], ...] = (
        ["--csv", place / "out.csv"],
        ["-o", place / "out.mp4"],
        ["--session", place / "session"],
        ["--session", place / "session", "--copy-video", "exact"],
    )
    return ["track", bad, *dice.choice(outputs)]


def _picture(samples: Path, place: Path, dice: random.Random) -> list[object]:
    bad = place / f"picture{dice.choice(PICTURES)}"
    bad.write_bytes(damaged((samples / bad.name).read_bytes(), dice))
    return ["track", bad, "-o", place / "out.png"]


def _weights(samples: Path, place: Path, dice: random.Random) -> list[object]:
    """Damage one of the files of a model; half of the time the card vouches for the damage."""
    for path in WEIGHTS.glob("ldeq-s*"):
        (place / path.name).symlink_to(path)
    name = dice.choice(("ldeq-s.safetensors", "ldeq-s.safetensors", "ldeq-s.json", "ldeq-s.json", *GRAPHS, *GHCU))
    data = (WEIGHTS / name).read_bytes()
    # In most of the file lie numbers; what a program trips over is at the beginning and the end.
    head = damaged(data[:4096], dice) + data[4096:] if dice.random() < 0.5 else damaged(data, dice)
    bad = place / name
    bad.unlink()
    bad.write_bytes(damaged_json(data, dice) if name.endswith(".json") and dice.random() < 0.7 else head)
    if not name.endswith(".json") and dice.random() < 0.5:
        voucher = "ldeq-s-ghcu.json" if name in GHCU else "ldeq-s.json"
        card = json.loads((WEIGHTS / voucher).read_text())
        card["files"][name] = sha256(bad)
        (place / voucher).unlink()
        (place / voucher).write_text(json.dumps(card))
    engine = "torch" if name.endswith(".safetensors") else "onnx"
    words = ["track", samples / "picture.jpg", "--csv", place / "o.csv", "--weights", place / "ldeq-s.safetensors"]
    return [*words, "--engine", engine, "--device", "cpu", *(["--ghcu"] if name in GHCU else [])]


def _checkpoint(samples: Path, place: Path, dice: random.Random) -> list[object]:
    bad = place / "final.pth.tar"
    bad.write_bytes(damaged((samples / bad.name).read_bytes(), dice))
    return ["import-official", bad, "-o", place / "out.safetensors"]


def _session(samples: Path, place: Path, dice: random.Random) -> list[object]:
    """Damage one file of a session, then do with it what can be done."""
    bad = place / "session"
    shutil.copytree(samples / dice.choice(("session", "session", "exact")), bad)
    path = dice.choice(sorted(path for path in bad.iterdir() if path.is_file()))
    if dice.random() < 0.1:
        path.unlink()
    else:
        data = path.read_bytes()
        ways: list[Callable[[bytes, random.Random], bytes]] = [damaged]
        if path.suffix == ".json":
            ways += [damaged_json] * 3
        if path.suffix in (".csv", ".jsonl"):
            ways += [damaged_lines] * 3
            if dice.random() < 0.5:
                (bad / "landmarks.parquet").unlink(missing_ok=True)  # as after a kill: then the CSV counts
        path.write_bytes(dice.choice(ways)(data, dice))
    actions: tuple[list[object], ...] = (
        ["info", bad],
        ["info", bad, "--verify"],
        ["compare", bad, samples / "session"],
        ["export", bad, place / "clip.mp4", "--to", "0.3"],
        ["export", bad, place / "clip.mp4", "--to", "0.3", "--annotated"],
        ["export", bad, place / "part", "--to", "0.3"],
        ["replay", bad, "--rwr", "off", "--max-faces", "1"],
        ["replay", bad, "--as-recorded"],
        ["list", place],
    )
    return ["session", *dice.choice(actions)]


def _card(samples: Path, place: Path, dice: random.Random) -> list[object]:
    bad = place / "card.json"
    way = damaged_json if dice.random() < 0.7 else damaged
    bad.write_bytes(way((samples / bad.name).read_bytes(), dice))
    return ["card", bad] if dice.random() < 0.5 else ["card", samples / "card.json", bad]


def _table(samples: Path, place: Path, dice: random.Random) -> list[object]:
    """Damage an evaluation or a list of labelled faces."""
    if dice.random() < 0.5:
        bad = place / "evaluation.json"
        way = damaged_json if dice.random() < 0.7 else damaged
        bad.write_bytes(way((samples / bad.name).read_bytes(), dice))
        return ["evaluate", "compare", samples / "evaluation.json", bad]
    bad = place / "list.txt"
    way = damaged_lines if dice.random() < 0.3 else damaged
    data = way((samples / bad.name).read_bytes().replace(b" ", b","), dice).replace(b",", b" ")
    bad.write_bytes(data)
    return ["evaluate", "wflw", "--list", bad, "--images", samples, "--limit", "1", "--crop", "rect"]


def _settings(samples: Path, place: Path, dice: random.Random) -> list[object]:
    bad = place / "window.json"
    way = damaged_json if dice.random() < 0.8 else damaged
    bad.write_bytes(way((samples / bad.name).read_bytes(), dice))
    return [bad]


LONG = ("test", "bench")
"""Commands that work for minutes where their words are right."""
WORDS = (
    *("", " ", "-", "--", "0", "-1", "1", "2.5", "1e999", "nan", "-inf", "99999999999999999999", "%s", "{}", "$HOME"),
    *("demo", "camera:99", "screen:9", "rtsp://127.0.0.1:1/x", "http://", "file:///nowhere", "x" * 300, "ünï çødé.mp4"),
    *("~nobody/x", "../nowhere", ".", "/dev/null", "/proc/self/mem", "\udcff\udcfe", "a\nb", "on", "off", "exact"),
    *("cpu", "cuda", "torch", "rwr", "out.csv", "out.mp4", "out.json", "127.0.0.1:0", "[::1", "\u202e", "a;b|c&d"),
)
"""What stands where a value should stand."""


def _line(samples: Path, place: Path, dice: random.Random) -> list[object]:
    """Put together a line that a person may write: mostly what the command asks for, in part anything at all."""
    from app.cli.main import COMMANDS, _parser

    for name in ("picture.jpg", "card.json", "evaluation.json", "list.txt", "video.mp4"):
        shutil.copy(samples / name, place / name)
    shutil.copytree(samples / "session", place / "session")
    inputs = [str(path) for path in sorted(place.iterdir())]
    command = dice.choice([name for name in COMMANDS if name not in LONG])
    words = _words(_subparser(_parser(command), command), inputs, str(place), dice)
    if dice.random() < 0.2:
        words.insert(dice.randrange(len(words) + 1), dice.choice(WORDS))
    return [command, *words]


def _subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    inner: argparse.ArgumentParser = next(
        action.choices[name] for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    return inner


def _words(parser: argparse.ArgumentParser, inputs: list[str], place: str, dice: random.Random) -> list[str]:
    """Return words for a parser's options and positions: those it requires, some others, one in eight of them odd."""
    options: list[str] = []
    positions: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction) or (not action.required and dice.random() < 0.7):
            continue
        if isinstance(action, argparse._SubParsersAction):
            name = dice.choice(sorted(action.choices))
            positions += [name, *_words(action.choices[name], inputs, place, dice)]
            continue
        count = action.nargs if isinstance(action.nargs, int) else 1
        values = [_value(action, inputs, place, dice) for _ in range(count)]
        if action.option_strings:
            options += [dice.choice(action.option_strings), *values]
        else:
            positions += values
    return options + positions


def _value(action: argparse.Action, inputs: list[str], place: str, dice: random.Random) -> str:
    if dice.random() < 0.12:
        return dice.choice(WORDS)
    if action.choices:
        return dice.choice([str(choice) for choice in action.choices])
    if action.type in (int, float):
        return dice.choice(("1", "2", "0", "-3", "0.5", "1e9", "nan"))
    if action.option_strings and dice.random() < 0.5:
        return (
            f"{place}/{dice.choice(('out.csv', 'out.mp4', 'out.parquet', 'out.json', 'new folder', 'o.safetensors'))}"
        )
    return dice.choice(inputs)


def _write_checkpoint(path: Path) -> None:
    from tests.official_fakes import WFLW_ARGUMENTS, deterministic_state, released_shapes, write_checkpoint

    write_checkpoint(path, deterministic_state(released_shapes(), head=0.05), WFLW_ARGUMENTS)


def _write_settings(path: Path) -> None:
    from app.core.settings import TrackingSettings
    from app.gui.live.presenters.remembered import Memory
    from model.rwr.settings import RwrSettings

    memory = Memory(path, quiet=0.0)
    memory.update(source="camera:1", tracking=TrackingSettings(compare=True, recurrence=RwrSettings()), theme="dark")
    assert memory.close()


KINDS: dict[str, Callable[[Path, Path, random.Random], list[object]]] = {
    "video": _video,
    "picture": _picture,
    "weights": _weights,
    "checkpoint": _checkpoint,
    "session": _session,
    "card": _card,
    "table": _table,
    SETTINGS: _settings,
    "line": _line,
}
