"""The cheap sign that a camera came or went."""

from __future__ import annotations

from pathlib import Path

from app.sources.camera import camera_marks


def test_marks_change_when_a_device_comes_or_goes(tmp_path: Path) -> None:
    none = camera_marks("linux", tmp_path)
    assert none == camera_marks("linux", tmp_path)
    (tmp_path / "video0").touch()
    (tmp_path / "video0").chmod(0o400)
    (tmp_path / "null").touch()
    one = camera_marks("linux", tmp_path)
    assert one is not None
    assert one != none
    (tmp_path / "video2").touch()
    two = camera_marks("linux", tmp_path)
    assert len({none, one, two}) == 3
    (tmp_path / "video2").unlink()
    assert camera_marks("linux", tmp_path) == one
    (tmp_path / "video0").chmod(0o660)  # as udev does once the device may be used
    assert camera_marks("linux", tmp_path) != one


def test_other_systems_have_no_cheap_sign(tmp_path: Path) -> None:
    assert camera_marks("win32", tmp_path) is None
    assert camera_marks("darwin", tmp_path) is None


def test_a_folder_that_is_not_there_is_no_camera(tmp_path: Path) -> None:
    assert camera_marks("linux", tmp_path / "none") == ()
