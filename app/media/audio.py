"""Copies the audio of the video that is being tracked."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer

from app.sources.decode import READ_ERRORS, open_container

_Item = tuple[int, av.Packet, float]


class AudioCopy:
    """Copies every audio stream of a file into another one, packet by packet, without re-encoding.

    Hand it to a :class:`app.media.video.VideoWriter`, which keeps it in step with the pictures.

    Args:
        path: the file to copy from.
        start: its time, in seconds, that becomes 0.

    Attributes:
        left_out: names of codecs that the output's format cannot hold, filled when a writer takes it.
        damaged: the input's audio broke off before its end.
    """

    def __init__(self, path: Path, start: Fraction = Fraction(0)) -> None:
        self.left_out: tuple[str, ...] = ()
        self.damaged = False
        self._start = start
        self._input: InputContainer = open_container(str(path))
        self._output: OutputContainer | None = None
        self._streams: dict[int, av.AudioStream] = {}
        self._filters: dict[int, BitStreamFilterContext] = {}
        self._packets: Iterator[_Item] = iter(())
        self._held: _Item | None = None
        self._earliest = float("-inf")

    def attach(self, output: OutputContainer) -> None:
        """Add a stream to ``output`` for each audio stream that its format can hold."""
        left_out = []
        for stream in self._input.streams.audio:
            name = stream.codec_context.codec.canonical_name
            if name not in output.supported_codecs:
                left_out.append(name)
                continue
            self._streams[stream.index] = output.add_stream_from_template(stream)
            if name == "aac" and not stream.codec_context.extradata:  # broadcast framing, as in .ts and .aac
                self._filters[stream.index] = BitStreamFilterContext("aac_adtstoasc", stream)
        if output.format.name == "matroska":  # has no times below 0 and would shift the pictures instead
            self._earliest = 0.0
        self.left_out = tuple(left_out)
        self._output = output
        if self._streams:
            self._packets = self._demux()

    def copy_until(self, time: float) -> None:
        """Copy packets up to ``time``, in seconds of the output.

        Raises:
            OSError, FFmpegError: if the output takes no more.
        """
        while True:
            item = self._held if self._held is not None else next(self._packets, None)
            self._held = None
            if item is None:
                return
            index, packet, when = item
            if when > time:
                self._held = item
                return
            assert self._output is not None
            packet.stream = self._streams[index]
            self._output.mux(packet)

    def finish(self, end: float | None = None) -> None:
        """Copy what is left, up to ``end`` seconds of the output, or all of it."""
        self.copy_until(float("inf") if end is None else end)

    def close(self) -> None:
        """Release the input."""
        self._packets, self._held = iter(()), None
        self._input.close()

    def _demux(self) -> Iterator[_Item]:
        """Yield (input stream, packet, seconds) with the output's zero."""
        try:
            for packet in self._input.demux([self._input.streams[index] for index in self._streams]):
                if packet.size == 0 or packet.dts is None or packet.time_base is None:
                    continue
                base, index = packet.time_base, packet.stream_index
                shift = round(self._start / base)
                packet.dts -= shift
                if packet.pts is not None:
                    packet.pts -= shift
                when = float((packet.dts if packet.pts is None else packet.pts) * base)
                if when < self._earliest:
                    continue
                bare = self._filters.get(index)
                for ready in (packet,) if bare is None else bare.filter(packet):
                    yield index, ready, when
        except READ_ERRORS:
            self.damaged = True
