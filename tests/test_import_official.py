"""Importing the authors' checkpoints: both variants, forms they may have, wrong files and hostile ones."""

from __future__ import annotations

import argparse
import csv
import errno
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from app.cli import import_official
from app.cli import main as cli
from model.engine.open import open_engine
from model.errors import ModelError
from model.geometry import Crop
from model.network import Ldeq
from model.official.checkpoint import read_checkpoint
from model.official.convert import convert
from model.official.variant import WFLW, WFLW_V, choose_variant
from model.rwr.recurrence import Recurrence
from model.weights import load_weights, read_card, verify
from tests.fakes import portrait
from tests.official_fakes import (
    WFLW_ARGUMENTS,
    WFLW_V_ARGUMENTS,
    deterministic_state,
    released_shapes,
    write_checkpoint,
)

pytestmark = pytest.mark.slow

ENGINES = ("onnx", "torch")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return deterministic_state(released_shapes(), head=0.05)


def import_checkpoint(checkpoint: Path, output: Path, *options: str) -> int:
    return cli.main(["import-official", str(checkpoint), "-o", str(output), *options])


@pytest.fixture(scope="module", params=["wflw", "wflw-v"])
def imported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of each variant whose heatmaps peak sharply, all over the crop, so that a tracker sees a face."""
    folder = tmp_path_factory.mktemp("imported with spaces")
    arguments = {"wflw": WFLW_ARGUMENTS, "wflw-v": WFLW_V_ARGUMENTS}[request.param]
    state = deterministic_state(released_shapes(), head=30.0)
    checkpoint = write_checkpoint(folder / "final.pth.tar", state, arguments)
    assert import_checkpoint(checkpoint, folder / f"{request.param}.safetensors") == 0
    return folder / f"{request.param}.safetensors"


def test_the_card_carries_all_that_was_published(imported: Path) -> None:
    card = read_card(imported)
    config = card.config
    wflw = imported.stem == "wflw"
    assert (config.input_size, config.heatmap_size, config.groups, config.kernel) == (256, 64, 8, 5)
    assert (config.half_pixel, config.extra_step, config.crop_scale) == (False, True, 1.2)
    assert (config.solver, config.max_steps) == ("anderson" if wflw else "fpi", 5)
    assert (config.beta, config.tolerance) == ((0.3, 1e-4) if wflw else (0.4, 5e-4))
    assert "research" in card.notes["licence"]
    source = card.notes["converted_from"]
    assert (source["file"], source["variant"]) == ("final.pth.tar", imported.stem)
    assert len(source["sha256"]) == 64
    assert len(card.files) == 3
    for name in card.files:
        verify(card, imported.with_name(name))
    assert not [path.name for path in imported.parent.iterdir() if path.name.startswith(".")]


def test_the_command_says_what_it_found(
    state: dict[str, torch.Tensor], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_official, "_write", lambda output, model, notes: (tmp_path / "c",))
    checkpoint = write_checkpoint(tmp_path / "c", state, WFLW_V_ARGUMENTS)
    assert import_checkpoint(checkpoint, tmp_path / "out.safetensors") == 0
    out = capsys.readouterr().out
    assert "0.23 M parameters (C 16, W 16, i 8)" in out
    assert "variant: wflw-v (the checkpoint says args.solver=fpi, args.beta=0.4)" in out
    assert "licence: research and evaluation only" in out
    assert f"live --weights {tmp_path / 'out.safetensors'}" in out


def released_forward(state: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """The stem as the method describes it, straight from the released weights."""
    x = image
    for name, stride in (("tail.0", 2), ("tail.1", 1), ("tail.3", 1)):
        if name == "tail.3":
            x = torch.nn.functional.max_pool2d(x, 2)
        weight, bias = state[f"{name}.conv.weight"], state[f"{name}.conv.bias"]
        x = torch.nn.functional.conv2d(x, weight, bias, stride, weight.shape[-1] // 2)
        x = torch.nn.functional.leaky_relu(x, 0.01)
        norm = [state[f"{name}.norm.{entry}"] for entry in ("running_mean", "running_var", "weight", "bias")]
        x = torch.nn.functional.batch_norm(x, norm[0], norm[1], norm[2], norm[3])
    return x


@pytest.mark.parametrize("engine", ENGINES)
@torch.inference_mode()
def test_imported_weights_compute_what_the_released_ones_do(imported: Path, engine: str) -> None:
    state = deterministic_state(released_shapes(), head=30.0)
    crop = np.random.default_rng(3).integers(0, 255, (1, 256, 256, 3), dtype=np.uint8)
    normalised = (crop / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = released_forward(state, torch.from_numpy(normalised.astype(np.float32)).permute(0, 3, 1, 2))
    u = open_engine(imported, engine, "cpu", threads=1).encode(crop)
    np.testing.assert_allclose(np.asarray(u), expected.numpy(), atol=1e-4)


def test_rwr_with_its_defaults_runs_alike_on_both_engines(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "calm.safetensors"
    assert import_checkpoint(write_checkpoint(tmp_path / "c", state, WFLW_ARGUMENTS), path) == 0
    picture = portrait()
    solutions = []
    for name in ENGINES:
        engine = open_engine(path, name, "cpu", threads=1)
        recurrence = Recurrence(engine)
        for shift in (0.0, 2.0, 9.0):
            crop = Crop(230 + shift, 110.0, 150.0)
            solution = recurrence.solve(engine.encode(crop.extract(picture, 256)[None]), crop)
        solutions.append(solution)
    assert solutions[0].report.warm
    assert solutions[0].report.evaluations <= 2
    np.testing.assert_allclose(solutions[0].landmarks, solutions[1].landmarks, atol=0.2)


def write_video(path: Path, frames: int) -> None:
    """A portrait that moves a little."""
    picture = portrait()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 320, "yuv420p", 4_000_000
        for t in range(frames):
            image = np.ascontiguousarray(picture[:320, 40 + 2 * t : 360 + 2 * t])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_track_follows_a_face_with_imported_weights(imported: Path, engine: str, tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4", 4)
    table = tmp_path / "out.csv"
    argv = ["track", str(tmp_path / "in.mp4"), "--csv", str(table), "--weights", str(imported)]
    assert cli.main([*argv, "--engine", engine, "--device", "cpu", "--threads", "1"]) == 0
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["0", "1", "2", "3"]  # who it is such weights do not know for long
    assert all(np.isfinite(float(row["x97"])) and float(row["x97"]) > 0 for row in rows)


@pytest.mark.slow
def test_evaluate_measures_imported_weights(imported: Path, tmp_path: Path) -> None:
    engine = {"wflw": "onnx", "wflw-v": "torch"}[imported.stem]
    for folder in ("videos", "landmarks", "bboxes"):
        (tmp_path / folder).mkdir()
    write_video(tmp_path / "videos" / "a.mp4", 3)
    points = np.random.default_rng(0).uniform(100, 250, (3, 98, 2)).astype(np.float32)
    np.save(tmp_path / "landmarks" / "a.npy", points)
    np.save(tmp_path / "bboxes" / "a.npy", np.hstack([points.min(axis=1), points.max(axis=1)]))
    spent = {}
    for mode in ("off", "rwr", "rwr-released"):
        report = tmp_path / f"{mode}.json"
        argv = ["evaluate", "wflw-v", "--root", str(tmp_path), "--mode", mode, "--scale", "1.2", "--json", str(report)]
        argv += ["--weights", str(imported), "--engine", engine, "--device", "cpu", "--threads", "1"]
        assert cli.main(argv) == 0
        values = json.loads(report.read_text())
        assert values["weights"]["name"] == f"ldeq-official-{imported.stem}"
        assert np.isfinite([values["nme"], values["nmf"]]).all()
        spent[mode] = values["evaluations_per_frame"]
    cold = {"wflw": 2 + 5 + 1, "wflw-v": 5 + 1}[imported.stem]  # start-up, steps, extra step: it does not converge
    assert spent["off"] == cold
    assert spent["rwr-released"] == pytest.approx((cold + 2 * 2) / 3)
    assert spent["rwr"] < spent["off"]


# Forms that a checkpoint may have


def same_weights(model: Ldeq, state: dict[str, torch.Tensor]) -> None:
    ours = model.state_dict()
    for released, name in (
        ("tail.3.norm.running_var", "stem.block3.norm.running_var"),
        ("deq_layer.cell.hourglass.downchan1.conv.weight", "cell.hourglass.down_channel.3.conv.weight"),
        ("deq_layer.cell.hourglass.same8.norm.bias", "cell.hourglass.refine.0.norm.bias"),
        ("deq_layer.cell.head.conv.bias", "cell.head.bias"),
    ):
        assert ours[name].dtype == torch.float32
        torch.testing.assert_close(ours[name], state[released].float(), rtol=1e-3, atol=1e-6)


NAMESPACE = argparse.Namespace(**WFLW_ARGUMENTS)
FORMS: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "state_dict": lambda state: {"state_dict": state, "args": NAMESPACE},
    "model_state_dict": lambda state: {"model_state_dict": state, "args": NAMESPACE},
    "model": lambda state: {"model": state, "args": NAMESPACE},
    "model in model": lambda state: {"model": {"state_dict": state}, "args": NAMESPACE},
    "data parallel": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}, "args": NAMESPACE},
    "wrapped twice": lambda state: {"model": {f"module.net.{k}": v for k, v in state.items()}, "args": NAMESPACE},
    "dictionary of arguments": lambda state: {"state_dict": state, "args": dict(WFLW_ARGUMENTS)},
    "nested arguments": lambda state: {
        "state_dict": state,
        "config": {"model": argparse.Namespace(head={"beta": 0.3}), "f_solver": "Anderson", "b_solver": "fpi"},
    },
    "optimiser, paths, arrays and figures": lambda state: {
        "state_dict": state,
        "args": argparse.Namespace(**WFLW_ARGUMENTS, out=Path("/data/out"), device=torch.device("cuda:0")),
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"betas": (0.9, 0.999)}]},
        "best": np.float64(3.92),
    },
    "half precision": lambda state: {"state_dict": halved(state), "args": NAMESPACE},
    "double precision": lambda state: {"state_dict": {k: v.double() for k, v in state.items()}, "args": NAMESPACE},
    "parameters": lambda state: {"state_dict": as_parameters(state), "args": NAMESPACE},
    "no counters": lambda state: {
        "state_dict": {k: v for k, v in state.items() if "tracked" not in k},
        "args": NAMESPACE,
    },
}


def halved(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


def as_parameters(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.nn.Parameter(value, requires_grad=False) for name, value in state.items()}


@pytest.mark.parametrize("form", FORMS)
def test_forms_that_a_checkpoint_may_have(form: str, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(FORMS[form](state), tmp_path / "c.pth")
    checkpoint = read_checkpoint(tmp_path / "c.pth")
    variant, _ = choose_variant(checkpoint.settings)
    assert variant == WFLW
    same_weights(convert(checkpoint, variant), state)


def test_a_zip_of_an_old_pytorch(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    new = write_checkpoint(tmp_path / "new", state, WFLW_ARGUMENTS)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(tmp_path / "old", "w") as target:
        for entry in source.namelist():
            if entry.endswith("data.pkl") or "/data/" in entry or entry.endswith("/version"):
                target.writestr(entry, source.read(entry))
    same_weights(convert(read_checkpoint(tmp_path / "old"), WFLW), state)


@pytest.mark.parametrize("module", [b"pathlib", b"pathlib._local"])
@pytest.mark.parametrize("name", [b"PosixPath", b"WindowsPath"])
def test_paths_as_every_python_and_system_writes_them(
    module: bytes, name: bytes, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    new = write_checkpoint(tmp_path / "new", state, {**WFLW_ARGUMENTS, "out": Path("/data/out")})
    own = f"c{type(tmp_path).__module__}\n{type(tmp_path).__name__}\n".encode()
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(tmp_path / "other", "w") as target:
        for entry in source.namelist():
            data = source.read(entry)
            if entry.endswith("data.pkl"):
                assert own in data
                data = data.replace(own, b"c" + module + b"\n" + name + b"\n")
            target.writestr(entry, data)
    same_weights(convert(read_checkpoint(tmp_path / "other"), WFLW), state)


def test_a_bare_state_dict_needs_the_choice(state: dict[str, torch.Tensor], tmp_path: Path, capsys: Capture) -> None:
    torch.save(state, tmp_path / "bare.pth")
    assert import_checkpoint(tmp_path / "bare.pth", tmp_path / "out.safetensors") == 2
    assert "add --variant wflw or --variant wflw-v" in capsys.readouterr().err
    checkpoint = read_checkpoint(tmp_path / "bare.pth")
    assert checkpoint.settings == {}
    same_weights(convert(checkpoint, choose_variant(checkpoint.settings, "wflw-v")[0]), state)


@pytest.mark.parametrize(
    ("settings", "variant"),
    [
        ({"solver": "anderson"}, WFLW),
        ({"args.beta": 0.4}, WFLW_V),
        ({"args.f_solver": "fixed_point", "args.b_solver": "anderson", "heatmap_beta": 0.4}, WFLW_V),
        ({"beta": 0.30000001192092896, "beta1": 0.9, "alphabet": 0.4, "beta_schedule": True}, WFLW),
        ({"solver": "trainer", "optimizer": "adam", "args.method": "FPI"}, WFLW_V),
    ],
)
def test_the_variant_is_read_off_the_settings(settings: dict[str, Any], variant: object) -> None:
    assert choose_variant(settings)[0] == variant


@pytest.mark.parametrize(
    "settings",
    [{"solver": "anderson", "beta": 0.4}, {"beta": 0.5}, {"solver": "broyden"}, {"a": "fpi", "c": "broyden"}],
)
def test_contradicting_settings_need_the_choice(settings: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="neither published variant"):
        choose_variant(settings)
    variant, why = choose_variant(settings, "wflw-v")
    assert variant == WFLW_V
    assert "says otherwise" in why


def test_the_choice_is_compared_with_the_settings() -> None:
    assert "agrees" in choose_variant(WFLW_ARGUMENTS, "wflw")[1]
    assert choose_variant(WFLW_ARGUMENTS, "wflw-v") == (
        WFLW_V,
        "as you chose, although the checkpoint says otherwise: solver=anderson, beta=0.3",
    )
    with pytest.raises(ModelError, match="no variant 'wider'"):
        choose_variant({}, "wider")


# Wrong files


def refused(checkpoint: Path, capsys: Capture, *options: str) -> str:
    """Import what cannot be imported; returns the one sentence."""
    output = checkpoint.parent / "refused.safetensors"
    before = set(checkpoint.parent.iterdir())
    assert import_checkpoint(checkpoint, output, *options) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("ldeq-live: ")
    assert streams.err.count("\n") == 1
    assert set(checkpoint.parent.iterdir()) == before
    return streams.err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><title>Google Drive - Virus scan warning</title>", "is a web page"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{}" + b" " * 14, "is a safetensors file"),
        (pickle.dumps({"state_dict": {}}, protocol=2), "is a bare pickle"),
        (b"weights " * 100, "is not a PyTorch checkpoint"),
        (b"PK\x03\x04" + b"\x00" * 100, "is cut short"),
    ],
)
def test_other_files_are_refused_by_their_kind(content: bytes, sentence: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "c.pth").write_bytes(content)
    assert sentence in refused(tmp_path / "c.pth", capsys)


def test_missing_file_and_folder(tmp_path: Path, capsys: Capture) -> None:
    assert "No such file" in refused(tmp_path / "absent", capsys)
    (tmp_path / "folder").mkdir()
    assert "is a folder" in refused(tmp_path / "folder", capsys)


def test_a_download_that_stopped_early(state: dict[str, torch.Tensor], tmp_path: Path, capsys: Capture) -> None:
    path = write_checkpoint(tmp_path / "c.pth", state, WFLW_ARGUMENTS)
    path.write_bytes(path.read_bytes()[:-5000])
    assert "is cut short" in refused(path, capsys)


def test_a_flipped_bit(state: dict[str, torch.Tensor], tmp_path: Path, capsys: Capture) -> None:
    path = write_checkpoint(tmp_path / "c.pth", state, WFLW_ARGUMENTS)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert "has a wrong checksum" in refused(path, capsys)


def write_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_other_zips(tmp_path: Path, capsys: Capture) -> None:
    assert "not one that PyTorch writes" in refused(write_zip(tmp_path / "a", readme=b"hello"), capsys)
    folder = {"LDEQ/final.pth.tar": b"..."}
    assert "give LDEQ/final.pth.tar" in refused(write_zip(tmp_path / "b", **folder), capsys)
    script = {"m/data.pkl": b"", "m/constants.pkl": b""}
    assert "TorchScript" in refused(write_zip(tmp_path / "c", **script), capsys)


def test_a_zip_bomb_is_not_opened(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.official.checkpoint.LARGEST", 10_000_000)
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x00" * 20_000_000)
    assert "unpacks to 0.0 GB" in refused(tmp_path / "bomb", capsys)


def changed(state: dict[str, torch.Tensor], **changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Return a state with some weights replaced, or left out."""
    new = {name: value for name, value in state.items() if changes.get(name, value) is not None}
    return new | {name: value for name, value in changes.items() if value is not None}


