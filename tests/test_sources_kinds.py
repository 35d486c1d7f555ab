"""The content of a file decides how it is read, not its name."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pillow_heif
import pytest

from app.sources.animation import AnimationSource
from app.sources.base import Adaptation
from app.sources.images import PHOTO_SECONDS, ImageSource, open_folder, open_picture
from app.sources.open import open_source
from app.sources.picture_files import load_picture, picture_size
from app.sources.spec import PathSpec, SourceKind
from app.sources.video import VideoSource
from tests.sources_fakes import numbered, read_all, write_video

pillow_heif.register_heif_opener()


def scene() -> PIL.Image.Image:
    """Return a picture of 64 x 32 whose four quarters differ."""
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32], picture[:16, 32:], picture[16:, :32] = 255, (255, 80, 0), (0, 120, 0)
    return PIL.Image.fromarray(picture)


def encoded(image: PIL.Image.Image, kind: str, orientation: int = 1, **options: object) -> bytes:
    """Return a picture file with an EXIF orientation."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, kind, exif=exif, **options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "I;16"), ("WEBP", "RGB"), ("WEBP", "RGBA")),
        *(("TIFF", "RGB"), ("TIFF", "I;16"), ("AVIF", "RGB"), ("AVIF", "RGBA"), ("HEIF", "RGB"), ("HEIF", "RGBA")),
    ],
)
def test_every_picture_type_is_shown_upright(tmp_path: Path, kind: str, mode: str, orientation: int) -> None:
    image = scene()
    exif = image.getexif()
    exif[0x0112] = orientation
    upright = np.asarray(PIL.ImageOps.exif_transpose(image), int)
    if mode == "I;16":
        stored = PIL.Image.fromarray(np.asarray(image)[..., 1].astype(np.uint16) * 257)
    else:
        stored = scene().convert(mode)
    path = tmp_path / "picture"
    path.write_bytes(encoded(stored, kind, orientation, **({"lossless": True} if kind == "WEBP" else {})))
    picture = load_picture(path)
    assert picture.image.shape == upright.shape
    assert picture.image.flags.c_contiguous
    assert np.abs(picture.image[..., 1] - upright[..., 1]).mean() < 6
    assert picture.adaptations == ((Adaptation.TURNED,) if orientation > 1 else ())
    if kind != "PNG":
        assert picture_size(path) == (upright.shape[1], upright.shape[0])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_transparent_parts_are_white_and_said(tmp_path: Path, kind: str) -> None:
    image = scene().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 16, 64, 32))
    path = tmp_path / "picture"
    path.write_bytes(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})))
    source = open_picture(path)
    assert read_all(source)[0].image[24:].min() > 250
    assert source.info.adaptations == (Adaptation.FLATTENED,)
    assert source.info.remark == "Pictures were put on white where they are transparent."


def test_transparency_of_a_palette(tmp_path: Path) -> None:
    image = scene().convert("P")
    path = tmp_path / "a.png"
    image.save(path, transparency=image.getpixel((50, 28)))
    assert (load_picture(path).image[28, 50] == 255).all()


@pytest.mark.parametrize(
    ("name", "kind"), [("a.jfif", "JPEG"), ("a.heic", "HEIF"), ("a.heif", "HEIF"), ("a.avif", "AVIF")]
)
def test_pictures_in_folders_and_alone(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(scene(), kind))
    assert PathSpec(str(path)).kind is SourceKind.PICTURE
    for source in (open_source(PathSpec(str(path))), open_folder(tmp_path)):
        frames = read_all(source)
        assert [frame.image.shape for frame in frames] == [(32, 64, 3)]
        assert np.abs(frames[0].image.astype(int) - np.asarray(scene())).mean() < 6


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("photo", "JPEG", SourceKind.PICTURE),
        ("photo.mp4", "JPEG", SourceKind.PICTURE),
        ("photo.png", "WEBP", SourceKind.PICTURE),
        ("photo.jpg", "HEIF", SourceKind.PICTURE),
    ],
)
def test_names_may_be_wrong(tmp_path: Path, name: str, content: str, kind: SourceKind) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(scene(), content))
    assert PathSpec(str(path)).kind is kind
    assert isinstance(open_source(PathSpec(str(path))), ImageSource)


