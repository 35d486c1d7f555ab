"""The signals card, its key, and the neutral face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.frame import FrameResult
from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.share import ShareForm, read_form
from app.gui.live.presenters.signals import NeutralCapture, signal_rows
from app.gui.live.views.page import LivePage, PagePart
from app.sessions.plain import from_plain, to_plain
from model.signals.blendshapes import AVERAGE, blendshapes
from model.signals.expression import measure_expression
from model.signals.track import Signals, SignalTracker
from tests.gui_fakes import frame_result
from tests.signals_fakes import SIZE, face


def signals_of_face() -> Signals:
    found = SignalTracker().update(face(), SIZE, 0.0)()
    assert found is not None
    return found


def result(captured: float, *, closed: bool = False) -> FrameResult:
    points = face()
    if closed:
        points[[61, 62, 63]] = points[[67, 66, 65]]
    known = frame_result(captured=captured, image=np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    estimate = replace(
        known.faces[0].estimate, landmarks=points, read_signals=SignalTracker().update(points, SIZE, captured)
    )
    return replace(known, faces=(replace(known.faces[0], estimate=estimate),))


def test_the_card_has_the_same_lines_with_and_without_a_face() -> None:
    rows, nothing = signal_rows(signals_of_face()), signal_rows(None)
    assert [row.name for row in rows] == [row.name for row in nothing]
    values = {row.name: row.value for row in rows}
    assert values["Distance"] == "58 cm"
    assert values["Mouth"] == "0.20  0.60"
    assert values["PERCLOS"] == nothing[0].value
    assert values["Blinks"] == "0"


def test_the_neutral_face_is_the_last_second_without_blinks() -> None:
    capture = NeutralCapture()
    assert capture.take() is None
    for index in range(9):
        capture.add(result(2.0 + index / 20, closed=True))
    for index in range(9):
        capture.add(result(9.2 + index / 20, closed=index == 4))
    neutral = capture.take()
    assert neutral is not None
    now = measure_expression(face(), signals_of_face().face, SIZE)
    assert neutral.ear_left == pytest.approx(now.ear_left)
    assert max(blendshapes(now, neutral).values()) == pytest.approx(0, abs=1e-6)
    capture.clear()
    assert capture.take() is None


def test_the_neutral_face_ends_with_the_newest_frame_however_old_that_is() -> None:
    capture = NeutralCapture()
    capture.add(result(9.5))
    assert capture.take() is not None, "a paused file, or a computer that takes seconds over a frame"
    capture.add(replace(result(10.0), faces=()))
    assert capture.take() is not None, "a face that is lost for a moment"
    capture.add(replace(result(10.6), faces=()))
    assert capture.take() is None


def test_nothing_is_measured_for_the_neutral_face_until_it_is_taken() -> None:
    capture, asked = NeutralCapture(), list[float]()

    def told(captured: float) -> FrameResult:
        known = result(captured)
        estimate = known.faces[0].estimate

        def read() -> Signals | None:
            asked.append(captured)
            return estimate.signals

        return replace(known, faces=(replace(known.faces[0], estimate=replace(estimate, read_signals=read)),))

    for index in range(200):
        capture.add(told(9.0 + index / 200))
    assert asked == []
    assert capture.take() is not None
    assert 20 <= len(asked) <= 40
    assert max(np.diff(asked)) < 0.05


def test_the_neutral_face_is_remembered_and_sent() -> None:
    remembered = from_plain(Remembered, to_plain(replace(Remembered(), neutral=AVERAGE)))
    assert remembered.neutral == AVERAGE
    form = ShareForm(vmc_on=True)
    assert read_form(form, False, AVERAGE).settings.neutral == AVERAGE


def test_the_card_is_closed_until_its_key(qapp: QApplication, qtbot: QtBot) -> None:
    page = LivePage()
    qtbot.addWidget(page)
    assert PagePart.SIGNALS not in page.open
    page.toggle_signals()
    assert PagePart.SIGNALS in page.open
    page.toggle_part(PagePart.PANEL)
    page.toggle_signals()
    assert {PagePart.PANEL, PagePart.SIGNALS} <= set(page.open)
    page.toggle_signals()
    assert page.open == (PagePart.PANEL,)
