"""Pictures of every kind, and folders of them."""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pillow_heif
import pytest

from app.core.errors import SourceError
from app.sources.animation import AnimationSource
from app.sources.content import PNG
from app.sources.images import list_pictures, open_folder, open_picture
from app.sources.picture_files import read_picture
from tests.sources_fakes import read_all


def save(path: Path, image: np.ndarray) -> Path:
    """Write RGB(A) or grey as OpenCV wants it."""
    if image.ndim == 3:
        image = image[..., [2, 1, 0, 3][: image.shape[2]]]
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def gradient() -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([rows * 4, columns * 3, rows + columns], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff", ".ppm"])
def test_colours_and_shape(tmp_path: Path, gradient: np.ndarray, suffix: str) -> None:
    image = read_picture(save(tmp_path / f"a{suffix}", gradient))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - gradient).max() <= (12 if suffix == ".webp" else 0)


def test_name_outside_ascii(tmp_path: Path, gradient: np.ndarray) -> None:
    path = tmp_path / "gesicht-ä-顔.png"
    path.write_bytes(cv2.imencode(".png", gradient[..., ::-1])[1].tobytes())
    assert np.array_equal(read_picture(path), gradient)


def test_tiny_picture(tmp_path: Path) -> None:
    source = open_picture(save(tmp_path / "a.png", np.full((9, 17, 3), 7, np.uint8)))
    assert (source.info.width, source.info.height, source.info.frames) == (17, 9, 1)
    assert [f.image.shape for f in read_all(source)] == [(9, 17, 3)]


def test_huge_picture(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    cv2.imwrite(str(path), np.zeros((1500, 10000), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert read_picture(path).shape == (1500, 10000, 3)


def test_sixteen_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(8, axis=0)
    colour = np.stack([ramp, ramp // 2, ramp * 0], axis=-1)
    eight = read_picture(save(tmp_path / "c.png", colour))
    assert np.abs(eight - colour / 257).max() <= 1
    assert np.abs(read_picture(save(tmp_path / "g.png", ramp))[..., 1] - ramp / 257.0).max() <= 1
    assert np.abs(read_picture(save(tmp_path / "t.tiff", ramp))[..., 0] - ramp / 257.0).max() <= 1


def test_twelve_bits_in_sixteen_are_stretched(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4095, 64, dtype=np.uint16)[None].repeat(8, axis=0)
    image = read_picture(save(tmp_path / "a.png", ramp))
    assert image.max() == 255
    assert np.abs(image[..., 0] - ramp / 4095 * 255).max() <= 1


@pytest.mark.parametrize("name", ["a.pgm", "a.ppm", "a.jp2"])
def test_twelve_bits_are_stretched_in_other_formats_too(tmp_path: Path, name: str) -> None:
    ramp = np.linspace(0, 4095, 64, dtype=np.uint16)[None].repeat(64, axis=0)
    picture = np.stack([ramp] * 3, axis=-1) if name == "a.ppm" else ramp
    if name == "a.jp2":
        save(tmp_path / name, picture)
    else:
        head = f"P{6 if picture.ndim == 3 else 5} 64 64 4095\n".encode()
        (tmp_path / name).write_bytes(head + picture.astype(">u2").tobytes())
    image = read_picture(tmp_path / name)
    assert np.abs(image[..., 0] - ramp / 4095 * 255).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_floating_point_from_0_to_1(tmp_path: Path, channels: int) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None].repeat(8, axis=0).repeat(channels, axis=2)
    image = read_picture(save(tmp_path / "a.tiff", ramp.squeeze()))
    assert np.abs(image - ramp * 255).max() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_values_of_unknown_range_are_refused_and_not_shown_black_or_white(tmp_path: Path, dtype: type) -> None:
    PIL.Image.fromarray(np.linspace(0, 70_000, 64, dtype=dtype)[None].repeat(8, axis=0)).save(tmp_path / "a.tiff")
    with pytest.raises(SourceError, match="cannot be read as a picture"):
        open_picture(tmp_path / "a.tiff")


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_transparent_parts_become_white(tmp_path: Path, suffix: str) -> None:
    image = np.zeros((16, 16, 4), np.uint8)
    image[:, 8:] = (200, 100, 0, 255)
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), image[..., [2, 1, 0, 3]], [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else [])
    shown = read_picture(path)
    assert shown.shape == (16, 16, 3)
    assert (shown[:, :8] == 255).all()
    assert np.abs(shown[:, 8:].astype(int) - [200, 100, 0]).max() <= 1


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, :32] = 255  # white on the left
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    tiff = b"II*\x00" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)  # orientation 6: turn clockwise
    body = b"Exif\x00\x00" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])
    image = read_picture(path)
    assert image.shape == (64, 32, 3)
    assert image[:28].mean() > 240
    assert image[36:].mean() < 15


