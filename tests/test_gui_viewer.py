"""The session library and viewer: what they read, play, compare, replay and export; then their pages."""

from __future__ import annotations

import os

from app.sessions.form import SessionState

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QFile, QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QProgressBar, QPushButton, QStackedWidget, QWidget
from pytestqt.qtbot import QtBot

from app.core.frame import FrameResult
from app.core.modes import Mode
from app.core.presets import PRESETS
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.presenters.actions import ActionName
from app.gui.presenters.palettes import DARK, LIGHT, Palette
from app.gui.theme import theme
from app.gui.viewer.pages import SessionPages
from app.gui.viewer.presenters.jobs import (
    WAYS,
    Beside,
    ClipKind,
    Job,
    JobView,
    Outcome,
    Way,
    replay_settings,
)
from app.gui.viewer.presenters.library import Library, session_row
from app.gui.viewer.presenters.player import EMPTY_GREY, SessionPlayer
from app.gui.viewer.presenters.readouts import NO_FRAMES, TakeRow, ViewerStage
from app.gui.viewer.presenters.takes import ShownTake, load_takes, part_figures, together
from app.gui.viewer.presenters.timeline import (
    LOWEST_TOP,
    Curve,
    MarkerKind,
    Timeline,
    columns,
    marker_text,
    nearest_marker,
    ticks,
    timeline_of,
)
from app.gui.viewer.presenters.viewer import Viewer
from app.gui.viewer.views.library import LibraryView
from app.gui.viewer.views.timeline import TimelineView, take_colour
from app.gui.viewer.views.viewer import ViewerView
from app.gui.window_state import LEAST_SIZE
from app.sessions.compare import OTHER_METER
from app.sessions.events import Event, EventKind
from app.sessions.form import METADATA, RECORDED
from app.sessions.listing import SessionEntry
from app.sessions.metadata import METER_KEY
from app.sessions.plan import RecordingChoices
from app.sessions.replay import replay
from app.sessions.session import Session, open_session
from app.sessions.take import Take
from tests.painted import count_colour, pixels
from tests.session_fakes import EXACT, SIZE, record, square_pipeline, tracked
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS

pytestmark = pytest.mark.slow

StartPlayer = Callable[..., SessionPlayer]

