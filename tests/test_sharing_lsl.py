"""Lab Streaming Layer: what is pushed and when, and a real inlet where pylsl is installed."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from app.core.frame import FrameResult
from app.sharing.lsl import (
    LANDMARK_CHANNELS,
    SIGNAL_CHANNELS,
    THIS_COMPUTER,
    Channel,
    LslOutlet,
    LslStreams,
    lsl_samples,
    open_lsl_streams,
)
from app.sharing.settings import LslReach, SharingError
from model.signals.track import SignalTracker
from tests.gui_fakes import frame_result
from tests.signals_fakes import SIZE, face


def result(captured: float | None = None, faces: int = 1) -> FrameResult:
    known = frame_result(index=12, captured=captured, faces=faces)
    estimate = replace(
        known.faces[0].estimate, landmarks=face(), read_signals=SignalTracker().update(face(), SIZE, 0.0)
    )
    return replace(known, faces=tuple(replace(each, estimate=estimate) for each in known.faces))


class Recorded:
    def __init__(self) -> None:
        self.samples: list[tuple[list[float], float]] = []

    def push_sample(self, x: Sequence[float], timestamp: float) -> None:
        self.samples.append((list(x), timestamp))


def test_each_face_is_a_sample_of_every_channel() -> None:
    first, second = lsl_samples(result(faces=2))
    assert [first[0][1], second[0][1]] == [0, 1]
    landmarks, signals = first
    assert (len(landmarks), len(signals)) == (len(LANDMARK_CHANNELS), len(SIGNAL_CHANNELS))
    assert landmarks[:2] == signals[:2] == [12, 0]
    np.testing.assert_array_equal(np.reshape(landmarks[2:], (98, 2)), face())
    labels = [channel.label for channel in SIGNAL_CHANNELS]
    assert signals[labels.index("mouth")] == pytest.approx(0.2, abs=1e-3)
    assert math.isnan(signals[labels.index("perclos")])


def test_no_face_is_a_sample_of_nothing() -> None:
    ((landmarks, signals),) = lsl_samples(frame_result(index=3, faces=0))
    assert landmarks[0] == signals[0] == 3
    assert all(map(math.isnan, landmarks[1:] + signals[1:]))
    assert (len(landmarks), len(signals)) == (len(LANDMARK_CHANNELS), len(SIGNAL_CHANNELS))


def test_samples_are_stamped_with_the_time_of_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    landmarks, signals, now, ahead = Recorded(), Recorded(), 50.0, 1000.0
    monkeypatch.setattr("app.sharing.lsl.time", SimpleNamespace(perf_counter=lambda: now))
    streams = LslStreams(landmarks, signals, lambda: now + ahead)
    outlet = LslOutlet(LslReach.MACHINE, lambda reach: streams)
    outlet.send(result(now - 0.25))
    (_, stamp), (_, same) = landmarks.samples[0], signals.samples[0]
    assert stamp == same == now - 0.25 + ahead
    outlet.close()


def test_without_the_package_the_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(SharingError, match=r"-m pip install pylsl=="):
        open_lsl_streams(LslReach.MACHINE)


class Description:
    """An element of a stream's description."""

    def __init__(self) -> None:
        self.children: list[Description] = []
        self.values: dict[str, str] = {}

    def append_child(self, name: str) -> Description:
        self.children.append(Description())
        return self.children[-1]

    def append_child_value(self, key: str, value: str) -> None:
        self.values[key] = value


class StreamInfo:
    def __init__(self, name: str, kind: str, channels: int, rate: float, form: int, source: str) -> None:
        self.channels, self.source, self.description = channels, source, Description()

    def desc(self) -> Description:
        return self.description


@pytest.mark.parametrize(("reach", "told"), [(LslReach.MACHINE, [THIS_COMPUTER]), (LslReach.NETWORK, [])])
def test_streams_describe_their_channels_and_reach_as_far_as_asked(
    monkeypatch: pytest.MonkeyPatch, reach: LslReach, told: list[str]
) -> None:
    configured: list[str] = []
    fake = ModuleType("pylsl")
    vars(fake).update(
        StreamInfo=StreamInfo, StreamOutlet=lambda info: info, set_config_content=configured.append,
        local_clock=time.perf_counter, IRREGULAR_RATE=0.0, cf_float32=1,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pylsl", fake)
    opened = open_lsl_streams(reach)
    assert configured == told
    for stream, channels in ((opened.landmarks, LANDMARK_CHANNELS), (opened.signals, SIGNAL_CHANNELS)):
        assert isinstance(stream, StreamInfo)
        assert stream.channels == len(channels)
        (described,) = stream.description.children
        assert [Channel(**child.values) for child in described.children] == list(channels)


def test_a_real_inlet_receives_it() -> None:
    pylsl = pytest.importorskip("pylsl")
    outlet = LslOutlet(LslReach.MACHINE)
    outlet.send(result())  # opens the streams
    inlets = {}
    for kind in ("Landmarks", "Signals"):
        (found,) = pylsl.resolve_byprop("type", kind, 1, 20.0)
        inlets[kind] = pylsl.StreamInlet(found)
        inlets[kind].open_stream(20.0)
    offset = pylsl.local_clock() - time.perf_counter()
    shown = result(time.perf_counter() - 0.1)
    outlet.send(shown)
    for kind, channels, position in (("Landmarks", LANDMARK_CHANNELS, 0), ("Signals", SIGNAL_CHANNELS, 1)):
        sample, stamp = inlets[kind].pull_sample(20.0)
        np.testing.assert_array_equal(sample, np.asarray(lsl_samples(shown)[0][position], np.float32))
        assert stamp == pytest.approx(shown.frame.captured + offset, abs=0.01)
        info = inlets[kind].info(20.0)
        assert info.get_channel_labels() == [channel.label for channel in channels]
        assert info.nominal_srate() == pylsl.IRREGULAR_RATE
        inlets[kind].close_stream()
    outlet.close()
