"""What to do when cameras come and go: resume with one that is back, offer one that is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.gui.live.presenters.chooser import CameraChoice, is_playing
from app.gui.live.presenters.state import SessionState
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
    """The camera that plays or played last, by name, since its number may change."""

    name: str
    source: CameraSpec
    play: int
    gone: bool = False
    tries: int = 0
    tried: float = 0.0


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
        listed = {camera.name for camera in cameras}
        known = self._known
        since = {name: (known or {}).get(name, now) for name in listed}
        if known is None:
            since = dict.fromkeys(listed, now - SETTLE_SECONDS)  # at the start all cameras count as settled
        self._known = since
        self._follow(state, listed)
        playing = self._playing
        new = [camera for camera in cameras if known is not None and camera.name not in known]
        if playing is not None and playing.gone:
            resume = self._resume(playing, state, since, now)
            new = [camera for camera in new if camera.name != playing.name]
            return HotplugAdvice(resume, _offer(new, state), waiting=state.stage == LiveState.FAILED)
        return HotplugAdvice(offer=_offer(new, state))

    def _follow(self, state: SessionState, listed: set[str]) -> None:
        """Note which camera plays, and whether it was unplugged."""
        playing, source = self._playing, state.source
        if state.stage == LiveState.RUNNING and state.info is not None and isinstance(source, CameraSpec):
            if playing is None or (playing.name, playing.play) != (state.info.name, state.play):
                playing = self._playing = _Playing(state.info.name, source, state.play)
        elif playing is not None and not self._is_about(playing, state):
            playing = self._playing = None  # the user chose something else, or stopped
        if playing is not None and playing.name not in listed:
            playing.gone = True
            playing.tries = 0

    @staticmethod
    def _is_about(playing: _Playing, state: SessionState) -> bool:
        """Whether the session still plays this camera, or tries to."""
        return state.playing and state.source in (playing.source, _by_name(playing))

    def _resume(self, playing: _Playing, state: SessionState, since: dict[str, float], now: float) -> CameraSpec | None:
        back = since.get(playing.name)
        if state.stage != LiveState.FAILED or back is None or now - back < SETTLE_SECONDS:
            return None
        if playing.tries >= TRIES or (playing.tries and now - playing.tried < RETRY_SECONDS):
            return None
        playing.tries += 1
        playing.tried = now
        return _by_name(playing)


def _by_name(playing: _Playing) -> CameraSpec:
    """Return the source by the camera's name, with the same format."""
    return replace(playing.source, name=playing.name)


def _offer(new: Sequence[CameraChoice], state: SessionState) -> CameraChoice | None:
    """Return the newcomer to offer; none while something is recorded, which another source would end."""
    if state.recording is not None:
        return None
    return next((camera for camera in new if not is_playing(camera, state.source, state.info)), None)
