"""The evaluate commands on tiny data sets of bright squares, whose landmarks are known."""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.cli import evaluate
from app.core.errors import EXIT_BAD_INPUT, EXIT_OK, UserError
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.lab.accuracy.groups import evaluate_groups
from app.lab.accuracy.predict import Box, Prediction, Predictor, RectPredictor, Smoother, TrackPredictor
from app.lab.accuracy.settings import CropSource, EvaluationMode, EvaluationSettings
from app.lab.accuracy.stills import StillVideo
from app.lab.accuracy.wflw import ATTRIBUTES, check_images, evaluate_wflw, read_list
from app.lab.accuracy.wflw_v import evaluate_video, find_videos, read_frames, read_labels
from app.sources.video import VideoSource
from app.tracking.pipeline import Pipeline
from app.tracking.smoothing import SmoothingSettings, make_filter
from app.tracking.tracker import Policy
from model.config import LdeqConfig
from model.metrics.accuracy import nme
from model.metrics.flicker import nmf
from model.rwr.settings import RELEASED, RwrSettings
from model.weights import WeightsCard, write_card
from tests import sources_fakes
from tests.fakes import SquareDetector, SquareEngine, face_image, face_points
from tests.lab_fakes import SIDE, add_video, list_line

pytestmark = pytest.mark.slow

Points = NDArray[np.float32]


class Offset:
    """A predictor that is off by a known amount, or finds nothing."""

    engine_name = "fake"

    def __init__(self, truths: list[Points], offsets: list[tuple[float, float] | None]) -> None:
        self.answers = list(zip(truths, offsets, strict=True))
        self.starts = 0
        self.closed = False

    def start(self) -> None:
        self.starts += 1

    def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
        truth, offset = self.answers.pop(0)
        return None if offset is None else Prediction(truth + np.array(offset, np.float32), 3)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def wflw(tmp_path: Path) -> Path:
    """Three pictures and their list; the third face has no attribute."""
    (tmp_path / "images" / "0--Parade").mkdir(parents=True)
    lines = []
    for i, flags in enumerate(("100000", "100001", "000000")):
        x = 120 + 10 * i
        name = f"0--Parade/face {i}.png"
        cv2.imwrite(str(tmp_path / "images" / name), face_image(320, 240, x, 120, SIDE))
        lines.append(list_line(face_points(x, 120, SIDE), flags, name))
    (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        add_video(tmp_path, name)
    return tmp_path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(b"not read by the fake engine")
    write_card(WeightsCard(path, LdeqConfig(name="tiny"), {path.name: "c0ffee"}, {}))
    return path


def square_predictor(settings: EvaluationSettings) -> Predictor:
    """What ``open_predictor`` builds, over the fake engine and detector."""
    recurrence = {EvaluationMode.RWR: RwrSettings(), EvaluationMode.RWR_RELEASED: RELEASED}.get(settings.mode)
    predictor: Predictor
    if settings.crop == "track":
        tracking = TrackingSettings(
            rwr=recurrence is not None, max_faces=4, measure_flicker=False, recurrence=recurrence
        )
        predictor = TrackPredictor(Pipeline(SquareEngine(), SquareDetector(), tracking, Policy()))
    else:
        predictor = RectPredictor(SquareEngine(), settings.scale_of(SquareEngine().config), recurrence)
    smoothing = make_filter(settings.mode, settings.smoothing)
    return predictor if smoothing is None else Smoother(predictor, smoothing)


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def command(tmp_path: Path, weights: Path) -> Run:
    """Run ``evaluate`` with the fake engine and return the JSON it wrote."""

    def run(*arguments: str | Path) -> dict[str, Any]:
        parser = argparse.ArgumentParser()
        evaluate.add_parser(parser.add_subparsers())
        out = tmp_path / "out.json"
        args = parser.parse_args(["evaluate", *map(str, arguments), "--weights", str(weights), "--json", str(out)])
        assert evaluate.run(args, open_predictor=square_predictor) == EXIT_OK
        values: dict[str, Any] = json.loads(out.read_text())
        return values

    return run


def test_list_with_boxes_and_attributes(wflw: Path) -> None:
    faces = read_list(wflw / "list.txt")
    assert [face.path for face in faces] == [f"0--Parade/face {i}.png" for i in range(3)]
    assert faces[1].attributes == (True, False, False, False, False, True)
    assert faces[0].box == (70, 70, 170, 170)
    np.testing.assert_allclose(faces[0].landmarks, face_points(120, 120, SIDE), atol=1e-3)
    assert faces[2].where.endswith("list.txt, line 3")


def test_a_list_may_begin_with_a_mark(wflw: Path) -> None:
    path = wflw / "list.txt"
    plain = read_list(path)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert [face.path for face in read_list(path)] == [face.path for face in plain]


def test_a_line_that_is_there_twice_counts_once(wflw: Path) -> None:
    path = wflw / "list.txt"
    once = read_list(path)
    path.write_text(path.read_text() * 2)
    assert [face.where for face in read_list(path)] == [face.where for face in once]


def test_subset_list_has_the_landmarks_box(tmp_path: Path) -> None:
    points = face_points(100, 90, 80)
    (tmp_path / "list_98pt_test_pose.txt").write_text(list_line(points, None, "7--x/1 2.png"))
    face = read_list(tmp_path / "list_98pt_test_pose.txt")[0]
    assert face.attributes is None
    assert face.path == "7--x/1 2.png"
    assert face.box == pytest.approx((*points.min(axis=0), *points.max(axis=0)), abs=1e-3)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda line: line.replace(" ", " x", 1), r"line 2: expected 196 coordinates.*found 1 numbers"),
        (lambda line: " ".join(line.split()[:150]), r"line 2: expected 196 coordinates"),
        (lambda line: line.replace(" 1 0 0 0 0 1 ", " 1 0 0 0 0 7 "), r"line 2: the six attribute flags"),
        (lambda line: "nan" + line[line.index(" ") :], r"line 2: the coordinates must be finite"),
    ],
)
def test_a_bad_line_is_named(wflw: Path, damage: Callable[[str], str], message: str) -> None:
    path = wflw / "list.txt"
    lines = path.read_text().splitlines()
    lines[1] = damage(lines[1])
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=message) as caught:
        read_list(path)
    assert caught.value.exit_code == EXIT_BAD_INPUT


