"""From a word, path or address to the right source; files played in real time."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from subprocess import run

import cv2
import numpy as np
import pytest

from app.core.errors import SourceError
from app.core.frame import Frame
from app.sources.images import ImageSource
from app.sources.open import open_source
from app.sources.paced import PacedSource
from app.sources.spec import CameraSpec, PathSpec, StreamSpec, parse_source
from app.sources.video import VideoSource
from tests.sources_fakes import ScriptedSource, fake_clock, numbered, read_all, write_video


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", [numbered(i) for i in range(5)])


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only runs while somebody waits; gives the waits."""
    return fake_clock(monkeypatch).waits


def test_each_kind_of_path(tmp_path: Path, clip: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.PNG"), np.zeros((9, 17, 3), np.uint8))
    video, picture, folder = (
        open_source(PathSpec(str(clip))),
        open_source(PathSpec(str(tmp_path / "a.PNG"))),
        open_source(PathSpec(str(tmp_path))),
    )
    assert isinstance(video, VideoSource)
    assert isinstance(picture, ImageSource)
    assert isinstance(folder, ImageSource)
    assert (picture.info.width, picture.info.height) == (17, 9)
    assert folder.info.frames == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["2026-01-31T10:30:00.mp4", "http:a.mp4", "%03d.mp4", "-.mp4"])
def test_a_name_that_looks_like_an_address_or_a_pattern_is_a_name(
    clip: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(clip.parent)
    clip.rename(name)
    assert len(read_all(open_source(parse_source(name)))) == 5


def test_a_recorded_session_plays_its_clean_video(tmp_path: Path, clip: Path) -> None:
    session = tmp_path / "a session"
    session.mkdir()
    (session / "session.json").write_text("{}")
    with pytest.raises(SourceError, match=r"is a session without a video of its own: open it in the window") as caught:
        open_source(PathSpec(str(session)))
    assert str(caught.value).endswith(".")
    (session / "annotated.mp4").write_bytes(b"")
    clip.rename(session / "video.mp4")
    source = open_source(PathSpec(str(session)))
    assert isinstance(source, VideoSource)
    assert source.info.name == "a session"
    assert len(read_all(source)) == 5


def test_cameras_are_opened_as_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[CameraSpec] = []
    camera = ScriptedSource(1)

    def fake(spec: CameraSpec) -> ScriptedSource:
        opened.append(spec)
        return camera

    monkeypatch.setattr("app.sources.camera.open_camera", fake)
    spec = CameraSpec("HD Pro: Webcam", None)
    assert open_source(spec, realtime=True, loop=True) is camera  # live already
    assert opened == [spec]


def test_stream_addresses_go_to_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sources.stream.StreamSource", lambda spec: ScriptedSource(len(spec.url)))
    assert isinstance(open_source(StreamSpec("rtsp://10.0.0.2/live")), ScriptedSource)


@pytest.mark.parametrize("name", ["demo", "camera"])
def test_a_file_called_like_a_word_can_be_opened(clip: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    clip.rename(name)
    assert isinstance(open_source(parse_source(f"./{name}")), VideoSource)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("missing.mp4", "There is no file or folder missing.mp4"),
        ("C:\\missing.mp4", "There is no file or folder"),
        ("x" * 5000, "There is no file or folder"),
        ("a\0b", "There is no file or folder"),
        ("0", "There is no file or folder 0: give camera:0"),
    ],
)
def test_anything_else_is_one_sentence(spec: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        open_source(parse_source(spec))


def test_paced_file_is_live_and_waits_for_its_times(clip: Path, no_waiting: list[float]) -> None:
    source = open_source(PathSpec(str(clip)), realtime=True)
    assert source.info.live
    assert source.info.frames is None
    frames = read_all(source)
    assert [f.index for f in frames] == list(range(5))
    assert [f.timestamp for f in frames] == pytest.approx([i / 30 for i in range(5)])
    assert no_waiting == pytest.approx([1 / 30] * 4)
    assert frames[3].captured - frames[0].captured == pytest.approx(3 / 30)


def test_loops_without_a_seam(clip: Path, no_waiting: list[float]) -> None:
    source = open_source(PathSpec(str(clip)), realtime=True, loop=True)
    frames: list[Frame] = [f for f in (source.read() for _ in range(17)) if f is not None]
    assert [f.index for f in frames] == list(range(17))
    assert np.diff([f.timestamp for f in frames]) == pytest.approx(1 / 30)
    assert frames[12].image.mean() == pytest.approx(frames[2].image.mean())
    assert frames[12].image.mean() != pytest.approx(frames[3].image.mean())
    source.close()
    assert source.read() is None


def test_late_reader_catches_up_and_a_long_pause_is_forgotten(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = fake_clock(monkeypatch)
    source = open_source(PathSpec(str(clip)), realtime=True, loop=True)
    source.read()
    clock.now += 0.1
    for _ in range(4):
        source.read()
    assert clock.waits == pytest.approx([1 / 30])  # the three late frames come at once
    clock.now += 60.0
    clock.waits.clear()
    for _ in range(3):
        source.read()
    assert clock.waits == pytest.approx([1 / 30, 1 / 30])


def test_one_picture_plays_on_and_on(tmp_path: Path, no_waiting: list[float]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((9, 17, 3), 3, np.uint8))
    source = open_source(PathSpec(str(tmp_path / "a.png")), realtime=True, loop=True)
    frames = [source.read() for _ in range(4)]
    assert all(f is not None and f.image.shape == (9, 17, 3) for f in frames)
    assert np.diff([f.timestamp for f in frames if f]) == pytest.approx(1 / 30)


def test_loop_over_nothing_ends() -> None:
    assert PacedSource(lambda: ScriptedSource("end"), loop=True).read() is None


def test_close_interrupts_the_wait(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mkv", [numbered(0), numbered(1)], times=[0, 30 * 3600])
    source = open_source(PathSpec(str(path)), realtime=True)
    source.read()
    timer = threading.Timer(0.05, source.close)
    timer.start()
    assert source.read() is None  # or it would take an hour
    timer.join()


@pytest.mark.process
def test_importing_and_playing_needs_neither_torch_nor_qt() -> None:
    code = (
        "import sys; from app.sources.open import open_source; import app.sources.capture; "
        "from app.sources.spec import DemoSpec; s = open_source(DemoSpec()); "
        "s.read(); sys.exit(sum(name in sys.modules for name in ('torch', 'PySide6', 'mediapipe')))"
    )
    assert run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0