FRAMES = 24
ENGINE = EngineSettings()
NOW = datetime(2026, 11, 21, 19, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session with RwR switched off in the middle, made once."""
    folder = tmp_path_factory.mktemp("made") / "walk"
    record(folder, tracked(FRAMES, {16: TrackingSettings(rwr=False)}), EXACT)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may write to."""
    return Path(shutil.copytree(made, tmp_path / "walk"))


@pytest.fixture
def session(made: Path) -> Session:
    return open_session(made)


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    shown = Viewer(lambda: ENGINE, lambda job: job(), partial(replay, build=square_pipeline))
    yield shown
    shown.close()


@pytest.fixture
def start_player(session: Session) -> Iterator[StartPlayer]:
    players: list[SessionPlayer] = []

    def start(of: Session = session, clock: Callable[[], float] = lambda: 0.0) -> SessionPlayer:
        player = SessionPlayer(of, tuple(load_takes(of, (RECORDED,)).values()), clock)
        players.append(player)
        player.start()
        return player

    yield start
    for player in players:
        assert player.stop(PATIENCE_SECONDS)


def newest(player: SessionPlayer) -> FrameResult:
    result = player.results.take(PATIENCE_SECONDS)
    assert result is not None
    return result


def entry(**changes: object) -> SessionEntry:
    plain = SessionEntry(Path("walk"), "walk", NOW, 63.0, "Camera", SessionState.COMPLETE)
    return replace(plain, **changes)  # type: ignore[arg-type]


# The library


def test_the_list_says_what_is_special_about_a_session() -> None:
    row = session_row(entry())
    assert (row.title, row.badge, row.usable) == ("Camera", "", True)
    assert row.detail == "21 November 2026, 19:05  \u00b7  1:03"
    assert session_row(entry(privacy=True)).badge == "privacy"
    assert session_row(entry(state="recovered", seconds=None)).badge == "cut off"
    assert session_row(entry(state="recovered", seconds=None), running=True).badge == "recording"
    broken = session_row(entry(error="session.json is damaged; restore it."))
    assert (broken.badge, broken.usable) == ("damaged", False)
    assert "restore it" in broken.tooltip


@pytest.mark.slow
def test_the_library_reads_a_folder_and_says_so_where_there_is_nothing(folder: Path, tmp_path: Path) -> None:
    library = Library(tmp_path / "nowhere", lambda job: job())
    library.refresh()
    assert "No sessions here yet" in library.view.text
    library.open(folder.parent)
    (row,) = library.view.rows
    assert row.folder == folder
    assert row.thumbnail == folder / "thumbnail.jpg"
    assert not library.view.reading


def test_an_older_reading_that_comes_late_is_forgotten() -> None:
    jobs: list[Callable[[], None]] = []
    changes: list[int] = []
    folders = {Path("a"): [entry()], Path("b"): []}
    library = Library(Path("a"), jobs.append, folders.__getitem__)
    library.listen(lambda: changes.append(1))
    library.refresh()
    assert library.view.reading
    library.open(Path("b"))
    jobs[1]()
    jobs[0]()
    assert library.view.rows == ()
    assert library.view.folder == Path("b")
    assert len(changes) == 3


def test_a_folder_that_cannot_be_read_is_a_sentence() -> None:
    def broken(folder: Path) -> list[SessionEntry]:
        raise RuntimeError

    library = Library(Path("a"), lambda job: job(), broken)
    library.refresh()
    assert "choose another one" in library.view.text


# The timeline


def test_columns_add_up_as_flicker_does_and_keep_gaps() -> None:
    times = (np.arange(1000) + 0.5) / 100
    values = np.where((times >= 4) & (times < 6), np.nan, np.where(np.arange(1000) % 2, 3.0, 1.0))
    places, thinned = columns(Curve("", Mode.RWR, False, times, values), 10.0, 100)
    assert len(places) == 100
    np.testing.assert_allclose(thinned[:40], 5**0.5)
    assert np.isnan(thinned[40:60]).all()
    short = columns(Curve("", Mode.RWR, False, times[:50], values[:50]), 0.5, 100)
    assert short[0] is not None
    assert len(short[1]) == 50


@pytest.mark.parametrize("duration", [0.4, 3.0, 10.0, 65.0, 3600.0, 7200.0 * 3])
def test_ticks_are_few_and_start_at_nothing(duration: float) -> None:
    found = ticks(duration)
    assert found[0] == 0
    assert len(found) <= 8
    assert found[-1] <= duration


def test_markers_say_what_happened() -> None:
    def event(time: float, kind: str, **data: object) -> Event:
        return Event(time, 0, 0, kind, dict(data))

    events = [
        event(2.0, EventKind.RESET, face=0, reason="first frame"),
        event(1.0, EventKind.SETTINGS, changes={"rwr": [True, False]}),
        event(3.0, EventKind.LOST, face=0, reason="not seen"),
        event(0.0, EventKind.FOUND, face=0),
        event(4.0, EventKind.DROPPED, text="2 pictures"),
        event(5.0, "stop"),
    ]
    timeline = timeline_of(10.0, (), events)
    assert [marker.kind for marker in timeline.markers] == [
        MarkerKind.FACE,
        MarkerKind.TOGGLE,
        MarkerKind.COLD,
        MarkerKind.FACE,
        MarkerKind.TROUBLE,
    ]
    assert marker_text(timeline, 1.02, 0.01) == "1.00 s   rwr: on \u2192 off"
    assert marker_text(timeline, 1.2, 0.01) == ""
    found = nearest_marker(timeline, 3.04, 0.01)
    assert found is not None
    assert found.text == "lost face 0: not seen"
    assert nearest_marker(timeline, 3.5, 0.01) is None
    assert nearest_marker(Timeline(1.0), 0.5, 0.01) is None
    many = replace(timeline, markers=timeline.markers * 5)
    assert marker_text(many, 1.0, 1.0).endswith("and 17 more")
    assert timeline.top == LOWEST_TOP


# Takes


def test_a_take_shows_its_main_face(session: Session) -> None:
    (shown,) = load_takes(session, (RECORDED,)).values()
    assert shown.title == "Recorded, RwR"
    assert len(shown.times) == FRAMES == len(shown.flicker)
    (whole,) = part_figures((shown,), 0.0, session.seconds)
    finite = shown.flicker[np.isfinite(shown.flicker)]
    assert whole.flicker == pytest.approx(np.sqrt(np.mean(finite**2)))
    assert whole.resets == 1
    (cold,) = part_figures((shown,), float(shown.times[17]), session.seconds)
    assert cold.evaluations is not None
    assert whole.evaluations is not None
    assert cold.evaluations > whole.evaluations
    assert part_figures((), 0.0, 1.0) == ()
    (nothing,) = part_figures((shown,), 99.0, 100.0)
    assert (nothing.flicker, nothing.evaluations, nothing.resets) == (None, None, 0)


def test_two_takes_are_judged_on_the_same_frames(session: Session) -> None:
    (shown,) = load_takes(session, (RECORDED,)).values()
    loud = np.where(np.arange(FRAMES) < 6, 9.0, np.nan)
    other = replace(shown, flicker=np.where(np.arange(FRAMES) < 12, 1.0, np.nan))
    first, second = part_figures((replace(shown, flicker=loud), other), 0.0, 9.0)
    assert (first.flicker, second.flicker) == (9.0, 1.0)
    none = replace(shown, flicker=np.full(FRAMES, np.nan))
    first, second = part_figures((other, none), 0.0, 9.0)
    assert (first.flicker, second.flicker) == (1.0, None)


def test_a_take_without_faces_has_no_figures(tmp_path: Path) -> None:
    empty = record(tmp_path / "empty", [replace(result, faces=()) for result in tracked(3)])
    shown = ShownTake.of(empty.recorded)
    assert (shown.face, shown.mode, shown.title) == (None, "", "Recorded")
    assert np.isnan(shown.flicker).all()


def test_faces_of_two_takes_are_paired_by_place(session: Session) -> None:
    take = session.recorded
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    now, later = take.result(4, image), take.result(6, image)
    paired = together(now, later)
    assert paired.faces[0].other is later.faces[0].estimate
    assert together(now, None) is now
    assert together(now, replace(now, faces=())) is now
    far = replace(
        later.faces[0], estimate=replace(later.faces[0].estimate, landmarks=now.faces[0].estimate.landmarks + 900)
    )
    assert together(now, replace(later, faces=(far,))).faces[0].other is None


# The player


def test_the_player_shows_the_frame_that_is_asked_for(session: Session, start_player: StartPlayer) -> None:
    player = start_player()
    first = newest(player)
    seen = next(result for result in tracked(1) if result.frame.index == first.frame.index)
    np.testing.assert_array_equal(first.frame.image, seen.frame.image)
    assert first.faces[0].estimate.mode == Mode.RWR
    player.seek_to(10.0)
    last = newest(player)
    assert last.frame.index == session.frames.index[-1]
    assert player.playback.position == pytest.approx(player.duration)
    player.step(-3)
    assert newest(player).frame.index == session.frames.index[-4]
    player.step(99)
    assert newest(player).frame.index == session.frames.index[-1]
    assert player.playback.paused


def test_playing_goes_by_the_clock_and_holds_at_the_end(session: Session, start_player: StartPlayer) -> None:
    now = [0.0]
    player = start_player(clock=lambda: now[0])
    newest(player)
    player.set_speed(2.0)
    player.pause(False)
    now[0] = 0.2
    while (result := newest(player)).frame.index != session.frames.index[12]:
        assert result.frame.index < session.frames.index[12]
    now[0] = 5.0
    while newest(player).frame.index != session.frames.index[-1]:
        pass
    assert player.playback.paused
    player.pause(False)
    assert player.playback.position == 0.0
    player.pause(True)


def test_without_pictures_the_landmarks_lie_on_grey(tmp_path: Path, start_player: StartPlayer) -> None:
    private = record(tmp_path / "private", tracked(4), RecordingChoices(privacy=True))
    player = start_player(private)
    result = newest(player)
    assert (result.frame.image == EMPTY_GREY).all()
    assert len(result.faces) == 1
    assert "privacy mode" in player.problem


def test_a_frame_without_a_picture_shows_the_last_one(tmp_path: Path, start_player: StartPlayer) -> None:
    whole = record(tmp_path / "holes", tracked(6), EXACT)
    picture = whole.frames.picture.copy()
    picture[3:] = np.maximum(picture[3:] - 1, 0)
    picture[3] = -1
    holes = Session(whole.folder, whole.metadata, replace(whole.frames, picture=picture), whole.events)
    player = start_player(holes)
    newest(player)
    player.step(2)
    second = newest(player)
    assert player.problem == ""
    player.step(1)
    np.testing.assert_array_equal(newest(player).frame.image, second.frame.image)
    assert "was not recorded" in player.problem
    player.step(1)
    newest(player)
    assert player.problem == ""


# The viewer


def test_a_session_is_opened_with_its_figures(viewer: Viewer, made: Path) -> None:
    changes: list[int] = []
    viewer.listen(lambda: changes.append(1))
    assert viewer.view().stage == ViewerStage.EMPTY
    viewer.open(made)
    view = viewer.view()
    assert (view.stage, view.title) == (ViewerStage.OPEN, "walk")
    assert "exact: a replay gives the same landmarks bit for bit" in view.subtitle
    assert [row.title for row in view.takes] == ["Recorded, RwR"]
    assert [row.name for row in view.table] == ["Flicker", "Evaluations", "Cold starts", "Speed"]
    assert view.table[0].first.endswith(" %")
    assert view.part_text == "Whole session, 0.8 s"
    assert [marker.kind for marker in view.timeline.markers].count(MarkerKind.TOGGLE) == 1
    assert len(view.bars) == 1
    assert view.can_replay
    assert changes
    assert viewer.view().timeline is view.timeline
    viewer.close()
    assert viewer.view().stage == ViewerStage.EMPTY
    assert viewer.results is None


def test_what_is_no_session_is_a_sentence(viewer: Viewer, folder: Path) -> None:
    (folder / METADATA).write_text("{")
    viewer.open(folder)
    assert viewer.view().stage == ViewerStage.FAILED
    assert "damaged" in viewer.view().problem
    viewer.open(folder.parent / "none")
    assert "no session" in viewer.view().problem
    viewer.replay(Way.AS_RECORDED, Beside.NOTHING)
    viewer.export(ClipKind.VIDEO)
    viewer.begin_part()
    viewer.end_part()
    viewer.show("x")
    viewer.compare_with("x")
    viewer.compare_with_session(folder)
    assert viewer.view().stage == ViewerStage.FAILED


def test_a_session_killed_before_its_first_frame_says_so(viewer: Viewer, folder: Path) -> None:
    frames = folder / "frames.csv"
    frames.write_text(frames.read_text().splitlines()[0] + "\n")
    viewer.open(folder)
    view = viewer.view()
    assert (view.stage, view.problem) == (ViewerStage.OPEN, NO_FRAMES)
    viewer.choose_part(0.0, 1.0)
    viewer.begin_part()
    assert viewer.player is not None
    viewer.player.pause(False)
    viewer.player.step(1)
    viewer.export(ClipKind.VIDEO)
    message = viewer.view().message
    assert message is not None
    assert not message.good


def test_a_session_closed_while_it_opens_stays_closed(made: Path) -> None:
    jobs: list[Callable[[], None]] = []
    viewer = Viewer(lambda: ENGINE, jobs.append)
    viewer.open(made)
    assert viewer.view().stage == ViewerStage.OPENING
    viewer.close()
    jobs.pop()()
    assert viewer.view().stage == ViewerStage.EMPTY
    assert viewer.player is None


def test_a_session_that_is_being_recorded_says_so(folder: Path) -> None:
    values = (folder / METADATA).read_text().replace('"complete"', '"recording"')
    (folder / METADATA).write_text(values)
    library = Library(folder.parent, lambda job: job(), recording=lambda: folder)
    library.refresh()
    assert [row.badge for row in library.view.rows] == ["recording"]
    viewer = Viewer(lambda: ENGINE, lambda job: job(), recording=lambda: folder)
    viewer.open(folder)
    assert "being recorded" in viewer.view().subtitle
    assert "cut off" not in viewer.view().subtitle
    viewer.close()


def test_figures_follow_the_chosen_part(viewer: Viewer, made: Path) -> None:
    viewer.open(made)
    whole = viewer.view().table
    viewer.choose_part(0.5, 0.1)
    view = viewer.view()
    assert view.part == (0.1, 0.5)
    assert view.part_text == "0.10 to 0.50 s"
    assert view.table != whole
    viewer.choose_part(0.3, 0.3)
    assert viewer.view().part is None
    assert viewer.view().table == whole
    player = viewer.player
    assert player is not None
    player.seek_to(0.4)
    viewer.begin_part()
    assert viewer.view().part == (pytest.approx(0.4), pytest.approx(player.duration))
    player.seek_to(0.6)
    viewer.end_part()
    assert viewer.view().part == (pytest.approx(0.4), pytest.approx(0.6))
    player.seek_to(0.2)
    viewer.end_part()
    assert viewer.view().part == (0.0, pytest.approx(0.2))


def test_a_replay_as_recorded_is_the_same_bit_for_bit(viewer: Viewer, folder: Path) -> None:
    viewer.open(folder)
    viewer.replay(Way.AS_RECORDED, Beside.NOTHING)
    view = viewer.view()
    assert view.message is not None
    assert view.message.good
    assert [(row.name, row.first, row.second) for row in view.takes] == [
        (RECORDED, True, False),
        ("as-recorded", False, True),
    ]
    assert view.verdict == "Both flicker alike in this part. Their landmarks are the same, bit for bit."
    assert view.columns == ("Recorded, RwR", "Replay: as-recorded")
    assert len(view.timeline.curves) == len(view.bars) == 2
    player = viewer.player
    assert player is not None
    while (result := newest(player)).faces[0].other is None:
        pass
    np.testing.assert_array_equal(result.faces[0].other.landmarks, result.faces[0].estimate.landmarks)
    viewer.dismiss()
    assert viewer.view().message is None


def test_flicker_of_another_meter_is_not_compared_without_a_word(viewer: Viewer, folder: Path) -> None:
    facts = json.loads((folder / METADATA).read_text())
    del facts["versions"][METER_KEY]  # as in recordings from before the meter was changed
    (folder / METADATA).write_text(json.dumps(facts))
    viewer.open(folder)
    viewer.replay(Way.AS_RECORDED, Beside.NOTHING)
    assert OTHER_METER in viewer.view().verdict
    viewer.replay(Way.COLD, Beside.NOTHING)
    viewer.show("as-recorded")
    assert viewer.view().columns == ("Replay: as-recorded", "Replay: cold")
    assert viewer.view().verdict
    assert OTHER_METER not in viewer.view().verdict


def test_takes_change_places_and_are_left_alone(viewer: Viewer, folder: Path) -> None:
    viewer.open(folder)
    viewer.replay(Way.COLD, Beside.NOTHING)
    viewer.show("cold")
    assert [(row.first, row.second) for row in viewer.view().takes] == [(False, True), (True, False)]
    assert viewer.view().columns == ("Replay: cold", "Recorded, RwR")
    viewer.compare_with(RECORDED)
    assert viewer.view().columns == ("Replay: cold",)
    assert viewer.view().verdict == ""
    viewer.show(RECORDED)
    viewer.compare_with("gone")
    view = viewer.view()
    assert view.message is not None
    assert "has no take named gone" in view.message.text
    assert [(row.first, row.second) for row in view.takes] == [(True, False), (False, False)]


def test_what_was_chosen_last_is_shown_whatever_is_read_first(folder: Path, tmp_path: Path) -> None:
    session = open_session(folder)
    for rwr in (True, False):
        replay(session, TrackingSettings(rwr=rwr), ENGINE, build=square_pipeline)
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    waiting: list[Callable[[], None]] = []
    viewer = Viewer(lambda: ENGINE, waiting.append)
    viewer.open(folder)
    waiting.pop()()
    viewer.show("rwr")
    viewer.show("cold")
    while waiting:
        waiting.pop()()  # the newest first
    view = viewer.view()
    assert [row.name for row in view.takes if row.first] == ["cold"]
    assert [curve.title for curve in view.timeline.curves] == ["Replay: cold"]
    assert view.columns == ("Replay: cold",)
    viewer.compare_with_session(other)
    viewer.compare_with_session(None)
    waiting.pop()()
    assert viewer.view().columns == ("Replay: cold",)
    viewer.show("gone")
    viewer.show(RECORDED)
    while waiting:
        waiting.pop()()
    assert [row.name for row in viewer.view().takes if row.first] == [RECORDED]
    viewer.show("rwr")
    viewer.show("gone")
    while waiting:
        waiting.pop(0)()
    assert [row.name for row in viewer.view().takes if row.first] == [RECORDED]
    assert [curve.title for curve in viewer.view().timeline.curves] == ["Recorded, RwR"]
    viewer.close()


def test_settings_of_replays() -> None:
    recorded = TrackingSettings(max_faces=3, detect_every=7, ghcu=True, measure_flicker=False)
    calm = replay_settings(recorded, "calm", "ema")
    assert calm.recurrence == PRESETS[0].settings
    assert (calm.rwr, calm.compare, calm.baseline) == (True, True, "ema")
    assert (calm.max_faces, calm.detect_every, calm.ghcu, calm.measure_flicker) == (3, 7, True, True)
    assert not replay_settings(recorded, Way.COLD, Beside.NOTHING).rwr
    assert {option.name for option in WAYS} >= {preset.name for preset in PRESETS}


@pytest.mark.parametrize("kind", [ClipKind.VIDEO, ClipKind.ANNOTATED, ClipKind.SESSION])
def test_clips_lie_beside_the_session(viewer: Viewer, folder: Path, kind: str) -> None:
    viewer.open(folder)
    viewer.choose_part(0.2, 0.6)
    viewer.export(kind)
    message = viewer.view().message
    assert message is not None
    assert message.good, message.text
    assert message.path is not None
    assert message.path.parent == folder.parent
    if kind == ClipKind.SESSION:
        assert open_session(message.path).seconds == pytest.approx(0.4, abs=0.05)
    else:
        assert message.path.suffix == ".mp4"


def test_work_can_be_stopped_and_keeps_nothing(folder: Path) -> None:
    viewer, jobs = replaying(folder)
    view = viewer.view()
    assert view.job is not None
    assert view.job.label == "Replay: RwR off"
    assert not view.can_replay
    viewer.replay(Way.AS_RECORDED, Beside.NOTHING)
    viewer.cancel()
    assert len(jobs) == 1, "one at a time"
    jobs.pop()()
    view = viewer.view()
    assert (view.job, view.message) == (None, None)
    assert [row.name for row in view.takes] == [RECORDED]
    viewer.close()


def replaying(folder: Path) -> tuple[Viewer, list[Callable[[], None]]]:
    """Return a viewer that has begun to replay a session cold, and what is left to be done, the replay last."""
    jobs: list[Callable[[], None]] = []
    viewer = Viewer(lambda: ENGINE, jobs.append, partial(replay, build=square_pipeline))
    viewer.open(folder)
    jobs.pop()()
    viewer.replay(Way.COLD, Beside.NOTHING)
    return viewer, jobs


def test_work_goes_on_when_its_session_is_closed(folder: Path, tmp_path: Path) -> None:
    other = record(tmp_path / "short", tracked(6)).folder
    viewer, jobs = replaying(folder)
    working = jobs.pop()
    viewer.close()
    assert viewer.job == JobView(f"Replay: RwR off of {folder.name}", 0.0)
    viewer.open(other)
    jobs.pop()()
    assert viewer.view().job == viewer.job
    viewer.replay(Way.COLD, Beside.NOTHING)
    assert not jobs, "one at a time, of whatever session"
    working()
    view = viewer.view()
    assert view.message is not None
    assert view.message.text == f"{folder.name}: Replayed: cold."
    assert (view.job, [row.name for row in view.takes]) == (None, [RECORDED])
    assert open_session(folder).take_names == (RECORDED, "cold")
    viewer.close()


def test_work_that_ends_where_it_was_begun_is_shown_although_the_session_was_closed(folder: Path) -> None:
    viewer, jobs = replaying(folder)
    working = jobs.pop()
    viewer.close()
    viewer.open(folder)
    jobs.pop()()
    assert viewer.job == JobView("Replay: RwR off", 0.0)
    working()
    jobs.pop()()
    assert [(row.name, row.second) for row in viewer.view().takes] == [(RECORDED, False), ("cold", True)]
    viewer.end()


def test_ending_cancels_work(folder: Path) -> None:
    viewer, jobs = replaying(folder)
    job = viewer.end()
    assert job is not None
    jobs.pop()()
    assert job.wait(0)
    assert open_session(folder).take_names == (RECORDED,)


def test_work_that_fails_is_a_sentence(folder: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    viewer = Viewer(lambda: ENGINE, lambda job: job(), broken)
    viewer.open(folder)
    viewer.replay(Way.AS_RECORDED, Beside.NOTHING)
    message = viewer.view().message
    assert message is not None
    assert not message.good
    assert "the log has the details" in message.text
    assert viewer.view().can_replay
    viewer.close()


def test_another_session_is_set_beside(viewer: Viewer, folder: Path, tmp_path: Path) -> None:
    short = record(tmp_path / "short", tracked(6))
    viewer.open(folder)
    viewer.compare_with_session(tmp_path / "short")
    view = viewer.view()
    assert view.columns == (RECORDED, "short")
    assert (view.table[-1].first, view.table[-1].second) == (str(FRAMES), str(len(short.frames)))
    viewer.compare_with_session(None)
    assert viewer.view().columns == ("Recorded, RwR",)
    viewer.compare_with_session(tmp_path / "none")
    assert viewer.view().message is not None


# The pages


@pytest.fixture
def page(application: QApplication, qtbot: QtBot, folder: Path) -> Iterator[ViewerView]:
    library = Library(folder.parent, lambda job: job())
    library.refresh()
    made = ViewerView(Viewer(lambda: ENGINE, lambda job: job(), partial(replay, build=square_pipeline)), library, print)
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    made.open(folder)
    qtbot.waitUntil(lambda: made.picture.picture is not None, timeout=PATIENCE_MS)
    yield made
    made.stop()


def test_the_list_opens_a_session(application: QApplication, qtbot: QtBot, folder: Path) -> None:
    library = Library(folder.parent)
    view = LibraryView(library, print)
    qtbot.addWidget(view)
    view.resize(800, 600)
    view.show()
    qtbot.waitUntil(lambda: view.grid.count() == 1, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: bool(view._pictures), timeout=PATIENCE_MS)
    view.grid.setCurrentRow(0)
    with qtbot.waitSignal(view.opened) as opened:
        qtbot.keyClick(view.grid, Qt.Key.Key_Return)
    assert opened.args == [folder]
    assert view.grab().width() == 800
    with qtbot.waitSignal(view.show_folder):
        view.show_button.click()


def test_the_list_keeps_the_pictures_of_what_it_shows_alone(
    application: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(4)]
    for path in pictures:
        QImage(32, 18, QImage.Format.Format_RGB32).save(str(path))
    entries = [entry(name=path.stem, folder=path.with_suffix(""), thumbnail=path) for path in pictures]
    shown = entries[:2]
    library = Library(tmp_path, lambda job: job(), lambda folder: list(shown))
    view = LibraryView(library, print)
    qtbot.addWidget(view)
    library.refresh()
    qtbot.waitUntil(lambda: set(view._pictures) == set(pictures[:2]), timeout=PATIENCE_MS)
    shown[:] = entries[1:]  # one was deleted, two were recorded
    library.refresh()
    qtbot.waitUntil(lambda: set(view._pictures) == set(pictures[1:]), timeout=PATIENCE_MS)
    view._thumbnails.loaded.emit(pictures[0], QImage(str(pictures[0])))  # it was still being loaded
    application.processEvents()
    assert set(view._pictures) == set(pictures[1:])


def test_a_folder_that_is_read_too_late_is_told_to_nobody(application: QApplication, tmp_path: Path) -> None:
    jobs: list[Callable[[], None]] = []
    library = Library(tmp_path, jobs.append)
    view = LibraryView(library, print)
    library.refresh()
    shiboken6.delete(view)  # the window was closed
    jobs.pop()()
    assert not library.view.reading


def test_privacy_blurs_the_pictures_of_the_list(application: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "walk.png"
    noise = np.random.default_rng(0).integers(0, 256, (120, 214, 3), np.uint8)  # rows are not aligned to four bytes
    QImage(noise.tobytes(), 214, 120, 642, QImage.Format.Format_RGB888).save(str(path))
    library = Library(tmp_path, lambda job: job(), lambda folder: [entry(folder=tmp_path / "walk", thumbnail=path)])
    view = LibraryView(library, print)
    qtbot.addWidget(view)
    library.refresh()

    def contrast() -> float:
        qtbot.waitUntil(lambda: path in view._pictures, timeout=PATIENCE_MS)
        return float(pixels(view._pictures[path]).std())

    assert contrast() > 60
    view.blur(True)
    assert contrast() < 20
    view.blur(False)
    assert contrast() > 60


@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_the_timeline_is_drawn_and_answers_the_mouse(
    application: QApplication, qtbot: QtBot, session: Session, palette: Palette
) -> None:
    theme.apply(application, palette)
    (shown,) = load_takes(session, (RECORDED,)).values()
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(600, view.height())
    view.show_timeline(timeline_of(session.seconds, (shown,), session.events))
    view.show()
    assert count_colour(view, palette.modes[Mode.RWR]) > 20
    middle = QPoint(view.width() // 2, 60)
    with qtbot.waitSignal(view.sought) as sought:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=middle)
    assert sought.args[0] == pytest.approx(session.seconds / 2, rel=0.1)
    with qtbot.waitSignal(view.part_chosen) as chosen:
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=middle)
        qtbot.mouseMove(view, middle + QPoint(80, 0))
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle + QPoint(80, 0))
    assert 0 < chosen.args[0] < chosen.args[1] < session.seconds
    with qtbot.waitSignal(view.part_chosen) as chosen:
        qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=middle)
    assert chosen.args == [0.0, 0.0]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=middle)
    view.hide()
    view.show()
    with qtbot.assertNotEmitted(view.part_chosen):
        qtbot.mouseMove(view, middle + QPoint(80, 0))
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle + QPoint(80, 0))
    view.show_part((0.2, 0.4))
    view.show_position(0.3)
    assert count_colour(view, palette.text) > 20
    theme.apply(application)


