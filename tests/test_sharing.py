"""What is sent to other programs: addresses, signals, JSON and OSC."""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from app.cli.sharing_options import add_sharing_options, sharing_settings
from app.core.errors import UserError
from app.sharing.json_message import STEPS, json_datagrams
from app.sharing.osc_message import FORGET_FRAMES, FaceNumbers, OscEncoder
from app.sharing.settings import Address, CameraPicture, LslReach, SharingError, SharingSettings, parse_address
from app.sharing.udp import LARGEST, pack
from model.signals.eyes import EyeState
from model.signals.face import FaceSignals
from model.signals.head import HeadPose
from model.signals.track import NAMES, Signals
from model.topology import POINTS
from tests.gui_fakes import frame_result
from tests.sharing_fakes import Points, result_of
from tests.signals_fakes import face

KNOWN = Signals(
    FaceSignals(HeadPose(1, 2, 3, 4, 5, 6), 7, 8, 9, 10, 11, 12, 13, 14, (15, 16), (17, 18)), EyeState(0.25, 19, 0.5)
)
"""Signals no two of which are equal."""


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
    for kinds in itertools.combinations(("udp", "osc", "vmc", "opentrack"), 2):
        with pytest.raises(UserError, match="named twice"):
            replace(SharingSettings(), **dict.fromkeys(kinds, (here,)))  # type: ignore[arg-type]
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
    avatars = sharing_settings(parser.parse_args(["--vmc", "39539", "--opentrack", "10.0.0.2:4242"]))
    assert avatars == SharingSettings(vmc=(Address("127.0.0.1", 39539),), opentrack=(Address("10.0.0.2", 4242),))
    assert sharing_settings(parser.parse_args(["--lsl"])) == SharingSettings(lsl=LslReach.MACHINE)
    assert sharing_settings(parser.parse_args(["--lsl", "network"])) == SharingSettings(lsl=LslReach.NETWORK)
    chosen = sharing_settings(parser.parse_args(["--virtual-camera", "landmarks"]))
    assert chosen is not None
    assert chosen.virtual_camera is CameraPicture.LANDMARKS


def test_runs_fill_datagrams_in_order() -> None:
    assert pack([], 10) == []
    assert pack([5, 5, 1], 10) == [range(0, 2), range(2, 3)]
    assert pack([4, 4, 4, 20, 1], 10) == [range(0, 2), range(2, 3), range(3, 4), range(4, 5)]


def test_json_says_where_the_landmarks_are() -> None:
    points = face()
    datagrams = json_datagrams(result_of(points, read_signals=lambda: KNOWN))
    assert max(map(len, datagrams)) <= LARGEST
    messages = [json.loads(datagram) for datagram in datagrams]
    assert [(message["part"], message["parts"]) for message in messages] == [(0, 2), (1, 2)]
    head = {"ldeq": 1, "frame": 7, "time": 0.233333, "size": [320, 180], "count": 1}
    assert all(head.items() <= message.items() for message in messages)
    entry, spread = messages[0]["faces"][0], messages[1]["faces"][0]
    steps = np.array(entry["landmarks"]).reshape(POINTS, 2)
    assert (steps.min(), steps.max()) == (0, pytest.approx(9999, abs=20))
    np.testing.assert_allclose(steps * entry["unit"] + entry["box"][:2], points, atol=0.51 * entry["unit"])
    assert (spread["id"], spread["uncertainty"]) == (0, [2.0] * POINTS)
    assert entry["interocular"] == 200.0
    assert (entry["mode"], entry["flicker"], entry["evaluations"], entry["warm"]) == ("rwr", 0.5, 2, True)
    names = ["mouth", "eye_left", "eye_right", "brow_left", "brow_right", "yaw", "pitch", "roll"]
    assert list(entry["signals"]) == names
    assert spread["signals"] == dict(zip(NAMES, [*range(1, 19), 0.25, 19, 0.5], strict=True))
    assert {name: spread["signals"][name] for name in names} == entry["signals"]


