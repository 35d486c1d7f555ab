"""Everything that is shared: a consumer of the pipeline's results with one channel for each receiver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from functools import partial

from app.core.frame import FrameResult
from app.sharing.channel import Channel, ChannelKind, ChannelStatus
from app.sharing.json_message import json_datagrams
from app.sharing.lsl import LslOutlet
from app.sharing.opentrack_message import opentrack_datagrams
from app.sharing.osc_message import OscEncoder
from app.sharing.settings import Address, CameraPicture, SharingSettings
from app.sharing.udp import Encoder, UdpOutlet
from app.sharing.virtual_camera import OpenCamera, VirtualCameraOutlet, open_virtual_camera
from app.sharing.vmc_message import VmcEncoder
from model.signals.blendshapes import AVERAGE

EXCLUSIVE = (ChannelKind.VIRTUAL_CAMERA, ChannelKind.LSL)
"""Kinds of which a new channel can begin only when the one before has let go."""

ChannelKey = tuple[ChannelKind, str, Hashable]
"""A channel's kind, its target, and what else changes what it sends: channels with equal keys are the same."""
MakeChannel = Callable[[Channel | None], Channel]
"""Makes a channel, given the one whose end it must await."""


class Sharing:
    """Shares results according to its settings. Safe to use from several threads; only :meth:`stop` waits.

    Args:
        settings: what to share from the start.
        open_camera: opens the virtual camera.
    """

    def __init__(self, settings: SharingSettings | None = None, open_camera: OpenCamera = open_virtual_camera) -> None:
        self._open_camera = open_camera
        self._lock = threading.Lock()
        self._settings = SharingSettings()
        self._channels: dict[ChannelKey, Channel] = {}
        self._ending: list[Channel] = []
        self._stopped = False
        self.configure(settings or SharingSettings())

    @property
    def settings(self) -> SharingSettings:
        """What is shared."""
        with self._lock:
            return self._settings

    def configure(self, settings: SharingSettings) -> None:
        """Share this from now on; channels that stay are not interrupted. Ignored once stopped."""
        with self._lock:
            if self._stopped:
                return
            self._settings = settings
            wanted = _channel_makers(settings, self._open_camera)
            self._ending = [channel for channel in self._ending if not channel.join(0)]
            for key in [key for key in self._channels if key not in wanted]:
                channel = self._channels.pop(key)
                channel.close()
                self._ending.append(channel)
            before = {channel.kind: channel for channel in self._ending if channel.kind in EXCLUSIVE}
            self._channels = {key: self._channels.get(key) or make(before.get(key[0])) for key, make in wanted.items()}

    def consume(self, result: FrameResult) -> None:
        """Share one result; the pipeline calls this on its own thread."""
        for channel in tuple(self._channels.values()):
            channel.offer(result)

    def status(self) -> tuple[ChannelStatus, ...]:
        """Return the state of every channel, in the order of the settings."""
        with self._lock:
            return tuple(channel.status for channel in self._channels.values())

    @property
    def active(self) -> bool:
        """Whether anything is shared."""
        with self._lock:
            return bool(self._channels)

    def stop(self, timeout: float = 2.0) -> bool:
        """End every channel for good; return whether all ended within ``timeout`` seconds."""
        with self._lock:
            self._stopped = True
            channels = [*self._channels.values(), *self._ending]
            self._channels, self._ending = {}, []
        for channel in channels:
            channel.close()
        end = time.monotonic() + timeout
        ended = [channel.join(max(0.0, end - time.monotonic())) for channel in channels]
        return all(ended)


def _channel_makers(settings: SharingSettings, open_camera: OpenCamera) -> dict[ChannelKey, MakeChannel]:
    def datagrams(
        kind: ChannelKind, address: Address, make_encoder: Callable[[], Encoder], before: Channel | None
    ) -> Channel:
        return Channel(kind, str(address), UdpOutlet(address, make_encoder()), before)

    # Landmarks on black contain nothing that has to be blurred.
    picture, privacy = settings.virtual_camera, settings.privacy and settings.virtual_camera == CameraPicture.ANNOTATED

    makers: dict[ChannelKey, MakeChannel] = {}
    kinds: tuple[tuple[ChannelKind, tuple[Address, ...], Callable[[], Encoder]], ...] = (
        (ChannelKind.UDP, settings.udp, lambda: json_datagrams),
        (ChannelKind.OSC, settings.osc, OscEncoder),
        (ChannelKind.VMC, settings.vmc, partial(VmcEncoder, settings.neutral or AVERAGE)),
        (ChannelKind.OPENTRACK, settings.opentrack, lambda: opentrack_datagrams),
    )
    for kind, addresses, make_encoder in kinds:
        variant = settings.neutral if kind is ChannelKind.VMC else None
        for address in addresses:
            makers[kind, str(address), variant] = partial(datagrams, kind, address, make_encoder)
    if settings.lsl is not None:
        makers[ChannelKind.LSL, settings.lsl, None] = partial(
            Channel, ChannelKind.LSL, settings.lsl, LslOutlet(settings.lsl)
        )
    if picture is not None:
        outlet = VirtualCameraOutlet(picture, privacy, open_camera)
        makers[ChannelKind.VIRTUAL_CAMERA, picture, privacy] = partial(
            Channel, ChannelKind.VIRTUAL_CAMERA, picture, outlet
        )
    return makers
