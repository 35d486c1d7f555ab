"""What video files and network streams share: opening with PyAV, and choosing the video track."""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

READ_ERRORS = (av.error.FFmpegError, OSError)
"""What PyAV raises for input that is missing, damaged or late."""
_HEAD = 64
_NO_TIME_STAMPS = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS."""
_LEAPS = 0x200
"""FFmpeg's AVFMT_TS_DISCONT."""
_LISTS = frozenset({"hls", "dash", "concat"})
"""FFmpeg's names of formats that name other files, to which a live stream keeps adding."""
_MEDIA, _TYPE, _INDEX, _FREE = b"mdat", b"ftyp", b"moov", b"free"


def open_container(
    target: str, options: dict[str, str] | None = None, timeout: tuple[float, float] | None = None
) -> InputContainer:
    """Open ``target`` for reading; ``timeout`` is (open, read) in seconds.

    One of our finished recordings that lost its end is opened through its fragments; its ``file`` is then not None.

    Raises:
        OSError, av.error.FFmpegError: as in :data:`READ_ERRORS`.
    """
    if "://" not in target:
        target = os.path.abspath(target)  # FFmpeg takes what comes before a colon, as in 10:30.mp4, for a protocol
    # Metadata may be in any encoding; an invalid byte in a title is no reason to refuse the file.
    try:
        return av.open(target, mode="r", options=options or {}, timeout=timeout, metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.EOFError):
        content = None if "://" in target else uncover_fragments(Path(target))
        if content is None:
            raise
        return av.open(content, mode="r", metadata_errors="replace")


def find_pictures(container: InputContainer) -> VideoStream | None:
    """Return the video track; None if there is none (the cover art of an audio file does not count)."""
    for stream in container.streams.video:
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails):
            stream.thread_type = "AUTO"
            return stream
    return None


def frame_rate(stream: VideoStream) -> Fraction | None:
    """Return the nominal frame rate exactly, such as 30000/1001; None if the file does not tell."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and rate > 0:
            return Fraction(rate)
    return None


def lacks_time_stamps(container: InputContainer) -> bool:
    """Whether the format stores no times, as MJPEG over HTTP and raw H.264; FFmpeg then counts at 25 per second."""
    name = container.format.name
    return bool(container.format.flags & _NO_TIME_STAMPS) or name == "image2pipe" or name.endswith("_pipe")


def may_leap(container: InputContainer) -> bool:
    """Whether the format allows that times leap, as MPEG-TS does where broadcasts follow each other."""
    return bool(container.format.flags & _LEAPS)


def has_end(container: InputContainer) -> bool:
    """Whether a stream is a file on a server: of known length, or of known size and no list of other files."""
    known = container.duration is not None and container.duration > 0
    list_of_files = not _LISTS.isdisjoint(container.format.name.split(","))
    return known or (container.size > 0 and not list_of_files and not lacks_time_stamps(container))


@dataclass(frozen=True, slots=True)
class Extent:
    """What the packets of a video track tell.

    Attributes:
        frames: number of packets.
        end: when the last picture ends, in seconds of the file; None if no packet has a time.
        rate: mean frames per second; None if it cannot be told.
    """

    frames: int
    end: Fraction | None
    rate: Fraction | None


def measure_extent(path: Path) -> Extent:
    """Read all packets of a file's video track, without decoding them.

    Recordings of browsers, for example, store neither length nor rate.

    Raises:
        OSError, av.error.FFmpegError: as in :data:`READ_ERRORS`, if the file cannot be opened.
    """
    frames, times = 0, []
    with open_container(str(path)) as container:
        stream = find_pictures(container)
        if stream is None:
            return Extent(0, None, None)
        try:
            for packet in container.demux(stream):
                frames += packet.size > 0
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    times.append(packet.pts * packet.time_base)
        except READ_ERRORS:
            pass  # what could be read counts
    if not times or max(times) == min(times):
        return Extent(frames, None, None)
    step = (max(times) - min(times)) / (len(times) - 1)
    return Extent(frames, max(times) + step, (1 / step).limit_denominator(1001))


def uncover_fragments(path: Path) -> mmap.mmap | None:
    """Return one of our MP4 recordings that lost its end as a file that can be read; None if it is none.

    While it is written, one of our MP4 files is a sequence of fragments behind a first index, and can be played without
    its end. When it is finished a full index is appended, and everything before it is hidden in one box of media data,
    so that other programs see a plain file (FFmpeg's hybrid_fragmented). Without that last index, after a broken copy
    for example, nothing can be found in the file; but the fragments are still there and only have to be uncovered.

    The result is a private copy in memory, page by page as it is read; the file is not changed.
    """
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):  # missing, empty, or not mappable
        return None
    place = 0
    while (box := _box(content, place)) is not None and place < _HEAD:
        size, kind = box
        if kind == _MEDIA:
            first = _box(content, place + 8)
            second = None if first is None else _box(content, place + 8 + first[0])
            if first is not None and second is not None and (first[1], second[1]) == (_TYPE, _INDEX):
                content[place : place + 8] = struct.pack(">I4s", 8 + first[0], _FREE)
                _hide_truncated_box(content, place + 8 + first[0])
                return content
            break
        if kind not in (_TYPE, _FREE) or size < 8:
            break
        place += size
    content.close()
    return None


def _hide_truncated_box(content: mmap.mmap, place: int) -> None:
    """Turn the last box, if it is truncated metadata, into one that readers skip."""
    while (box := _box(content, place)) is not None and box[0] >= 8:
        size, kind = box
        if place + size > len(content) and kind != _MEDIA:
            content[place + 4 : place + 8] = _FREE
        place += size


def _box(content: mmap.mmap, place: int) -> tuple[int, bytes] | None:
    """Return the size and kind of the box at ``place``; None beyond the end."""
    head = content[place : place + 8]
    return struct.unpack(">I4s", head) if len(head) == 8 else None
