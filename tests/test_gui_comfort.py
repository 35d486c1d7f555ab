"""Preferences, sharing, tour and list of keys, without a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import UserError
from app.gui.live.presenters.key_list import KeyGroup, columns, key_groups, shown_key
from app.gui.live.presenters.preferences import (
    MIRRORED,
    Preferences,
    RecordingPart,
    read_folder,
    recording_switches,
    with_switch,
)
from app.gui.live.presenters.share import (
    ShareField,
    ShareForm,
    ShareReading,
    StatusLine,
    StatusTone,
    read_form,
    status_lines,
    summary,
)
from app.gui.live.presenters.tour import STEPS, Tour, card_place
from app.gui.presenters import actions
from app.gui.presenters.actions import ACTIONS, BY_NAME, Action, ActionGroup, ActionName
from app.sessions.plan import RecordingChoices
from app.sharing.channel import ChannelKind, ChannelStatus
from app.sharing.settings import Address, CameraPicture, SharingSettings

HERE = Address("127.0.0.1", 9000)


def test_preferences_refuse_what_cannot_be() -> None:
    with pytest.raises(UserError, match="theme"):
        Preferences(theme="pink")  # type: ignore[arg-type]
    for count in (0, 9):
        with pytest.raises(UserError, match="Between 1 and 8"):
            Preferences(max_faces=count)


def test_switches_follow_from_each_other() -> None:
    plain = recording_switches(Preferences())
    assert {name: (state.on, state.free) for name, state in plain.items()} == {
        RecordingPart.VIDEO: (True, True),
        RecordingPart.ANNOTATED: (True, True),
        RecordingPart.EXACT: (False, True),
    }
    exact = recording_switches(
        with_switch(Preferences(recording=RecordingChoices(video=False)), RecordingPart.EXACT, True)
    )
    assert (exact[RecordingPart.VIDEO].on, exact[RecordingPart.VIDEO].free, exact[RecordingPart.EXACT].on) == (
        True,
        False,
        True,
    )
    private = recording_switches(Preferences(privacy=True, recording=RecordingChoices(annotated=True)))
    assert not any(state.on or state.free for state in private.values())
    assert all(state.note.startswith("Privacy is on") for state in private.values())


def test_privacy_keeps_the_choices_for_later() -> None:
    chosen = Preferences(privacy=True, recording=RecordingChoices(annotated=True))
    assert chosen.choices == RecordingChoices(annotated=True, privacy=True)
    assert replace(chosen, privacy=False).choices == RecordingChoices(annotated=True)


@pytest.mark.parametrize("mirror", [None, True, False])
def test_the_mirror_has_a_name(mirror: bool | None) -> None:
    assert MIRRORED[Preferences(mirror=mirror).mirror_option] is mirror


def test_folders_are_whole_paths() -> None:
    assert read_folder("  ") is None
    assert read_folder("~/Clips") == Path.home() / "Clips"
    whole = Path.home() / "Clips"
    assert read_folder(f" {whole} ") == whole
    with pytest.raises(UserError, match="Clips is not an absolute path; write the whole path, such as"):
        read_folder("Clips")
    with pytest.raises(UserError, match="no home folder"):
        read_folder("~nobody-of-that-name/Clips")


def test_a_form_becomes_settings() -> None:
    assert read_form(ShareForm(), privacy=False) == ShareReading(SharingSettings())
    form = ShareForm(json_on=True, json_to="9000, 10.0.0.2:9000", osc_on=True, osc_to="[::1]:9001", camera_on=True)
    expected = SharingSettings(
        (HERE, Address("10.0.0.2", 9000)), (Address("::1", 9001),), CameraPicture.ANNOTATED, True
    )
    assert read_form(form, privacy=True) == ShareReading(expected)
    assert ShareForm.of(expected) == replace(form, json_to="127.0.0.1:9000, 10.0.0.2:9000")
    assert ShareForm.of(SharingSettings()) == ShareForm()


@pytest.mark.parametrize(
    ("form", "settings", "wrong"),
    [
        (
            ShareForm(json_on=True, json_to="nowhere", osc_on=True),
            SharingSettings(osc=(Address("127.0.0.1", 9001),)),
            {ShareField.JSON: "names no port"},
        ),
        (
            ShareForm(json_on=True, osc_on=True, osc_to=" "),
            SharingSettings(udp=(HERE,)),
            {ShareField.OSC: "Write where"},
        ),
        (
            ShareForm(json_on=True, osc_on=True, osc_to="9000", camera_on=True),
            SharingSettings(udp=(HERE,), virtual_camera=CameraPicture.ANNOTATED),
            {ShareField.OSC: "named twice"},
        ),
        (ShareForm(json_to="what", osc_to="ever"), SharingSettings(), {}),
    ],
)
def test_what_is_wrong_does_not_stop_the_rest(
    form: ShareForm, settings: SharingSettings, wrong: dict[str, str]
) -> None:
    reading = read_form(form, privacy=False)
    assert reading.settings == settings
    assert reading.wrong.keys() == wrong.keys()
    assert all(part in reading.wrong[name] for name, part in wrong.items())


def test_status_in_words() -> None:
    statuses = (
        ChannelStatus(ChannelKind.UDP, "127.0.0.1:9000", sent=300, rate=29.6),
        ChannelStatus(ChannelKind.UDP, "10.0.0.2:9000", failed=3, error="Nobody listens there."),
        ChannelStatus(ChannelKind.VIRTUAL_CAMERA, "annotated", sent=12),
    )
    reading = ShareReading(SharingSettings(), {ShareField.OSC: "localhost names no port."})
    assert status_lines(reading, statuses) == {
        ShareField.JSON: (
            StatusLine("Sent 30/s to 127.0.0.1:9000", StatusTone.GOOD),
            StatusLine("Nobody listens there.", StatusTone.ERROR),
        ),
        ShareField.OSC: (StatusLine("localhost names no port.", StatusTone.WRONG),),
        ShareField.CAMERA: (
            StatusLine("Nothing to send now; 12 frames sent to connected programs", StatusTone.WAITING),
        ),
        ShareField.VMC: (),
        ShareField.OPENTRACK: (),
        ShareField.LSL: (),
    }
    fresh = status_lines(ShareReading(SharingSettings()), (ChannelStatus(ChannelKind.OSC, "x:1"),))
    assert fresh[ShareField.OSC] == (StatusLine("Ready; nothing tracked yet", StatusTone.WAITING),)


def test_sharing_in_a_few_words() -> None:
    good, bad, idle = (
        ChannelStatus(ChannelKind.UDP, "a", 1, 0, 30.0),
        ChannelStatus(ChannelKind.OSC, "b", error="!"),
        ChannelStatus(ChannelKind.OSC, "c"),
    )
    assert [summary(s) for s in ((), (good,), (good, bad), (idle,))] == [
        "",
        "Sharing",
        "Sharing: trouble",
        "Ready to share",
    ]


def test_the_tour_has_three_steps_and_ends() -> None:
    tour = Tour()
    assert (tour.step, tour.progress) == (None, "")
    tour.go_on()
    assert tour.step is None
    tour.begin()
    seen: list[Any] = []
    while tour.step is not None:
        seen.append((tour.progress, tour.next_label))
        tour.go_on()
    assert seen == [("1 of 3", "Next"), ("2 of 3", "Next"), ("3 of 3", "Done")]
    tour.begin()
    assert tour.step is STEPS[0]
    tour.skip()
    assert tour.step is None


def test_the_tour_names_keys_that_exist() -> None:
    texts = " ".join(step.text for step in STEPS)
    for words in ("Press R to", "Press C to", "Space records", "L opens", "? shows"):
        assert words in texts


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((1130, 90, 280, 30), (774, 25)),  # in the panel at the right: left of it
        ((20, 300, 100, 40), (136, 240)),  # at the left: right of it
        ((500, 780, 120, 50), (390, 604)),  # in the bar below: above it
        ((0, 0, 1440, 40), (550, 56)),  # all along the top: below it
    ],
)
def test_the_card_stands_beside_what_it_points_at(target: tuple[int, int, int, int], expected: tuple[int, int]) -> None:
    assert card_place(target, (340, 160), (1440, 860)) == expected


def test_the_card_stays_inside_a_small_window() -> None:
    x, y = card_place((10, 10, 380, 280), (340, 160), (400, 300))
    assert (x, y) == (12, 12) or (12 <= x <= 48 and 12 <= y <= 128)


@pytest.mark.parametrize(
    ("target", "message", "expected"),
    [
        ((1130, 90, 280, 30), (200, 100, 720, 48), (1088, 136)),  # below the target, not left of it
        ((1130, 90, 280, 30), (0, 100, 1440, 48), (1088, 164)),  # below the message
        ((1130, 290, 280, 30), (0, 270, 1440, 70), (1088, 94)),  # above it
        ((1130, 90, 280, 30), (20, 100, 720, 48), (774, 25)),  # the message is not in the way
    ],
)
def test_the_card_leaves_a_message_readable(
    target: tuple[int, int, int, int], message: tuple[int, int, int, int], expected: tuple[int, int]
) -> None:
    assert card_place(target, (340, 160), (1440, 860), message) == expected


def test_every_key_is_listed_once() -> None:
    groups = key_groups()
    listed = [action for group in groups for action in group.actions]
    assert sorted(action.name for action in listed) == sorted(action.name for action in ACTIONS if action.key)
    assert [group.name for group in groups] == [name for name in ActionGroup if any(a.group == name for a in ACTIONS)]


def test_columns_keep_the_order_and_are_balanced() -> None:
    def group(name: str, lines: int) -> KeyGroup:
        return KeyGroup(name, (Action("n", "k", "l", "h", name),) * lines)  # type: ignore[arg-type]

    groups = [group("a", 6), group("b", 6), group("c", 3), group("d", 7), group("e", 11)]
    two = columns(groups, 2)
    assert [[g.name for g in column] for column in two] == [["a", "b", "c"], ["d", "e"]]
    assert columns(groups, 1) == (tuple(groups),)
    assert sum(map(len, columns(groups, 9))) == 5


@pytest.mark.parametrize(
    ("key", "shown"), [("R", "R"), ("Left", "←"), ("Ctrl+,", "Ctrl + ,"), ("Ctrl+Q", "Ctrl + Q"), ("+", "+")]
)
def test_keys_are_shown_as_people_know_them(key: str, shown: str) -> None:
    assert shown_key(key) == shown


def test_keys_are_shown_as_a_mac_calls_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "COMMAND", "Cmd")
    assert shown_key("Ctrl+,") == "Cmd + ,"
    assert BY_NAME[ActionName.QUIT].tooltip.endswith("(Cmd+Q)")