def test_json_signals_are_rounded_and_null_where_they_are_not_known_yet() -> None:
    _, more = json_datagrams(result_of(face()))
    signals = json.loads(more)["faces"][0]["signals"]
    assert signals["mouth"] == 0.2
    assert (signals["blinks"], signals["closure"], signals["perclos"]) == (0, None, None)


@pytest.mark.parametrize("side", [3.0, 40.0, 900.0, 3500.0])
def test_json_datagrams_fit_a_packet_for_faces_of_any_size(side: float) -> None:
    random = np.random.default_rng(1)
    faces = [random.uniform(-500, side - 500, (POINTS, 2)).astype(np.float32) for _ in range(3)]
    wide = np.full(POINTS, 123.45, np.float32)
    result = result_of(*faces, uncertainty=wide)
    result = replace(result, frame=replace(result.frame, index=10**9, timestamp=86400 * 365.123456))
    datagrams = json_datagrams(result)
    assert max(map(len, datagrams)) <= LARGEST
    entries = [entry for datagram in datagrams for entry in json.loads(datagram)["faces"]]
    assert [entry["id"] for entry in entries] == [0, 0, 1, 1, 2, 2]
    for entry in entries[::2]:
        assert 0 <= min(entry["landmarks"]) <= max(entry["landmarks"]) <= STEPS


def test_json_datagrams_fit_a_packet_where_entries_nearly_fill_it() -> None:
    lost = np.full((POINTS, 2), np.nan, np.float32)
    assert max(len(datagram) for datagram in json_datagrams(result_of(*[lost] * 8))) <= LARGEST


def test_the_far_side_of_a_box_is_not_beyond_the_last_step() -> None:
    points = np.zeros((POINTS, 2), np.float32)
    points[1] = (3, 1)  # a step of 0.00030003, of which six digits are sent
    entry = json.loads(json_datagrams(result_of(points))[0])["faces"][0]
    assert (entry["unit"], max(entry["landmarks"])) == (0.000301, 9967)


def test_json_of_points_on_one_spot_is_its_place() -> None:
    entry = json.loads(json_datagrams(result_of(np.full((POINTS, 2), 7.0, np.float32)))[0])["faces"][0]
    assert entry["box"] == [7.0] * 4
    assert entry["landmarks"] == [0] * 2 * POINTS


def test_radii_are_sent_where_they_are_known() -> None:
    known = result_of(face(), radius80=np.linspace(1, 20.4, POINTS, dtype=np.float32))
    entries = [entry for datagram in json_datagrams(known) for entry in json.loads(datagram)["faces"]]
    assert [entry["id"] for entry in entries] == [0, 0, 0]
    assert entries[2]["radius80"] == pytest.approx(np.linspace(1, 20.4, POINTS), abs=0.051)
    assert b"radius80" not in b"".join(json_datagrams(result_of(face())))
    (values,) = (
        message.params
        for datagram in OscEncoder()(known)
        for message in OscBundle(datagram)
        if message.address == "/ldeq/face/0/radius80"
    )
    assert values == pytest.approx(np.linspace(1, 20.4, POINTS), abs=1e-5)


def test_json_of_what_is_not_finite_is_still_json() -> None:
    points = face()
    points[3] = np.nan
    spread = np.full(POINTS, np.inf, np.float32)
    result = result_of(points, uncertainty=spread, flicker=None)
    result = replace(result, frame=replace(result.frame, timestamp=float("nan")))
    (datagram,) = json_datagrams(result)
    message = json.loads(datagram, parse_constant=lambda name: pytest.fail(name))
    assert message["time"] is None
    entry, uncertain = message["faces"]
    assert "landmarks" not in entry
    assert entry["flicker"] is None
    assert uncertain["uncertainty"] == [None] * POINTS


