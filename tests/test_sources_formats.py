"""How cameras, their formats and screens are written, and read back."""

from __future__ import annotations

import pytest

from app.core.errors import SourceError, UserError
from app.sources.formats import FORMATS, CameraFormat, CameraRequest, is_camera_spec, parse_camera, with_format
from app.sources.screens import Region, ScreenRequest, is_screen_spec, parse_screen

USUAL = CameraFormat()


@pytest.mark.parametrize(
    ("spec", "who", "asked"),
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
        ("camera:cam@home", "cam@home", USUAL),
        ("camera:cam@home@640x480@15", "cam@home", CameraFormat(640, 480, 15.0)),
        ("camera:cam@640x480@1280x720@60", "cam@640x480", CameraFormat(1280, 720, 60.0)),
        ("camera:8x8@", "8x8@", USUAL),
    ],
)
def test_cameras_are_read(spec: str, who: str, asked: CameraFormat | None) -> None:
    assert is_camera_spec(spec)
    request = parse_camera(spec)
    assert request == CameraRequest(who, asked)
    assert parse_camera(request.spec) == request


@pytest.mark.parametrize("who", ["", "0", "Logi C920", "a@b", "cam@640x480", "cam@auto", "x: y", "\u9854"])
@pytest.mark.parametrize("asked", [*FORMATS, CameraFormat(333, 222, 12.5)])
def test_what_is_written_is_read_back(who: str, asked: CameraFormat | None) -> None:
    request = CameraRequest(who, asked)
    assert parse_camera(request.spec) == request
    assert with_format(f"camera:{who}@640x480@5", asked) == request.spec


def test_sizes_that_no_camera_has_are_refused() -> None:
    for spec in ("camera:0@0x480", "camera:0@640x480@0"):
        with pytest.raises(UserError, match="above 0"):
            parse_camera(spec)
    assert not is_camera_spec("cameras/talk.mp4")


def test_formats_for_people() -> None:
    assert CameraFormat(1920, 1080, 59.94).label == "1920 \u00d7 1080, 59.94 fps"
    assert str(CameraFormat(640, 480, 30.0)) == "640x480@30"
    assert None in FORMATS
    assert USUAL in FORMATS
    assert len(set(FORMATS)) == len(FORMATS)


@pytest.mark.parametrize(
    ("spec", "request_"),
    [
        ("screen", ScreenRequest(1)),
        ("Screen", ScreenRequest(1)),
        ("screen:2", ScreenRequest(2)),
        ("screen:1@100,80,1280x720", ScreenRequest(1, Region(100, 80, 1280, 720))),
        ("screen@0,0,10X20", ScreenRequest(1, Region(0, 0, 10, 20))),
    ],
)
def test_screens_are_read(spec: str, request_: ScreenRequest) -> None:
    assert is_screen_spec(spec)
    assert parse_screen(spec) == request_
    assert parse_screen(request_.spec) == request_


@pytest.mark.parametrize(
    "spec", ["screen:0", "screen:first", "screen:1@100,80", "screen:1@-5,0,10x10", "screen:1@1,1,10x0", "screen:1@a"]
)
def test_other_screens_are_one_sentence(spec: str) -> None:
    assert is_screen_spec(spec)
    with pytest.raises(SourceError) as caught:
        parse_screen(spec)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_files_are_no_screens() -> None:
    for spec in ("screens.mp4", "screenshot.png", "screen.mkv", "my screen", "/tmp/screen"):
        assert not is_screen_spec(spec)
