"""Cameras in the window: found and watched on a thread, offered in the menu, played again when they come back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.gui.live.camera_finder import CameraFinder
from app.gui.live.presenters.chooser import (
    CAMERA_DEFAULT,
    Ask,
    CameraChoice,
    Choice,
    ScreenChoice,
    choices,
    is_playing,
)
from app.gui.live.presenters.hotplug import RETRY_SECONDS, SETTLE_SECONDS, TRIES, CameraHotplug, HotplugAdvice
from app.gui.live.presenters.state import RecordingState, SessionState
from app.gui.live.views.bar import fill_source_menu
from app.sources.base import SourceInfo
from app.sources.spec import FORMATS, CameraFormat, CameraSpec, DemoSpec, PathSpec, ScreenSpec, SourceSpec, parse_source
from app.tracking.live import LiveState, LiveStatus
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS

INSIDE, DESK = CameraChoice(CameraSpec("0"), "Inside"), CameraChoice(CameraSpec("2"), "Desk")
DESK_INFO = SourceInfo("Desk", 1280, 720, 30.0, None, True, requested=CameraFormat())


class Computer:
    """Cameras that come and go; says what was looked at."""

    def __init__(self) -> None:
        self.cameras: list[CameraChoice] = [INSIDE]
        self.listings = 0
        self.looks = 0
        self.threads: set[str] = set()
        self.cheap = True
        self.problem: Exception | None = None

    def find(self) -> list[CameraChoice]:
        self.listings += 1
        self.threads.add(threading.current_thread().name)
        if self.problem is not None:
            raise self.problem
        return list(self.cameras)

    def marks(self) -> tuple[str, ...] | None:
        self.looks += 1
        return tuple(camera.name for camera in self.cameras) if self.cheap else None


@pytest.fixture
def computer() -> Computer:
    return Computer()


@pytest.fixture
def finder(qtbot: QtBot, computer: Computer) -> Iterator[CameraFinder]:
    finder = CameraFinder(computer.find, lambda: [ScreenChoice(ScreenSpec(1), "Screen 1")], computer.marks, pause=0.005)
    yield finder  # type: ignore[misc]
    finder.stop(PATIENCE_SECONDS)
    assert not finder._thread.is_alive()


def test_search_lists_cameras_and_screens_elsewhere(qtbot: QtBot, finder: CameraFinder, computer: Computer) -> None:
    assert finder.cameras is None
    with qtbot.waitSignal(finder.found, timeout=PATIENCE_MS):
        finder.search()
    assert finder.cameras == (INSIDE,)
    assert finder.screens == (ScreenChoice(ScreenSpec(1), "Screen 1"),)
    assert computer.threads == {"live-cameras"}
    with qtbot.waitSignal(finder.found, timeout=PATIENCE_MS):
        finder.search()


@pytest.mark.parametrize("cheap", [True, False])
def test_plugging_in_and_out_is_noticed(qtbot: QtBot, finder: CameraFinder, computer: Computer, cheap: bool) -> None:
    computer.cheap = cheap
    with qtbot.waitSignal(finder.found, timeout=PATIENCE_MS):
        finder.search()
    finder.watch()
    with qtbot.waitSignal(finder.changed, timeout=PATIENCE_MS):
        computer.cameras = [INSIDE, DESK]
    assert finder.cameras == (INSIDE, DESK)
    with qtbot.waitSignal(finder.changed, timeout=PATIENCE_MS):
        computer.cameras = [DESK]
    assert finder.cameras == (DESK,)


def test_nothing_is_listed_while_nothing_changes(qtbot: QtBot, finder: CameraFinder, computer: Computer) -> None:
    with qtbot.waitSignal(finder.found, timeout=PATIENCE_MS):
        finder.search()
    finder.watch()
    before, looks = computer.listings, computer.looks
    qtbot.waitUntil(lambda: computer.looks > looks + 5, timeout=PATIENCE_MS)
    assert computer.listings == before


def test_a_listing_that_fails_is_an_empty_one(qtbot: QtBot, finder: CameraFinder, computer: Computer) -> None:
    computer.problem = OSError("the driver is asleep")
    with qtbot.waitSignal(finder.found, timeout=PATIENCE_MS):
        finder.search()
    assert finder.cameras == ()
    computer.problem = None
    with qtbot.waitSignal(finder.found, timeout=PATIENCE_MS):
        finder.search()
    assert finder.cameras == (INSIDE,)


def test_finder_that_never_searched_stops() -> None:
    finder = CameraFinder(list)
    finder.stop()
    finder.search()
    assert finder.cameras is None


def labels(menu: tuple[Choice, ...]) -> list[str]:
    return [choice.label for choice in menu]


def test_menu_offers_formats_for_the_camera_that_plays() -> None:
    menu = choices([INSIDE, DESK], current=parse_source("camera:Desk@1280x720@60"), info=DESK_INFO)
    assert [choice.checked for choice in menu[:2]] == [False, True]
    formats = menu[2]
    assert formats.label == "Resolution: 1280 \u00d7 720, 30 fps"
    assert [child.opens for child in formats.children] == [CameraSpec("Desk", each) for each in FORMATS]
    assert [child.label for child in formats.children if child.checked] == ["1280 \u00d7 720, 60 fps"]
    assert formats.children[-1].label == CAMERA_DEFAULT
    odd = choices([DESK], current=parse_source("camera:Desk@333x222"), info=None)[1]
    assert [child.label for child in odd.children if child.checked] == ["333 \u00d7 222, 30 fps"]
    assert odd.label == "Resolution: 333 \u00d7 222, 30 fps"
    for other in (DemoSpec(), PathSpec("talk.mp4"), None):
        assert not any(choice.children for choice in choices([INSIDE], current=other))


def test_menu_offers_screens() -> None:
    one, two = (
        ScreenChoice(ScreenSpec(1), "Screen 1 (800 \u00d7 600)"),
        ScreenChoice(ScreenSpec(2), "Screen 2 (800 \u00d7 600)"),
    )
    assert not any("Screen" in label for label in labels(choices([])))
    assert one.label in labels(choices([], [one]))
    (beside,) = [choice for choice in choices([], [one, two], current=parse_source("screen:2")) if choice.children]
    assert beside.label == "Screen"
    assert [(child.opens, child.checked) for child in beside.children] == [
        (ScreenSpec(1), False),
        (ScreenSpec(2), True),
    ]


def test_the_demo_is_checked_while_it_plays() -> None:
    assert [choice.label for choice in choices([INSIDE], current=DemoSpec()) if choice.checked] == ["Demo clip"]


def test_same_camera_however_it_is_named() -> None:
    for spec in ("camera:2", "camera:2@640x480", "camera:Desk", "camera:Desk@auto"):
        assert is_playing(DESK, parse_source(spec), None)
        assert not is_playing(INSIDE, parse_source(spec), None)
    assert is_playing(DESK, CameraSpec(), DESK_INFO)
    assert not is_playing(DESK, DemoSpec(), DESK_INFO)


def test_menu_widget_shows_it_and_grows_no_orphans(qtbot: QtBot) -> None:
    menu = QMenu()
    qtbot.addWidget(menu)
    taken: list[SourceSpec | Ask] = []
    for _ in range(3):
        fill_source_menu(menu, choices([INSIDE, DESK], current=parse_source("camera:2"), info=DESK_INFO), taken.append)
    qtbot.waitUntil(lambda: len(menu.findChildren(QMenu)) == 1, timeout=PATIENCE_MS)
    entries = [entry for entry in menu.actions() if not entry.isSeparator()]
    assert [entry.text() for entry in entries][:3] == ["Inside", "Desk", "Resolution: 1280 \u00d7 720, 30 fps"]
    assert [entry.isChecked() for entry in entries[:2]] == [False, True]
    entries[0].trigger()
    entries[2].menu().actions()[0].trigger()  # type: ignore[attr-defined]
    assert [str(each) for each in taken] == ["camera:0", "camera:2@640x480@30"]
    fill_source_menu(menu, choices(None), taken.append)
    assert not menu.actions()[0].isEnabled()


def test_names_that_are_alike_or_hold_a_sign_of_qt(qtbot: QtBot) -> None:
    twins = [CameraChoice(CameraSpec(number), "Tom & Jerry") for number in ("0", "1")]
    info = SourceInfo("Tom & Jerry", 640, 480, 30.0, None, True)
    menu = QMenu()
    qtbot.addWidget(menu)
    for current, checked in (("camera:1@640x480", 1), ("camera:0", 0), ("camera:Tom & Jerry", 0)):
        fill_source_menu(menu, choices(twins, current=parse_source(current), info=info), lambda opens: None)
        assert [entry.isChecked() for entry in menu.actions()[:2]] == [checked == 0, checked == 1]
    assert menu.actions()[1].text() == "Tom && Jerry (2)", "which Qt shows with one &"


def session(
    stage: LiveState, source: str | SourceSpec = "camera:2@640x480", info: SourceInfo = DESK_INFO, play: int = 1
) -> SessionState:
    status = LiveStatus(stage, info if stage == LiveState.RUNNING else None)
    return SessionState(source=parse_source(str(source)), play=play, playing=True, status=status)


def test_a_camera_that_was_pulled_out_is_played_again_by_its_name() -> None:
    hotplug = CameraHotplug()
    now = 100.0
    assert hotplug.look(None, session(LiveState.OPENING), now) == HotplugAdvice()
    assert hotplug.look([INSIDE, DESK], session(LiveState.RUNNING), now) == HotplugAdvice()
    assert (
        hotplug.look([INSIDE], session(LiveState.RUNNING), now + 1) == HotplugAdvice()
    )  # the driver has not noticed yet
    assert hotplug.look([INSIDE], session(LiveState.FAILED), now + 3) == HotplugAdvice(waiting=True)
    back = [INSIDE, CameraChoice(CameraSpec("4"), "Desk")]  # under another number
    assert hotplug.look(back, session(LiveState.FAILED), now + 60) == HotplugAdvice(waiting=True)
    assert hotplug.look(back, session(LiveState.FAILED), now + 60 + SETTLE_SECONDS / 2).resume is None
    advice = hotplug.look(back, session(LiveState.FAILED), now + 60 + SETTLE_SECONDS)
    assert str(advice.resume) == "camera:Desk@640x480@30"
    assert advice.offer is None
    opening = session(LiveState.OPENING, advice.resume, play=2)  # type: ignore[arg-type]
    assert hotplug.look(back, opening, now + 62).resume is None
    assert hotplug.look(back, session(LiveState.RUNNING, advice.resume, play=2), now + 63) == HotplugAdvice()  # type: ignore[arg-type]
    # It failed without having been pulled out: another program may have taken it.
    assert hotplug.look(back, session(LiveState.FAILED, advice.resume, play=2), now + 90) == HotplugAdvice()  # type: ignore[arg-type]


def test_a_camera_that_does_not_answer_is_tried_a_few_times() -> None:
    hotplug = CameraHotplug()
    hotplug.look([DESK], session(LiveState.RUNNING), 0.0)
    hotplug.look([], session(LiveState.FAILED), 5.0)
    tries: list[float] = []
    play = 1
    for k in range(400):
        now = 10.0 + k / 8
        source = "camera:Desk@640x480@30" if tries else "camera:2@640x480"
        advice = hotplug.look([DESK], session(LiveState.FAILED, source, play=play), now)
        if advice.resume:
            tries.append(now)
            play += 1
    assert len(tries) == TRIES
    assert all(b - a >= RETRY_SECONDS for a, b in itertools.pairwise(tries))
    hotplug.look([], session(LiveState.FAILED, "camera:Desk@640x480@30", play=play), 100.0)
    hotplug.look([DESK], session(LiveState.FAILED, "camera:Desk@640x480@30", play=play), 101.0)
    assert hotplug.look([DESK], session(LiveState.FAILED, "camera:Desk@640x480@30", play=play), 103.0).resume


LEFT_PORT, RIGHT_PORT, FREE_PORT = "usb 1", "usb 2", "usb 3"


def twins(*places: str) -> list[CameraChoice]:
    """List cameras of one name that are plugged in there; the first in the list has the plain name."""
    return [
        CameraChoice(CameraSpec(str(2 * number)), "Cam" if number == 0 else f"Cam #{number + 1}", place)
        for number, place in enumerate(places)
    ]


def play_twin(name: str) -> tuple[CameraHotplug, Callable[[Sequence[CameraChoice], LiveState, float], HotplugAdvice]]:
    """Return what watches two cameras of one name, while the one that is called ``name`` plays, and its look."""
    hotplug, info = CameraHotplug(), replace(DESK_INFO, name=name)
    hotplug.look(twins(LEFT_PORT, RIGHT_PORT), session(LiveState.RUNNING, f"camera:{name}", info), 0.0)
    return hotplug, lambda cameras, stage, now: hotplug.look(cameras, session(stage, f"camera:{name}", info), now)


def test_the_first_of_two_cameras_of_one_name_comes_back_although_the_other_has_its_name_meanwhile() -> None:
    _, look = play_twin("Cam")
    other = twins(RIGHT_PORT)
    assert look(other, LiveState.FAILED, 5.0) == HotplugAdvice(waiting=True)
    assert look(other, LiveState.FAILED, 50.0) == HotplugAdvice(waiting=True), "the other one is not taken"
    both = twins(RIGHT_PORT, LEFT_PORT)  # it has the other's name now
    assert look(both, LiveState.FAILED, 60.0) == HotplugAdvice(waiting=True)
    assert look(both, LiveState.FAILED, 60.0 + SETTLE_SECONDS).resume == parse_source("camera:Cam #2")


def test_a_camera_may_be_plugged_in_elsewhere_but_is_not_mistaken_for_its_twin() -> None:
    _, look = play_twin("Cam #2")
    look([], LiveState.FAILED, 5.0)  # a hub with both was unplugged
    other = twins(LEFT_PORT)
    look(other, LiveState.FAILED, 10.0)
    assert look(other, LiveState.FAILED, 20.0) == HotplugAdvice(waiting=True)
    moved = twins(LEFT_PORT, FREE_PORT)
    look(moved, LiveState.FAILED, 30.0)
    advice = look(moved, LiveState.FAILED, 30.0 + SETTLE_SECONDS)
    assert (advice.resume, advice.offer) == (parse_source("camera:Cam #2"), None)


def test_unplugging_the_other_of_two_cameras_changes_nothing() -> None:
    _, look = play_twin("Cam #2")
    alone = twins(RIGHT_PORT)  # which is called Cam now
    assert look(alone, LiveState.RUNNING, 5.0) == HotplugAdvice()
    # It fails for another reason later, such as another program that takes it.
    assert look(alone, LiveState.FAILED, 9.0) == HotplugAdvice()


def test_what_the_person_chose_meanwhile_stays() -> None:
    hotplug = CameraHotplug()
    hotplug.look([DESK], session(LiveState.RUNNING), 0.0)
    hotplug.look([], session(LiveState.FAILED), 5.0)
    demo = session(LiveState.RUNNING, "demo", SourceInfo("Demo clip", 1280, 720, 30.0, None, True, True), play=2)
    hotplug.look([], demo, 6.0)
    for now in (10.0, 12.0):
        assert hotplug.look([DESK], demo, now).resume is None


def test_stopped_camera_is_not_started_by_its_return() -> None:
    hotplug = CameraHotplug()
    hotplug.look([DESK], session(LiveState.RUNNING), 0.0)
    stopped = replace(session(LiveState.FAILED), playing=False)
    hotplug.look([], stopped, 5.0)
    for now in (10.0, 12.0):
        assert hotplug.look([DESK], stopped, now).resume is None


def test_a_new_camera_is_offered_once_and_never_while_recording() -> None:
    demo = session(LiveState.RUNNING, "demo", SourceInfo("Demo clip", 1280, 720, 30.0, None, True, True))
    hotplug = CameraHotplug()
    assert hotplug.look([INSIDE], demo, 0.0).offer is None  # it was there before
    assert hotplug.look([INSIDE, DESK], demo, 1.0).offer == DESK
    assert hotplug.look([INSIDE, DESK], demo, 2.0).offer is None
    hotplug.look([INSIDE], demo, 3.0)
    recording = replace(demo, recording=RecordingState(Path("a"), 0.0))
    assert hotplug.look([INSIDE, DESK], recording, 4.0).offer is None
