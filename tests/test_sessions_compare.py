"""Takes side by side, and clips cut out of sessions."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.errors import RecordingError
from app.core.events import FaceFound
from app.core.frame import Estimate, FrameResult
from app.core.settings import TrackingSettings
from app.sessions.compare import compare_takes
from app.sessions.describe import session_lines
from app.sessions.export import export_clip
from app.sessions.form import SessionError
from app.sessions.plain import to_plain
from app.sessions.plan import RecordingChoices
from app.sessions.session import Session, open_session
from app.sessions.video import SessionVideo
from model.metrics.flicker_meter import FlickerReading
from model.topology import REGIONS
from tests.recording_fakes import COLD_ESTIMATE, estimate, index_of, landmarks, read_video, result
from tests.session_fakes import EXACT, again, record, told, tracked

pytestmark = pytest.mark.slow


def shifted(pixels: float, flicker: float | None = None) -> Estimate:
    base = estimate(points=landmarks() + np.array([pixels, 0], np.float32))
    reading = None if flicker is None else FlickerReading(flicker, (flicker,) * len(REGIONS))
    return Estimate(base.mode, base.landmarks, base.uncertainty, base.report, reading)


def at(index: int, *estimates: Estimate, other: Estimate | None = None) -> FrameResult:
    return result(index, faces=list(estimates), other=other)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return record(tmp_path / "talk", [at(k, estimate(), other=COLD_ESTIMATE) for k in range(6)])


def as_take(tmp_path: Path, session: Session, items: list[FrameResult], name: str = "other") -> Any:
    """Return what ``items`` are as a take of the same session."""
    take = record(tmp_path / name, items).recorded
    return replace(take, session=session.metadata.session, name=name)


def test_two_modes_of_one_take(session: Session) -> None:
    take = session.recorded
    found = compare_takes(take, take, mode_b="cold")
    assert found.same_session
    assert (found.common, found.distance, found.identical) == (6, 0.0, True)
    assert (found.a.modes, found.b.modes) == ("RwR", "Cold")
    assert found.a.flicker == pytest.approx(0.42)
    assert found.b.flicker == pytest.approx(0.9)
    assert found.a.regions == pytest.approx((0.5,) * len(REGIONS))
    assert (found.a.evaluations, found.b.evaluations) == (2, 5)
    assert not any(line.startswith(("cold starts", "frames a second")) for line in found.lines())


def test_other_weights_of_one_name_are_told_apart(session: Session) -> None:
    old, new = (replace(session.metadata.engine, sha256=digit * 64) for digit in "ab")
    take = replace(session.recorded, engine=old)
    again = replace(take, name="again", engine=new)
    shown = "\n".join(compare_takes(take, again).lines())
    assert "ldeq-s (aaaaaaaa)" in shown
    assert "ldeq-s (bbbbbbbb)" in shown
    assert "(aaaaaaaa)" not in "\n".join(compare_takes(take, replace(take, name="again")).lines())
    session.metadata = replace(session.metadata, engine=old)
    session._takes = {"recorded": again}
    assert any("take recorded: ldeq-s (bbbbbbbb), " in line for line in session_lines(session))


def test_distances_are_means_in_pixels_and_percent(session: Session, tmp_path: Path) -> None:
    take = as_take(tmp_path, session, [at(k, shifted(2.0 if k % 2 else 0.0, 1.0)) for k in range(6)])
    found = compare_takes(session.recorded, take)
    eyes = float(np.linalg.norm(landmarks()[72] - landmarks()[60]))
    assert found.distance == pytest.approx(1.0)
    assert found.distance_percent == pytest.approx(100 / eyes)
    assert not found.identical


def test_only_what_both_measured_counts(session: Session, tmp_path: Path) -> None:
    readings = [None, 3.0, 4.0, 3.0, 4.0]
    items = [at(k, shifted(0, readings[k])) for k in range(5)] + [at(5)]
    take = as_take(tmp_path, session, items)
    found = compare_takes(session.recorded, take)
    assert found.common == 5
    assert found.b.flicker == pytest.approx(np.sqrt(12.5))
    assert found.b.frames == 5
    assert found.b.regions == pytest.approx((np.sqrt(12.5),) * len(REGIONS))


def test_faces_are_matched_by_where_they_are(session: Session, tmp_path: Path) -> None:
    two = [at(k, shifted(0), shifted(200)) for k in range(6)]
    swapped = [at(k, shifted(201), shifted(1)) for k in range(6)]
    a = as_take(tmp_path, session, two, "a")
    b = as_take(tmp_path, session, swapped, "b")
    found = compare_takes(a, b)
    assert found.common == 12
    assert found.lines()[-1].endswith("in 6 common frames.")
    assert found.distance == pytest.approx(1.0, abs=1e-4)


def test_faces_elsewhere_have_nothing_in_common(session: Session, tmp_path: Path) -> None:
    take = as_take(tmp_path, session, [at(k, shifted(300)) for k in range(6)])
    found = compare_takes(session.recorded, take)
    assert (found.common, found.distance, found.a.flicker) == (0, None, None)
    assert found.lines()[-1] == "The takes have no face in common."


def test_two_sessions_are_judged_each_on_its_own(session: Session, tmp_path: Path) -> None:
    other = record(tmp_path / "other", [told(k) for k in range(3)]).recorded
    found = compare_takes(session.recorded, other)
    assert not found.same_session
    assert (found.distance, found.identical, found.common) == (None, None, 0)
    assert (found.a.frames, found.b.frames) == (6, 3)
    assert found.b.fps == pytest.approx(50)
    assert json.loads(json.dumps(to_plain(found)))["b"]["frames"] == 3


def test_lines_say_what_was_found(tmp_path: Path) -> None:
    session = record(tmp_path / "talk", tracked(8), EXACT)
    take = again(session, as_recorded=True)
    lines = compare_takes(session.recorded, take).lines()
    assert lines[-1] == "The landmarks are the same, bit for bit, in all 8 common frames."
    assert len({len(line) for line in lines[:-1]}) == 1
    assert any(region.name in line for line in lines for region in REGIONS)


def test_a_clip_as_a_video(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    assert export_clip(session, session.recorded, 2 / 30, 4.5 / 30, path) == path
    video = read_video(path)
    assert video.indices == [2, 3, 4]
    assert [float(time) for time in video.times] == pytest.approx([0, 1 / 30, 2 / 30], abs=1e-4)
    drawn = tmp_path / "drawn.mkv"
    export_clip(session, session.recorded, -1, 99, drawn, annotated=True)
    images = read_video(drawn).images
    assert len(images) == 6
    assert np.ptp(images[0]) > 100


def test_a_clip_as_a_session(tmp_path: Path) -> None:
    items = [told(k, *(() if k else (FaceFound(0),)), rwr=k < 4) for k in range(8)]
    session = record(tmp_path / "talk", items)
    assert export_clip(session, session.recorded, 3 / 30, 6 / 30, tmp_path / "cut") == tmp_path / "cut"
    cut = open_session(tmp_path / "cut")
    assert cut.state == "complete"
    assert cut.frames.index.tolist() == [3, 4, 5]
    assert cut.frames.time.tolist() == pytest.approx([0, 1 / 30, 2 / 30])
    assert cut.frames.timestamp.tolist() == session.frames.timestamp[3:6].tolist()
    assert (cut.recorded.landmarks(0) == session.recorded.landmarks(0)[3:6]).all()
    assert cut.recorded.flicker(0).tolist() == session.recorded.flicker(0)[3:6].tolist()
    assert [cut.settings_at(row) for row in range(3)] == [session.settings_at(row) for row in range(3, 6)]
    assert [index_of(image) for _, image in cut.pictures()] == [3, 4, 5]
    origin = cut.metadata.origin
    assert (origin.session, origin.name, origin.take) == (session.metadata.session, "talk", "recorded")
    assert cut.metadata.session != session.metadata.session
    assert "video.mp4" in cut.metadata.checksums


@pytest.mark.parametrize(("start", "exact"), [(0, True), (5, False)])
def test_a_cut_of_an_exact_session(tmp_path: Path, start: int, exact: bool) -> None:
    session = record(tmp_path / "talk", tracked(12, {4: TrackingSettings(rwr=False)}), EXACT)
    export_clip(session, session.recorded, start / 30, 9 / 30, tmp_path / "cut")
    cut = open_session(tmp_path / "cut")
    assert (cut.metadata.exact, cut.metadata.exact_frames) == (exact, 9 if exact else 0)
    assert cut.metadata.video.lossless
    take = again(cut, as_recorded=True)
    assert compare_takes(cut.recorded, take).identical == exact


def test_a_replay_can_be_cut(tmp_path: Path) -> None:
    session = record(tmp_path / "talk", tracked(6), EXACT)
    take = again(session, TrackingSettings(rwr=False))
    export_clip(session, take, 0, 9, tmp_path / "cut", annotated=True)
    cut = open_session(tmp_path / "cut")
    assert cut.recorded.modes == ("cold",)
    assert cut.metadata.origin.take == "cold"
    assert not cut.metadata.exact
    assert len(read_video(tmp_path / "cut" / "annotated.mp4").times) == 6


def test_a_cut_without_pictures_keeps_the_landmarks(tmp_path: Path) -> None:
    session = record(tmp_path / "talk", [result(k) for k in range(4)], RecordingChoices(privacy=True))
    export_clip(session, session.recorded, 0, 0.05, tmp_path / "cut")
    cut = open_session(tmp_path / "cut")
    assert cut.metadata.privacy
    assert cut.metadata.video is None
    assert len(cut.recorded.estimates) == 2
    with pytest.raises(SessionError, match="privacy"):
        export_clip(session, session.recorded, 0, 1, tmp_path / "clip.mp4")
    with pytest.raises(SessionError, match="privacy"):
        export_clip(session, session.recorded, 0, 1, tmp_path / "drawn", annotated=True)
    assert not (tmp_path / "drawn").exists()


def test_what_cannot_be_exported_is_one_sentence(session: Session, tmp_path: Path) -> None:
    take = session.recorded
    with pytest.raises(SessionError, match="no frames from 5 to 9"):
        export_clip(session, take, 5, 9, tmp_path / "clip.mp4")
    with pytest.raises(RecordingError, match="ends in"):
        export_clip(session, take, 0, 9, tmp_path / "clip.gif")
    (tmp_path / "there.mp4").touch()
    with pytest.raises(RecordingError, match="exists already"):
        export_clip(session, take, 0, 9, tmp_path / "there.mp4")
    with pytest.raises(RecordingError, match="holds files"):
        export_clip(session, take, 0, 9, session.folder)


@pytest.mark.parametrize("name", ["clip.mp4", "cut"])
def test_an_export_that_fails_leaves_nothing(session: Session, tmp_path: Path, name: str) -> None:
    def fails(done: int, total: int) -> None:
        if done == 3:
            raise SessionError("It cannot be read on.")

    with pytest.raises(SessionError, match="read on"):
        export_clip(session, session.recorded, 0, 9, tmp_path / name, progress=fails)
    assert not (tmp_path / name).exists()
    export_clip(session, session.recorded, 0, 9, tmp_path / name)


def test_a_clip_that_another_program_has_just_written_stays(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    read = SessionVideo.read

    def meanwhile(self: SessionVideo, number: int) -> Any:
        path.write_bytes(b"theirs")
        return read(self, number)

    monkeypatch.setattr(SessionVideo, "read", meanwhile)
    with pytest.raises(RecordingError, match="exists already"):
        export_clip(session, session.recorded, 0, 9, path)
    assert path.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["clip.mp4", "cut"])
def test_a_stopped_export_leaves_nothing(session: Session, tmp_path: Path, name: str) -> None:
    stop, seen = threading.Event(), []

    def progress(done: int, total: int | None) -> None:
        seen.append((done, total))
        stop.set()

    assert export_clip(session, session.recorded, 0, 9, tmp_path / name, progress=progress, stop=stop) is None
    assert seen == [(1, 6)]
    assert not (tmp_path / name).exists()