HEAD, SAME1 = "deq_layer.cell.head.conv", "deq_layer.cell.hourglass.same1.conv.weight"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tail.0.conv.weight": None}, "holds another model: it has no tail.0.conv.weight"),
        ({SAME1: None}, f"the checkpoint lacks 1 weight of a released LDEQ: {SAME1}"),
        ({"deq_layer.gate": torch.ones(1)}, "the checkpoint holds 1 weight that no released LDEQ has: deq_layer.gate"),
        ({SAME1: torch.zeros(16, 16, 1, 1)}, f"{SAME1} has shape (16, 16, 1, 1)"),
        ({"tail.0.conv.weight": torch.zeros(4)}, "is no convolution"),
        ({f"{HEAD}.bias": torch.zeros(68), f"{HEAD}.weight": torch.zeros(68, 16, 1, 1)}, "finds 68 landmarks"),
        ({SAME1: torch.full((16, 16, 3, 3), float("nan"))}, "not finite"),
        ({SAME1: torch.full((16, 16, 3, 3), 1e300, dtype=torch.float64)}, "not finite"),
        ({SAME1: torch.zeros(16, 16, 3, 3, dtype=torch.int8)}, "no plain floating-point tensor"),
        ({SAME1: torch.zeros(16, 16, 3, 3).to_sparse()}, "no plain floating-point tensor"),
        ({SAME1: torch.zeros(1).expand(16, 16, 3, 3)}, "larger than what is stored of it"),
    ],
)
def test_wrong_weights(
    changes: dict[str, Any], sentence: str, state: dict[str, torch.Tensor], tmp_path: Path, capsys: Capture
) -> None:
    path = write_checkpoint(tmp_path / "c.pth", changed(state, **changes), WFLW_ARGUMENTS)
    assert sentence in refused(path, capsys)


