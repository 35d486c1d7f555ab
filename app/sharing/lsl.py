"""Landmarks and signals as Lab Streaming Layer (LSL) streams. Needs the optional package pylsl (MIT)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.commands import install_command
from app.core.frame import FrameResult
from app.sharing.settings import LslReach, SharingError
from model.signals.track import SIGNALS, signal_values
from model.topology import POINTS

PYLSL = "pylsl==1.18.6"
RETRY_SECONDS = 10.0
THIS_COMPUTER = "[multicast]\nResolveScope = machine\n"
"""Configuration of liblsl with which streams are announced to programs on this computer alone."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a stream, as its description names it."""

    label: str
    unit: str
    type: str


WHICH = (Channel("frame", "", "Index"), Channel("face", "", "Index"))
"""The first channels of both streams: the frame's number in its source and the face's identity."""

LANDMARK_CHANNELS: tuple[Channel, ...] = (
    *WHICH,
    *(Channel(f"{axis}{point}", "pixels", f"Position{axis.upper()}") for point in range(POINTS) for axis in "xy"),
)
SIGNAL_CHANNELS: tuple[Channel, ...] = (*WHICH, *(Channel(signal.name, signal.unit, "Signal") for signal in SIGNALS))


class Stream(Protocol):
    """The part of ``pylsl.StreamOutlet`` that is used."""

    def push_sample(self, x: Sequence[float], timestamp: float) -> None: ...


@dataclass(frozen=True, slots=True)
class LslStreams:
    """Open streams.

    Attributes:
        landmarks: takes :data:`LANDMARK_CHANNELS`.
        signals: takes :data:`SIGNAL_CHANNELS`.
        clock: LSL's clock now, in seconds.
    """

    landmarks: Stream
    signals: Stream
    clock: Callable[[], float]


OpenStreams = Callable[[LslReach], LslStreams]


def open_lsl_streams(reach: LslReach) -> LslStreams:
    """Open both streams. liblsl reads ``reach`` when it is first used, and keeps to it until the program ends.

    Raises:
        SharingError: the package is missing, or liblsl does not start.
    """
    try:
        import pylsl
    except ImportError as error:
        raise SharingError(
            f"Lab Streaming Layer needs the package pylsl; install it with: {install_command(PYLSL)}",
            RETRY_SECONDS,
        ) from error
    except RuntimeError as error:  # pylsl found no liblsl that it can load
        raise SharingError(f"liblsl cannot be loaded: {error}", RETRY_SECONDS) from error

    def stream(name: str, kind: str, channels: Sequence[Channel]) -> Stream:
        # A source's name lets a recorder find the stream again after a restart.
        info = pylsl.StreamInfo(
            name, kind, len(channels), pylsl.IRREGULAR_RATE, pylsl.cf_float32, f"ldeq-live-{kind.lower()}"
        )
        described = info.desc().append_child("channels")
        for channel in channels:
            entry = described.append_child("channel")
            for key in ("label", "unit", "type"):
                entry.append_child_value(key, getattr(channel, key))
        opened: Stream = pylsl.StreamOutlet(info)
        return opened

    if reach is LslReach.MACHINE:
        pylsl.set_config_content(THIS_COMPUTER)
    try:
        return LslStreams(
            stream("LDEQ Live landmarks", "Landmarks", LANDMARK_CHANNELS),
            stream("LDEQ Live signals", "Signals", SIGNAL_CHANNELS),
            pylsl.local_clock,
        )
    except Exception as error:  # RuntimeError, and whatever liblsl reports
        raise SharingError(f"Lab Streaming Layer cannot start: {error}.", RETRY_SECONDS) from error


class LslOutlet:
    """Pushes every frame into two streams: one sample for each face, or one of NaN where no face is in view.

    Args:
        reach: who can find the streams.
        open_streams: opens them.
    """

    def __init__(self, reach: LslReach, open_streams: OpenStreams = open_lsl_streams) -> None:
        self._reach = reach
        self._open_streams = open_streams
        self._streams: LslStreams | None = None

    def send(self, result: FrameResult) -> None:
        """Push the frame, stamped with the time at which it left its source on LSL's clock.

        Raises:
            SharingError: there is no LSL.
        """
        if self._streams is None:
            self._streams = self._open_streams(self._reach)
        streams = self._streams
        stamp = streams.clock() - (time.perf_counter() - result.frame.captured)
        for landmarks, signals in lsl_samples(result):
            streams.landmarks.push_sample(landmarks, stamp)
            streams.signals.push_sample(signals, stamp)

    def close(self) -> None:
        """Take the streams back; liblsl does so when nothing refers to them."""
        self._streams = None


def lsl_samples(result: FrameResult) -> list[tuple[list[float], list[float]]]:
    """Return samples of :data:`LANDMARK_CHANNELS` and of :data:`SIGNAL_CHANNELS` for each face, NaN for the unknown."""
    index = float(result.frame.index)
    if not result.faces:
        nothing = [[index] + [math.nan] * (len(each) - 1) for each in (LANDMARK_CHANNELS, SIGNAL_CHANNELS)]
        return [(nothing[0], nothing[1])]
    samples = []
    for face in result.faces:
        which, signals = [index, float(face.face)], face.estimate.signals
        values = (None,) * len(SIGNALS) if signals is None else signal_values(signals)
        samples.append(
            (
                [*which, *face.estimate.landmarks.ravel().tolist()],
                [*which, *(math.nan if value is None else float(value) for value in values)],
            )
        )
    return samples