def test_a_frame_without_faces_is_told_too() -> None:
    (datagram,) = json_datagrams(frame_result(index=3, faces=0))
    message = json.loads(datagram)
    assert (message["frame"], message["count"], message["faces"], message["parts"]) == (3, 0, [], 1)
    (bundle,) = OscEncoder()(frame_result(index=3, faces=0))
    assert contents([bundle]) == {"/ldeq/frame": [3, pytest.approx(0.1), 0, 320, 180], "/ldeq/time": [0, 100000]}


def contents(datagrams: list[bytes]) -> dict[str, list[Any]]:
    """Read bundles back with the library that receivers use."""
    messages = [message for datagram in datagrams for message in OscBundle(datagram)]
    assert all(isinstance(message, OscMessage) for message in messages)
    return {message.address: message.params for message in messages}


def test_osc_reads_back() -> None:
    points = face()
    found = contents(OscEncoder()(result_of(points, read_signals=lambda: KNOWN)))
    assert found.pop("/ldeq/frame") == [7, pytest.approx(7 / 30), 1, 320, 180]
    assert found.pop("/ldeq/time") == [0, 233333]
    assert {address.removeprefix("/ldeq/face/0/"): values for address, values in found.items()} == {
        "id": [0],
        "mode": ["rwr"],
        "evaluations": [2],
        "warm": [1],
        "flicker": [0.5],
        "box": [*points.min(axis=0), *points.max(axis=0)],
        "interocular": [200.0],
        "mouth": [7],
        "mouth_width": [8],
        "eyes": [9, 10],
        "ear": [11, 12],
        "brows": [13, 14],
        "gaze": [15, 16, 17, 18],
        "head": [1, 2, 3],
        "position": [4, 5, 6],
        "closure": [0.25],
        "blinks": [19],
        "perclos": [0.5],
        "landmarks": points.ravel().tolist(),
        "uncertainty": [2.0] * POINTS,
    }


@pytest.mark.parametrize("points", [face(), np.full((POINTS, 2), np.nan, np.float32)], ids=["faces", "lost faces"])
def test_osc_datagrams_fit_a_packet(points: Points) -> None:
    lengths = [len(datagram) for datagram in OscEncoder()(result_of(*[points] * 20))]
    assert len(lengths) > 1
    assert max(lengths) <= LARGEST


def test_osc_leaves_out_what_is_not_known() -> None:
    points = face()
    found = contents(OscEncoder()(result_of(points)))
    assert "/ldeq/face/0/blinks" in found
    assert not {"/ldeq/face/0/closure", "/ldeq/face/0/perclos", "/ldeq/face/0/radius80"} & found.keys()
    points[0] = np.inf
    found = contents(OscEncoder()(result_of(points, flicker=None)))
    assert set(found) == {
        *("/ldeq/frame", "/ldeq/time"),
        *(f"/ldeq/face/0/{name}" for name in ("id", "mode", "evaluations", "warm")),
    }


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(36000.033333, [36000, 33333]), (1.79e9 + 0.25, [1790000000, 250000]), (-0.25, [-1, 750000]), (np.nan, None)],
)
def test_osc_tells_the_time_to_a_microsecond_after_hours_too(seconds: float, expected: list[int] | None) -> None:
    result = frame_result(faces=0)
    found = contents(OscEncoder()(replace(result, frame=replace(result.frame, timestamp=seconds))))
    assert found.get("/ldeq/time") == expected


def test_faces_keep_their_slots() -> None:
    slots = FaceNumbers()
    assert slots.assign([5, 9]) == [0, 1]
    assert slots.assign([9, 5]) == [1, 0]
    assert slots.assign([9]) == [1]
    assert slots.assign([12, 9]) == [2, 1]  # 5 may come back
    for _ in range(FORGET_FRAMES - 3):
        slots.assign([9, 12])
    assert slots.assign([9, 12, 20]) == [1, 2, 3]
    assert slots.assign([9, 12, 20, 21]) == [1, 2, 3, 0]