def test_two_takes_of_one_mode_have_two_colours() -> None:
    assert take_colour(Mode.RWR, False, (Mode.RWR, Mode.RWR), DARK) == DARK.modes[Mode.RWR]
    assert take_colour(Mode.RWR, True, (Mode.RWR, Mode.RWR), DARK) == DARK.tones["info"]
    assert take_colour("cold", True, (Mode.RWR, "cold"), DARK) == DARK.modes["cold"]


def test_keys_and_actions_of_the_page(page: ViewerView, qtbot: QtBot) -> None:
    player = page.viewer.player
    assert player is not None
    assert page.act(ActionName.FRAME_AHEAD)
    assert player.playback.position == pytest.approx(1 / 30, abs=0.01)
    assert page.act(ActionName.AHEAD)
    assert player.playback.position == pytest.approx(player.duration)
    assert page.act(ActionName.BACK)
    assert page.act(ActionName.FRAME_BACK)
    assert player.playback.position == 0.0
    player.seek_to(0.3)
    assert page.act(ActionName.DIVIDER_LEFT)  # the key [
    assert page.viewer.view().part == (pytest.approx(0.3), pytest.approx(player.duration))
    player.seek_to(0.5)
    assert page.act(ActionName.DIVIDER_RIGHT)
    assert page.viewer.view().part == (pytest.approx(0.3), pytest.approx(0.5))
    assert page.act(ActionName.COMPARE_VIEW)
    assert page.picture.comparison.view == "split"
    assert page.act(ActionName.CLOSE_UP)
    assert page.picture.close_up
    qtbot.keyClick(page, Qt.Key.Key_End)
    assert player.playback.position == pytest.approx(player.duration)
    qtbot.keyClick(page, Qt.Key.Key_Home)
    assert player.playback.position == 0.0
    assert page.act(ActionName.PAUSE)
    assert not player.playback.paused
    page.hide()
    assert player.playback.paused
    assert not page.act(ActionName.MIRROR)
    with qtbot.waitSignal(page.closed):
        assert page.act(ActionName.DISMISS)
    assert page.viewer.folder is None
    assert not page.act(ActionName.PAUSE)


