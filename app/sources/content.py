"""What a file holds, read from its first bytes: names may be wrong, and a .png may be a whole animation."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n"
TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_JPEG = b"\xff\xd8\xff"
JPEG_2000 = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")
_ICON = b"\x00\x00\x01\x00"
NETPBM = tuple(f"P{number}{space}".encode() for number in range(1, 8) for space in " \n\r\t#")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif"})
"""Brands of still pictures; a sequence of HEVC is a video to FFmpeg."""
_AVIF_SEQUENCE = b"avis"
_MOTION_JPEG_SUFFIXES = frozenset({".mjpeg", ".mjpg"})
_HEAD = 64
_WEBP_ANIMATION = 0x02
_LONGEST_WALK = 4096
"""PNG chunks that may come before the pixels."""


class Content(StrEnum):
    """What a file holds."""

    PICTURE = "picture"
    ANIMATION = "animation"
    VIDEO = "video"


def content_of(path: Path) -> Content | None:
    """Return what the file holds; None if its first bytes do not tell or cannot be read.

    An animation is a picture format with several pictures and their durations: APNG, animated WebP or AVIF.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for its other end
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return None
    if head.startswith(PNG):
        return Content.ANIMATION if _is_apng(path) else Content.PICTURE
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        animated = head[12:16] == b"VP8X" and any(flags & _WEBP_ANIMATION for flags in head[20:21])
        return Content.ANIMATION if animated else Content.PICTURE
    if head.startswith(_JPEG):
        return Content.VIDEO if path.suffix.lower() in _MOTION_JPEG_SUFFIXES else Content.PICTURE
    if head[4:8] == b"ftyp" and _AVIF_SEQUENCE in head[8 : int.from_bytes(head[:4])]:
        return Content.ANIMATION
    if (
        is_heif(head)
        or head.startswith((*TIFF, *JPEG_2000, *NETPBM, _ICON))
        or (head[:2] == b"BM" and not any(head[6:10]))
    ):
        return Content.PICTURE
    known_video = head[4:8] == b"ftyp" or head.startswith((b"\x1aE\xdf\xa3", b"GIF8", b"OggS", b"FLV\x01"))
    return Content.VIDEO if known_video or (head[:4] == b"RIFF" and head[8:12] == b"AVI ") else None


def is_heif(head: bytes) -> bool:
    """Whether the file that begins with these bytes is a still picture in HEIC, HEIF or AVIF."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def _is_apng(path: Path) -> bool:
    """Whether a chunk "acTL" with more than one picture comes before the pixels."""
    try:
        with path.open("rb") as file:
            file.seek(len(PNG))
            for _ in range(_LONGEST_WALK):
                size, kind = int.from_bytes(file.read(4)), file.read(4)
                if kind == b"acTL":
                    return int.from_bytes(file.read(4)) > 1
                if kind in (b"IDAT", b"IEND") or len(kind) < 4:
                    return False
                file.seek(size + 4, 1)
    except OSError:
        return False
    return False
