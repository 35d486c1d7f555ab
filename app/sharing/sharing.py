"""Everything that is shared at one time: a pipeline's consumer that keeps one channel for each way out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from app.core.frame import FrameResult
from app.sharing.channel import Channel, ChannelStatus
from app.sharing.json_message import json_datagrams
from app.sharing.osc_message import OscEncoder
from app.sharing.settings import ANNOTATED, Address, SharingSettings
from app.sharing.udp import Encoder, UdpOutlet
from app.sharing.virtual_camera import OpenCamera, VirtualCameraOutlet, open_virtual_camera

UDP, OSC, VIRTUAL_CAMERA = "udp", "osc", "virtual camera"

Plan = tuple[str, str, bool]
"""A channel's kind, its target, and whether its pictures are blurred: what makes two channels the same."""


class Sharing:
    """Shares results as its settings say. Safe to use from several threads; nothing here waits but :meth:`stop`.

    Args:
        settings: what to share from the start.
        open_camera: opens the virtual camera; tests put in their own.
    """

    def __init__(self, settings: SharingSettings | None = None, open_camera: OpenCamera = open_virtual_camera) -> None:
        self._open_camera = open_camera
        self._lock = threading.Lock()
        self._settings = SharingSettings()
        self._channels: dict[Plan, Channel] = {}
        self._ending: list[Channel] = []
        self._stopped = False
        self.configure(settings or SharingSettings())

    @property
    def settings(self) -> SharingSettings:
        """What is shared."""
        with self._lock:
            return self._settings

    def configure(self, settings: SharingSettings) -> None:
        """Share this from now on: channels that stay go on undisturbed, others end and begin. Ignored once stopped."""
        with self._lock:
            if self._stopped:
                return
            self._settings = settings
            wanted = _plans(settings, self._open_camera)
            self._ending = [channel for channel in self._ending if not channel.join(0)]
            for plan in [plan for plan in self._channels if plan not in wanted]:
                channel = self._channels.pop(plan)
                channel.close()
                self._ending.append(channel)
            self._channels = {plan: self._channels.get(plan) or make() for plan, make in wanted.items()}

    def consume(self, result: FrameResult) -> None:
        """Share one result; the pipeline calls this on its own thread."""
        for channel in tuple(self._channels.values()):
            channel.offer(result)

    def status(self) -> tuple[ChannelStatus, ...]:
        """How every channel does, in the order of the settings."""
        with self._lock:
            return tuple(channel.status for channel in self._channels.values())

    def stop(self, timeout: float = 2.0) -> bool:
        """End every channel for good; return whether all ended within ``timeout`` seconds each."""
        with self._lock:
            self._stopped = True
            channels = [*self._channels.values(), *self._ending]
            self._channels, self._ending = {}, []
        for channel in channels:
            channel.close()
        ended = [channel.join(timeout) for channel in channels]
        return all(ended)


def _plans(settings: SharingSettings, open_camera: OpenCamera) -> dict[Plan, Callable[[], Channel]]:
    def datagrams(kind: str, address: Address, encode: Encoder) -> Channel:
        return Channel(kind, str(address), UdpOutlet(address, encode))

    # Landmarks on black show nothing that privacy would have to hide.
    picture, privacy = settings.virtual_camera, settings.privacy and settings.virtual_camera == ANNOTATED

    def camera() -> Channel:
        return Channel(VIRTUAL_CAMERA, picture, VirtualCameraOutlet(picture, privacy, open_camera))

    plans: dict[Plan, Callable[[], Channel]] = {}
    for address in settings.udp:
        plans[UDP, str(address), False] = partial(datagrams, UDP, address, json_datagrams)
    for address in settings.osc:
        plans[OSC, str(address), False] = partial(datagrams, OSC, address, OscEncoder())
    if picture:
        plans[VIRTUAL_CAMERA, picture, privacy] = camera
    return plans
