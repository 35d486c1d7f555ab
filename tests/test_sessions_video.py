"""Any picture of a session's video, quickly, by its number."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.media.encoding import EXACT, SCRUB
from app.media.video import VideoWriter
from app.sessions import video as module
from app.sessions.form import SessionError
from app.sessions.video import SessionVideo
from app.sources.video import VideoSource
from tests.recording_fakes import make_video
from tests.sources_fakes import read_all, write_video

COUNT = 100
TIMES = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.06, COUNT))


def shown(number: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """A picture that tells its number by the place of a bright column and its brightness."""
    image = np.full((height, width, 3), 30, np.uint8)
    image[:, 8 * (number % 8) : 8 * (number % 8) + 8] = 60 + number
    return image


def number_of(image: NDArray[np.uint8] | None) -> int:
    assert image is not None
    column = int(image.mean(axis=(0, 2)).argmax()) // 8
    return next(k for k in range(COUNT) if k % 8 == column and abs(float(image.max()) - 60 - k) < 4)


def written(path: Path) -> Path:
    with VideoWriter(path, 64, 48, encoding=SCRUB if path.suffix == ".mp4" else EXACT, threads=1) as writer:
        for number, time in enumerate(TIMES):
            writer.write(shown(number), float(time))
    return path


@pytest.fixture(scope="module", params=["video.mp4", "video.nut"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("video") / request.param)


def test_any_order_gives_the_right_pictures(path: Path) -> None:
    order = [50, 3, 4, 5, 99, 0, 49, 48, 47, 20, 61, 10, 98, 1]
    with SessionVideo(path, TIMES) as video:
        assert len(video) == COUNT
        assert [number_of(video.read(k)) for k in order] == order


def test_pictures_come_in_their_order(path: Path) -> None:
    with SessionVideo(path, TIMES) as video:
        video.read(30)
        assert [(k, number_of(image)) for k, image in video.frames()] == [(k, k) for k in range(COUNT)]


def test_little_memory_still_gives_the_right_pictures(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_BYTES", 2 * 64 * 48 * 3)
    with SessionVideo(path, TIMES) as video:
        for number in range(40, 20, -1):
            assert number_of(video.read(number)) == number
        assert len(video._cache) <= 2


def test_kept_pictures_are_read_only_and_not_decoded_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SessionVideo(path, TIMES) as video:
        image = video.read(5)
        assert not image.flags.writeable
        monkeypatch.setattr("app.sessions.video.Presentation.picture", None)
        assert video.read(5) is image


def test_numbers_that_no_picture_has_are_an_error(path: Path) -> None:
    with SessionVideo(path, TIMES) as video:
        for number in (-1, COUNT):
            with pytest.raises(IndexError, match="no picture"):
                video.read(number)


def test_a_missing_tail_is_no_error(path: Path) -> None:
    times = np.append(TIMES, TIMES[-1] + np.arange(1, 4))
    with SessionVideo(path, times) as video:
        assert video.read(COUNT + 1) is None
        assert number_of(video.read(COUNT - 1)) == COUNT - 1
        assert len(list(video.frames())) == COUNT


def test_a_cut_off_file_gives_its_whole_pictures(tmp_path: Path) -> None:
    short = written(tmp_path / "video.nut")
    short.write_bytes(short.read_bytes()[: short.stat().st_size * 2 // 3])
    with SessionVideo(short, TIMES, whole=False) as video:
        found = [(k, image) for k, image in video.frames()]
        assert 50 < len(found) < 70
        assert all((image == shown(k)).all() for k, image in found)
        assert video.read(99) is None
        assert number_of(video.read(12)) == 12


def test_pictures_with_b_frames_are_found(tmp_path: Path) -> None:
    path = tmp_path / "other.mp4"
    stamps = [512 * k for k in range(30)]
    make_video(path, stamps, Fraction(1, 15360), audio=None)
    with SessionVideo(path, np.array(stamps) / 15360) as video:
        for number in (17, 2, 19, 0):
            assert round((float(video.read(number).mean()) - 20) / 10) == number % 20


@pytest.mark.parametrize("content", [None, b"", b"not a video at all"])
def test_what_is_no_video_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "video.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SessionError, match="restore it"):
        SessionVideo(path, TIMES)


@pytest.mark.parametrize("second", [0, 30_000])
def test_pictures_of_joined_recordings_are_counted(tmp_path: Path, second: int) -> None:
    """Their times begin again or leap, so that they tell no place."""
    whole, pictures = tmp_path / "whole.ts", [shown(number) for number in range(40)]
    parts = [
        write_video(tmp_path / f"{start}.ts", pictures, times=range(start, start + 40), pixels="yuv444p")
        for start in (0, second)
    ]
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    times = np.array([frame.timestamp for frame in read_all(VideoSource(whole))])
    order = [50, 3, 79, 0, 40, 39, 61]
    with SessionVideo(whole, times) as video:
        assert [number_of(video.read(k)) for k in order] == [k % 40 for k in order]
        assert [k for k, _ in video.frames()] == list(range(80))
