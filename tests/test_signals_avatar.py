"""Expressions, blendshapes and what avatars and opentrack are sent."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from scipy.spatial.transform import Rotation

from app.sharing.opentrack_message import opentrack_datagrams
from app.sharing.udp import LARGEST
from app.sharing.vmc_message import HEAD_ABOVE_NECK, VmcEncoder, unity_rotation
from model.signals.blendshapes import AVERAGE, blendshapes
from model.signals.expression import DEPTHS, EYE_CORNERS_MM, measure_expression, median_expression
from model.signals.eyes import CLOSED_EAR, LEAST_RANGE
from model.signals.face import face_signals
from model.signals.head import FACE_MODEL, RIGID, HeadPose
from model.signals.track import SignalTracker
from model.topology import POINTS
from tests.gui_fakes import frame_result
from tests.signals_fakes import SIZE, face, project

ARKIT = {
    *("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "browInnerUp"),
    *(
        f"{name}{side}"
        for side in ("Left", "Right")
        for name in (
            *(
                "mouthSmile",
                "mouthFrown",
                "mouthStretch",
                "browDown",
                "browOuterUp",
                "eyeBlink",
                "eyeWide",
                "eyeSquint",
            ),
            *("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown"),
        )
    ),
}


def shapes(**changes: Any) -> Any:
    """The blendshapes of the average face with some of its measures changed, without zeros."""
    now = replace(AVERAGE, **{name: getattr(AVERAGE, name) + by for name, by in changes.items()})
    return {name: value for name, value in blendshapes(now).items() if value > 1e-9}


def test_names_are_those_of_arkit_and_a_neutral_face_is_at_rest() -> None:
    assert set(blendshapes(AVERAGE)) == ARKIT
    assert shapes() == {}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"lips": 0.2}, {"jawOpen": 0.5}),
        ({"lips": 0.9}, {"jawOpen": 1.0}),
        ({"chin": -0.305}, {"jawOpen": 0.5, "mouthClose": 0.5}),
        ({"lips": -0.1, "chin": -0.305}, {"jawOpen": 0.5, "mouthClose": 0.5}),
        ({"reach_left": -0.055, "reach_right": -0.055}, {"mouthPucker": 0.5}),
        ({"mouth_x": 0.03}, {"mouthLeft": 0.5}),
        ({"brow_inner_left": 0.05, "brow_inner_right": 0.05}, {"browInnerUp": 0.5}),
        ({"brow_inner_right": -0.04}, {"browDownLeft": 0.5}),
        ({"brow_outer_left": 0.05}, {"browOuterUpRight": 0.5}),
        ({"ear_right": -0.0685}, {"eyeBlinkLeft": 0.5}),
        ({"ear_left": -0.14}, {"eyeBlinkRight": 1.0}),
        ({"ear_left": 0.0514}, {"eyeWideRight": 0.5}),
        ({"lower_lid_left": 0.0125}, {"eyeSquintRight": 0.5}),
        ({"gaze_left_x": 0.1, "gaze_right_x": 0.1}, {"eyeLookInRight": 0.5, "eyeLookOutLeft": 0.5}),
        ({"gaze_right_y": 0.045}, {"eyeLookUpLeft": 0.5}),
        ({"gaze_right_y": -0.075}, {"eyeLookDownLeft": 0.5}),
        ({"ear_left": -0.14, "gaze_left_x": 0.1}, {"eyeBlinkRight": 1.0}),
        ({"corner_left": 0.065}, {"mouthSmileRight": 0.35}),
        ({"corner_left": 0.065, "reach_left": 0.13}, {"mouthSmileRight": 0.65, "mouthStretchRight": 0.5}),
        ({"corner_right": -0.065}, {"mouthFrownLeft": 0.5}),
    ],
)
def test_a_measure_moves_its_shape(changes: Any, found: Any) -> None:
    assert shapes(**changes) == pytest.approx(found, abs=0.01)


def test_an_open_mouth_lets_the_corners_sink() -> None:
    assert shapes(lips=0.2, corner_left=-0.06, corner_right=-0.06) == pytest.approx({"jawOpen": 0.5})


def test_a_funnel_is_an_open_pucker() -> None:
    moved = shapes(lips=0.2, reach_left=-0.11, reach_right=-0.11)
    assert moved["mouthFunnel"] == pytest.approx(1)
    assert "mouthPucker" not in moved


def test_every_shape_is_0_to_1() -> None:
    random = np.random.default_rng(1)
    for values in random.normal(0, 2, (100, 19)):
        found = blendshapes(type(AVERAGE)(*values.tolist()))
        assert all(0 <= value <= 1 for value in found.values())


def test_the_own_neutral_face_is_at_rest() -> None:
    own = replace(AVERAGE, brow_inner_left=0.1, ear_left=0.15, ear_right=0.16, corner_left=-0.4)
    assert max(blendshapes(own, own).values()) == 0
    assert blendshapes(own)["eyeBlinkRight"] > 0.4


def test_eyes_that_are_always_narrow_have_room_to_close_and_to_open() -> None:
    narrow = replace(AVERAGE, ear_left=CLOSED_EAR, ear_right=CLOSED_EAR / 2)
    closing = blendshapes(replace(narrow, ear_left=CLOSED_EAR - LEAST_RANGE / 2), narrow)
    assert closing["eyeBlinkRight"] == pytest.approx(0.5)
    opening = blendshapes(replace(narrow, ear_right=CLOSED_EAR), narrow)
    assert opening["eyeWideLeft"] == 0


def deep_face(angles: Any, points: Any = (), by: Any = (0, 0)) -> Any:
    """The expression of a face, turned by ``angles``, whose points lie in the depth that is assumed.

    Some of its points are moved by a length in eye distances, to the right and up.
    """
    random = np.random.default_rng(3)
    model = np.zeros((POINTS, 3))
    model[:, :2] = random.uniform(-40, 40, (POINTS, 2))
    model[:, 2] = [DEPTHS.get(point, 0.0) for point in range(POINTS)]
    rigid = {point: row for row, point in enumerate(RIGID)}
    for point, row in rigid.items():
        model[point] = FACE_MODEL[row]
    model[list(points), :2] += np.array(by) * (EYE_CORNERS_MM, -EYE_CORNERS_MM)
    shown = project(model, angles, (0, 0, 4000))
    signals = face_signals(shown, SIZE)
    assert signals is not None
    return measure_expression(shown, signals, SIZE)


LENGTHS = [name for name in type(AVERAGE).__slots__ if not name.startswith(("ear", "gaze"))]


@pytest.mark.parametrize(
    ("name", "points", "by"),
    [
        ("lips", (89, 90, 91), (0, 0.1)),
        ("lips", (93, 94, 95), (0, -0.1)),
        ("chin", (16,), (0, 0.1)),
        ("corner_left", (76,), (0, 0.1)),
        ("corner_right", (82,), (0, 0.1)),
        ("reach_left", (76,), (-0.1, 0)),
        ("reach_right", (82,), (0.1, 0)),
        ("mouth_x", (79, 85), (0.1, 0)),
        ("brow_inner_left", (36, 37, 38, 39), (0, 0.1)),
        ("brow_inner_right", (42, 43, 49, 50), (0, 0.1)),
        ("brow_outer_left", (33, 34, 41), (0, 0.1)),
        ("brow_outer_right", (45, 46, 47), (0, 0.1)),
        ("lower_lid_left", (65, 66, 67), (0, 0.1)),
        ("lower_lid_right", (73, 74, 75), (0, 0.1)),
    ],
)
def test_each_measure_answers_to_its_own_points(name: str, points: Any, by: Any) -> None:
    rest, moved = deep_face((0, 0, 0)), deep_face((0, 0, 0), points, by)
    changes = {each: getattr(moved, each) - getattr(rest, each) for each in LENGTHS}
    assert changes == pytest.approx(dict.fromkeys(LENGTHS, 0.0) | {name: 0.1}, abs=1e-3)


def test_heights_of_brow_and_lid_begin_at_their_own_eye() -> None:
    """The outer corner of one eye rises, which hardly turns the head as a whole."""
    rest = deep_face((0, 0, 0))
    for corner, side in ((64, "left"), (68, "right")):
        moved = deep_face((0, 0, 0), (corner,), (0, 0.1))
        for name in (name for name in LENGTHS if name.startswith(("brow", "lower_lid"))):
            own = name in (f"brow_inner_{side}", f"brow_outer_{side}", f"lower_lid_{side}")
            assert getattr(moved, name) - getattr(rest, name) == pytest.approx(-0.05 if own else 0.0, abs=0.02), name


@pytest.mark.parametrize("angles", [(25, 0, 0), (0, 20, 0), (0, 0, 40), (-20, -15, 10)])
def test_turning_the_head_changes_no_expression(angles: tuple[int, int, int]) -> None:
    ahead, turned = deep_face((0, 0, 0)), deep_face(angles)
    for name in LENGTHS:
        assert getattr(turned, name) == pytest.approx(getattr(ahead, name), abs=0.02), name


def test_the_median_ignores_a_blink() -> None:
    blink = replace(AVERAGE, ear_left=0.05)
    assert median_expression([AVERAGE, blink, AVERAGE]) == AVERAGE


def at(yaw: Any = 0.0, pitch: Any = 0.0, roll: Any = 0.0) -> Any:
    return HeadPose(yaw, pitch, roll, 0, 0, 60)


def turn(head: Any, vector: Any) -> Any:
    """Turn a vector as Unity does."""
    return Rotation.from_quat(unity_rotation(head)).apply(vector)


def test_the_avatar_turns_as_the_person() -> None:
    right, up, ahead = np.eye(3)
    assert unity_rotation(at()) == (0, 0, 0, 1)
    # To the right of the picture is to the person's left; x is to the person's right.
    np.testing.assert_allclose(turn(at(yaw=90), ahead), -right, atol=1e-9)
    np.testing.assert_allclose(turn(at(pitch=90), ahead), up, atol=1e-9)
    # Clockwise in the picture takes the top of the head to the person's left.
    np.testing.assert_allclose(turn(at(roll=90), up), -right, atol=1e-9)


def result_with(points: Any) -> Any:
    known = frame_result(index=30)
    signals = SignalTracker().update(points, SIZE, 0.0)
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    estimate = replace(known.faces[0].estimate, landmarks=points, read_signals=signals)
    return replace(known, frame=replace(known.frame, image=image), faces=(replace(known.faces[0], estimate=estimate),))


def test_vmc_reads_back() -> None:
    datagrams = VmcEncoder()(result_with(face()))
    assert max(map(len, datagrams)) <= LARGEST
    messages = [(message.address, message.params) for datagram in datagrams for message in OscBundle(datagram)]
    addresses = [address for address, _ in messages]
    assert addresses[:4] == ["/VMC/Ext/OK", "/VMC/Ext/T", "/VMC/Ext/Root/Pos", "/VMC/Ext/Bone/Pos"]
    assert addresses[4:] == ["/VMC/Ext/Blend/Val"] * len(ARKIT) + ["/VMC/Ext/Blend/Apply"]
    facts = [params for _, params in messages]
    assert facts[0] == [1]
    assert facts[1] == pytest.approx([1.0])
    assert facts[2] == ["root", 0, 0, 0, 0, 0, 0, 1]
    assert facts[3][0] == "Head"
    assert facts[3][1:] == pytest.approx([0, HEAD_ABOVE_NECK, 0, 0, 0, 0, 1], abs=1e-3)
    values = dict(facts[4:-1])
    assert values.keys() == ARKIT
    assert values["jawOpen"] == pytest.approx(0.5, abs=0.05)
    assert facts[-1] == []


def test_vmc_counts_from_the_persons_own_neutral_expression() -> None:
    result, signals = result_with(face()), face_signals(face(), SIZE)
    assert signals is not None
    own = VmcEncoder(measure_expression(face(), signals, SIZE))(result)
    shapes = [message.params for datagram in own for message in OscBundle(datagram) if "Val" in message.address]
    assert max(value for _, value in shapes) == 0


def test_vmc_without_a_face_tells_that_it_is_there() -> None:
    result = frame_result(faces=0)
    (bundle,) = VmcEncoder()(replace(result, frame=replace(result.frame, timestamp=math.nan)))
    ok, time, root = OscBundle(bundle)
    assert [message.address for message in (ok, time, root)] == ["/VMC/Ext/OK", "/VMC/Ext/T", "/VMC/Ext/Root/Pos"]
    assert time.params == [0], "a frame without a time"


def test_opentrack_takes_six_doubles() -> None:
    points = face()
    (datagram,) = opentrack_datagrams(result_with(points + np.array([128, 64], np.float32)))
    assert len(datagram) == 48
    x, y, z, yaw, pitch, roll = struct.unpack("<dddddd", datagram)
    # 200 pixels are 9 cm.
    assert (x, y, z) == pytest.approx((128 * 0.045, -64 * 0.045, 57.6), abs=0.4)
    # It is seen from the front beside the camera's axis, so it is turned to the camera.
    turned = (-math.degrees(math.atan(0.1)), math.degrees(math.atan(0.05)), 0)
    assert (yaw, pitch, roll) == pytest.approx(turned, abs=0.4)
    assert opentrack_datagrams(frame_result(faces=0)) == []