def test_folder_in_natural_order_with_gaps_for_unreadable_ones(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        save(tmp_path / f"face{number}.png", np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "face3.jpg").write_bytes(b"not a picture")
    (tmp_path / "face4.png").touch()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    source = open_folder(tmp_path)
    assert [p.name for p in list_pictures(tmp_path)] == [
        "face1.png", "face2.png", "face3.jpg", "face4.png", "face10.png",
    ]  # fmt: skip
    frames = read_all(source)
    assert [(f.index, int(f.image[0, 0, 0])) for f in frames] == [(0, 1), (1, 2), (4, 10)]
    assert source.paths[4].name == "face10.png"
    assert [p.name for p in source.skipped] == ["face3.jpg", "face4.png"]
    assert source.note == "2 pictures could not be read and were left out: face3.jpg, face4.png."
    assert all(b.timestamp > a.timestamp for a, b in itertools.pairwise(frames))


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        open_folder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"rubbish")
    with pytest.raises(SourceError, match="cannot be read as a picture"):
        open_picture(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    with pytest.raises(SourceError, match="None of the 2 pictures"):
        open_folder(tmp_path)
    with pytest.raises(SourceError, match="There is no file"):
        open_picture(tmp_path / "missing.png")
    with pytest.raises(SourceError, match="cannot be opened"):
        open_folder(tmp_path / "missing")


def test_a_size_that_no_picture_has_is_an_error(tmp_path: Path) -> None:
    """Damaged files may claim any size; Pillow refuses those with an exception of its own."""
    side = 20_000
    header = struct.pack(
        "<4B6H48s2B4H54s", 10, 5, 1, 8, 0, 0, side - 1, side - 1, 72, 72, b"", 0, 3, side, 1, 0, 0, b""
    )
    save(tmp_path / "a1.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "a2.png").write_bytes(header)  # of PCX, which OpenCV does not know
    source = open_folder(tmp_path)
    assert len(read_all(source)) == 1
    assert [path.name for path in source.skipped] == ["a2.png"]


def test_an_animation_of_a_size_that_none_has_is_an_error(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">2I", 20_000, 20_000)
    chunks = {
        b"IHDR": size + bytes((8, 2, 0, 0, 0)),
        b"acTL": struct.pack(">2I", 2, 0),
        b"fcTL": struct.pack(">I", 0) + size + struct.pack(">2I2H2B", 0, 0, 1, 10, 0, 0),
        b"IDAT": zlib.compress(bytes(9)),
        b"IEND": b"",
    }
    (tmp_path / "a.png").write_bytes(PNG + b"".join(chunk(kind, data) for kind, data in chunks.items()))
    with pytest.raises(SourceError, match="too many pixels"):
        AnimationSource(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.heic", "a.png"])
def test_a_picture_that_is_too_large_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pillow_heif.register_heif_opener()
    PIL.Image.new("RGB", (128, 128)).save(tmp_path / name)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1000)
    if name == "a.png":
        monkeypatch.setattr(cv2, "imdecode", lambda *_: (_ for _ in ()).throw(cv2.error("too large")))
    with pytest.raises(SourceError, match=f"{name} has too many pixels"):
        read_picture(tmp_path / name)
    (tmp_path / "cut.heic").write_bytes((tmp_path / name).read_bytes()[:40])
    with pytest.raises(SourceError, match="cannot be read as a picture"):
        read_picture(tmp_path / "cut.heic")


def test_a_picture_for_which_there_is_no_memory_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    path = save(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(cv2, "imdecode", no_memory)
    with pytest.raises(SourceError, match="too many pixels"):
        read_picture(path)


def test_close_ends_the_sequence(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    source = open_folder(tmp_path)
    source.close()
    source.close()
    assert source.read() is None
