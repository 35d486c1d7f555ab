"""The tracker's rules, on plain numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.core.events import LossReason
from app.tracking.detector import Detection
from app.tracking.tracker import (
    COARSE_SPREAD,
    Box,
    Identities,
    Policy,
    Track,
    agrees,
    box_of,
    doubt,
    drop_overlapping,
    in_order,
    loss,
    match,
    next_crop,
    policy_for,
    watch_motion,
)
from model.config import LdeqConfig
from model.geometry import Crop
from tests.fakes import face_points

POLICY = Policy()
FACE = face_points(300, 200, 100)
BOX = box_of(FACE)
CERTAIN = np.full(98, 1.0, np.float32)


def test_crop_stays_while_the_face_jitters() -> None:
    crop = Crop.around_points(FACE, POLICY.crop_scale)
    assert next_crop(crop, FACE + np.float32(1.5), POLICY) is crop


def test_crop_follows_a_face_that_moves_or_grows() -> None:
    crop = Crop.around_points(FACE, POLICY.crop_scale)
    for right, down in ((20, 0), (0, 20), (-20, 0), (0, -20)):
        moved = next_crop(crop, FACE + np.array([right, down], np.float32), POLICY)
        assert (moved.centre_x, moved.centre_y) == (crop.centre_x + right, crop.centre_y + down)
    grown = next_crop(crop, face_points(300, 200, 120), POLICY)
    assert grown.side > 1.15 * crop.side


def test_loss_names_its_reason() -> None:
    assert loss(box_of(FACE), 640, 480, POLICY) is None
    for gone in ((-301, 0), (341, 0), (0, -201), (0, 281)):
        assert loss(box_of(FACE + np.array(gone, np.float32)), 640, 480, POLICY) == "face left the picture"
    assert loss(box_of(face_points(300, 200, 8)), 640, 480, POLICY) == "face too small"
    assert loss(box_of(np.full((98, 2), np.nan, np.float32)), 640, 480, POLICY) == "landmarks not finite"


def test_doubt_names_its_reason() -> None:
    assert doubt(None, box_of(FACE), CERTAIN, POLICY) is None
    assert doubt(BOX, box_of(FACE + np.float32(5)), CERTAIN, POLICY) is None
    assert doubt(BOX, box_of(FACE), CERTAIN * 10, POLICY) == "uncertain landmarks"
    assert doubt(None, box_of(face_points(300, 200, 400)), CERTAIN * 10, POLICY) is None, "sure for a face so large"
    assert doubt(BOX, box_of(FACE + np.float32(80)), CERTAIN, POLICY) == "face jumped"
    for side in (60, 170):
        assert doubt(BOX, box_of(face_points(300, 200, side)), CERTAIN, POLICY) == "face changed size"


def detection(centre_x: float, side: float = 100.0) -> Detection:
    return Detection(centre_x - side / 2, 200 - side / 2, centre_x + side / 2, 200 + side / 2, 0.9)


def track(face: int, centre_x: float) -> Track:
    return Track(face, detection(centre_x).crop(POLICY.crop_scale))


def test_each_detection_goes_to_the_nearest_track() -> None:
    tracks = [track(0, 200), track(1, 260)]
    owned, strangers = match(tracks, [detection(255), detection(210), detection(500)], POLICY)
    assert {face: found.x1 for face, found in owned.items()} == {0: 160.0, 1: 205.0}
    assert [found.x1 for found in strangers] == [450.0]


def test_a_track_gets_one_detection_and_how_near_is_near_depends_on_the_larger_side() -> None:
    near, nearer = detection(250, side=40), detection(220)
    assert match([track(0, 200)], [near], POLICY) == ({0: near}, [])
    assert match([track(0, 200)], [near, nearer], POLICY) == ({0: nearer}, [near])


def test_a_track_far_from_every_detection_gets_none() -> None:
    owned, strangers = match([track(7, 100)], [detection(400)], POLICY)
    assert owned == {}
    assert len(strangers) == 1


def test_the_younger_of_two_tracks_on_one_face_is_dropped() -> None:
    kept = drop_overlapping([track(3, 205), track(1, 200), track(2, 400)], POLICY)
    assert [track.face for track in kept] == [1, 2]
    beside = [track(0, 200), track(1, 200 + 0.3 * 125)]
    assert drop_overlapping(beside, POLICY) == beside


def test_of_two_tracks_on_one_face_the_disturbed_one_is_dropped() -> None:
    covered, walker = track(0, 300), track(1, 200)
    for x in (200, 210, 220, 230):
        for one, place in ((covered, 300 if x < 230 else 235), (walker, x)):
            box = box_of(face_points(place, 200, 100))
            watch_motion(one, box, POLICY)
            one.box, one.crop = box, detection(place).crop(POLICY.crop_scale)
    assert walker.unrest < 0.01 < 0.5 < covered.unrest
    assert [each.face for each in drop_overlapping([covered, walker], POLICY)] == [1]
    walker.doubt = LossReason.UNCERTAIN
    assert [each.face for each in drop_overlapping([covered, walker], POLICY)] == [0]


def test_unrest_is_the_change_of_velocity_and_size_and_fades() -> None:
    face = track(0, 200)
    boxes = [Box(200, 200, 100), Box(210, 200, 100), Box(220, 205, 120), Box(232, 211, 120), Box(244, 217, 120)]
    unrest = []
    for box in boxes:
        watch_motion(face, box, POLICY)
        face.box = box
        unrest.append(face.unrest)
    change = math.log(1.2) + 0.05
    assert unrest == pytest.approx([0, 0, change, POLICY.calming * change, POLICY.calming**2 * change])


@pytest.mark.parametrize(
    ("follow", "expected"), [("largest", [1, 0, 2]), ("centre", [2, 1, 0]), ("first", [2, 0, 1]), ("7", [1, 0, 2])]
)
def test_which_face_comes_first(follow: str, expected: list[int]) -> None:
    places = [(4, Crop(100, 100, 80)), (7, Crop(220, 100, 120)), (2, Crop(160, 120, 60))]
    assert in_order(follow, places, 320, 240) == expected


def test_the_first_crop_is_the_expected_landmark_box_scaled() -> None:
    crop = detection(200).crop(1.25)
    assert (crop.centre_x, crop.centre_y, crop.side) == (200, 200, 125)


def test_a_detection_confirms_only_a_crop_of_its_place_and_size() -> None:
    crop = detection(200).crop(POLICY.crop_scale)
    assert agrees(crop, detection(210), POLICY)
    assert agrees(crop, detection(200 + 0.24 * crop.side, side=70), POLICY)
    assert not agrees(crop, detection(200 + 0.26 * crop.side, side=140), POLICY)
    assert not agrees(crop, detection(200, side=60), POLICY)
    assert not agrees(crop, detection(200, side=160), POLICY)


@pytest.mark.parametrize(
    ("newcomer", "seconds", "face"),
    [
        (Crop(150, 100, 100), 4.0, 0),
        (Crop(151, 100, 100), 4.0, 2),
        (Crop(100, 170, 140), 4.0, 0),  # half of the larger side
        (Crop(100, 130, 66), 4.0, 2),
        (Crop(100, 130, 151), 4.0, 2),
        (Crop(100, 100, 100), 4.1, 2),
        (Crop(100, 100, 100), 0.9, 2),  # the clock has run back
    ],
)
def test_a_face_keeps_its_number_where_and_while_it_may_come_back(newcomer: Crop, seconds: float, face: int) -> None:
    identities, place = Identities(reach=0.5, growth=1.5, patience=3.0), Crop(100, 100, 100)
    assert [identities.of(place, 0.0), identities.of(place, 0.0)] == [0, 1]
    identities.lose(0, place, 1.0)
    assert identities.of(newcomer, seconds) == face


def test_a_number_returns_once_and_the_nearest_first() -> None:
    identities, places = Identities(), [Crop(x, 100, 100) for x in (100, 140, 180)]
    assert [identities.of(place, 0.0) for place in places] == [0, 1, 2]
    for face, place in enumerate(places):
        identities.lose(face, place, 0.0)
    assert [identities.of(Crop(145, 100, 100), 1.0) for _ in range(4)] == [1, 2, 0, 3]
    identities.lose(3, places[0], 1.0)
    identities.forget_places()
    assert identities.of(places[0], 1.0) == 4
    identities.lose(4, places[0], 1.0)
    identities.forget()
    assert identities.of(places[0], 1.0) == 0


def test_a_model_has_its_own_crop_and_its_own_doubt() -> None:
    fine, coarse = LdeqConfig(crop_scale=1.4, input_size=256), LdeqConfig(input_size=128)
    assert policy_for(fine) == replace(POLICY, crop_scale=1.4)
    assert policy_for(coarse) == replace(POLICY, crop_scale=coarse.crop_scale, max_spread=COARSE_SPREAD)
