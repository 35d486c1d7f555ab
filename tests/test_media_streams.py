"""What a video holds beside its pictures reaches the annotated video, or is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from app.media import streams
from app.media.clock import FileClock, probe_timing
from app.media.streams import StreamCopy
from app.media.video import VideoWriter
from app.sources.video import VideoSource
from tests.recording_fakes import make_video, picture, read_video
from tests.sources_fakes import read_all

SUBTITLES = "1\n00:00:00,200 --> 00:00:00,600\nHello\n\n2\n00:00:01,000 --> 00:00:01,500\nWorld\n"
CHAPTERS = [
    {"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "Hello"}},
    {"id": 2, "start": 1000, "end": 2000, "time_base": Fraction(1, 1000), "metadata": {"title": "Questions"}},
]


def add_pictures(container: av.container.OutputContainer, codec: str, width: int) -> object:
    stream = container.add_stream(codec, rate=25)
    stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
    return stream


def make_rich_video(path: Path, folder: Path) -> Path:
    """Two videos, audio in two languages of which the second is the default, subtitles, chapters and tags."""
    (folder / "a.srt").write_text(SUBTITLES)
    with av.open(str(path), "w") as container, av.open(str(folder / "a.srt")) as text:
        videos = [add_pictures(container, "libx264", 64), add_pictures(container, "libx264", 32)]
        tones = [container.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        for tone, language, default in zip(tones, ("eng", "fra"), (False, True), strict=True):
            tone.metadata.update(language=language, title=f"Voice {language}")
            tone.disposition = Disposition.default if default else Disposition(0)
        subtitles = container.add_stream_from_template(text.streams[0])
        subtitles.metadata["language"] = "deu"
        container.metadata.update(title="Talk", artist="Someone", camera="X100")
        container.set_chapters(CHAPTERS)  # type: ignore[arg-type]
        for index in range(50):
            for video in videos:
                frame = av.VideoFrame.from_ndarray(picture(index % 20, video.width), format="rgb24")  # type: ignore[attr-defined]
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(video.encode(frame))  # type: ignore[attr-defined]
            for tone in tones:
                block = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = 48000, 1920 * index, Fraction(1, 48000)
                container.mux(tone.encode(block))
        for stream in (*videos, *tones):
            container.mux(stream.encode(None))  # type: ignore[attr-defined]
        for packet in text.demux():
            if packet.size:
                packet.stream = subtitles
                container.mux(packet)
    return path


def copied(source: Path, target: Path, **options: object) -> StreamCopy:
    copy = StreamCopy(source, **options)  # type: ignore[arg-type]
    with VideoWriter(target, 64, 48, copy=copy) as writer:
        for index in range(50):
            writer.write(picture(index % 20), index / 25)
    return copy


def described(path: Path) -> list[tuple[str, str, str | None, bool]]:
    """Return type, codec, language and default flag of each stream that has a codec."""
    with av.open(str(path)) as container:
        return [
            (s.type, s.codec_context.name, s.metadata.get("language"), bool(s.disposition & Disposition.default))
            for s in container.streams
            if s.type in ("video", "audio", "subtitle")
        ]


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rich")
    return make_rich_video(folder / "rich.mkv", folder)


def test_matroska_keeps_everything(rich: Path, tmp_path: Path) -> None:
    copy = copied(rich, tmp_path / "out.mkv")
    assert copy.left_out == ()
    streams = described(tmp_path / "out.mkv")
    assert [kind for kind, *_ in streams] == ["video", "video", "audio", "audio", "subtitle"]
    assert [row[2:] for row in streams if row[0] == "audio"] == [("eng", False), ("fra", True)]
    assert streams[-1][2] == "deu"
    with av.open(str(tmp_path / "out.mkv")) as container:
        tags = {name.lower(): value for name, value in container.metadata.items()}
        assert (tags["title"], tags["artist"], tags["camera"]) == ("Talk", "Someone", "X100")
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Hello", "Questions"]
        assert [stream.metadata.get("title") for stream in container.streams.audio] == ["Voice eng", "Voice fra"]
        assert sum(packet.size > 0 for packet in container.demux(container.streams.video[1])) == 50
    with av.open(str(tmp_path / "out.mkv")) as container:
        texts = [bytes(packet) for packet in container.demux(container.streams.subtitles[0]) if packet.size]
        assert texts == [b"Hello", b"World"]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_what_mp4_cannot_hold_is_named(rich: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    copy = copied(rich, target)
    assert copy.left_out == ("subtitles in subrip", "tags (CAMERA)")
    streams = described(target)
    assert [kind for kind, *_ in streams] == ["video", "video", "audio", "audio"]
    assert [row[2:] for row in streams if row[0] == "audio"] == [("eng", False), ("fra", True)]
    with av.open(str(target)) as container:
        assert (container.metadata["title"], container.metadata["artist"]) == ("Talk", "Someone")
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Hello", "Questions"]
        frames = [frame.pts * frame.time_base for frame in container.decode(container.streams.video[1])]  # type: ignore[operator]
    assert frames == pytest.approx([index / 25 for index in range(50)])


def test_without_audio_the_rest_stays(rich: Path, tmp_path: Path) -> None:
    copied(rich, tmp_path / "out.mkv", audio=False)
    assert [kind for kind, *_ in described(tmp_path / "out.mkv")] == ["video", "video", "subtitle"]


def test_chapters_begin_where_the_pictures_do(rich: Path, tmp_path: Path) -> None:
    copied(rich, tmp_path / "out.mkv", start=Fraction(1, 2))
    with av.open(str(tmp_path / "out.mkv")) as container:
        spans = [float(c[side] * c["time_base"]) for c in container.chapters() for side in ("start", "end")]  # type: ignore[operator]
    assert spans == pytest.approx([0, 0.5, 0.5, 1.5])


def test_chapters_of_mp4_are_no_track_that_is_left_out(rich: Path, tmp_path: Path) -> None:
    copied(rich, tmp_path / "first.mp4")
    copy = copied(tmp_path / "first.mp4", tmp_path / "second.mp4")
    assert copy.left_out == ()
    with av.open(str(tmp_path / "second.mp4")) as container:
        assert len(container.chapters()) == 2
        assert len(container.streams.video) == 2


def later(source: Path, target: Path, seconds: int) -> Path:
    """Write the same recording with other times."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        streams = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        for packet in before.demux():
            if packet.size and packet.pts is not None and packet.dts is not None and packet.time_base is not None:
                packet.pts += round(seconds / packet.time_base)
                packet.dts += round(seconds / packet.time_base)
                packet.stream = streams[packet.stream_index]
                after.mux(packet)
    return target