def buttons(page: ViewerView) -> list[str]:
    return [button.text() for button in page.panel.takes.findChildren(QPushButton) if button.isVisible()]


def test_a_replay_with_rwr_off_from_the_panel(page: ViewerView, qtbot: QtBot) -> None:
    page.panel.way.choose(Way.COLD)
    page.panel.start.click()
    qtbot.waitUntil(lambda: len(page.viewer.view().takes) == 2, timeout=PATIENCE_MS)
    page.refresh()
    expected = ["Recorded, RwR", "Replay: cold", "Compared"]
    qtbot.waitUntil(lambda: buttons(page) == expected, timeout=PATIENCE_MS)
    assert page.compare_view.isVisible()
    assert page.banner.isVisible()
    qtbot.waitUntil(lambda: "Replay: cold" in page.picture.hud.mode, timeout=PATIENCE_MS)
    compared = next(button for button in page.panel.takes.findChildren(QPushButton) if button.text() == "Compared")
    compared.click()
    page.refresh()
    assert not page.compare_view.isVisible()
    assert page.grab().width() == 1280


def test_everything_on_the_page_is_reached_by_tab_and_pressed_by_return(page: ViewerView, qtbot: QtBot) -> None:
    qtbot.waitUntil(page.isActiveWindow, timeout=PATIENCE_MS)
    page.setFocus()
    reached: list[QWidget] = []
    for _ in range(40):
        qtbot.keyClick(QApplication.focusWidget() or page, Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
        if focused is None or focused in reached:
            break
        reached.append(focused)
    panel = page.panel
    wanted = {page.folder, panel.begin_button, panel.end_button, panel.export, panel.way, panel.baseline, panel.start}
    assert wanted <= set(reached)
    panel.start.setFocus()
    qtbot.keyClick(panel.start, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(page.viewer.view().takes) == 2, timeout=PATIENCE_MS)


def test_the_keyboard_stays_where_a_button_was_pressed(page: ViewerView, qtbot: QtBot) -> None:
    rows = (TakeRow("recorded", "Recorded", True, False), TakeRow("calm", "Replay: calm", False, False))
    takes = page.panel.takes
    takes.show_rows(rows)
    qtbot.mouseClick(takes.buttons["recorded", False], Qt.MouseButton.LeftButton)
    assert takes.buttons["recorded", False].isChecked(), "it is still the one that is shown"
    takes.buttons["calm", True].setFocus()
    takes.show_rows((rows[0], replace(rows[1], second=True)))
    assert takes.buttons["calm", True].hasFocus()
    assert takes.buttons["calm", True].text() == "Compared"
    facts = page.viewer.view()
    page.panel.start.setFocus()
    page.panel.show_view(replace(facts, job=JobView("Replay: calm", 0.5), can_replay=False))
    assert page.panel.cancel.hasFocus()
    page.panel.show_view(facts)
    assert page.panel.start.hasFocus()


def test_a_clip_from_the_panel_can_be_shown(page: ViewerView, qtbot: QtBot, folder: Path) -> None:
    page.timeline.part_chosen.emit(0.2, 0.5)
    page.panel.export.menu().actions()[0].trigger()
    page.refresh()
    with qtbot.waitSignal(page.show_folder) as shown:
        page.banner.press(ActionName.SHOW_FOLDER)
    assert shown.args == [folder.parent]
    assert page.act(ActionName.DISMISS)
    page.refresh()
    assert not page.banner.isVisible()
    assert page.viewer.folder == folder


def test_a_session_that_cannot_be_opened_is_a_banner(page: ViewerView, tmp_path: Path) -> None:
    page.open(tmp_path / "none")
    page.refresh()
    assert page.banner.banner is not None
    assert "no session" in page.banner.banner.text
    assert not page.panel.isEnabled()


def test_a_long_name_leaves_room_for_the_rest(page: ViewerView, qtbot: QtBot, folder: Path) -> None:
    long = folder.rename(folder.with_name("walk " * 40))
    page.open(long)
    qtbot.waitUntil(lambda: page.viewer.view().stage == ViewerStage.OPEN, timeout=PATIENCE_MS)
    page.refresh()
    page.grab()
    page.refresh()
    assert "\u2026" in page._title.text()
    assert page._title.toolTip() == long.name
    assert page._title.sizeHint().width() < page.width() / 2
    assert page._subtitle.text()


def test_a_name_is_shortened_where_the_buttons_leave_little_room(page: ViewerView, qtbot: QtBot, folder: Path) -> None:
    page.resize(LEAST_SIZE[0], 400)
    page.open(folder)
    qtbot.waitUntil(lambda: page.viewer.view().stage == ViewerStage.OPEN, timeout=PATIENCE_MS)

    def whole() -> bool:
        page.refresh()
        return page._title.width() >= page._title.sizeHint().width()

    qtbot.waitUntil(whole, timeout=PATIENCE_MS)
    assert page._title.text() != folder.name
    page.resize(1200, 400)
    qtbot.waitUntil(lambda: whole() and page._title.text() == folder.name, timeout=PATIENCE_MS)


def test_other_sessions_are_offered(page: ViewerView, tmp_path: Path) -> None:
    record(tmp_path / "short", tracked(6))
    page._library.refresh()
    page.panel._fill_menu()
    entries = page.panel._menu.actions()
    assert entries[0].text().startswith("Camera")
    entries[0].trigger()
    assert page.viewer.view().columns == (RECORDED, "short")
    entries[-1].trigger()
    assert page.viewer.view().columns == ("Recorded, RwR",)


@pytest.fixture
def pages(application: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[SessionPages]:
    """Both pages in a window whose recordings go to a folder that is still empty."""
    stack = QStackedWidget()
    qtbot.addWidget(stack)
    made = SessionPages(stack, lambda: ENGINE, lambda: tmp_path / "recordings", lambda: None, lambda: None, print)
    stack.show()
    yield made
    made.stop()


def test_the_list_that_a_session_was_opened_from_is_there_again(
    pages: SessionPages, qtbot: QtBot, folder: Path
) -> None:
    library = pages.list.library
    pages.show()
    library.open(folder.parent)
    qtbot.waitUntil(lambda: [row.folder for row in library.view.rows] == [folder], timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: pages.list.grid.count() == 1, timeout=PATIENCE_MS)
    pages.list._open_item(pages.list.grid.item(0))
    qtbot.waitUntil(lambda: pages.viewer.viewer.view().stage == ViewerStage.OPEN, timeout=PATIENCE_MS)
    pages.act(ActionName.DISMISS)
    assert pages.list.isVisible()
    assert library.view.folder == folder.parent
    pages.show()
    assert library.view.folder != folder.parent


def test_a_session_opened_without_the_list_can_be_compared_with_those_beside_it(
    pages: SessionPages, qtbot: QtBot, folder: Path
) -> None:
    other = record(folder.parent / "short", tracked(6)).folder
    pages.open(folder)
    qtbot.waitUntil(lambda: [each for _, each in pages.viewer._other_sessions()] == [other], timeout=PATIENCE_MS)


def test_what_is_being_made_and_how_it_ended_is_told_where_the_user_is(
    pages: SessionPages, qtbot: QtBot, folder: Path
) -> None:
    going = threading.Event()

    def replay_later(*arguments: object, **options: object) -> Take | None:
        going.wait(PATIENCE_SECONDS)
        return replay(*arguments, build=square_pipeline, **options)  # type: ignore[arg-type]

    viewer = pages.viewer.viewer
    viewer._track_again = replay_later
    pages.open(folder)
    qtbot.waitUntil(lambda: viewer.view().stage == ViewerStage.OPEN, timeout=PATIENCE_MS)
    viewer.replay(Way.COLD, Beside.NOTHING)
    pages.act(ActionName.DISMISS)
    assert pages.list.isVisible()
    assert pages.show_state("") is None
    assert pages.list.said == f"Replay: RwR off of {folder.name}: 0%"
    going.set()
    qtbot.waitUntil(lambda: viewer.job is None, timeout=PATIENCE_MS)
    pages.show_state("")
    assert pages.list.said == f"{folder.name}: Replayed: cold."
    pages.show_state("")
    assert pages.list.said, "until the page is left"
    pages.list.hide()
    assert not pages.list.said


def test_the_live_page_is_told_what_ended_meanwhile(pages: SessionPages, folder: Path) -> None:
    viewer = pages.viewer.viewer
    viewer._message = Outcome("walk: Replayed: cold.")
    elsewhere = QWidget()
    pages._pages.addWidget(elsewhere)
    pages._pages.setCurrentWidget(elsewhere)
    told = pages.show_state("")
    assert told is not None
    assert told.text == "walk: Replayed: cold."
    assert pages.show_state("") is None


def test_a_session_can_be_moved_to_the_trash_unless_it_is_in_use(
    pages: SessionPages, qtbot: QtBot, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trash: list[str] = []
    monkeypatch.setattr(QFile, "moveToTrash", lambda path: not trash.append(path))
    (row,) = (session_row(entry(folder=folder)),)
    open_it, show, _, discard = pages.list.menu_of(row).actions()
    with qtbot.waitSignal(pages.list.show_folder) as shown:
        show.trigger()
    assert shown.args == [folder]
    pages.viewer.viewer._job = Job("Replay", folder, lambda *_: None, lambda _: None)
    discard.trigger()
    assert not trash
    assert "in use" in pages.list.said
    pages.viewer.viewer._job = None
    discard.trigger()
    assert trash == [str(folder)]
    assert "in the trash" in pages.list.said
    open_it.trigger()
    assert pages.viewer.isVisible()


def test_space_plays_a_session_and_pauses_it(page: ViewerView) -> None:
    player = page.viewer.player
    assert player is not None
    assert page.act(ActionName.RECORD)  # the window's action of that key
    assert not player.playback.paused
    assert page.act(ActionName.RECORD)
    assert player.playback.paused


@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_how_far_work_is_can_be_seen(
    page: ViewerView, application: QApplication, folder: Path, palette: Palette
) -> None:
    theme.apply(application, palette)
    job = page.viewer._job = Job("Replay: calm", folder, lambda tell, _: tell(1, 4), lambda _: None)
    job.run()
    page.refresh()
    bar = page.panel.findChild(QProgressBar)
    assert bar is not None
    application.processEvents()
    done = count_colour(bar, palette.tones["info"]) / (bar.width() * bar.height())
    assert done == pytest.approx(0.25, abs=0.03)
    assert "Replay: calm: 25%" in [label.text() for label in page.panel.findChildren(QLabel)]
