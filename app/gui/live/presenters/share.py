"""The share card: what was typed, what it means, and the status of each channel in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from app.core.errors import UserError
from app.core.text_table import counted
from app.gui.presenters.options import Option
from app.sharing.channel import ChannelKind, ChannelStatus
from app.sharing.settings import Address, CameraPicture, LslReach, SharingSettings, parse_address
from model.signals.expression import Expression


class ShareField(StrEnum):
    """A field of the share card."""

    JSON = "json"
    OSC = "osc"
    VMC = "vmc"
    OPENTRACK = "opentrack"
    LSL = "lsl"
    CAMERA = "camera"


class StatusTone(StrEnum):
    """How a line of the share card is meant; WRONG is about what was typed."""

    GOOD = "good"
    WAITING = "waiting"
    ERROR = "error"
    WRONG = "wrong"


FIELD_OF_KIND = {
    ChannelKind.UDP: ShareField.JSON,
    ChannelKind.OSC: ShareField.OSC,
    ChannelKind.VMC: ShareField.VMC,
    ChannelKind.OPENTRACK: ShareField.OPENTRACK,
    ChannelKind.LSL: ShareField.LSL,
    ChannelKind.VIRTUAL_CAMERA: ShareField.CAMERA,
}
SETTING_OF_FIELD = {
    ShareField.JSON: "udp",
    ShareField.OSC: "osc",
    ShareField.VMC: "vmc",
    ShareField.OPENTRACK: "opentrack",
}
"""The field of :class:`SharingSettings` that each address goes to."""
REACH_OPTIONS = (
    Option(LslReach.MACHINE, "This computer", "Programs on this computer find the streams"),
    Option(LslReach.NETWORK, "Network", "Programs in the local network find them, too; in force at the next start"),
)
PICTURE_OPTIONS = (
    Option(CameraPicture.ANNOTATED, "Picture", "The picture with landmarks"),
    Option(CameraPicture.LANDMARKS, "Landmarks", "The landmarks alone on black, for a key filter"),
)


@dataclass(frozen=True, slots=True)
class ShareForm:
    """The contents of the card; addresses are kept while their switch is off.

    Attributes:
        json_on: send JSON datagrams.
        json_to: where to, one address or several with commas between them.
        osc_on: send OSC messages.
        osc_to: where to.
        camera_on: be a virtual camera.
        camera_picture: what it shows.
        vmc_on: send VMC messages.
        vmc_to: where to.
        opentrack_on: send the head's pose to opentrack.
        opentrack_to: where to.
        lsl_on: open streams of Lab Streaming Layer.
        lsl_reach: who can find them.
    """

    json_on: bool = False
    json_to: str = "127.0.0.1:9000"
    osc_on: bool = False
    osc_to: str = "127.0.0.1:9001"
    camera_on: bool = False
    camera_picture: CameraPicture = CameraPicture.ANNOTATED
    vmc_on: bool = False
    vmc_to: str = "127.0.0.1:39539"
    opentrack_on: bool = False
    opentrack_to: str = "127.0.0.1:4242"
    lsl_on: bool = False
    lsl_reach: LslReach = LslReach.MACHINE

    @classmethod
    def of(cls, settings: SharingSettings) -> ShareForm:
        """Return the card that says what ``settings`` say."""
        form = cls()
        return cls(
            json_on=bool(settings.udp),
            json_to=", ".join(map(str, settings.udp)) or form.json_to,
            osc_on=bool(settings.osc),
            osc_to=", ".join(map(str, settings.osc)) or form.osc_to,
            camera_on=bool(settings.virtual_camera),
            camera_picture=settings.virtual_camera or form.camera_picture,
            vmc_on=bool(settings.vmc),
            vmc_to=", ".join(map(str, settings.vmc)) or form.vmc_to,
            opentrack_on=bool(settings.opentrack),
            opentrack_to=", ".join(map(str, settings.opentrack)) or form.opentrack_to,
            lsl_on=settings.lsl is not None,
            lsl_reach=settings.lsl or form.lsl_reach,
        )

    def addressed(self) -> dict[ShareField, tuple[bool, str]]:
        """Return which fields send to addresses: whether they are on, and what was typed."""
        return {
            ShareField.JSON: (self.json_on, self.json_to),
            ShareField.OSC: (self.osc_on, self.osc_to),
            ShareField.VMC: (self.vmc_on, self.vmc_to),
            ShareField.OPENTRACK: (self.opentrack_on, self.opentrack_to),
        }


@dataclass(frozen=True, slots=True)
class ShareReading:
    """What a form means.

    Attributes:
        settings: everything in it that can be done.
        wrong: one sentence for each field that cannot.
    """

    settings: SharingSettings
    wrong: dict[str, str] = field(default_factory=dict)


def read_form(form: ShareForm, privacy: bool, neutral: Expression | None = None) -> ShareReading:
    """Return what ``form`` means; a field that is wrong does not keep the others from being shared.

    Args:
        form: the contents of the card.
        privacy: pictures that are shared are blurred.
        neutral: the person's neutral expression, None for an average one.
    """
    wrong: dict[str, str] = {}
    picture = form.camera_picture if form.camera_on else None
    reach = form.lsl_reach if form.lsl_on else None
    settings = SharingSettings(virtual_camera=picture, privacy=privacy, lsl=reach, neutral=neutral)
    for name, (on, typed) in form.addressed().items():
        if not on:
            continue
        try:
            named: dict[str, Any] = {SETTING_OF_FIELD[name]: _addresses(typed)}
            settings = replace(settings, **named)
        except UserError as error:
            wrong[name] = str(error)
    return ShareReading(settings, wrong)


def _addresses(text: str) -> tuple[Address, ...]:
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    if not words:
        raise UserError("Write where to send to, such as 127.0.0.1:9000.")
    return tuple(parse_address(word) for word in words)


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The status of one channel.

    Attributes:
        text: one sentence or less.
        tone: how it is meant.
    """

    text: str
    tone: StatusTone


def status_lines(reading: ShareReading, statuses: Sequence[ChannelStatus]) -> dict[str, tuple[StatusLine, ...]]:
    """Return the lines below each field: what is wrong with it, or how each of its channels does."""
    lines: dict[str, list[StatusLine]] = {name: [] for name in ShareField}
    for status in statuses:
        lines[FIELD_OF_KIND[status.kind]].append(_line(status))
    for name, sentence in reading.wrong.items():
        lines[name] = [StatusLine(sentence, StatusTone.WRONG)]
    return {name: tuple(found) for name, found in lines.items()}


def summary(statuses: Sequence[ChannelStatus]) -> str:
    """Return a few words for the window's edge, "" while nothing is shared."""
    if not statuses:
        return ""
    if any(status.error for status in statuses):
        return "Sharing: trouble"
    return "Sharing" if any(status.rate for status in statuses) else "Ready to share"


def _line(status: ChannelStatus) -> StatusLine:
    if status.error:
        return StatusLine(status.error, StatusTone.ERROR)
    anyone = status.kind in (ChannelKind.VIRTUAL_CAMERA, ChannelKind.LSL)
    where = "to connected programs" if anyone else f"to {status.target}"
    if status.rate:
        return StatusLine(f"Sent {status.rate:.0f}/s {where}", StatusTone.GOOD)
    if status.sent:
        return StatusLine(f"Nothing to send now; {counted(status.sent, 'frame')} sent {where}", StatusTone.WAITING)
    return StatusLine("Ready; nothing tracked yet", StatusTone.WAITING)
