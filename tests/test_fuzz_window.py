"""The real window on remembered choices that are damaged but can still be read: it opens, plays and closes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.gui.live.presenters.remembered import Memory, Remembered
from app.gui.live.presenters.session import LiveSession
from app.gui.live.presenters.settings import LiveSettings
from app.gui.main_window import MainWindow
from app.sessions.plain import to_plain
from tests.fuzz_damage import ODD_VALUES
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS
from tests.workshop_fakes import Workshop

WINDOWS = 5
FIELDS = ("geometry", "source", "compare_view", "divider", "panels", "theme", "folder", "mirror", "tracking", "share")


def odd_choices(dice: random.Random) -> dict[str, object]:
    """Return choices of which several hold anything at all."""
    choices: dict[str, object] = {"version": 1, **to_plain(Remembered(tour_seen=True))}
    for name in dice.sample(FIELDS, 2):
        held = choices[name]
        if isinstance(held, dict):
            choices[name] = held | {dice.choice(sorted(held)): dice.choice(ODD_VALUES)}
        else:
            choices[name] = dice.choice(ODD_VALUES)
    return choices


def readable(folder: Path, count: int) -> list[Memory]:
    """Return memories of damaged choices that are accepted as they are."""
    found: list[Memory] = []
    dice = random.Random(4)
    for number in range(2000):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(odd_choices(dice)))
        memory = Memory(path)
        if not memory.note:
            found.append(memory)
        if len(found) == count:
            return found
    raise AssertionError("hardly any of them can be read")


def test_a_window_opens_on_any_choices_that_can_be_read(qtbot: QtBot, tmp_path: Path) -> None:
    for memory in readable(tmp_path, WINDOWS):
        chosen = memory.current
        window = MainWindow(
            LiveSettings(chosen), lambda *args: LiveSession(Workshop().parts, *args), list, list, memory
        )
        try:
            window.show()
            window.begin()
            session = window.presenter.session
            window.presenter.open("demo")
            qtbot.waitUntil(lambda session=session: session.state.stage == "running", timeout=PATIENCE_MS)  # type: ignore[misc]
            qtbot.waitUntil(
                lambda session=session: bool(session.state.status and session.state.status.processed > 2),  # type: ignore[misc]
                timeout=PATIENCE_MS,  # type: ignore[misc]
            )
            window.refresh()
            assert window.width() < 20000
        except Exception as error:
            pytest.fail(f"{memory.path.read_text()}: {error!r}")
        finally:
            window.close()
            qtbot.waitUntil(lambda session=session: session.state.closed, timeout=PATIENCE_MS)  # type: ignore[misc]
            session.join(PATIENCE_SECONDS)
            window.deleteLater()
