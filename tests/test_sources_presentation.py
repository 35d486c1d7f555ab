"""Stored pictures become the pictures that are meant to be seen."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.sources.base import Adaptation, adaptation_remark
from app.sources.presentation import REFERENCE_WHITE, UsedBits, tone_mapping
from app.sources.video import VideoSource
from tests.sources_fakes import read_all, write_video


def write_frames(path: Path, frames: list[av.VideoFrame], codec: str = "ffv1", **properties: object) -> Path:
    """Write frames as they are; ``properties`` are set on the codec context."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        for name, value in properties.items():
            setattr(stream.codec_context, name, value)
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))  # type: ignore[arg-type]
        container.mux(stream.encode(None))
    return path


def circle(width: int, height: int) -> np.ndarray:
    """Return a white disc that fills the picture."""
    rows, columns = np.mgrid[0:height, 0:width]
    inside = ((columns + 0.5) / width - 0.5) ** 2 + ((rows + 0.5) / height - 0.5) ** 2 < 0.2
    return np.repeat(np.uint8(255 * inside)[..., None], 3, axis=2)  # type: ignore[index]


@pytest.mark.parametrize(
    ("aspect", "stored", "shown"),
    [
        (Fraction(2), (64, 128), (128, 128)),
        (Fraction(4, 3), (96, 128), (128, 128)),
        (Fraction(8, 9), (128, 96), (128, 108)),
        (Fraction(64, 45), (90, 72), (128, 72)),
    ],
)
def test_pixels_become_square_and_the_picture_never_smaller(
    tmp_path: Path, aspect: Fraction, stored: tuple[int, int], shown: tuple[int, int]
) -> None:
    frame = av.VideoFrame.from_ndarray(circle(*stored), format="rgb24").reformat(format="yuv420p")
    source = VideoSource(write_frames(tmp_path / "a.mkv", [frame] * 3, "libx264", sample_aspect_ratio=aspect))
    assert (source.info.width, source.info.height) == shown
    assert source.info.adaptations == (Adaptation.SQUARE_PIXELS,)
    frames = read_all(source)
    assert {frame.image.shape for frame in frames} == {(shown[1], shown[0], 3)}
    assert np.abs(frames[0].image.astype(int) - circle(*shown)).mean() < 4
    assert source.info.remark == "Pictures were made of square pixels."


def test_pixel_aspect_is_applied_before_the_picture_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        stream.set_display_rotation(90)
        frame = av.VideoFrame.from_ndarray(circle(64, 96), format="rgb24")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = VideoSource(path)
    assert (source.info.width, source.info.height) == (96, 128)
    assert source.info.adaptations == (Adaptation.TURNED, Adaptation.SQUARE_PIXELS)


@pytest.mark.parametrize(("bits", "highest"), [(10, 1023), (12, 4095), (14, 16383), (16, 65535)])
@pytest.mark.parametrize("pixels", ["gray16le", "gray16be", "gbrp16le", "rgb48le"])
def test_lower_bits_are_stretched(tmp_path: Path, pixels: str, bits: int, highest: int) -> None:
    ramp = np.linspace(0, highest, 64).round().astype(np.uint16)[None].repeat(16, axis=0)
    name = "gray16le" if pixels.startswith("gray") else "rgb48le"
    values = ramp if name == "gray16le" else np.repeat(ramp[..., None], 3, axis=2)
    frame = av.VideoFrame.from_ndarray(values, format=name).reformat(format=pixels)
    codec = "rawvideo" if pixels in ("gray16be", "rgb48le") else "ffv1"
    source = VideoSource(write_frames(tmp_path / "a.nut", [frame], codec))
    image = read_all(source)[0].image
    assert np.abs(image[..., 1] - ramp / highest * 255.0).max() <= 2
    assert source.info.adaptations == ((Adaptation.STRETCHED,) if bits < 16 else ())


def test_luma_of_ten_bits_beside_chroma_of_sixteen(tmp_path: Path) -> None:
    frame = av.VideoFrame(32, 16, "yuv444p16le")
    for plane, value in zip(frame.planes, (502, 1 << 15, 1 << 15), strict=True):
        plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
    image = read_all(VideoSource(write_frames(tmp_path / "a.mkv", [frame])))[0].image
    assert np.abs(image.astype(int) - round((502 / 4 - 16) / 219 * 255)).max() <= 1


def test_a_film_of_twelve_bits_that_begins_with_black_is_not_brightened(tmp_path: Path) -> None:
    """ProRes 4444 has 12 bits, of which black uses 10."""
    levels = (0, 10, 40, 200)
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in levels]
    frames = [av.VideoFrame.from_ndarray(each, format="rgb24").reformat(format="yuv444p10le") for each in pictures]
    source = VideoSource(write_frames(tmp_path / "a.mov", frames, "prores_ks", options={"profile": "4444"}))
    assert [float(frame.image.mean()) for frame in read_all(source)] == pytest.approx(levels, abs=2)
    assert source.info.adaptations == ()


def test_brightness_does_not_follow_the_content() -> None:
    bits = UsedBits()
    assert bits.of(0, 16) == 16  # black tells nothing
    assert [bits.of(highest, 16) for highest in (700, 90, 1023)] == [10, 10, 10]
    assert [bits.of(highest, 16) for highest in (3000, 700)] == [12, 12]