@pytest.mark.parametrize("begin", [(0, 0, 0), (0, 100, 5000), (5000, 100, 0)])
def test_recordings_that_were_joined_stay_in_step(tmp_path: Path, begin: tuple[int, ...]) -> None:
    """Their times begin again or leap in the middle."""
    part, whole, out = (tmp_path / name for name in ("part.ts", "whole.ts", "out.mp4"))
    make_video(part, range(60), Fraction(1, 30))
    whole.write_bytes(b"".join(later(part, tmp_path / "later.ts", seconds).read_bytes() for seconds in begin))
    timing = probe_timing(whole)
    assert timing is not None
    copy, source, clock = StreamCopy(whole, timing.start), VideoSource(whole), FileClock(timing)
    with VideoWriter(out, 64, 48, time_base=timing.time_base, copy=copy) as writer:
        for frame in read_all(source):
            writer.write(frame.image, clock.time(frame))
    assert not copy.damaged
    assert not source.note
    once, thrice = read_video(part), read_video(out)
    assert len(thrice.times) == 3 * len(once.times)
    assert len(thrice.audio) == pytest.approx(3 * len(once.audio), abs=3)
    assert max(np.diff([float(time) for time in thrice.times])) < 0.1
    with av.open(str(out)) as container:
        ends = [float(s.duration * s.time_base) for s in container.streams]  # type: ignore[operator]
    assert ends == pytest.approx([6.0, 6.0], abs=0.2)


def test_a_packet_that_the_output_refuses_does_not_end_the_run(
    rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        streams._Clock, "put_in_order", lambda own, packet, leaps: setattr(packet, "dts", packet.dts % 9)
    )
    assert copied(rich, tmp_path / "out.mkv").damaged
    assert len(read_video(tmp_path / "out.mkv").times) == 50