def test_a_missing_or_broken_picture_names_the_line(wflw: Path) -> None:
    faces = read_list(wflw / "list.txt")
    picture = wflw / "images" / faces[2].path
    whole = cv2.imencode(".bmp", face_image(320, 240, 140, 120, SIDE))[1].tobytes()
    endless = whole[:18] + (200_000).to_bytes(4, "little") * 2 + whole[26:]  # its width and height
    for content in (b"no picture", endless):
        picture.write_bytes(content)
        with pytest.raises(UserError, match=r"line 3: .*face 2.png is not a picture"):
            evaluate_wflw(RectPredictor(SquareEngine(), 1.25, None), faces, wflw / "images")
    picture.unlink()
    with pytest.raises(UserError, match=r"line 3: the picture .*face 2.png is missing"):
        check_images(wflw / "images", faces)


def test_missing_and_empty_lists(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_list(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UserError, match="is empty"):
        read_list(tmp_path / "empty.txt")


def test_wflw_figures_by_hand(wflw: Path) -> None:
    faces = read_list(wflw / "list.txt")
    truths = [face.landmarks for face in faces]
    # Eye corners are 50 apart: offsets of 2, 6 and 1 pixels are 4 %, 12 % and 2 %.
    result = evaluate_wflw(Offset(truths, [(2, 0), (0, 6), (1, 0)]), faces, wflw / "images")
    assert result.overall.nme.value == pytest.approx((4 + 12 + 2) / 3, rel=1e-3)
    assert result.overall.fr10.value == pytest.approx(100 / 3)
    assert result.overall.auc10.value == pytest.approx((0.6 + 0 + 0.8) / 3, abs=2e-3)
    assert set(result.attributes) == {"pose", "blur"} < set(ATTRIBUTES)
    assert (result.attributes["pose"].faces, result.attributes["blur"].faces) == (2, 1)
    assert result.attributes["pose"].nme.value == pytest.approx(8, rel=1e-3)
    assert result.attributes["blur"].fr10.value == 100
    assert (result.missed, result.evaluations) == (0, 3)
    assert result.overall.nme.low < 6 < result.overall.nme.high
    assert result.attributes["blur"].nme.interval is None, "one face has no interval"
    assert result.faces.names == tuple(face.path for face in faces)
    assert result.faces.nme == pytest.approx([4, 12, 2], rel=1e-3)
    assert math.isnan(result.nmf.value), "one frame has no flicker"


def test_a_missed_face_is_a_failure_without_an_nme(wflw: Path) -> None:
    faces = read_list(wflw / "list.txt")
    truths = [face.landmarks for face in faces]
    result = evaluate_wflw(Offset(truths, [(2, 0), None, (float("nan"), 0)]), faces, wflw / "images")
    assert result.overall.nme.value == pytest.approx(4, rel=1e-3)
    assert result.overall.fr10.value == pytest.approx(200 / 3)
    assert result.missed == 2
    assert "blur" not in result.attributes
    with pytest.raises(UserError, match="found none of the faces"):
        evaluate_wflw(Offset(truths, [None] * 3), faces, wflw / "images")


def test_wflw_command(wflw: Path, command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    values = command("wflw", "--list", wflw / "list.txt", "--images", wflw / "images")
    assert values["nme"] < 2
    assert values["fr10"] == 0
    assert values["auc10"] > 0.8
    assert set(values["nme_by_attribute"]) == {"pose", "blur"}
    assert values["evaluations_per_face"] == 6
    assert values["weights"] == {"name": "tiny", "file": "tiny.safetensors", "sha256": "c0ffee"}
    assert values["engine"] == "fake, CPU"
    assert values["settings"]["scale"] == 1.25
    assert [face["name"] for face in values["per_face"]] == [f"0--Parade/face {i}.png" for i in range(3)]
    assert values["nme"] == pytest.approx(np.mean([face["nme"] for face in values["per_face"]]))
    low, high = values["intervals"]["nme"]
    assert low <= values["nme"] <= high
    assert values["attributes"]["pose"]["intervals"]["nme"] is not None
    assert values["attributes"]["blur"]["intervals"]["nme"] is None
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == "tiny on fake, CPU; mode off, crop rect; NME in %"
    assert f"{values['nme']:.2f} [{low:.2f}, {high:.2f}]" in printed
    assert "pose" in printed


def test_groups_of_faces_and_shrunk_photos(wflw: Path) -> None:
    faces = read_list(wflw / "list.txt")
    widths: list[float] = []

    class Constant(Offset):
        """Off by one pixel, whatever the size of the photo."""

        def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
            face = faces[len(widths) // 4]
            widths.append(box[2] - box[0])
            scale = image.shape[1] / 320
            return Prediction(((face.landmarks + 0.5) * scale - 0.5 + [1, 0]).astype(np.float32), 3)

    groups = evaluate_groups(Constant([], []), faces, wflw / "images", np.array([1.0, 2.0, np.nan]))
    size, light, sharpness = (
        [group for group in groups if group.measure == name] for name in ("size", "light", "sharpness")
    )
    assert [len(size), len(light), len(sharpness)] == [3, 3, 3]
    assert sum(group.figures.fr10.value for group in size) == 100, "the face that was missed"
    shrunk = {group.values: group.figures.nme.value for group in groups if group.measure == "shrunk to"}
    assert list(shrunk) == ["60 px", "45 px", "30 px", "24 px"], "nobody is made larger"
    # Eye corners are half a side apart.
    assert shrunk["60 px"] == pytest.approx(100 / 30, rel=0.02)
    assert shrunk["24 px"] == pytest.approx(100 / 12, rel=0.02)
    assert widths[:4] == pytest.approx([60, 45, 30, 24], rel=0.02)


def test_groups_are_printed_and_written(wflw: Path, command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    values = command("wflw", "--list", wflw / "list.txt", "--images", wflw / "images", "--groups")
    measures = [group["measure"] for group in values["groups"]]
    assert measures == ["size"] * 3 + ["light"] * 3 + ["sharpness"] * 3 + ["shrunk to"] * 4
    assert all(group["nme"] < 20 for group in values["groups"])
    assert "shrunk to" in capsys.readouterr().out


def test_a_group_whose_faces_are_all_missed_has_no_error(
    wflw: Path, command: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = RectPredictor.predict

    def far_sighted(own: RectPredictor, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
        return None if box[2] - box[0] < 40 else predict(own, image, seconds, box)

    monkeypatch.setattr(RectPredictor, "predict", far_sighted)
    values = command("wflw", "--list", wflw / "list.txt", "--images", wflw / "images", "--groups")
    shrunk = {group["values"]: group for group in values["groups"] if group["measure"] == "shrunk to"}
    assert shrunk["45 px"]["nme"] < 20
    assert shrunk["30 px"]["nme"] is None
    assert shrunk["30 px"]["intervals"]["nme"] is None
    assert shrunk["30 px"]["fr10"] == 100
    row = next(line for line in capsys.readouterr().out.splitlines() if "30 px" in line)
    assert row.split()[5:] == ["-", "100.00", "[100.00,", "100.00]", "0.0000", "[0.0000,", "0.0000]"]


def test_faces_of_one_picture_have_names_of_their_own(wflw: Path) -> None:
    faces = [read_list(wflw / "list.txt")[i] for i in (0, 0, 1, 0)]
    result = evaluate_wflw(RectPredictor(SquareEngine(), 1.25, None), faces, wflw / "images")
    first, second = faces[0].path, faces[2].path
    assert result.faces.names == (first, f"{first}#2", second, f"{first}#3")


def test_a_still_as_a_video_reports_its_last_frame_and_its_flicker(wflw: Path) -> None:
    faces = read_list(wflw / "list.txt")[:2]
    offsets: list[tuple[float, float] | None] = [(5, 0), (3, 0), (2, 0), (1, 0), (1, 0), (1, 0)]
    predictor = Offset([face.landmarks for face in faces for _ in range(3)], offsets)
    result = evaluate_wflw(predictor, faces, wflw / "images", StillVideo(3))
    assert predictor.starts == 2
    assert result.faces.nme == pytest.approx([4, 2], rel=1e-3)
    # The first face moves by 2 and then by 1 pixel, the second not at all.
    assert result.faces.nmf == pytest.approx([25600 * np.sqrt((4 + 1) / 2) / SIDE, 0], rel=1e-3)
    assert result.nmf.value == pytest.approx(result.faces.nmf.mean())
    assert result.evaluations == 3


def test_a_still_lost_in_its_last_frame_is_missed(wflw: Path) -> None:
    faces = read_list(wflw / "list.txt")[:2]
    offsets: list[tuple[float, float] | None] = [(1, 0), None, None, (1, 0)]
    predictor = Offset([face.landmarks for face in faces for _ in range(2)], offsets)
    result = evaluate_wflw(predictor, faces, wflw / "images", StillVideo(2))
    assert (result.missed, result.overall.faces) == (1, 2)
    assert math.isnan(result.faces.nme[0])
    assert result.faces.nme[1] == pytest.approx(2, rel=1e-3)
    assert np.isnan(result.faces.nmf).all(), "frames without a face have no flicker"


def test_noise_and_jitter_are_fresh_in_every_frame_and_the_same_in_every_run() -> None:
    image = np.full((200, 200, 3), 128, np.uint8)
    box = (50.0, 60.0, 150.0, 140.0)
    shown = StillVideo(40, noise=6.0, jitter=0.02)
    frames = list(shown.play(image, box, 3))
    assert [seconds for seconds, _, _ in frames[:3]] == pytest.approx([0, 1 / 30, 2 / 30])
    noise = np.stack([picture for _, picture, _ in frames]).astype(float) - 128
    assert noise.std() == pytest.approx(6, rel=0.02)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02
    moves = np.array([edges for _, _, edges in frames]) - box
    assert moves.std() == pytest.approx(0.02 * 100, rel=0.2)
    for again, other in ((3, False), (4, True)):
        repeated = next(iter(shown.play(image, box, again)))
        assert (repeated[2] != frames[0][2]) is other
        assert bool((repeated[1] != frames[0][1]).any()) is other
    dark = next(iter(StillVideo(1, noise=20.0).play(np.zeros((50, 50, 3), np.uint8), box, 0)))[1]
    assert dark.max() < 128, "noise must not wrap around black"


def test_a_still_shown_once_is_the_picture_itself() -> None:
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    ((seconds, picture, box),) = StillVideo().play(image, (1, 2, 3, 4), 0)
    assert (seconds, box) == (0.0, (1, 2, 3, 4))
    np.testing.assert_array_equal(picture, image)


def test_rwr_on_stills_shown_as_videos(wflw: Path, command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("wflw", "--list", wflw / "list.txt", "--images", wflw / "images")
    shown = ("--repeat", 5, "--noise", 3, "--jitter", 0.02)
    cold, warm = command(*data, *shown), command(*data, *shown, "--mode", "rwr")
    assert cold["still"] == {"frames": 5, "noise": 3.0, "jitter": 0.02}
    assert (cold["mode"], warm["mode"]) == ("off", "rwr")
    assert cold["evaluations_per_frame"] == 6
    assert warm["evaluations_per_frame"] == pytest.approx((6 + 4 * 1) / 5)
    assert 0 < warm["nmf"] < cold["nmf"]
    assert len(warm["intervals"]["nmf"]) == 2
    assert "over 5 frames of each still" in capsys.readouterr().out


def test_wflw_command_with_the_trackers_crops(wflw: Path, command: Run) -> None:
    values = command("wflw", "--list", wflw / "list.txt", "--images", wflw / "images", "--crop", "track", "--limit", 2)
    assert values["nme"] < 2
    assert (values["faces"], values["missed"]) == (2, 0)
    assert values["settings"]["scale"] is None


def test_tracked_face_is_the_one_in_the_box(tmp_path: Path) -> None:
    image = np.maximum(face_image(640, 240, 120, 120, SIDE), face_image(640, 240, 480, 120, 80))
    predictor = square_predictor(EvaluationSettings(crop=CropSource.TRACK))
    found = predictor.predict(image, 0.0, (440, 80, 520, 160))
    assert found is not None
    assert np.abs(found.landmarks - face_points(480, 120, 80)).mean() < 3
    assert predictor.predict(image, 0.04, (250, 70, 350, 170)) is None
    predictor.close()


def test_wflw_v_figures_by_hand(tmp_path: Path) -> None:
    truth = add_video(tmp_path, "clip", frames=4)
    offsets: list[tuple[float, float] | None] = [(1, 0), (1, 0), (3, 0), (3, 0)]
    predictor = Offset(list(truth), offsets)
    result = evaluate_video(predictor, find_videos(tmp_path)[0])
    assert predictor.starts == 1
    assert [result.nme, result.nme_eyes_mouth] == pytest.approx([100 * 2 / 50] * 2, rel=1e-4)
    assert result.nmf == pytest.approx(25600 * np.sqrt(4 / 3) / SIDE, rel=1e-3)
    assert (result.frames, result.missed, result.evaluations) == (4, 0, 3)


def test_missed_frames_count_in_no_figure_and_break_no_pair(tmp_path: Path) -> None:
    truth = add_video(tmp_path, "clip", frames=6)
    offsets: list[tuple[float, float] | None] = [(1, 0), (3, 0), None, (9, 0), (9, 0), (9, 2)]
    result = evaluate_video(Offset(list(truth), offsets), find_videos(tmp_path)[0])
    assert result.missed == 1
    # Pairs: 1 -> 3, and 9 -> 9 -> 9 with 2 down; the jump over the gap is no pair.
    assert result.nmf == pytest.approx(25600 * np.sqrt((4 + 0 + 4) / 3) / SIDE, rel=1e-3)
    with pytest.raises(UserError, match="never found the face"):
        evaluate_video(Offset(list(truth), [None] * 6), find_videos(tmp_path)[0])


@pytest.mark.parametrize("crop", ["rect", "track"])
@pytest.mark.parametrize("mode", ["off", "rwr", "rwr-released", "ema", "one-euro"])
def test_wflw_v_command(clips: Path, command: Run, mode: str, crop: str) -> None:
    values = command("wflw-v", "--root", clips, "--mode", mode, "--crop", crop)
    assert [video["id"] for video in values["videos"]] == ["a", "b"]
    assert values["mode"] == mode
    for key in ("nme", "nmf", "nme_eyes_mouth"):
        assert values[key] == pytest.approx(np.mean([video[key] for video in values["videos"]]))
        low, high = values["intervals"][key]
        assert low <= values[key] <= high
    assert 0 < values["nme"] < 6
    if crop == "rect":
        # Cold solves take all 6 steps of the fake. RwR does so on the first of 6 frames only.
        warm = {"rwr": 1, "rwr-released": 2}.get(mode, 6)
        assert values["evaluations_per_frame"] == pytest.approx((6 + 5 * warm) / 6)
    assert (values["settings"]["smoothing"] is None) is (mode not in ("ema", "one-euro"))


def test_each_video_starts_anew(clips: Path, command: Run) -> None:
    both = command("wflw-v", "--root", clips, "--mode", "ema")
    assert both["videos"][0]["nme"] == pytest.approx(both["videos"][1]["nme"])


def test_ema_mode_is_the_filter_over_the_cold_landmarks(tmp_path: Path) -> None:
    truth = add_video(tmp_path, "clip")
    jitter = [(0.0, 0.0), (4.0, 0.0), (0.0, 0.0), (4.0, 0.0), (0.0, 0.0), (4.0, 0.0)]
    smoothing = make_filter(Mode.EMA, SmoothingSettings(alpha=0.5))
    assert smoothing is not None
    result = evaluate_video(Smoother(Offset(list(truth), [*jitter]), smoothing), find_videos(tmp_path)[0])
    expected = (truth + np.array(jitter, np.float32)[:, None]).astype(np.float64)
    for t in range(1, 6):
        expected[t] = (expected[t] + expected[t - 1]) / 2
    assert result.nme == pytest.approx(100 * nme(expected, truth).mean(), rel=1e-4)
    assert result.nmf == pytest.approx(nmf(expected, truth), rel=1e-3)


def test_a_filter_starts_anew_with_another_face_and_after_a_gap() -> None:
    class Script:
        engine_name = "fake"

        def __init__(self, answers: list[Prediction | None]) -> None:
            self.answers = answers

        def start(self) -> None: ...

        def close(self) -> None: ...

        def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
            return self.answers.pop(0)

    near, far = face_points(0, 0, SIDE), face_points(300, 0, SIDE)
    script: list[Prediction | None] = [Prediction(near, 1, 0), Prediction(far, 1, 1), None, Prediction(near, 1, 1)]
    smoothing = make_filter(Mode.EMA, SmoothingSettings(alpha=0.1))
    assert smoothing is not None
    smoother = Smoother(Script(script), smoothing)
    answers = [smoother.predict(np.zeros((1, 1, 3), np.uint8), 0.0, (0, 0, 1, 1)) for _ in range(4)]
    for answer, expected in zip(answers, (near, far, None, near), strict=True):
        if expected is None:
            assert answer is None
        else:
            assert answer is not None
            np.testing.assert_allclose(answer.landmarks, expected, atol=1e-3)


def test_ids_choose_videos_and_name_the_line_of_a_missing_one(clips: Path) -> None:
    ids = clips / "ids.txt"
    ids.write_text("b\n\nb\n")
    assert [files.name for files in find_videos(clips, ids)] == ["b"]
    ids.write_text("a\nc\n")
    with pytest.raises(UserError, match=r"ids.txt, line 2: .*c.mp4 is missing"):
        find_videos(clips, ids)
    ids.write_text("b\n", encoding="utf-8-sig")  # as PowerShell writes it
    assert [files.name for files in find_videos(clips, ids)] == ["b"]
    (clips / "landmarks" / "a.npy").unlink()
    with pytest.raises(UserError, match=r"a.npy is missing"):
        find_videos(clips)


def test_without_boxes_those_of_the_landmarks_count(clips: Path) -> None:
    _, given = read_labels(find_videos(clips)[0])
    (clips / "bboxes" / "a.npy").unlink()
    with pytest.raises(UserError, match=r"bboxes.*a.npy is missing"):
        find_videos(clips)
    shutil.rmtree(clips / "bboxes")
    files = find_videos(clips)[0]
    assert files.boxes is None
    landmarks, boxes = read_labels(files)
    np.testing.assert_array_equal(boxes, given)
    np.testing.assert_array_equal(landmarks, np.load(clips / "landmarks" / "a.npy").astype(np.float32))


def test_a_video_is_seen_as_the_tracker_sees_it(tmp_path: Path) -> None:
    path = sources_fakes.write_video(tmp_path / "turned.mp4", [face_image(96, 64, 30, 20, 20)] * 2, rotation=90)
    source = VideoSource(path)
    seen = list(read_frames(path))
    assert [image.shape for _, image in seen] == [(96, 64, 3)] * 2
    assert all(
        np.array_equal(image, frame.image)
        for (_, image), frame in zip(seen, sources_fakes.read_all(source), strict=True)
    )
    source.close()
    cut = sources_fakes.write_video(tmp_path / "cut.mkv", [face_image(96, 64, 30 + k, 20, 20) for k in range(60)])
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 9 // 10])
    with pytest.raises(UserError, match=r"cut\.mkv cannot be decoded as a whole\. .*cut off"):
        list(read_frames(cut))


def test_frame_count_mismatch_names_both_files(clips: Path) -> None:
    truth = np.load(clips / "landmarks" / "a.npy")
    for count in (5, 7):
        longer = np.concatenate([truth, truth])[:count]
        np.save(clips / "landmarks" / "a.npy", longer)
        np.save(clips / "bboxes" / "a.npy", np.hstack([longer.min(axis=1), longer.max(axis=1)]))
        with pytest.raises(UserError, match=rf"a.mp4 has 6 frames, but .*a.npy has landmarks for {count}"):
            evaluate_video(RectPredictor(SquareEngine(), 1.25, None), find_videos(clips)[0])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("landmarks/a.npy", np.zeros((6, 68, 2)), r"must hold finite \(frames, 98, 2\)"),
        ("bboxes/a.npy", np.zeros((6, 4)), "does not run from x1 y1"),
        ("bboxes/a.npy", np.zeros((5, 4)), "one box x1 y1 x2 y2 for each of the 6 frames"),
        ("landmarks/a.npy", b"noise", "not a numpy array"),
        ("videos/a.mp4", b"noise", "cannot be read as a video"),
    ],
)
def test_unusable_files_are_named(clips: Path, file: str, content: Any, message: str) -> None:
    if isinstance(content, bytes):
        (clips / file).write_bytes(content)
    else:
        np.save(clips / file, content)
    with pytest.raises(UserError, match=message) as caught:
        evaluate_video(RectPredictor(SquareEngine(), 1.25, None), find_videos(clips)[0])
    assert Path(file).name in str(caught.value)


def test_a_folder_that_is_no_wflw_v_is_refused(clips: Path) -> None:
    with pytest.raises(UserError, match="no folder 'videos'"):
        find_videos(clips / "videos")
    (clips / "ids.txt").write_text("\n")
    with pytest.raises(UserError, match="names no video"):
        find_videos(clips, clips / "ids.txt")


def parse(*arguments: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers())
    return parser.parse_args(["evaluate", *map(str, arguments)])


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--crop", "track", "--scale", "1.2"], "--scale goes with --crop rect"),
        (["--mode", "rwr", "--alpha", "0.5"], "--alpha goes with --mode ema"),
        (["--mode", "ema", "--min-cutoff", "1"], "--min-cutoff goes with --mode one-euro"),
        (["--scale", "0"], "scale must be between"),
        (["--limit", "0"], "limit must be at least 1"),
        (["--threads", "0"], "threads must be at least 1"),
        (["--weights", "none.safetensors"], "The model cannot be used: no weights at none.safetensors"),
        (["--json", "nowhere/out.json"], "does not exist"),
    ],
)
def test_bad_settings_are_one_sentence(clips: Path, extra: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        evaluate.run(parse("wflw-v", "--root", clips, *extra), open_predictor=square_predictor)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--mode", "rwr"], "Mode rwr needs more than one frame of each still; add --repeat"),
        (["--repeat", "0"], "must be shown at least once"),
        (["--repeat", "2", "--noise", "-1"], "noise must be between 0 and 255"),
        (["--repeat", "2", "--jitter", "nan"], "jitter must be between 0 and 0.2"),
        (["--repeat", "2", "--jitter", "0.1", "--crop", "track"], "--jitter goes with --crop rect"),
        (["--repeat", "2", "--mode", "rwr", "--groups"], "--groups goes with --mode off"),
    ],
)
def test_bad_stills_are_one_sentence(wflw: Path, weights: Path, extra: list[str], message: str) -> None:
    args = parse("wflw", "--list", wflw / "list.txt", "--images", wflw / "images", "--weights", weights, *extra)
    with pytest.raises(UserError, match=message):
        evaluate.run(args, open_predictor=square_predictor)


def test_bad_filter_settings_are_one_sentence(clips: Path, weights: Path) -> None:
    args = parse("wflw-v", "--root", clips, "--mode", "ema", "--alpha", "2", "--weights", weights)
    with pytest.raises(UserError, match=r"^The filter cannot be used: .* above 0 and at most 1"):
        evaluate.run(args, open_predictor=square_predictor)
