"""What to do when cameras come and go: resume with one that is back, offer one that is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.gui.live.presenters.chooser import CameraChoice, is_playing
from app.gui.live.presenters.state import SessionState
from app.sources.camera import plain_name
from app.sources.spec import CameraSpec
from app.tracking.live import LiveState

SETTLE_SECONDS = 1.0
"""How long a camera must be listed before it is opened: drivers list it before it answers."""
TRIES = 3
RETRY_SECONDS = 3.0
WAITING = "It continues as soon as the camera is back."
"""Appended to the error of a camera that was unplugged."""


@dataclass(frozen=True, slots=True)
class HotplugAdvice:
    """What the window should do now.

    Attributes:
        resume: a camera to play at once, because the one that played is back; None if there is none.
        offer: a new camera to offer, once; None if there is none.
        waiting: the camera that played is gone, and will be played again when it is back.
    """

    resume: CameraSpec | None = None
    offer: CameraChoice | None = None
    waiting: bool = False


@dataclass(slots=True)
class _Playing:
    """The camera that plays or played last.

    Attributes:
        name: when it was opened.
        source: as it was asked for; its number may change.
        play: of the session.
        key: of :class:`CameraChoice`.
        resumed: how it was opened again, None before.
        twins: keys of the others of its name that were there with it.
        missing: it is not listed.
        gone: when it was missed last, None before.
        tries: how often it was opened again since.
        tried: when last.
    """

    name: str
    source: CameraSpec
    play: int
    key: str
    twins: frozenset[str] = frozenset()
    resumed: CameraSpec | None = None
    missing: bool = False
    gone: float | None = None
    tries: int = 0
    tried: float = 0.0

    def is_about(self, state: SessionState) -> bool:
        """Whether the session still plays this camera, or tries to."""
        return state.playing and state.source in (self.source, self.resumed)

    def back(self, cameras: Sequence[CameraChoice], since: Mapping[str, float]) -> CameraChoice | None:
        """Return the camera among those listed: where it was, or plugged in elsewhere after it was missed."""
        here = next((camera for camera in cameras if camera.key == self.key), None)
        if here is not None or self.gone is None:
            return here
        new = (each for each in self.namesakes(cameras) if since[each.key] >= self.gone)
        return next((each for each in new if each.key not in self.twins), None)

    def namesakes(self, cameras: Sequence[CameraChoice]) -> list[CameraChoice]:
        """Return the cameras of its name, but for a number behind it."""
        plain = plain_name(self.name)
        return [camera for camera in cameras if plain_name(camera.name) == plain]


class CameraHotplug:
    """Compares the cameras with those found before. :meth:`look` is cheap and may be called often."""

    def __init__(self) -> None:
        self._known: dict[str, float] | None = None
        self._playing: _Playing | None = None

    def look(self, cameras: Sequence[CameraChoice] | None, state: SessionState, now: float) -> HotplugAdvice:
        """Return what to do.

        Args:
            cameras: those found last; None before they were looked for.
            state: of the session.
            now: seconds, by any clock.
        """
        if cameras is None:
            return HotplugAdvice()
        known = self._known
        since = {camera.key: (known or {}).get(camera.key, now) for camera in cameras}
        if known is None:
            since = dict.fromkeys(since, now - SETTLE_SECONDS)  # at the start all cameras count as settled
        self._known = since
        self._follow(state, cameras, now)
        playing = self._playing
        new = [camera for camera in cameras if known is not None and camera.key not in known]
        if playing is not None and playing.gone is not None:
            back = playing.back(cameras, since)
            resume = None if back is None else self._resume(playing, back, state, since[back.key], now)
            new = [camera for camera in new if camera is not back]
            return HotplugAdvice(resume, _offer(new, state), waiting=state.stage == LiveState.FAILED)
        return HotplugAdvice(offer=_offer(new, state))

    def _follow(self, state: SessionState, cameras: Sequence[CameraChoice], now: float) -> None:
        """Note which camera plays, and whether it was unplugged."""
        playing, source = self._playing, state.source
        if state.stage == LiveState.RUNNING and state.info is not None and isinstance(source, CameraSpec):
            name = state.info.name
            if playing is None or (playing.name, playing.play) != (name, state.play):
                key = next((camera.key for camera in cameras if camera.name == name), name)
                playing = self._playing = _Playing(name, source, state.play, key)
        elif playing is not None and not playing.is_about(state):
            playing = self._playing = None  # the user chose something else, or stopped
        if playing is None:
            return
        namesakes = frozenset(camera.key for camera in playing.namesakes(cameras))
        was_missing, playing.missing = playing.missing, playing.key not in namesakes
        if not playing.missing:
            playing.twins = namesakes - {playing.key}
        elif not was_missing:
            playing.gone, playing.tries = now, 0

    @staticmethod
    def _resume(
        playing: _Playing, back: CameraChoice, state: SessionState, since: float, now: float
    ) -> CameraSpec | None:
        if state.stage != LiveState.FAILED or now - since < SETTLE_SECONDS:
            return None
        if playing.tries >= TRIES or (playing.tries and now - playing.tried < RETRY_SECONDS):
            return None
        playing.tries += 1
        playing.tried = now
        playing.resumed = replace(playing.source, name=back.name)  # by name, since its number may have changed
        return playing.resumed


def _offer(new: Sequence[CameraChoice], state: SessionState) -> CameraChoice | None:
    """Return the newcomer to offer; none while something is recorded, which another source would end."""
    if state.recording is not None:
        return None
    return next((camera for camera in new if not is_playing(camera, state.source, state.info)), None)
