"""Which model runs: measured, remembered, chosen on the command line and in the window."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import platformdirs
import pytest

from app.cli import engine_options, live
from app.cli import main as cli
from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import SHIPPED, EngineSettings, ModelChoice, TrackingSettings
from app.gui.live.presenters import model as model_in_use
from app.gui.live.presenters.model import ModelInUse
from app.gui.live.presenters.remembered import Memory
from app.tracking import model_choice
from app.tracking.model_choice import CAMERA_MILLISECONDS, automatic_model
from model.engine.names import Device, EngineName

SLOW, FAST = CAMERA_MILLISECONDS * 1.2, CAMERA_MILLISECONDS * 0.8

Measured = list[EngineSettings]
"""The settings that were measured with."""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of the smaller model, and a cache of our own."""
    weights = tmp_path / "ldeq-xs.safetensors"
    weights.write_bytes(b"")
    monkeypatch.setattr(model_choice, "SMALL_WEIGHTS", weights)
    monkeypatch.setitem(SHIPPED, ModelChoice.LDEQ_XS, weights)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **options: str(tmp_path / "cache"))
    return weights


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Measured]:
    """Make a computer on which a frame takes so many milliseconds, with 8 bits as many or others."""
    measured: Measured = []

    def of(milliseconds: float, with_8_bits: float | None = None) -> Measured:
        def frames(settings: EngineSettings) -> list[float]:
            measured.append(settings)
            if settings.engine == EngineName.ONNX_INT8 and with_8_bits is not None:
                return [with_8_bits] * 8
            return [milliseconds] * 8

        monkeypatch.setattr(model_choice, "warm_frames", frames)
        return measured

    return of


def test_the_smaller_model_is_taken_only_where_the_larger_one_is_too_slow(
    small: Path, computer: Callable[..., Measured]
) -> None:
    computer(FAST)
    assert automatic_model(EngineSettings(threads=1)).weights == DEFAULT_WEIGHTS
    computer(SLOW)
    assert automatic_model(EngineSettings(threads=2)).weights == small


def test_eight_bits_are_taken_before_the_smaller_model(small: Path, computer: Callable[..., Measured]) -> None:
    settings = EngineSettings(device=Device.CPU, threads=3)
    measured = computer(SLOW, with_8_bits=FAST)
    fewer_bits = replace(settings, engine=EngineName.ONNX_INT8)
    assert automatic_model(settings) == automatic_model(settings, ghcu=True) == fewer_bits
    assert measured == [settings, fewer_bits]
    chosen = replace(settings, engine=EngineName.ONNX)
    assert automatic_model(chosen) == replace(chosen, weights=small)


