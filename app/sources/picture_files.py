"""Reads one picture file as it is meant to be seen."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.sources.base import Adaptation
from app.sources.content import JPEG_2000, NETPBM, PNG, TIFF, is_heif
from app.sources.opencv import cv2, quiet_opencv
from app.sources.presentation import UsedBits, flatten

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112
"""EXIF's tag: 1 is upright, 2 to 8 are the other ways in which a picture may be turned and mirrored."""
_EXIF, _TAKEN = 0x8769, 0x9003
"""EXIF's tags: its second part, and therein when the picture was taken (DateTimeOriginal)."""
_WIDE_MODES = ("F", "I")
"""Pillow's names for values of 32 bits: of unknown range, so that they would come out black or white."""
_STORED = "original_orientation"
"""Where pillow-heif keeps the EXIF orientation."""

TOO_MANY_PIXELS = "{} has too many pixels to be read here; make it smaller."


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as it is meant to be seen.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        adaptations: what was done to what is stored.
        more: further pages or pictures of an animation in the file, which are left out.
    """

    image: NDArray[np.uint8]
    adaptations: tuple[Adaptation, ...] = ()
    more: int = 0


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return the picture of :func:`load_picture` as (h, w, 3) uint8 RGB.

    Raises:
        SourceError: the file is missing or cannot be decoded.
    """
    return load_picture(path).image


def load_picture(path: Path, bits: UsedBits | None = None) -> Picture:
    """Read a picture: turned as its EXIF data or HEIF properties say, on white where it is transparent, 8-bit RGB.

    Args:
        path: the file, whose content decides and not its name.
        bits: which bits of 16 the earlier pictures of a sequence use; None for a picture of its own.

    Raises:
        SourceError: the file is missing or cannot be decoded.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror or error}.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of damaged tags that the picture does without
            picture = None if is_heif(data[:64]) else _by_opencv(data, bits or UsedBits())
            picture = picture or _by_pillow(data)
    except Exception as error:  # whatever OpenCV and Pillow raise for damaged or unknown files
        if has_too_many_pixels(data, error):
            raise SourceError(TOO_MANY_PIXELS.format(path)) from error
        picture = None
    if picture is None or picture.image.size == 0:
        raise SourceError(f"{path} cannot be read as a picture; it may be damaged or in an unknown format.")
    return picture


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return width and height as a picture is shown, without decoding it; None if it cannot be read."""
    try:
        data = path.read_bytes()
        with warnings.catch_warnings(), open_image(data) as image:
            warnings.simplefilter("ignore")
            if image.format == "PNG":  # Pillow would decode all of it, since EXIF data may follow the pixels
                return image.size
            width, height = image.size
            turned = orientation_of(image, data) >= 5 and image.format != "TIFF"  # whose size Pillow turns itself
    except Exception:  # whatever Pillow raises for damaged or unknown files
        return None
    return (height, width) if turned else (width, height)


def time_taken(path: Path) -> datetime | None:
    """Return when a camera says that it took a picture, to a second; None where it says nothing, and for PNG."""
    try:
        data = path.read_bytes()
        with warnings.catch_warnings(), open_image(data) as image:
            warnings.simplefilter("ignore")
            if image.format == "PNG":  # see picture_size; cameras write none
                return None
            return datetime.strptime(str(image.getexif().get_ifd(_EXIF).get(_TAKEN, "")), "%Y:%m:%d %H:%M:%S")
    except Exception:  # whatever Pillow raises for damaged or unknown files, and times that are none
        return None


