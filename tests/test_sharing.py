"""What is sent to other programs: addresses, signals, JSON and OSC."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from app.cli.sharing_options import add_sharing_options, sharing_settings
from app.core.errors import UserError
from app.core.frame import FrameResult
from app.sharing.json_message import json_datagrams
from app.sharing.osc_message import FORGET_FRAMES, FaceNumbers, OscEncoder
from app.sharing.settings import Address, CameraPicture, SharingError, SharingSettings, parse_address
from app.sharing.signals import RIGID, SHAPE, face_signals, head_pose
from app.sharing.udp import LARGEST, pack
from model.topology import MIRROR, POINTS
from tests.gui_fakes import frame_result

Points = NDArray[np.float32]


def face(scale: float = 200.0) -> Points:
    """A face that looks at the camera, its outer eye corners ``scale`` apart."""
    points = np.zeros((POINTS, 2))
    points[list(RIGID)] = SHAPE[:, :2]
    for row, lids in enumerate(((61, 62, 63), (67, 66, 65))):
        points[list(lids)] = [(-0.42 + 0.08 * i, -0.05 + 0.1 * row) for i in range(3)]
    for row, lips in enumerate(((89, 90, 91), (95, 94, 93))):
        points[list(lips)] = [(-0.1 + 0.1 * i, 0.7 + 0.2 * row) for i in range(3)]
    points[33:42] = (-0.345, -0.29)
    for point in (*range(61, 68), *range(33, 42)):
        points[MIRROR[point]] = points[point] * (-1, 1)
    points[60], points[64], points[68], points[72] = SHAPE[0][:2], SHAPE[1][:2], SHAPE[2][:2], SHAPE[3][:2]
    return (points * scale + (640, 360)).astype(np.float32)


def result_of(*faces: Points, **changes: Any) -> FrameResult:
    result = frame_result(index=7, faces=len(faces))
    found = tuple(
        replace(known, estimate=replace(known.estimate, landmarks=points, **changes))
        for known, points in zip(result.faces, faces, strict=True)
    )
    return replace(result, faces=found)


def turned(yaw: float, pitch: float, roll: float) -> Points:
    """The rigid points of a head turned by angles in degrees, seen from far away."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    points = np.zeros((POINTS, 2))
    points[list(RIGID)] = (SHAPE @ (about_y @ about_x @ about_z).T)[:, :2]
    return (points * 150 + (320, 240)).astype(np.float32)


@pytest.mark.parametrize(
    ("text", "address", "written"),
    [
        ("9000", Address("127.0.0.1", 9000), "127.0.0.1:9000"),
        (" 192.168.1.5:39539 ", Address("192.168.1.5", 39539), "192.168.1.5:39539"),
        ("studio.local:1", Address("studio.local", 1), "studio.local:1"),
        ("[::1]:65535", Address("::1", 65535), "[::1]:65535"),
    ],
)
def test_addresses_are_read_and_written(text: str, address: Address, written: str) -> None:
    assert parse_address(text) == address
    assert str(address) == written
    assert parse_address(written) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no port"),
        ("localhost", "names no port"),
        ("localhost:", "is no port"),
        ("localhost:http", "is no port"),
        ("::1:9000", "in brackets"),
        ("[host]:9000", "no IPv6 address"),
        (":9000", "names no host"),
        ("udp://10.0.0.2:9000", "is a web address"),
        ("host:0", "1 to 65535"),
        ("70000", "1 to 65535"),
        ("my host:9000", "is no host"),
        ("host:\u0663", "is no port"),
    ],
)
def test_wrong_addresses_are_explained(text: str, says: str) -> None:
    with pytest.raises(SharingError, match=says):
        parse_address(text)


def test_settings_refuse_what_cannot_be() -> None:
    here = Address("127.0.0.1", 9000)
    with pytest.raises(UserError, match="named twice"):
        SharingSettings(udp=(here,), osc=(here,))
    with pytest.raises(UserError, match="At most 8"):
        SharingSettings(udp=tuple(Address("h", port) for port in range(1, 10)))