def test_sizes_that_make_no_ldeq(tmp_path: Path, capsys: Capture) -> None:
    state = deterministic_state(released_shapes(16, 16, 4))
    path = write_checkpoint(tmp_path / "c.pth", state, WFLW_ARGUMENTS)
    assert "the weights make no LDEQ: hourglass width 20" in refused(path, capsys)


def test_content_that_is_no_dictionary(tmp_path: Path, capsys: Capture) -> None:
    torch.save([1, 2], tmp_path / "c.pth")
    assert "holds another model" in refused(tmp_path / "c.pth", capsys)


# Hostile files


class Runs:
    """Pickles to a call of ``function`` when it is loaded carelessly."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def attacks(marker: Path) -> dict[str, bytes]:
    """Pickles that would write ``marker``, by opcode and hiding place."""
    command, code = f"touch {marker}", f"open({str(marker)!r}, 'w').close()"

    def text(form: str) -> bytes:
        return form.format(command=command, code=code).encode()

    return {
        "os.system": pickle.dumps(Runs(os.system, command), protocol=2),
        "eval": pickle.dumps(Runs(eval, code), protocol=2),
        "exec among the arguments": pickle.dumps({"args": argparse.Namespace(solver=Runs(exec, code))}, protocol=2),
        "in the state dict": pickle.dumps({"state_dict": {"tail.0.conv.weight": Runs(exec, code)}}, protocol=2),
        "as a key": pickle.dumps({"args": {(1, Runs(exec, code)): 1}}, protocol=2),
        "a pickle in a pickle": pickle.dumps(
            Runs(pickle.loads, pickle.dumps(Runs(os.system, command), protocol=2)), protocol=2
        ),
        "another load": pickle.dumps(Runs(torch.load, str(marker.with_name("evil"))), protocol=2),
        "protocol 0": text("cos\nsystem\n(V{command}\ntR."),
        "protocol 4, stack global": pickle.dumps(Runs(os.system, command), protocol=4),
        "protocol 5": pickle.dumps(Runs(exec, code), protocol=5),
        "inst": text("(V{command}\nios\nsystem\n."),
        "obj": text("(cos\nsystem\nV{command}\no."),
        "newobj": b"\x80\x02cos\nsystem\n" + text("V{command}\n") + b"\x85\x81.",
        "extension registry": b"\x80\x02\x82\x01)R.",
        "persistent id by name": b"\x80\x02Pos.system\n.",
        "attribute of an allowed class": b"\x80\x02cargparse\nNamespace.__init__.__globals__\n.",
        "module of an allowed class": b"\x80\x02cargparse\n_sys.modules\n.",
        "setstate through build": b"\x80\x02cargparse\nNamespace\n)\x81}(X\x0c\x00\x00\x00__setstate__cos\nsystem\nub"
        + text("V{command}\n")
        + b"b.",
        "slots through build": b"\x80\x02cargparse\nNamespace\n}}(X\x08\x00\x00\x00__init__cos\nsystem\nu\x86b.",
        "rebuild with a foreign function": b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\n"
        b"ctorch\nTensor\n" + text("(V{command}\nt") + b"}tR.",
        "ends early": b"\x80\x02}(",
        "no pickle at all": b"\xff\xfe\x00",
    }


@pytest.mark.parametrize("attack", attacks(Path("marker")))
def test_nothing_in_a_hostile_file_is_run(attack: str, tmp_path: Path, capsys: Capture) -> None:
    marker = tmp_path / "marker"
    path = tmp_path / "evil.pth"
    write_zip(path, **{"archive/data.pkl": attacks(marker)[attack], "archive/version": b"3\n"})
    sentence = refused(path, capsys, "--variant", "wflw")
    assert not marker.exists()
    assert "nothing in it was run" in sentence


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """The same files run their code under a plain unpickler, so the test above can fail."""
    for name in ("os.system", "exec among the arguments", "protocol 0", "inst", "obj", "protocol 4, stack global"):
        marker = tmp_path / name.replace(" ", "-").replace(",", "")
        pickle.loads(attacks(marker)[name])
        assert marker.exists(), name


def test_a_foreign_function_is_named(tmp_path: Path, capsys: Capture) -> None:
    data = attacks(tmp_path / "marker")["exec among the arguments"]
    path = write_zip(tmp_path / "evil.pth", **{"archive/data.pkl": data, "archive/version": b"3\n"})
    assert "evil.pth wants to use builtins.exec, which a checkpoint has no need of" in refused(path, capsys)


def test_the_allow_list_of_pytorch_is_as_before(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    read_checkpoint(write_checkpoint(tmp_path / "c", state, WFLW_ARGUMENTS))
    assert set(torch.serialization.get_safe_globals()) == before


# Outputs


@pytest.fixture
def checkpoint(state: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "final.pth.tar", state, WFLW_ARGUMENTS)


def test_outputs_that_cannot_be_written(checkpoint: Path, capsys: Capture) -> None:
    folder = checkpoint.parent
    (folder / "folder.safetensors").mkdir()
    (folder / "there-cell.onnx").touch()
    for name, sentence in (
        ("out.pth", "give a name that ends in .safetensors"),
        ("absent/out.safetensors", "its folder does not exist"),
        ("final.pth.tar/out.safetensors", "its folder is a file"),
        ("folder.safetensors", "it is a folder"),
        ("there.safetensors", "there-cell.onnx exists already; choose another name, or give --overwrite"),
    ):
        assert import_checkpoint(checkpoint, folder / name) == 2
        err = capsys.readouterr().err
        assert sentence in err
        assert err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs folder permissions that bind this user")
def test_a_folder_without_permission(checkpoint: Path, capsys: Capture) -> None:
    closed = checkpoint.parent / "closed"
    closed.mkdir(mode=0o500)
    assert import_checkpoint(checkpoint, closed / "out.safetensors") == 2
    assert "permission is denied" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_behind(checkpoint: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    old = checkpoint.parent / "old.safetensors"
    old.write_bytes(b"the weights before")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("model.engine.export.torch.onnx.export", lambda *_, **__: full())
    before = set(checkpoint.parent.iterdir())
    assert import_checkpoint(checkpoint, old, "--overwrite") == 2
    err = capsys.readouterr().err
    assert err == f"ldeq-live: Cannot write {old}: the disk is full; free some space or choose another folder.\n"
    assert set(checkpoint.parent.iterdir()) == before
    assert old.read_bytes() == b"the weights before"


def test_overwrite_replaces_every_file(checkpoint: Path) -> None:
    output = checkpoint.parent / "out.safetensors"
    for path in import_official._outputs(output):
        path.write_bytes(b"old")
    assert import_checkpoint(checkpoint, output, "--overwrite") == 0
    card = read_card(output)
    for name in card.files:
        verify(card, output.with_name(name))
    same_weights(load_weights(output), read_checkpoint(checkpoint).tensors)
