"""Copies what a video holds beside the pictures that are tracked: audio, subtitles, further videos, chapters, tags."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from app.sources.base import CLOCK_BACK, LEAP
from app.sources.decode import READ_ERRORS, find_pictures, may_leap, open_container

_Item = tuple[int, av.Packet, float]
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails
_TECHNICAL = frozenset(
    {"encoder", "major_brand", "minor_version", "compatible_brands", "duration", "bps", "number_of_frames"}
    | {"number_of_bytes", "vendor_id", "timecode"}
)
"""Tags that describe the file that is read and not what it shows; Matroska's statistics begin with an underscore."""
_TAGS_OF_MP4 = frozenset(
    {"title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"}
    | {"lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "location", "creation_time"}
)
"""Tags that FFmpeg writes into MP4 and MOV."""


class StreamCopy:
    """Copies every other stream of a file into an annotated video, packet by packet, without re-encoding.

    Languages, titles and default flags are kept, as are chapters and tags. Hand it to a
    :class:`app.media.video.VideoWriter`, which keeps it in step with the pictures.

    Args:
        path: the file to copy from.
        start: its time, in seconds, that becomes 0.
        audio: copy audio, too.

    Attributes:
        left_out: what the output's format cannot hold, such as "audio in pcm_mulaw", filled when a writer takes it.
        damaged: what is copied broke off before its end.
    """

    def __init__(self, path: Path, start: Fraction = Fraction(0), *, audio: bool = True) -> None:
        self.left_out: tuple[str, ...] = ()
        self.damaged = False
        self._start = start
        self._audio = audio
        self._input: InputContainer = open_container(str(path))
        self._output: OutputContainer | None = None
        self._streams: dict[int, Stream] = {}
        self._filters: dict[int, BitStreamFilterContext] = {}
        self._packets: Iterator[_Item] = iter(())
        self._held: _Item | None = None
        self._earliest = float("-inf")

    def attach(self, output: OutputContainer) -> None:
        """Add to ``output`` a stream for each that its format can hold, and the chapters and tags."""
        left_out: Counter[str] = Counter()
        pictures = find_pictures(self._input)
        chapters = self._input.chapters()
        for stream in self._input.streams:
            if stream is pictures or (stream.type == "audio" and not self._audio):
                continue
            what = self._copy_stream(stream, output)
            if what:
                left_out[what] += 1
        if chapters and "mp4" in self._input.format.name:  # which stores their titles as a data track
            left_out -= Counter(["data track"])
        if output.format.name == "matroska":  # has no times below 0 and would shift the pictures instead
            self._earliest = 0.0
        output.set_chapters([moved for chapter in chapters if (moved := self._moved(chapter)) is not None])
        tags = _tags(self._input.metadata)
        held = tags if output.format.name == "matroska" else _tags_of_mp4(tags)
        output.metadata.update(held)
        names = [f"{count} x {what}" if count > 1 else what for what, count in left_out.items()]
        if len(held) < len(tags):
            names.append(f"tags ({', '.join(name for name in tags if held.get(name.lower(), held.get(name)) is None)})")
        self.left_out = tuple(names)
        self._output = output
        if self._streams:
            self._packets = self._demux()

    def _copy_stream(self, stream: Stream, output: OutputContainer) -> str:
        """Add a stream like ``stream``; return "" or what is left out."""
        if stream.type not in ("audio", "video", "subtitle"):
            return {"attachment": "attached files"}.get(stream.type, f"{stream.type} track")
        if stream.disposition & _STILLS:
            return "cover picture"
        kind = {"audio": "audio", "video": "further video", "subtitle": "subtitles"}[stream.type]
        name = stream.codec_context.codec.canonical_name if stream.codec_context is not None else "an unknown format"
        if name not in output.supported_codecs:
            return f"{kind} in {name}"
        copied: Stream = output.add_stream_from_template(stream)
        copied.metadata.update(_tags(stream.metadata))
        copied.disposition = stream.disposition
        self._streams[stream.index] = copied
        if name == "aac" and not stream.codec_context.extradata:  # broadcast framing, as in .ts and .aac
            self._filters[stream.index] = BitStreamFilterContext("aac_adtstoasc", stream)
        return ""

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
            try:
                self._output.mux(packet)
            except av.error.ArgumentError:  # what it cannot hold, such as impossible times, must not end the run
                self.damaged = True

    def finish(self, end: float | None = None) -> None:
        """Copy what is left, up to ``end`` seconds of the output, or all of it."""
        self.copy_until(float("inf") if end is None else end)

    def close(self) -> None:
        """Release the input."""
        self._packets, self._held = iter(()), None
        self._input.close()

    def _demux(self) -> Iterator[_Item]:
        """Yield (input stream, packet, seconds) with the output's zero."""
        leaps, moved = may_leap(self._input), Fraction(0)
        clocks: defaultdict[int, _Clock] = defaultdict(_Clock)
        try:
            packets = self._input.demux([self._input.streams[index] for index in self._streams])
            for packet in _with_decoding_times(packets):
                if packet.dts is None or packet.time_base is None:
                    continue
                base, index = packet.time_base, packet.stream_index
                sparse = packet.stream.type == "subtitle"
                shift = round((self._start - (moved if sparse else 0)) / base)
                packet.dts -= shift
                if packet.pts is not None:
                    packet.pts -= shift
                clocks[index].put_in_order(packet, leaps=leaps and not sparse)
                if not sparse:
                    moved = clocks[index].shift * base
                shown = packet.dts if packet.pts is None else packet.pts
                if float(shown * base) < self._earliest:
                    continue
                # Video comes in the order of decoding, in which the times of showing go back and forth.
                when = float((packet.dts if packet.stream.type == "video" else shown) * base)
                bare = self._filters.get(index)
                for ready in (packet,) if bare is None else bare.filter(packet):
                    yield index, ready, when
        except READ_ERRORS:
            self.damaged = True

    def _moved(self, chapter: av.container.Chapter) -> av.container.Chapter | None:
        """Return a chapter with the output's zero; None if it lies before that."""
        if chapter["time_base"] is None:
            return None
        shift = round(self._start / chapter["time_base"])
        start, end = max(0, chapter["start"] - shift), chapter["end"] - shift
        return {**chapter, "start": start, "end": end} if end > start else None


class _Clock:
    """Keeps the decoding times of one stream in order: where recordings were joined, they begin again or leap.

    Attributes:
        shift: by how much its packets are moved now, in units of its clock.
    """

    def __init__(self) -> None:
        self.shift = 0
        self._last: int | None = None

    def put_in_order(self, packet: av.Packet, *, leaps: bool) -> None:
        """Move a packet that would be decoded before the last one, and where its clock was set anew all that follow.

        Args:
            packet: the next one, with a decoding time.
            leaps: a time far ahead was set anew, too, and is no gap.
        """
        assert packet.dts is not None
        assert packet.time_base is not None
        dts = packet.dts + self.shift
        if self._last is not None:
            step = (dts - self._last) * packet.time_base
            if step < -CLOCK_BACK or (leaps and step > LEAP):
                dts = self._last + (packet.duration or 1)
                self.shift = dts - packet.dts
            dts = max(dts, self._last + 1)
        if packet.pts is not None:
            packet.pts = max(packet.pts + dts - packet.dts, dts)
        packet.dts = self._last = dts


def _tags_of_mp4(tags: dict[str, str]) -> dict[str, str]:
    """Return those that MP4 holds, under the names that FFmpeg gives them there."""
    return {name.lower(): value for name, value in tags.items() if name.lower() in _TAGS_OF_MP4}


def _with_decoding_times(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Yield the packets that hold something, with a decoding time for those at the beginning that lack one.

    Matroska does not store it, and it cannot be told for as many pictures as are decoded ahead.
    """
    early: dict[int, list[av.Packet]] = {}
    for packet in packets:
        if packet.size and packet.dts is None:
            early.setdefault(packet.stream_index, []).append(packet)
        elif packet.size and packet.dts is not None:
            before = early.pop(packet.stream_index, [])
            for place, held in enumerate(before):
                held.dts = packet.dts - (len(before) - place) * (packet.duration or 1)
                yield held
            yield packet


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    """Return the tags that belong to what is shown."""
    return {
        name: value
        for name, value in metadata.items()
        if name.lower() not in _TECHNICAL and not name.startswith("_") and value
    }