def test_interlaced_pictures_have_no_comb(tmp_path: Path) -> None:
    """A bar moves between the two fields of every frame."""
    frames = []
    for index in range(6):
        picture = np.full((64, 128), 40, np.uint8)
        for field in (0, 1):
            left = 10 + 16 * index + 8 * field
            picture[field::2, left : left + 16] = 220
        frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
        frames.append(frame)
    path = tmp_path / "a.mpg"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme", "qscale": "2"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 128, 64, "yuv420p", 4_000_000
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = VideoSource(path)
    shown = read_all(source)
    assert Adaptation.DEINTERLACED in source.info.adaptations
    assert len(shown) == 6
    for index, frame in enumerate(shown):  # type: ignore[assignment]
        grey = frame.image[..., 1].astype(int)  # type: ignore[attr-defined]
        assert np.abs(grey[1:] - grey[:-1]).mean() < 1.0
        # The encoder marks the lower field as the first one.
        assert abs(np.flatnonzero(grey[32] > 130).mean() - (18 + 16 * index + 7.5)) < 1


def test_a_sought_picture_is_the_one_that_is_read(tmp_path: Path) -> None:
    frame = av.VideoFrame.from_ndarray(circle(64, 128), format="rgb24").reformat(format="yuv420p")
    path = write_frames(tmp_path / "a.mkv", [frame] * 8, "libx264", sample_aspect_ratio=Fraction(2))
    source = VideoSource(path)
    images = [frame.image for frame in read_all(source)]
    source.seek(4 / 25)
    assert np.array_equal(source.read().image, images[4])  # type: ignore[union-attr]


@pytest.mark.parametrize(("curve", "trc"), [("pq", 16), ("hlg", 18)])
def test_hdr_looks_as_the_same_scene_in_sdr(tmp_path: Path, curve: str, trc: int) -> None:
    grey = np.linspace(0.05, 0.95, 16)
    light = np.where(grey <= 0.04045, grey / 12.92, ((grey + 0.055) / 1.055) ** 2.4) * REFERENCE_WHITE
    codes = _encode(light, curve)
    luma = np.rint((64 + 876 * codes).repeat(8)).astype(np.uint16)[None].repeat(32, axis=0)
    frame = av.VideoFrame(128, 32, "yuv420p10le")
    for plane, values in zip(frame.planes, (luma, *[np.full((16, 64), 512, np.uint16)] * 2), strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        rows[:, : values.shape[1]] = values
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range = 9, 1
    properties = {"color_trc": trc, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    source = VideoSource(write_frames(tmp_path / "a.mkv", [frame], **properties))  # type: ignore[arg-type]
    image = read_all(source)[0].image
    assert source.info.adaptations == (Adaptation.TONE_MAPPED,)
    shown = image[16, 4::8].astype(float)
    assert np.ptp(shown, axis=1).max() <= 3  # grey stays grey
    # Up to a third of the light, nearly half of the range, nothing changes; above it the highlights are compressed.
    dark = grey < 0.57
    assert np.abs(shown[dark, 1] - 255 * grey[dark]).max() <= 4
    assert (np.diff(shown[:, 1]) > 0).all()
    assert 195 < shown[-1, 1] < 235


def _encode(light: np.ndarray, curve: str) -> np.ndarray:
    """Return PQ or HLG codes of grey light in cd/m2 (inverse of what BT.2100 says for a display of 1000 cd/m2)."""
    if curve == "pq":
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = (light / 10000) ** m1
        return np.asarray(((c1 + c2 * power) / (1 + c3 * power)) ** m2)
    scene = (light / 1000) ** (1 / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def test_tone_mapping_keeps_colours_in_range() -> None:
    codes = np.random.default_rng(1).random((200, 3))
    for curve in ("pq", "hlg"):
        shown = tone_mapping(codes, curve)
        assert shown.min() >= 0
        assert shown.max() <= 1
    assert tone_mapping(np.ones((1, 3)), "hlg") == pytest.approx(np.ones((1, 3)), abs=0.01)


def test_ordinary_pictures_are_not_adapted(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", [circle(64, 48)]))
    assert source.info.adaptations == ()
    assert source.info.remark == ""


@pytest.mark.parametrize("pixels", ["rgba", "yuva444p10le"])
def test_transparent_parts_of_a_video_are_white(tmp_path: Path, pixels: str) -> None:
    picture = np.zeros((32, 64, 4), np.uint8)
    picture[:, 32:] = (200, 100, 0, 255)
    frames = [av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format=pixels) for _ in range(2)]
    source = VideoSource(write_frames(tmp_path / "a.mov", frames, "png" if pixels == "rgba" else "prores_ks"))
    assert source.info.adaptations == (Adaptation.FLATTENED,)
    for frame in read_all(source):
        assert (frame.image[:, :24] == 255).all()
        assert np.abs(frame.image[:, 40:].astype(int) - [200, 100, 0]).max() <= 4


def test_an_opaque_video_with_an_alpha_channel_is_shown_as_it_is(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 64, 4), np.uint8)
    picture[..., 3] = 255
    source = VideoSource(write_frames(tmp_path / "a.mov", [av.VideoFrame.from_ndarray(picture, format="rgba")], "png"))
    assert source.info.adaptations == ()
    np.testing.assert_array_equal(read_all(source)[0].image, picture[..., :3])


def test_the_remark_is_one_sentence() -> None:
    everything = adaptation_remark(tuple(Adaptation))
    assert everything.startswith("Pictures were turned upright, ")
    assert everything.endswith(" and put on white where they are transparent.")
    assert adaptation_remark(()) == ""