def turn(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a picture upright that is stored with this EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


def open_image(data: bytes) -> Image:
    """Open a picture with Pillow, in HEIC, too; its pixels are decoded later.

    Raises:
        OSError, ValueError, SyntaxError: it cannot be read.
    """
    import PIL.Image
    import pillow_heif

    pillow_heif.register_heif_opener()
    # Of damaged files Pillow tells with warnings what it could not read; they are none of the person's business.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return PIL.Image.open(io.BytesIO(data))


def has_too_many_pixels(data: bytes, error: Exception) -> bool:
    """Whether a picture could not be read for its size: for lack of memory, or beyond what OpenCV and Pillow take."""
    import PIL.Image

    if isinstance(error, MemoryError):
        return True
    try:
        open_image(data).close()
    except PIL.Image.DecompressionBombError:
        return True
    except Exception:  # damaged or unknown, whatever Pillow raises for that
        return False
    return False


def orientation_of(image: Image, data: bytes) -> int:
    """Return the EXIF orientation of an open picture, 1 if it has none; ``data`` is the file or its beginning.

    HEIF has properties of its own, which libheif applies; the EXIF orientation, which pillow-heif sets aside, counts
    where they are missing.
    """
    if _STORED in image.info:
        found = 1 if _is_turned_by_heif(data) else image.info[_STORED]
    else:
        found = image.getexif().get(_ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _by_opencv(data: bytes, bits: UsedBits) -> Picture | None:
    everything = _has_more_than_rgb8(data)
    # From memory, because OpenCV cannot open names outside the code page on Windows.
    flags = cv2.IMREAD_UNCHANGED if everything else cv2.IMREAD_COLOR_RGB
    with quiet_opencv():
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        return None
    done = []
    orientation, pages = _facts(data)
    if everything:
        plain, adaptations = _plain_rgb(image, bits)
        if plain is None:
            return None
        done += adaptations
        if not data.startswith(TIFF):  # which OpenCV turns in any case
            plain = turn(plain, orientation)
        image = plain
    if orientation != 1:
        done.append(Adaptation.TURNED)
    return Picture(np.ascontiguousarray(image, np.uint8), _ordered(done), pages - 1)


def _by_pillow(data: bytes) -> Picture | None:
    """Read what OpenCV cannot: HEIC and AVIF, and rare formats."""
    if not data:
        return None
    with open_image(data) as opened:
        orientation = orientation_of(opened, data)
        turned = orientation != 1 or (_STORED in opened.info and _is_turned_by_heif(data))
        pages = int(getattr(opened, "n_frames", 1))
        if opened.mode in _WIDE_MODES:
            return None
        image, transparent = flatten(np.asarray(opened.convert("RGBA"), np.uint8))
    done = [Adaptation.TURNED] * turned + [Adaptation.FLATTENED] * transparent
    return Picture(np.ascontiguousarray(turn(image, orientation)), _ordered(done), pages - 1)


def _is_turned_by_heif(data: bytes) -> bool:
    """Whether a HEIC or HEIF file holds a property that turns or mirrors its picture."""
    return b"irot" in data or b"imir" in data


def _facts(data: bytes) -> tuple[int, int]:
    """Return the EXIF orientation and the number of pages."""
    if data.startswith(PNG) and not any(chunk in data for chunk in (b"eXIf", b"XML:com.adobe.xmp", b"acTL")):
        return 1, 1  # Pillow would decode all of it, since EXIF data may follow the pixels
    try:
        with open_image(data) as opened:
            # Further pictures of a JPEG are previews and the like.
            pages = 1 if opened.format in ("JPEG", "MPO") else int(getattr(opened, "n_frames", 1))
            return orientation_of(opened, data), pages
    except Exception:  # damaged metadata, in whatever way; OpenCV has read the picture
        return 1, 1


def _has_more_than_rgb8(data: bytes) -> bool:
    """Whether OpenCV's plain decoding would lose transparency or 16 bits."""
    if len(data) < 26:
        return False
    if data.startswith(PNG):
        depth, colour = data[24], data[25]
        return depth == 16 or colour in (4, 6) or b"tRNS" in data[: data.find(b"IDAT")]
    if data[8:16] == b"WEBPVP8X":
        return bool(data[20] & 0x10)
    if data[8:16] == b"WEBPVP8L":
        return bool(data[24] & 0x10)
    return data.startswith((*TIFF, *JPEG_2000, *NETPBM))


def _plain_rgb(image: NDArray[Any], bits: UsedBits) -> tuple[NDArray[np.uint8] | None, list[Adaptation]]:
    """Convert the result of ``IMREAD_UNCHANGED`` to RGB; None for values whose range is not known."""
    done = []
    if image.dtype.kind == "f":
        if not (image.min(initial=0) >= 0 and image.max(initial=0) <= 1):  # also where some are no numbers
            return None, []
        image = np.rint(image * 255).astype(np.uint8)
    if image.ndim == 2:
        image = image[..., None]
    channels = image.shape[2]
    if image.dtype == np.uint16:
        eight = bits.to_eight(image[..., :3] if channels == 4 else image)
        if bits.of(0, 16) < 16:
            done.append(Adaptation.STRETCHED)
        image = np.dstack([eight, (image[..., 3] >> 8).astype(np.uint8)]) if channels == 4 else eight
    if image.dtype != np.uint8 or channels not in (1, 3, 4):
        return None, []
    if channels == 1:
        return np.repeat(image, 3, axis=2).astype(np.uint8, copy=False), done
    if channels == 3:
        return image[..., ::-1].astype(np.uint8, copy=False), done
    flat, transparent = flatten(image[..., [2, 1, 0, 3]].astype(np.uint8, copy=False))
    return flat, done + [Adaptation.FLATTENED] * transparent


def _ordered(done: list[Adaptation]) -> tuple[Adaptation, ...]:
    return tuple(adaptation for adaptation in Adaptation if adaptation in done)
