"""Attribution: the crop gets what comes from the crop, the picture what comes from the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.lab.flicker.attribution import (
    ClipAttribution,
    CropSource,
    Solver,
    attribute_clip,
    carried_over,
    steady_crops,
    stuttering,
    summarise_attribution,
)
from app.lab.flicker.clips import ClipFiles, encode_clip
from model.geometry import Crop
from tests.fakes import SquareEngine, face_image, face_points
from tests.lab_fakes import square_clip

pytestmark = pytest.mark.slow


class BlindEngine(SquareEngine):
    """Finds the face at the same place of every crop: all its flicker is the crop's."""

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = self.config.input_size
        return super().encode(np.stack([face_image(size, size, size / 2, size / 2, size / 1.25)] * len(crops)))


def attributed(engine: SquareEngine, files: ClipFiles) -> list[ClipAttribution]:
    return attribute_clip(engine, encode_clip(engine, files))


def cold_with_given_boxes(rows: Sequence[ClipAttribution]) -> ClipAttribution:
    return next(row for row in rows if (row.crops, row.solver) == (CropSource.GIVEN, Solver.COLD))


def test_flicker_of_a_crop_that_jitters_is_the_crops(tmp_path: Path) -> None:
    path = [150.0 + 2 * t for t in range(8)]
    jitter = np.tile([4.0, -4.0], 4)
    rows = attributed(BlindEngine(), square_clip(tmp_path, "a", path, path, path + jitter))
    assert {(row.crops, row.solver) for row in rows} == {(crops, solver) for crops in CropSource for solver in Solver}
    own = cold_with_given_boxes(rows)
    # Landmarks move with the crop: 8 pixels a frame against a face of 100 x 100.
    assert own.nmf == pytest.approx(25600 * 8 / 100, rel=0.01)
    assert own.frozen_picture == pytest.approx(own.nmf, rel=0.01)
    assert own.steady_crop < 0.01 * own.nmf
    assert own.crop_share == pytest.approx(1, abs=0.02)


def test_flicker_of_a_picture_that_jitters_is_the_pictures(tmp_path: Path) -> None:
    path = [150.0 + 2 * t for t in range(8)]
    own = cold_with_given_boxes(
        attributed(SquareEngine(), square_clip(tmp_path, "a", path + np.tile([3.0, -3.0], 4), path, path)),
    )
    assert own.nmf == pytest.approx(25600 * 6 / 100, rel=0.1)
    assert own.steady_crop == pytest.approx(own.nmf, rel=0.05)
    assert own.frozen_picture < 0.05 * own.nmf
    assert own.crop_share == pytest.approx(0, abs=0.05)


def test_only_the_first_frames_and_the_wanted_scale(tmp_path: Path) -> None:
    seen: list[float] = []

    class Noting(SquareEngine):
        def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            seen.append(float((crops[0, :, :, 0] > 128).mean()))
            return super().encode(crops)

    path = [150.0 + 2 * t for t in range(8)]
    files = square_clip(tmp_path, "a", path, path, path)
    engine = Noting()
    attribute_clip(engine, encode_clip(engine, files, frames=4, scale=2.0), scale=2.0)
    assert np.median(seen) == pytest.approx(1 / 4, rel=0.05)
    # Given, steady and two solvers' own crops on 4 frames, and 4 frozen pictures each.
    assert len(seen) == 4 * (2 + 2) + 4 * 4


def test_repeated_frames_are_counted(tmp_path: Path) -> None:
    shown = [150.0, 154, 158, 158, 162, 166, 170, 170, 174]
    labelled = np.linspace(150, 174, 9)
    row = attributed(SquareEngine(), square_clip(tmp_path, "a", shown, labelled, labelled))[0]
    assert row.repeated_frames == 2 / 8
    # In two of eight steps the labels move on by 3 pixels while the picture stands.
    assert row.repeated_labels == pytest.approx(25600 * 3 / 100 * np.sqrt(2 / 8), rel=1e-3)


def test_steady_crops_follow_the_labels_where_the_given_ones_are_on_average() -> None:
    truth = np.stack([face_points(100 + 5 * t, 80, 50) for t in range(4)])
    shifts = np.array([3.0, -1, 0, 2])
    given = [Crop(100 + 5 * t + shift, 80, 70) for t, shift in enumerate(shifts)]
    steady = steady_crops(truth, given, 1.25)
    assert [crop.centre_x - 5 * t for t, crop in enumerate(steady)] == pytest.approx([101.0] * 4, abs=0.05)
    assert [crop.side for crop in steady] == pytest.approx([70.0] * 4, rel=1e-3)


def test_crops_carried_over_move_as_they_did_against_the_face() -> None:
    steady = [Crop(100 + 5 * t, 80, 50) for t in range(3)]
    changes = [(1, 1, 0), (0, 1.1, 30), (-2, 1, -30)]
    crops = [Crop(100 + 5 * t + shift, 80, 50 * growth, turn) for t, (shift, growth, turn) in enumerate(changes)]
    moved = carried_over(crops, steady, Crop(30, 40, 100))
    assert [crop.centre_x for crop in moved] == pytest.approx([32, 30, 26])
    assert [crop.side for crop in moved] == pytest.approx([100, 110, 100])
    assert [crop.angle for crop in moved] == [0, 30, -30], "the tracker's crops turn with a face that lies"


def test_labels_of_repeated_frames_stand_still() -> None:
    truth = np.stack([face_points(t, 0, 10) for t in range(5)])
    found = stuttering(truth, np.array([False, True, False, False]))
    assert np.diff(found[:, 0, 0]) == pytest.approx([1, 0, 1, 1])


def test_group_means() -> None:
    rows = [
        ClipAttribution("a", "g", CropSource.GIVEN, Solver.COLD, 10.0, 0.0, 10.0, 0.0, 0.0),
        ClipAttribution("b", "g", CropSource.GIVEN, Solver.COLD, 30.0, 30.0, 0.0, 0.2, 8.0),
        ClipAttribution("c", "h", CropSource.GIVEN, Solver.COLD, 5.0, 4.0, 3.0, 0.0, 0.0),
    ]
    first, second = summarise_attribution(rows)
    assert (first.group, first.clips, first.nmf, first.repeated_labels) == ("g", 2, 20, 4)
    assert (first.crop_share, first.picture_share) == (0.5, 0.5)
    # 3-4-5: crop alone 9 of 25, and 25 - 16 = 9 go with it.
    assert second.crop_share == pytest.approx(9 / 25)


def test_landmarks_that_are_known_are_not_solved_again(tmp_path: Path) -> None:
    path = [150.0 + 2 * t for t in range(6)]
    engine = SquareEngine()
    clip = encode_clip(engine, square_clip(tmp_path, "a", path, path, path))
    known = clip.truth + np.array([8.0, 0], np.float32) * (np.arange(6) % 2)[:, None, None]
    rows = attribute_clip(engine, clip, rwr_points=known.astype(np.float32))
    own = next(row for row in rows if (row.crops, row.solver) == (CropSource.GIVEN, Solver.RWR))
    assert own.nmf == pytest.approx(25600 * 8 / 100, rel=1e-3)
