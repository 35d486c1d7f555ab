"""The first look: what it shows when, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.gui.live.presenters.first_look import PATIENCE_SECONDS, TURN_SECONDS, FirstLook
from app.gui.live.presenters.state import SessionState
from app.sources.spec import parse_source
from app.tracking.live import LiveState, LiveStatus
from tests.gui_fakes import frame_result

OWN = TrackingSettings()
SEEN, EMPTY = frame_result(), frame_result(faces=0)


def state(stage: LiveState = LiveState.RUNNING, source: str | None = "demo") -> SessionState:
    spec = None if source is None else parse_source(source)
    return SessionState(source=spec, playing=True, status=LiveStatus(stage), tracking=OWN)


class Look:
    """A first look and the settings that it asked for."""

    def __init__(self, own: TrackingSettings = OWN) -> None:
        self.asked: list[TrackingSettings] = []
        self.look = FirstLook(self.asked.append)
        self.look.begin(own)

    @property
    def rwr(self) -> list[bool]:
        return [settings.rwr for settings in self.asked]


@pytest.mark.parametrize("source", ["demo", "camera:0"])
def test_it_alternates_from_the_first_face_on_and_restores_the_settings(source: str) -> None:
    shown = Look()
    shown.look.move_on(state(LiveState.OPENING, source), None, 3.0)
    assert (shown.look.active, shown.look.caption, shown.asked) == (True, None, [])
    captions = []
    for turn in range(4):
        for part in (0.0, 0.9):
            shown.look.move_on(state(source=source), SEEN, 100.0 + (turn + part) * TURN_SECONDS)
            assert shown.look.caption is not None
            captions.append((shown.look.caption.mode, shown.look.caption.text.partition(":")[0]))
    off, on = (Mode.COLD, "RwR off"), (Mode.RWR, "RwR on")
    assert captions == [off, off, on, on, off, off, on, on]
    assert shown.rwr == [False, True, False, True]
    assert all(replace(settings, rwr=True) == OWN for settings in shown.asked)
    shown.look.move_on(state(source=source), SEEN, 100.0 + 4 * TURN_SECONDS)
    assert (shown.look.active, shown.look.caption) == (False, None)
    assert shown.asked[-1] == OWN


def test_a_face_that_is_lost_for_a_moment_does_not_end_it() -> None:
    shown = Look()
    shown.look.move_on(state(), SEEN, 0.0)
    shown.look.move_on(state(), EMPTY, 1.2 * TURN_SECONDS)
    assert shown.rwr == [False, True]


@pytest.mark.parametrize("stage", [LiveState.FAILED, LiveState.STOPPED, LiveState.ENDED])
def test_a_source_that_does_not_run_ends_it(stage: LiveState) -> None:
    shown = Look()
    shown.look.move_on(state(), SEEN, 0.0)
    shown.look.move_on(state(stage), SEEN, 1.0)
    assert not shown.look.active
    assert shown.asked[-1] == OWN


def test_it_waits_for_a_face_in_front_of_a_camera_but_not_for_ever() -> None:
    shown = Look()
    for now in (0.0, 30.0):  # opening a camera and loading the model may take long
        shown.look.move_on(state(source="camera:0"), None, now)
    shown.look.move_on(state(source="camera:0"), EMPTY, 50.0)
    shown.look.move_on(state(source="camera:0"), EMPTY, 50.0 + PATIENCE_SECONDS - 0.1)
    assert shown.look.active
    shown.look.move_on(state(source="camera:0"), EMPTY, 50.0 + PATIENCE_SECONDS + 0.1)
    assert not shown.look.active
    assert shown.asked == []


@pytest.mark.parametrize("source", ["talk.mp4", "screen", "rtsp://there/1"])
def test_what_somebody_has_opened_is_left_alone(source: str) -> None:
    shown = Look()
    shown.look.move_on(state(source=source), SEEN, 0.0)
    assert not shown.look.active
    assert shown.asked == []


@pytest.mark.parametrize("own", [TrackingSettings(rwr=False), TrackingSettings(compare=True)])
def test_it_does_not_begin_where_other_settings_were_asked_for(own: TrackingSettings) -> None:
    assert not Look(own).look.active


def test_an_early_end_says_what_was_shown() -> None:
    shown = Look()
    assert shown.look.end()
    shown = Look()
    shown.look.move_on(state(), SEEN, 0.0)
    assert not shown.look.end()
    assert shown.asked[-1] == OWN
    assert shown.look.end()
    assert len(shown.asked) == 2