def test_options_fill_the_settings() -> None:
    parser = argparse.ArgumentParser()
    add_sharing_options(parser)
    assert sharing_settings(parser.parse_args([])) is None
    args = parser.parse_args(["--udp", "9000", "--udp", "10.0.0.2:9000", "--osc", "9001", "--virtual-camera"])
    assert sharing_settings(args) == SharingSettings(
        (Address("127.0.0.1", 9000), Address("10.0.0.2", 9000)), (Address("127.0.0.1", 9001),), CameraPicture.ANNOTATED
    )
    chosen = sharing_settings(parser.parse_args(["--virtual-camera", "landmarks"]))
    assert chosen is not None
    assert chosen.virtual_camera is CameraPicture.LANDMARKS


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (25, 0, 0), (-40, 10, 0), (0, 20, 0), (0, -20, 30), (15, 12, -100), (30, -15, 170)]
)
def test_head_angles_come_back(angles: tuple[float, float, float]) -> None:
    pose = head_pose(turned(*angles))
    assert pose is not None
    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), angles, atol=0.05)


def test_signs_of_the_head_angles_are_those_of_the_picture() -> None:
    ahead, right, up = turned(0, 0, 0), turned(20, 0, 0), turned(0, 20, 0)
    nose = 54
    assert right[nose, 0] > ahead[nose, 0]
    assert up[nose, 1] < ahead[nose, 1]
    tilted = turned(0, 0, 20)
    assert tilted[72, 1] > tilted[60, 1]  # the right eye sinks: clockwise


def test_signals_measure_gaps_in_eye_distances() -> None:
    for scale in (80.0, 400.0):
        signals = face_signals(face(scale))
        assert signals is not None
        found = (signals.mouth, signals.eye_left, signals.eye_right, signals.brow_left, signals.brow_right)
        np.testing.assert_allclose(found, (0.2, 0.1, 0.1, 0.3, 0.3), atol=1e-3)


def test_signals_do_not_depend_on_the_tilt() -> None:
    upright, angle = face(), math.radians(35)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    tilted = face_signals((upright - 500) @ turn.T + 500)
    level = face_signals(upright)
    assert tilted is not None
    assert level is not None
    np.testing.assert_allclose((tilted.brow_left, tilted.mouth), (level.brow_left, level.mouth), atol=1e-4)
    assert tilted.head.roll - level.head.roll == pytest.approx(35, abs=0.01)


def test_a_mirrored_face_has_mirrored_signals() -> None:
    points = face()
    points[61:64, 1] += 10  # the left upper lid sinks
    points[33:42, 1] -= 8
    plain = face_signals(points)
    mirrored = face_signals((points * (-1, 1))[MIRROR])
    assert plain is not None
    assert mirrored is not None
    assert plain.eye_left < plain.eye_right
    assert (mirrored.eye_right, mirrored.brow_right) == pytest.approx((plain.eye_left, plain.brow_left), abs=1e-5)
    assert mirrored.head.yaw == pytest.approx(-plain.head.yaw, abs=1e-4)


def test_impossible_faces_have_no_signals() -> None:
    assert face_signals(np.full((POINTS, 2), 5.0)) is None
    points = face()
    points[54] = np.nan
    assert face_signals(points) is None


def test_runs_fill_datagrams_in_order() -> None:
    assert pack([], 10) == []
    assert pack([4, 4, 4, 20, 1], 10) == [range(0, 2), range(2, 3), range(3, 4), range(4, 5)]


def test_json_says_where_the_landmarks_are() -> None:
    points = face()
    datagrams = json_datagrams(result_of(points))
    assert max(map(len, datagrams)) <= LARGEST
    messages = [json.loads(datagram) for datagram in datagrams]
    assert [(message["part"], message["parts"]) for message in messages] == [(0, 2), (1, 2)]
    head = {"ldeq": 1, "frame": 7, "time": 0.233333, "size": [320, 180], "count": 1}
    assert all(head.items() <= message.items() for message in messages)
    entry, spread = messages[0]["faces"][0], messages[1]["faces"][0]
    steps = np.array(entry["landmarks"]).reshape(POINTS, 2)
    assert (steps.min(), steps.max()) == (0, pytest.approx(9999, abs=20))
    np.testing.assert_allclose(steps * entry["unit"] + entry["box"][:2], points, atol=0.51 * entry["unit"])
    assert spread == {"id": 0, "uncertainty": [2.0] * POINTS}
    assert entry["interocular"] == 200.0
    assert (entry["mode"], entry["flicker"], entry["evaluations"], entry["warm"]) == ("rwr", 0.5, 2, True)
    assert entry["signals"]["mouth"] == pytest.approx(0.2, abs=1e-3)
    assert entry["signals"].keys() >= {"eye_left", "eye_right", "brow_left", "brow_right", "yaw", "pitch", "roll"}


