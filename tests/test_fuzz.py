"""Damaged inputs of each kind and odd command lines: no traceback, no hang, no crash, one clear sentence.

A few of each kind with a fixed seed; ``main.py test tests/test_fuzz.py --fuzz 100 --fuzz-seed 7`` tries more. The same
seed makes the same cases.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path

import platformdirs
import pytest

from app.cli.main import main
from model.config import LdeqConfig
from model.engine.names import EngineName
from model.errors import ModelError
from model.weights import read_card
from tests.fuzz_cases import KINDS, SETTINGS, WEIGHTS, make_case, make_samples
from tests.fuzz_damage import BYTES, ODD_VALUES, damaged, damaged_json, damaged_lines
from tests.fuzz_verdict import judge, run_case

COUNTS = {"video": 5, "picture": 8, "weights": 4, "checkpoint": 4, "session": 8, "line": 12}
"""Cases of a kind; of the others ten, which take no time."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    make_samples(folder)
    return folder


@pytest.fixture(scope="module")
def codes() -> dict[str, list[int]]:
    """Exit codes by kind, of all cases that ran so far."""
    return {kind: [] for kind in KINDS}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--fuzz")
        cases = [(kind, number) for kind in KINDS for number in range(wanted or COUNTS.get(kind, 10))]
        metafunc.parametrize(("kind", "number"), cases)


@pytest.mark.slow
def test_a_damaged_input_ends_with_one_sentence(
    kind: str,
    number: int,
    samples: Path,
    codes: dict[str, list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    place = tmp_path / "cwd"
    place.mkdir()
    monkeypatch.chdir(place)
    case = make_case(kind, number, samples, tmp_path, request.config.getoption("--fuzz-seed"))
    outcome = run_case(case)
    assert outcome.wrong == "", f"{case}\n{outcome.err}"
    codes[kind].append(outcome.code)


def test_some_inputs_were_damaged_enough_to_be_refused(codes: dict[str, list[int]]) -> None:
    tried = {kind: found for kind, found in codes.items() if len(found) >= 4 and kind not in (SETTINGS, "line")}
    assert [kind for kind, found in tried.items() if not any(found)] == []


def test_the_judge_sees_what_is_wrong() -> None:
    assert judge(0, "fine", "") == ""
    assert judge(2, "", "ldeq-live: There is no file a; check its name.\n") == ""
    assert judge(2, "", "usage: x\nmain.py track: error: argument --csv: expected one argument\n") == ""
    for code, out, err in (
        (1, "", "Traceback (most recent call last):\n  ...\nldeq-live: x.\n"),
        (1, "", "ldeq-live: an unexpected error ended the program (KeyError: 'a'); see the log\n"),
        (2, "", "ldeq-live: x is not a description: KeyError('a').\n"),
        (2, "", ""),
        (-11, "", ""),
        (2, "", "ldeq-live: one line\nand another\n"),
    ):
        assert judge(code, out, err) != ""


def test_damage_damages_and_repeats() -> None:
    data = bytes(range(256)) * 40
    for way in BYTES:
        changed = [way(data, random.Random(seed)) for seed in range(20)]
        assert sum(item != data for item in changed) > 15
        assert changed == [way(data, random.Random(seed)) for seed in range(20)]
    text = json.dumps({"a": [1, 2, {"b": None}], "c": "d"}).encode()
    assert len({damaged_json(text, random.Random(seed)) for seed in range(50)}) > 25
    assert len({damaged_lines(b"a,b\nc,d\n", random.Random(seed)) for seed in range(50)}) > 10


@pytest.mark.parametrize("name", LdeqConfig.__dataclass_fields__)
def test_no_value_of_a_model_description_ends_otherwise_than_with_a_sentence(name: str) -> None:
    """None of them builds a network of terabytes, divides by zero or solves for ever."""
    settings = LdeqConfig().to_dict()
    for value in ODD_VALUES:
        try:
            config = LdeqConfig.from_dict({**settings, name: value})
        except ModelError:
            continue
        assert config.max_steps <= 4096
        assert max(config.widths) <= 5 * 4096


@pytest.mark.parametrize("name", ["format", "config", "files", "notes"])
def test_no_value_of_a_weights_card_ends_otherwise_than_with_a_sentence(name: str, tmp_path: Path) -> None:
    card = json.loads((WEIGHTS / "ldeq-s.json").read_text())
    weights = tmp_path / "ldeq-s.safetensors"
    weights.touch()
    for value in ODD_VALUES:
        weights.with_suffix(".json").write_text(json.dumps({**card, name: value}))
        with suppress(ModelError):
            read_card(weights)


@pytest.mark.slow
def test_a_damaged_memory_of_the_fastest_engine_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.engine import choice
    from model.engine.measured import remember

    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **options: str(tmp_path))
    place = choice.Place(read_card(WEIGHTS / "ldeq-s.safetensors"), 1)
    kept = choice.Choice(EngineName.ONNX, {EngineName.ONNX: 12.5})
    remember(choice.FILE_NAME, place.key, kept)
    assert choice.remembered(place) == kept
    (file,) = tmp_path.glob(choice.FILE_NAME)
    data = file.read_bytes()
    dice = random.Random(0)
    for way in [damaged_json] * 150 + [damaged] * 50:
        file.write_bytes(way(data, dice))
        found = choice.remembered(place)
        assert found is None or found.engine in choice.candidates()
        remember(choice.FILE_NAME, place.key, kept)
        assert choice.remembered(place) == kept


def test_a_damaged_training_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    from model.training.run import read_checkpoint

    path = tmp_path / "checkpoint.pt"
    for seed in range(30):
        path.write_bytes(random.Random(seed).randbytes(200) if seed % 2 else b"PK\x03\x04" + bytes(seed))
        with pytest.raises(ModelError, match="is damaged or no checkpoint; restore it"):
            read_checkpoint(path)


def test_words_with_line_breaks_stay_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["card", "a\nb\x1b[31m"], ["session", "info", "a\nb"], ["track", "x", "y\nz"]):
        assert main(words) == 2
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert "\\n" in last
        assert "\x1b" not in last