def test_a_video_named_as_a_picture(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [numbered(i) for i in range(5)]).rename(tmp_path / "a.jpg")
    source = open_source(PathSpec(str(path)))
    assert isinstance(source, VideoSource)
    assert len(read_all(source)) == 5


TIMES = (40, 120, 33, 500)


@pytest.mark.parametrize(
    ("kind", "name"), [("WEBP", "a.webp"), ("PNG", "a.png"), ("PNG", "a.apng"), ("WEBP", "a.png"), ("AVIF", "a.avif")]
)
def test_every_picture_of_an_animation_with_its_time(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    pictures = [PIL.Image.fromarray(numbered(10 * index)) for index in range(4)]
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "AVIF" else {}
    with path.open("wb") as file:
        pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=list(TIMES), **options)
    source = open_source(PathSpec(str(path)))
    assert isinstance(source, AnimationSource)
    frames = read_all(source)
    assert [int(frame.image[5, 5, 0]) for frame in frames] == [int(numbered(10 * i)[0, 0, 0]) for i in range(4)]
    assert [frame.timestamp for frame in frames] == pytest.approx([0, 0.04, 0.16, 0.193])
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert all(frame.continues for frame in frames)
    assert source.duration == pytest.approx(0.693)
    assert source.info.fps == pytest.approx(4 / 0.693)
    for moment, index in ((0.17, 2), (0.0, 0), (5.0, 3)):
        source.seek(moment)
        assert source.read().index == index  # type: ignore[union-attr]


def test_a_still_picture_before_an_animation_is_not_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pictures = [PIL.Image.fromarray(numbered(10 * index)) for index in range(4)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], default_image=True, duration=100)
    frames = read_all(open_source(PathSpec(str(path))))
    assert [int(frame.image[5, 5, 0]) for frame in frames] == [int(numbered(10 * i)[0, 0, 0]) for i in (1, 2, 3)]


def test_transparent_animations_are_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    pictures = [PIL.Image.new("RGBA", (32, 32), (200, 0, 0, 0)), PIL.Image.new("RGBA", (32, 32), (200, 0, 0, 255))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50, lossless=True)
    source = AnimationSource(path)
    assert source.info.adaptations == (Adaptation.FLATTENED,)
    assert [frame.image[0, 0].tolist() for frame in read_all(source)] == [[255, 255, 255], [200, 0, 0]]


def test_further_pages_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    scene().save(path, save_all=True, append_images=[scene(), scene()])
    source = open_picture(path)
    assert source.note == "2 further pictures were left out of a.tif."


@pytest.mark.parametrize(("name", "kind"), [("a.webp", "WEBP"), ("a.png", "PNG"), ("a.avif", "AVIF")])
def test_an_animation_among_photos_gives_its_first_picture_and_says_so(tmp_path: Path, name: str, kind: str) -> None:
    pictures = [PIL.Image.fromarray(numbered(10 * index)) for index in range(4)]
    pictures[0].save(tmp_path / name, kind, save_all=True, append_images=pictures[1:], duration=100)
    scene().save(tmp_path / "b.png")
    source = open_folder(tmp_path)
    frames = read_all(source)
    assert len(frames) == 2
    assert abs(int(frames[0].image[5, 5, 0]) - int(numbered(0)[0, 0, 0])) <= 2
    assert source.note == f"3 further pictures were left out of {name}."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_opened_to_learn_its_kind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert PathSpec(str(tmp_path / "a.png")).kind is SourceKind.PICTURE


def moving(index: int, width: int = 96, height: int = 64) -> PIL.Image.Image:
    """Return a picture of a bright disc that moves slowly over a gradient."""
    rows, columns = np.mgrid[0:height, 0:width]
    disc = (columns - 30 - index) ** 2 + (rows - 30) ** 2 < 200
    return PIL.Image.fromarray(np.repeat((columns + 100 * disc).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))