@pytest.mark.parametrize("side", [3.0, 40.0, 900.0, 3500.0])
def test_json_datagrams_fit_a_packet_for_faces_of_any_size(side: float) -> None:
    random = np.random.default_rng(1)
    faces = [random.uniform(-500, side, (POINTS, 2)).astype(np.float32) * 1.0 for _ in range(3)]
    wide = np.full(POINTS, 123.45, np.float32)
    result = result_of(*faces, uncertainty=wide)
    result = replace(result, frame=replace(result.frame, index=10**9, timestamp=86400 * 365.123456))
    datagrams = json_datagrams(result)
    assert max(map(len, datagrams)) <= LARGEST
    entries = [entry for datagram in datagrams for entry in json.loads(datagram)["faces"]]
    assert [entry["id"] for entry in entries] == [0, 0, 1, 1, 2, 2]


def test_json_of_what_is_not_finite_is_still_json() -> None:
    points = face()
    points[3] = np.nan
    spread = np.full(POINTS, np.inf, np.float32)
    (datagram,) = json_datagrams(result_of(points, uncertainty=spread, flicker=None))
    entry, uncertain = json.loads(datagram, parse_constant=lambda name: pytest.fail(name))["faces"]
    assert "landmarks" not in entry
    assert entry["flicker"] is None
    assert uncertain["uncertainty"] == [None] * POINTS


def test_a_frame_without_faces_is_told_too() -> None:
    (datagram,) = json_datagrams(frame_result(index=3, faces=0))
    message = json.loads(datagram)
    assert (message["frame"], message["count"], message["faces"], message["parts"]) == (3, 0, [], 1)
    (bundle,) = OscEncoder()(frame_result(index=3, faces=0))
    assert contents([bundle]) == {"/ldeq/frame": [3, pytest.approx(0.1), 0, 320, 180]}


def contents(datagrams: list[bytes]) -> dict[str, list[Any]]:
    """Read bundles back with the library that receivers use."""
    messages = [message for datagram in datagrams for message in OscBundle(datagram)]
    assert all(isinstance(message, OscMessage) for message in messages)
    return {message.address: message.params for message in messages}


def test_osc_reads_back() -> None:
    points = face()
    datagrams = OscEncoder()(result_of(points))
    assert max(map(len, datagrams)) <= LARGEST
    found = contents(datagrams)
    assert found["/ldeq/face/0/mode"] == ["rwr"]
    assert found["/ldeq/face/0/warm"] == [1]
    assert found["/ldeq/face/0/flicker"] == [0.5]
    assert found["/ldeq/face/0/interocular"] == [200.0]
    assert found["/ldeq/face/0/eyes"] == pytest.approx([0.1, 0.1], abs=1e-3)
    assert len(found["/ldeq/face/0/head"]) == 3
    np.testing.assert_array_equal(np.reshape(found["/ldeq/face/0/landmarks"], (POINTS, 2)), points)
    assert found["/ldeq/face/0/uncertainty"] == [2.0] * POINTS


def test_osc_leaves_out_what_is_not_known() -> None:
    points = face()
    points[0] = np.inf
    found = contents(OscEncoder()(result_of(points, flicker=None)))
    assert set(found) == {"/ldeq/frame", *(f"/ldeq/face/0/{name}" for name in ("id", "mode", "evaluations", "warm"))}


def test_faces_keep_their_slots() -> None:
    slots = FaceNumbers()
    assert slots.assign([5, 9]) == [0, 1]
    assert slots.assign([9, 5]) == [1, 0]
    assert slots.assign([9]) == [1]
    assert slots.assign([12, 9]) == [2, 1]  # 5 may come back
    for _ in range(FORGET_FRAMES):
        slots.assign([9, 12])
    assert slots.assign([9, 12, 20]) == [1, 2, 0]
