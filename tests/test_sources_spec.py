"""What a person types for a source is read once, the same everywhere, and written back."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import SourceError
from app.sources.spec import (
    FORMATS,
    CameraFormat,
    CameraSpec,
    DemoSpec,
    PathSpec,
    Region,
    ScreenSpec,
    SourceKind,
    SourceSpec,
    StreamSpec,
    parse_source,
    public_text,
)

USUAL = CameraFormat()


@pytest.mark.parametrize(
    ("typed", "name", "requested"),
    [
        ("camera", "", USUAL),
        ("camera:", "", USUAL),
        (" Camera : 1 ", "1", USUAL),
        ("camera:0@1920x1080@60", "0", CameraFormat(1920, 1080, 60.0)),
        ("camera:0@1920X1080", "0", CameraFormat(1920, 1080, 30.0)),
        ("camera:0@640\u00d7480@29.97", "0", CameraFormat(640, 480, 29.97)),
        ("camera:Logi C920@1280x720", "Logi C920", USUAL),
        ("camera:HD Pro: Webcam@auto", "HD Pro: Webcam", None),
        ("camera:@640x480", "", CameraFormat(640, 480)),
        ("camera@640x480", "", CameraFormat(640, 480)),
        ("CAMERA@AUTO", "", None),
        ("camera:cam@home", "cam@home", USUAL),
        ("camera:cam@home@640x480@15", "cam@home", CameraFormat(640, 480, 15.0)),
        ("camera:cam@640x480@1280x720@60", "cam@640x480", CameraFormat(1280, 720, 60.0)),
        ("camera:8x8@", "8x8@", USUAL),
        ("/dev/video3", "3", USUAL),
    ],
)
def test_cameras(typed: str, name: str, requested: CameraFormat | None) -> None:
    spec = parse_source(typed)
    assert spec == CameraSpec(name, requested)
    assert spec.kind is SourceKind.CAMERA


def test_links_to_devices_are_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {"/dev/v4l/by-id/usb-left": "/dev/video2", "/dev/sr0": "/dev/sr0"}
    monkeypatch.setattr("app.sources.spec.os.path.realpath", lambda path: links[path])
    assert parse_source("/dev/v4l/by-id/usb-left") == CameraSpec("2")
    assert parse_source("/dev/sr0") == PathSpec("/dev/sr0")


def test_a_device_that_no_file_can_be_is_a_path() -> None:
    assert parse_source("/dev/video\0") == PathSpec("/dev/video\0")


@pytest.mark.parametrize(
    ("typed", "spec"),
    [
        ("screen", ScreenSpec(1)),
        ("Screen", ScreenSpec(1)),
        ("screen:2", ScreenSpec(2)),
        ("screen:1@100,80,1280x720", ScreenSpec(1, Region(100, 80, 1280, 720))),
        ("screen@0,0,10X20", ScreenSpec(1, Region(0, 0, 10, 20))),
        ("demo", DemoSpec()),
        (" Demo ", DemoSpec()),
        ("DEMO", DemoSpec()),
        ("rtsp://10.0.0.2/live", StreamSpec("rtsp://10.0.0.2/live")),
        ("HTTP://host/a.mp4", StreamSpec("HTTP://host/a.mp4")),
        ("udp://@:1234", StreamSpec("udp://@:1234")),
        ("talk.mp4", PathSpec("talk.mp4")),
        ("C:\\talk.mp4", PathSpec("C:\\talk.mp4")),
        ("./demo", PathSpec("./demo")),
        ("demo:1", PathSpec("demo:1")),
        ("demo.mp4", PathSpec("demo.mp4")),
        ("cameras/talk.mp4", PathSpec("cameras/talk.mp4")),
        ("camera@home.mp4", PathSpec("camera@home.mp4")),
        ("camera.mp4", PathSpec("camera.mp4")),
        ("screens.mp4", PathSpec("screens.mp4")),
        ("screenshot.png", PathSpec("screenshot.png")),
        ("my screen", PathSpec("my screen")),
        ("/tmp/screen", PathSpec("/tmp/screen")),
    ],
)
def test_other_sources(typed: str, spec: SourceSpec) -> None:
    assert parse_source(typed) == spec
    assert parse_source(str(spec)) == spec


@pytest.mark.parametrize("name", ["", "0", "Logi C920", "a@b", "cam@640x480", "cam@auto", "x: y", "\u9854"])
@pytest.mark.parametrize("requested", [*FORMATS, CameraFormat(333, 222, 12.5)])
def test_what_is_written_is_read_back(name: str, requested: CameraFormat | None) -> None:
    spec = CameraSpec(name, requested)
    assert parse_source(str(spec)) == spec


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "No source was named"),
        ("  ", "No source was named"),
        ("camera:0@0x480", "above 0"),
        ("camera:0@640x480@0", "above 0"),
        ("screen:0", "names no screen"),
        ("screen:first", "names no screen"),
        ("screen:1@100,80", "names no screen"),
        ("screen:1@-5,0,10x10", "names no screen"),
        ("screen:1@1,1,10x0", "at least 1 wide"),
        ("screen:1@a", "names no screen"),
    ],
)
def test_what_cannot_exist_is_one_sentence(typed: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        parse_source(typed)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_paths_say_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.PNG").touch()
    (tmp_path / "b.png").mkdir()
    assert PathSpec(str(tmp_path / "a.PNG")).kind is SourceKind.PICTURE
    assert PathSpec(str(tmp_path / "b.png")).kind is SourceKind.FOLDER
    missing = PathSpec(str(tmp_path / "c.mp4"))
    assert (missing.kind, missing.exists) == (SourceKind.FILE, False)


def test_spaces_around_what_was_typed_count_where_a_file_has_them(tmp_path: Path) -> None:
    (tmp_path / "a ").mkdir()
    assert parse_source(f"{tmp_path}/a ") == PathSpec(f"{tmp_path}/a ")
    assert parse_source(f" {tmp_path}/b.mp4 ") == PathSpec(f"{tmp_path}/b.mp4")
    assert parse_source(" demo ") == DemoSpec()


def test_a_picture_that_ends_in_its_first_bytes_is_one_all_the_same(tmp_path: Path) -> None:
    head = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\x02"  # 0x02: an animation
    for length in range(len(head) + 1):
        (tmp_path / "a.webp").write_bytes(head[:length])
        kind = SourceKind.ANIMATION if length == len(head) else SourceKind.PICTURE
        assert PathSpec(str(tmp_path / "a.webp")).kind is kind


@pytest.mark.parametrize("typed", ["a\0b", "x" * 5000, "~nobody-of-that-name/a.mp4"])
def test_names_that_no_file_can_have_do_not_exist(typed: str) -> None:
    assert not PathSpec(typed).exists
    assert PathSpec(typed).kind is SourceKind.FILE


def test_the_address_of_a_local_file_is_its_path() -> None:
    assert parse_source("file:///clips/a%20talk.mp4") == PathSpec("/clips/a talk.mp4")
    assert parse_source("FILE://localhost/a%3F.mp4") == PathSpec("/a?.mp4")
    assert parse_source("file:///C:/clips/a.mp4") == PathSpec("C:/clips/a.mp4")
    assert isinstance(parse_source("file://server/share/a.mp4"), StreamSpec)


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("Demo", "Demo clip"),
        ("camera:1", "Camera 1"),
        ("camera", "Camera"),
        ("camera:1@640x480", "Camera 1"),
        ("screen:2@0,0,10x20", "Screen 2, 10 \u00d7 20"),
        ("/videos/talk.mp4", "talk.mp4"),
        ("C:\\videos\\talk.mp4", "talk.mp4"),
        ("/", "/"),
        ("rtsp://host/stream", "rtsp://host/stream"),
        ("rtsp://me:secret@cam.local:554/live?token=7", "rtsp://cam.local:554/live"),
        ("rtsp://me:p@ss@word@10.0.0.7/live", "rtsp://10.0.0.7/live"),
        ("https://host/@me/live", "https://host/@me/live"),
        ("https://host?to=//me@host", "https://host"),
    ],
)
def test_labels(typed: str, label: str) -> None:
    assert parse_source(typed).label == label


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("rtsp://10.0.0.7/live", False),
        ("http://h:81/v", False),
        ("rtsp://me:word@10.0.0.7/live", True),
        ("https://h/v?token=1", True),
    ],
)
def test_addresses_may_hold_secrets(url: str, secret: bool) -> None:
    assert StreamSpec(url).secret is secret
    assert (public_text(StreamSpec(url)) == url) is not secret


def test_only_secrets_are_left_out_of_files() -> None:
    assert public_text(StreamSpec("rtsp://me:word@cam/live?token=7")) == "rtsp://cam/live"
    assert public_text(CameraSpec("1", CameraFormat(640, 480))) == "camera:1@640x480@30"
    assert public_text(PathSpec("clips/a?.mp4")) == "clips/a?.mp4"


def test_formats_for_display() -> None:
    assert CameraFormat(1920, 1080, 59.94).label == "1920 \u00d7 1080, 59.94 fps"
    assert str(CameraFormat(640, 480, 30.0)) == "640x480@30"
    assert None in FORMATS
    assert USUAL in FORMATS
    assert len(set(FORMATS)) == len(FORMATS)