def test_a_graphics_card_needs_no_eight_bits(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def runs(device: Device) -> list[EngineName]:
        return [way.engine for way in model_choice.ways(EngineSettings(device=device))]

    monkeypatch.setattr(model_choice, "card_name", lambda: "a card")
    assert runs(Device.AUTO) == runs(Device.CUDA) == [EngineName.AUTO, EngineName.AUTO]
    assert runs(Device.CPU) == [EngineName.AUTO, EngineName.ONNX_INT8, EngineName.AUTO]


def test_it_is_measured_once_and_again_where_something_else_runs_it(
    small: Path, computer: Callable[..., Measured]
) -> None:
    measured = computer(SLOW)
    settings = EngineSettings(engine=EngineName.ONNX, device=Device.CPU, threads=1)
    assert automatic_model(settings) == automatic_model(settings) == replace(settings, weights=small)
    assert len(measured) == 1
    for other in (
        replace(settings, engine=EngineName.ONNX_INT8),
        replace(settings, device=Device.AUTO),
        replace(settings, threads=2),
        replace(settings, symmetric=True),
    ):
        automatic_model(other)
        assert measured[-1] == other
    assert len(measured) == 5


def test_a_cache_that_holds_something_else_is_measured_over(
    small: Path, computer: Callable[..., Measured], tmp_path: Path
) -> None:
    measured = computer(SLOW)
    (tmp_path / "cache").mkdir()
    settings = EngineSettings(engine=EngineName.ONNX, threads=1)
    for text in ("{", "[]", '{"a": 1}'):
        (tmp_path / "cache" / model_choice.FILE_NAME).write_text(text)
        assert automatic_model(settings).weights == small
    assert len(measured) == 3


def test_a_model_that_is_not_there_is_never_taken(small: Path, computer: Callable[..., Measured]) -> None:
    measured = computer(SLOW)
    small.unlink()
    assert automatic_model(EngineSettings()).weights == DEFAULT_WEIGHTS
    assert automatic_model(EngineSettings(engine=EngineName.ONNX)).engine == EngineName.ONNX
    assert small not in [settings.weights for settings in measured]


def test_who_wants_covered_points_repaired_gets_a_model_that_can(
    small: Path, computer: Callable[..., Measured]
) -> None:
    computer(SLOW)
    assert automatic_model(EngineSettings(), ghcu=True).weights == DEFAULT_WEIGHTS
    small.with_name("ldeq-xs-ghcu.safetensors").touch()
    assert automatic_model(EngineSettings(), ghcu=True).weights == small


def test_whole_warm_frames_are_measured() -> None:
    settings = EngineSettings(engine=EngineName.ONNX, device=Device.CPU, threads=1)
    frames = model_choice.warm_frames(settings)
    assert len(frames) == model_choice.WARM
    assert min(frames) > 0


def test_what_other_programs_take_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = SimpleNamespace(perf_counter=lambda: 1000 * time.perf_counter(), process_time=time.process_time)
    monkeypatch.setattr(model_choice, "time", busy)
    frames = model_choice.warm_frames(EngineSettings(engine=EngineName.ONNX, device=Device.CPU, threads=1))
    assert 0 < max(frames) < 1000


def test_the_doctor_says_which_model_runs_and_why(small: Path, computer: Callable[..., Measured]) -> None:
    from app.setup.doctor import weights

    settings = EngineSettings(small, device=Device.CPU, threads=1)

    def says() -> str:
        (finding,) = weights.check_model(settings)
        return finding.text

    assert "next start" in says()
    computer(SLOW)
    automatic_model(settings)
    slow = "ldeq-s takes 40 ms a frame and does not keep up with a camera, ldeq-s with 8 bits takes 40 ms a frame"
    assert says() == f"auto runs ldeq-xs: {slow} and does not keep up with a camera"
    settings = replace(settings, threads=2)
    computer(SLOW, with_8_bits=FAST)
    automatic_model(settings)
    assert says().startswith("auto runs ldeq-s with 8 bits: ldeq-s takes 40 ms")
    small.unlink()
    settings = replace(settings, engine=EngineName.ONNX)
    assert "only one" in says()


def settings_of(*options: str) -> EngineSettings:
    return engine_options.engine_settings(cli._parser("track").parse_args(["track", "in.mp4", *options]))


def test_commands_that_nobody_waits_for_run_the_larger_model(small: Path, computer: Callable[..., Measured]) -> None:
    measured = computer(SLOW)
    assert settings_of().weights == DEFAULT_WEIGHTS
    assert settings_of("--model", "ldeq-s").weights == DEFAULT_WEIGHTS
    assert settings_of("--model", "ldeq-xs").weights == small
    assert measured == []
    assert settings_of("--model", "auto").weights == small
    assert settings_of("--model", "auto", "--ghcu").weights == DEFAULT_WEIGHTS
    assert settings_of("--weights", "own.safetensors").weights == Path("own.safetensors")


@pytest.mark.parametrize("command", [["track", "in.mp4"], ["live"], ["bench"]])
def test_a_model_and_weights_exclude_each_other(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli._parser(command[0]).parse_args([*command, "--model", "ldeq-s", "--weights", "own.safetensors"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("there", [True, False])
def test_the_window_starts_with_the_model_that_was_chosen_in_it(small: Path, tmp_path: Path, there: bool) -> None:
    if not there:
        small.unlink()
    memory = Memory(tmp_path / "window.json")
    memory.update(model=ModelChoice.LDEQ_XS)
    memory.close()

    def of(*options: str) -> ModelInUse:
        args = cli._parser("live").parse_args(["live", *options])
        settings = live.live_settings(args, memory)
        assert settings.model.choice in (settings.chosen.model, None) or not there
        return settings.model

    assert of().choice == (ModelChoice.LDEQ_XS if there else ModelChoice.AUTO)
    assert of("--model", "auto").choice == ModelChoice.AUTO
    assert of("--model", "ldeq-s").choice == ModelChoice.LDEQ_S
    assert of("--model", "ldeq-xs").engine.weights == small
    own = of("--weights", "own.safetensors")
    assert (own.choice, own.name) == (None, "own")


def test_a_symmetric_model_is_remembered_and_the_command_line_wins(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "window.json")

    def of(remembered: bool, *options: str) -> bool:
        args = cli._parser("live").parse_args(["live", *options])
        memory.update(symmetric=remembered)
        settings = live.live_settings(args, memory)
        assert settings.chosen.symmetric == settings.model.symmetric
        return settings.model.symmetric

    assert [of(False), of(True), of(False, "--symmetric"), of(True, "--symmetric")] == [False, True, True, True]


class TestModelInUse:
    def test_a_model_chosen_after_eight_bits_were_runs_as_it_was_asked_for(
        self, small: Path, built: Measured, computer: Callable[..., Measured]
    ) -> None:
        computer(SLOW, with_8_bits=FAST)
        settings = EngineSettings(device=Device.CPU, threads=2)
        model = ModelInUse(settings, ModelChoice.AUTO)
        model.build(TrackingSettings())
        assert model.engine.engine == EngineName.ONNX_INT8
        model.choose(ModelChoice.LDEQ_S)
        assert model.engine == settings

    @pytest.fixture
    def built(self, monkeypatch: pytest.MonkeyPatch) -> Measured:
        built: Measured = []
        monkeypatch.setattr(model_in_use, "build_pipeline", lambda engine, tracking: built.append(engine))
        return built

    def test_what_is_chosen_is_built(self, small: Path, built: Measured) -> None:
        model = ModelInUse(EngineSettings(threads=1), ModelChoice.LDEQ_S)
        model.build(TrackingSettings())
        model.choose(ModelChoice.LDEQ_XS)
        assert model.name == "ldeq-xs"
        model.build(TrackingSettings())
        assert built == [EngineSettings(threads=1), EngineSettings(small, threads=1)]

    def test_the_automatic_one_is_known_once_it_is_built(
        self, small: Path, built: Measured, computer: Callable[..., Measured]
    ) -> None:
        computer(SLOW)
        model = ModelInUse(EngineSettings(), ModelChoice.AUTO)
        assert model.name == "ldeq-s"
        assert model.ghcu_found
        model.build(TrackingSettings())
        assert model.name == "ldeq-xs"
        assert not model.ghcu_found
        model.build(TrackingSettings(ghcu=True))
        assert model.name == "ldeq-s"

    def test_it_may_be_symmetric_whichever_it_is(
        self, small: Path, built: Measured, computer: Callable[..., Measured]
    ) -> None:
        measured = computer(SLOW)
        model = ModelInUse(EngineSettings(), ModelChoice.AUTO)
        model.choose_symmetric(True)
        assert model.symmetric
        model.build(TrackingSettings())
        assert built == [EngineSettings(small, symmetric=True)]
        assert all(settings.symmetric for settings in measured)
        model.choose(ModelChoice.LDEQ_S)
        assert model.engine == EngineSettings(symmetric=True)
        model.choose_symmetric(False)
        assert model.engine == EngineSettings()

    def test_own_weights_stay(self, built: Measured) -> None:
        own = EngineSettings(Path("own.safetensors"))
        model = ModelInUse(own)
        model.build(TrackingSettings())
        assert built == [own]

    def test_a_choice_made_while_another_is_built_stays(
        self, small: Path, monkeypatch: pytest.MonkeyPatch, computer: Callable[..., Measured]
    ) -> None:
        computer(FAST)
        model = ModelInUse(EngineSettings(), ModelChoice.AUTO)

        def build(engine: EngineSettings, tracking: TrackingSettings) -> Any:
            model.choose(ModelChoice.LDEQ_XS)

        monkeypatch.setattr(model_in_use, "build_pipeline", build)
        model.build(TrackingSettings())
        assert model.name == "ldeq-xs"