def unrelated(index: int) -> PIL.Image.Image:
    """Return blotches that differ for every index."""
    coarse = np.random.default_rng(index).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return PIL.Image.fromarray(coarse).resize((96, 64), PIL.Image.Resampling.BICUBIC)


def taken_at(second: int) -> PIL.Image.Exif:
    """Return what a camera notes of a picture that it took in that second of a minute."""
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"2026:11:30 12:00:{second:02}"
    return exif


@pytest.mark.parametrize("damaged", [False, True])
def test_a_burst_of_a_camera_is_a_video(tmp_path: Path, damaged: bool) -> None:
    for index in range(12):
        exif = taken_at(4 * index if damaged else index // 3)
        if damaged and index % 2:
            exif.get_ifd(0x8769)[0x9003] = "0000:00:00 00:00:00"
        moving(index).save(tmp_path / f"IMG_{index:04}.jpg", exif=exif)
    assert not open_folder(tmp_path).info.photos


def test_a_numbered_sequence_is_a_video(tmp_path: Path) -> None:
    for index in range(95, 115):
        moving(index).save(tmp_path / f"shot_{index}.png")
    (tmp_path / "shot_103.png").unlink()
    source = open_folder(tmp_path)
    assert all(frame.continues for frame in read_all(source))
    assert source.info.remark == (
        "The 19 pictures are taken as a video at 30 frames per second, since they are numbered, of one size and alike."
    )


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("names", "their names are not numbered consecutively"),
        ("sizes", "their sizes differ"),
        ("turned", "their sizes differ"),
        ("content", "neighbours do not resemble each other"),
        ("times", "they were taken seconds apart"),
    ],
)
def test_photos_do_not_continue_each_other(tmp_path: Path, case: str, reason: str) -> None:
    for index in range(12):
        name = f"{index * index * 7 + 3}.jpg" if case == "names" else f"IMG_{index:04}.jpg"
        image = unrelated(index) if case == "content" else moving(index)
        if case == "sizes" and index == 5:
            image = image.resize((64, 96))
        turned = {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}
        image.save(tmp_path / name, **(turned if case == "turned" and index == 5 else {}))  # type: ignore[arg-type]
        if case == "times":
            image.save(tmp_path / name, exif=taken_at(4 * index))
    source = open_folder(tmp_path)
    assert source.info.remark == f"The 12 pictures are taken as photos, each on its own, since {reason}."
    frames = read_all(source)
    assert not any(frame.continues for frame in frames)
    assert [frame.timestamp for frame in frames[:3]] == [0, PHOTO_SECONDS, 2 * PHOTO_SECONDS]
    assert source.duration == 12 * PHOTO_SECONDS


def test_a_single_picture_is_a_photo_that_continues_while_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scene().save(path)
    assert [frame.continues for frame in read_all(open_picture(path))] == [False]
    assert open_picture(path).info.remark == ""
    played = open_source(PathSpec(str(path)), realtime=True, loop=True)
    assert [played.read().continues for _ in range(3)] == [False, True, True]  # type: ignore[union-attr]
    played.close()


def test_what_only_later_pictures_need_is_said_at_the_end(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"{index}.jpg").write_bytes(encoded(scene(), "JPEG", 3 if index == 2 else 1))
    source = open_folder(tmp_path)
    assert source.info.adaptations == ()
    assert source.note == ""
    read_all(source)
    assert source.note == "Some pictures were turned upright."


def test_bits_are_decided_once_for_a_sequence(tmp_path: Path) -> None:
    for index, value in enumerate((900, 300, 900)):
        PIL.Image.fromarray(np.full((16, 16), value, np.uint16)).save(tmp_path / f"{index}.png")
    source = open_folder(tmp_path)
    assert [int(frame.image[0, 0, 0]) for frame in read_all(source)] == [224, 75, 224]
    assert source.info.adaptations == (Adaptation.STRETCHED,)


def test_rate_of_an_animation_is_the_mean(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    pictures = [PIL.Image.fromarray(numbered(index)) for index in range(3)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=0)
    assert AnimationSource(path).duration == pytest.approx(float(Fraction(3, 10)))  # as browsers show it
