"""Baselines are found, fed and timed in their own interpreter, and end in one sentence where they cannot."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.cli import main as cli
from app.core.errors import UserError
from app.lab.speed import baseline
from app.lab.speed.baseline import Baseline, BaselineTurns, Installed, endless, find_baselines
from app.lab.steadiness import comparison
from app.lab.steadiness.clips import demo, rigid_clips
from app.lab.steadiness.tables import COMMON, Record, text
from model.topology import POINTS, REGIONS, region_points
from tests.baseline_fakes import script, with_libraries
from tests.fakes import face_image, face_points
from tests.lab_fakes import square_clip
from tests.sources_fakes import write_video
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.process

PYTHON = Path(sys.executable)
MESH, STILL, DLIB = "mediapipe", "mediapipe-still", "dlib"


def use(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(baseline, "SCRIPT", path)


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, with_libraries(tmp_path, "mediapipe", "dlib"))


def opened(name: str, width: int = 320, height: int = 240) -> Baseline:
    return Baseline(next(each for each in find_baselines(PYTHON) if each.name == name), width, height)


def test_an_interpreter_tells_what_it_has(libraries: None) -> None:
    found = find_baselines(PYTHON)
    assert [each.name for each in found] == [MESH, STILL, DLIB]
    assert len({each.label for each in found}) == 3
    assert [each.label for each in found if each.name == DLIB] == ["dlib 20.0.1, 68 points"]


@pytest.mark.parametrize("only", ["mediapipe", "dlib"])
def test_half_of_the_libraries_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: str) -> None:
    use(monkeypatch, with_libraries(tmp_path, only))
    assert {each.name.partition("-")[0] for each in find_baselines(PYTHON)} == {only}


@pytest.mark.parametrize("name", [MESH, STILL])
def test_the_mesh_gets_the_picture_and_answers_in_pixels(libraries: None, name: str) -> None:
    with opened(name) as mesh:
        for x, y in ((100, 80), (140, 120)):
            answer = mesh.follow(face_image(320, 240, x, y, 40))
            assert answer.points is not None
            assert answer.points.shape == (478, 2)
            # The square's first column is x - 20, so its middle is half a pixel before x, where centres are whole.
            assert answer.points[[9, 10]].mean(axis=0) == pytest.approx((x - 0.5, y - 0.5))
            assert answer.milliseconds > 0
            assert answer.cpu_milliseconds >= 0
        assert mesh.follow(np.zeros((240, 320, 3), np.uint8)).points is None
        assert mesh.corners == (33, 263)
        assert set(mesh.regions) == set(COMMON)
        assert mesh.regions["brows"] == [46, 53, 276, 283]


def test_dlib_looks_in_a_reduced_picture_and_then_in_all_of_it(libraries: None) -> None:
    with opened(DLIB, 960, 720) as dlib:
        large, small = (dlib.follow(face_image(960, 720, 300, 300, side)).points for side in (90, 18))
        assert dlib.follow(np.zeros((720, 960, 3), np.uint8)).points is None
        assert dlib.corners == (36, 45)
        for region in REGIONS:
            if region.name in COMMON:
                assert dlib.regions[region.name] == region_points(region, 68).tolist()
    assert large is not None
    assert large.shape == (68, 2)
    assert large[0] == pytest.approx((255, 255))  # seen at a third of the size, told in pixels of the whole
    assert small is not None, "a face too small in the reduced picture was not looked for in the whole one"
    assert small[0] == pytest.approx((291, 291))


def test_pictures_of_another_size_are_a_mistake_of_ours(libraries: None) -> None:
    with opened(MESH) as mesh, pytest.raises(ValueError, match="must be"):
        mesh.follow(np.zeros((10, 10, 3), np.uint8))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise RuntimeError('no GPU here')", "RuntimeError: no GPU here"),
        ("print('{}')", "without a word"),
        ("", "without a word"),
        ("print('not an answer')", "without a word"),
        ("import time; time.sleep(60)", "without a word"),
    ],
)
def test_a_baseline_that_breaks_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    start = """
import json, sys
print(json.dumps({"regions": {}, "corners": [0, 1]}), flush=True)
sys.stdin.buffer.read(300)
"""
    use(monkeypatch, script(tmp_path, start + text))
    mesh = Baseline(Installed(PYTHON, MESH, "the mesh"), 10, 10)
    monkeypatch.setattr(baseline, "PATIENCE", PATIENCE_SECONDS if "sleep" not in text else 1.0)
    with mesh, pytest.raises(UserError, match="the mesh ended in the middle") as raised:
        mesh.follow(np.zeros((10, 10, 3), np.uint8))
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_baseline_that_never_starts_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, script(tmp_path, "import a_library_that_is_not_there"))
    with pytest.raises(UserError, match="No module named 'a_library_that_is_not_there'"):
        Baseline(Installed(PYTHON, MESH, "the mesh"), 10, 10)


def test_what_is_no_python_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, script(tmp_path, "print('welcome')"))
    with pytest.raises(UserError, match="does not behave like a Python"):
        find_baselines(PYTHON)
    with pytest.raises(UserError, match="cannot be run"):
        find_baselines(tmp_path / "python")
    monkeypatch.setattr(baseline, "PATIENCE", 0.5)
    use(monkeypatch, script(tmp_path, "import time; time.sleep(60)"))
    with pytest.raises(UserError, match="did not answer"):
        find_baselines(PYTHON)


def test_an_interpreter_with_no_baseline_says_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, with_libraries(tmp_path))
    with pytest.raises(UserError, match=r"mediapipe is not there; dlib is not there.*install mediapipe==0\.10\.21"):
        find_baselines(PYTHON)


def test_baselines_take_turns_on_a_video_that_begins_again(libraries: None, tmp_path: Path) -> None:
    video = tmp_path / "three.mp4"
    write_video(video, [face_image(320, 240, x, 120, 60) for x in (80, 120, 160)])
    with BaselineTurns([*find_baselines(PYTHON), *find_baselines(PYTHON)], video, 5) as turns:
        assert turns.milliseconds == {}
        turns.run()
        turns.run()
        labels = [label for label in turns.milliseconds if "CPU" not in label]
        assert len(labels) == 2, "still pictures do not track a video, and the same baseline runs once"
        assert all(len(values) == 10 for values in turns.milliseconds.values())
        assert set(turns.milliseconds) == {*labels, *(f"{label}, CPU time" for label in labels)}


def test_a_video_without_pictures_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Empty:
        def __init__(self, path: Path) -> None:
            pass

        def read(self) -> None:
            return None

        def close(self) -> None:
            pass

    monkeypatch.setattr("app.lab.speed.baseline.VideoSource", Empty)
    assert list(endless(tmp_path)) == []


def test_bench_says_at_once_that_a_baseline_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--baseline", str(tmp_path / "python")]) == 2
    error = capsys.readouterr().err.strip()
    assert "cannot be run" in error
    assert len(error.splitlines()) == 1


def test_ours_and_theirs_are_measured_on_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def standing(self: Baseline, image: NDArray[np.uint8]) -> baseline.Followed:
        grid = np.stack([np.linspace(560, 720, 478), np.linspace(330, 430, 478)], axis=-1)
        return baseline.Followed(grid, 2.0, 1.0)

    use(monkeypatch, with_libraries(tmp_path, "mediapipe"))
    monkeypatch.setattr(Baseline, "follow", standing)
    figures = comparison.run([PYTHON], [demo()], "onnx", 4)
    trackers = figures["trackers"]
    rwr, mesh = (next(each for name, each in trackers.items() if part in name) for part in ("RwR", "mesh, 478"))
    assert 0 < rwr["flicker"]["moving"]["all points"]["median"] < mesh["flicker"]["moving"]["all points"]["median"]
    assert 0 < rwr["wander"]["moving"]["regions alike"]["worst"] < mesh["wander"]["moving"]["regions alike"]["worst"]
    assert mesh["cpu_ms"] == {"least": 1.0, "p50": 1.0, "p95": 1.0}
    assert rwr["lost_frames"] == 0
    assert rwr["eye_corners"] == pytest.approx(1, abs=0.05), "the ruler does not fit the demo's face"
    assert len(trackers) == 4, "filters of four frames, in which no lag can be told"
    json.dumps(figures)
    table = text(figures)
    assert all(label in table for label in trackers)


def test_what_a_tracker_never_found_has_its_number_of_points() -> None:
    nothing = baseline.Followed(None, 1.0, 1.0)
    assert comparison.points_of([nothing, nothing]).shape == (2, POINTS, 2)
    some = baseline.Followed(np.zeros((68, 2)), 1.0, 1.0)
    points = comparison.points_of([nothing, some])
    assert points.shape == (2, 68, 2)
    assert np.isnan(points[0]).all()


def test_it_says_what_it_cannot_measure(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder 'videos'"):
        comparison.choose_clips(tmp_path / "none", None)
    with pytest.raises(UserError, match=r"no \.pts files"):
        comparison.choose_clips(None, tmp_path / "none")
    with pytest.raises(UserError, match="at least 2"):
        comparison.run([], [], "onnx", 1)


def test_clips_in_which_not_all_find_the_face_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(stack: ExitStack, engine: str, rwr: bool) -> comparison.Tracker:
        seen = face_points(100, 120, 60).astype(float)
        nothing = baseline.Followed(None if rwr else seen, 1.0, 1.0)
        return comparison.Tracker(f"rwr {rwr}", lambda frame: nothing, {}, (60, 72))

    monkeypatch.setattr(comparison, "ours", blind)
    square_clip(tmp_path, "a", *3 * [[100.0] * 4])
    with pytest.raises(UserError, match="Not all trackers found the face"):
        comparison.run([], comparison.choose_clips(tmp_path, None)[0], "onnx", None)
    records: dict[str, Record] = {}
    assert not comparison.follow_clip(rigid_clips(tmp_path)[0][0], [], "onnx", 3, records).any()
    assert (records["rwr True"].lost, records["rwr False"].lost) == (3, 0)
