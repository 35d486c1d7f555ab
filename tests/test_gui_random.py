"""Fifty random clicks on real threads and a real encoder: no hang, no leaked thread, no lost file."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import pytest
from pytestqt.qtbot import QtBot

from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.session import LiveSession
from app.gui.live.presenters.settings import LiveSettings
from app.gui.main_window import MainWindow
from app.gui.presenters.actions import ActionName
from app.sessions.session import open_session
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS
from tests.workshop_fakes import Workshop

CLICKS_A_WINDOW = 10
WINDOWS = 5


def clicks(window: MainWindow) -> Sequence[Callable[[], object]]:
    """What a person may do, recording twice as often as the rest."""
    names = [
        ActionName.RECORD,
        ActionName.RECORD,
        ActionName.PLAY,
        ActionName.RWR,
        ActionName.COMPARE,
        ActionName.MIRROR,
    ]
    sources = ["demo", "camera:0", "short.mp4", "missing.mp4"]
    return [
        *(lambda name=name: window.act(name) for name in names),
        *(lambda source=source: window.presenter.open(source) for source in sources),
    ]


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def is_settled(session: LiveSession) -> bool:
    """Whether the session has done all it was asked to."""
    with session._condition:
        wanted, idle = session._wanted, not session._stir
    done = wanted.play == session._play and (wanted.record is None) == (session.state.recording is None)
    return idle and done and session.state.stage != "opening"


@pytest.mark.parametrize("seed", range(WINDOWS))
def test_random_clicks_then_close_while_recording(seed: int, qtbot: QtBot, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    dice = random.Random(seed)
    workshop = Workshop()
    window = MainWindow(
        LiveSettings(Remembered(source="demo", folder=tmp_path, tour_seen=True)),
        lambda *args: LiveSession(workshop.parts, *args),
        list,
    )
    window.show()
    window.begin()
    for _ in range(CLICKS_A_WINDOW):
        dice.choice(clicks(window))()
        qtbot.wait(dice.choice((0, 10, 60, 250)))
    session = window.presenter.session
    # Clicks are carried out later, on the session's thread: only then does its state say what is to come.
    qtbot.waitUntil(lambda: is_settled(session), timeout=PATIENCE_MS)
    endless = session.state.stage == "running" and str(session.state.source) in ("demo", "camera:0")
    if not endless:
        window.presenter.open("demo")
        qtbot.waitUntil(lambda: is_settled(session), timeout=PATIENCE_MS)
    if session.state.recording is None:
        qtbot.waitUntil(lambda: session.state.can_record, timeout=PATIENCE_MS)
        window.act(ActionName.RECORD)
        qtbot.waitUntil(lambda: session.state.recording is not None, timeout=PATIENCE_MS)
    last = workshop.recorders[-1]
    qtbot.waitUntil(lambda: last.frames > 0, timeout=PATIENCE_MS)
    window.close()
    qtbot.waitUntil(lambda: session.state.closed and not window._timer.isActive(), timeout=PATIENCE_MS)
    assert session.join(PATIENCE_SECONDS)

    qtbot.waitUntil(lambda: set(threading.enumerate()) <= before, timeout=PATIENCE_MS)
    assert last.frames > 0
    for recorder in workshop.recorders:
        assert recorder.error is None
        if recorder.frames:
            counts = open_session(recorder.path).metadata.counts
            assert counts.frames == recorder.frames
            assert counts.pictures == frames_in(recorder.path / "video.mp4")
    kept = {recorder.path for recorder in workshop.recorders if recorder.frames}
    assert {folder for folder in tmp_path.iterdir() if (folder / "video.mp4").exists()} == kept
    window.deleteLater()
