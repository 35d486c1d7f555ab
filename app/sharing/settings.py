"""What is shared, and where to. Command line, window and remembered choices use the same settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import UserError
from model.signals.expression import Expression

HERE = "127.0.0.1"
"""Where datagrams go unless another computer is named, so that nothing leaves this one by accident."""

MOST_TARGETS = 8


class CameraPicture(StrEnum):
    """What the virtual camera shows."""

    ANNOTATED = "annotated"
    """The picture with the landmarks drawn in."""
    LANDMARKS = "landmarks"
    """The landmarks alone on black."""


class LslReach(StrEnum):
    """Who can find the streams of Lab Streaming Layer."""

    MACHINE = "machine"
    """Programs on this computer."""
    NETWORK = "network"
    """Programs in the local network, too."""


class SharingError(UserError):
    """Something that cannot be shared, or not yet.

    Args:
        message: one sentence that says what to do.
        pause: seconds to wait before another attempt.
    """

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a UDP port; :func:`parse_address` reads what ``str`` writes."""

    host: str
    port: int

    def __post_init__(self) -> None:
        if not self.host or any(character.isspace() for character in self.host):
            raise SharingError(f"{self.host!r} is no host; write an address such as {HERE}:9000.")
        if not 1 <= self.port <= 65535:
            raise SharingError(f"{self.port} is no port; ports are numbers from 1 to 65535, such as 9000.")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``PORT``, ``HOST:PORT`` or ``[IPv6]:PORT``; without a host it is this computer.

    Raises:
        SharingError: for anything else.
    """
    text = text.strip()
    if "://" in text:
        raise SharingError(f"{text} is a web address; write only HOST:PORT, such as {HERE}:9000.")
    host, colon, port = text.rpartition(":")
    if not colon and not port.isdecimal():
        raise SharingError(f"{text or 'An empty text'} names no port; write PORT or HOST:PORT, such as {HERE}:9000.")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise SharingError(f"{text} is no IPv6 address; brackets are for those alone, as in [::1]:9000.")
    elif ":" in host:
        raise SharingError(f"{text} is not clear; write an IPv6 address in brackets, as in [::1]:9000.")
    elif colon and not host:
        raise SharingError(f"{text} names no host; leave the colon out, or write HOST:PORT.")
    if not port.isascii() or not port.isdecimal():
        raise SharingError(f"{port or 'Nothing'} in {text} is no port; write a number from 1 to 65535, such as 9000.")
    return Address(host or HERE, int(port))


@dataclass(frozen=True, slots=True)
class SharingSettings:
    """Everything that is shared.

    Attributes:
        udp: where landmarks go as JSON datagrams.
        osc: where landmarks go as OSC messages.
        virtual_camera: the picture for programs that use a camera; None shares none.
        privacy: pictures that are shared are blurred beyond recognition.
        vmc: where the head and blendshapes go as VMC messages, for avatars.
        opentrack: where the head's pose goes as opentrack's datagrams.
        lsl: who can find landmarks and signals as streams of Lab Streaming Layer; None opens none.
        neutral: the person's neutral expression, for blendshapes; None for an average one.
    """

    udp: tuple[Address, ...] = ()
    osc: tuple[Address, ...] = ()
    virtual_camera: CameraPicture | None = None
    privacy: bool = False
    vmc: tuple[Address, ...] = ()
    opentrack: tuple[Address, ...] = ()
    lsl: LslReach | None = None
    neutral: Expression | None = None

    def __post_init__(self) -> None:
        targets = [*self.udp, *self.osc, *self.vmc, *self.opentrack]
        if len(targets) > MOST_TARGETS:
            raise SharingError(f"At most {MOST_TARGETS} addresses can be sent to, not {len(targets)}.")
        for address in targets:
            if targets.count(address) > 1:
                raise SharingError(f"{address} is named twice; name it once, for one kind of message.")
