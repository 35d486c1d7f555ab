"""The first look: at the first start RwR goes off and on for ten seconds, so that its effect is seen unasked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from app.core.frame import FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.gui.live.presenters.state import SessionState
from app.gui.presenters.readouts import Caption
from app.sources.spec import CameraSpec, DemoSpec
from app.tracking.live import LiveState

TURN_SECONDS = 2.5
TURNS = (False, True, False, True)
"""Whether RwR is on, one turn after the other."""
PATIENCE_SECONDS = 10.0
"""After so long with pictures, but without a face, nobody is waited for any longer."""

CAPTIONS = {
    False: Caption(Mode.COLD, "RwR off: every frame from scratch"),
    True: Caption(Mode.RWR, "RwR on: every frame starts where the last one ended"),
}


class _Stage(StrEnum):
    IDLE = "idle"
    WAITING = "waiting"
    SHOWING = "showing"


class FirstLook:
    """Switches RwR off and on where a face is in view: in the demo or in front of a camera.

    The switch is only lent: nothing of it is remembered, and the end restores what was in force.

    Args:
        configure: tracks with these settings from the next frame on.
    """

    def __init__(self, configure: Callable[[TrackingSettings], object]) -> None:
        self._configure = configure
        self._stage = _Stage.IDLE
        self._own = TrackingSettings()
        self._since: float | None = None
        self._turn = 0

    @property
    def active(self) -> bool:
        """Whether it is shown, or waits for a face."""
        return self._stage is not _Stage.IDLE

    @property
    def caption(self) -> Caption | None:
        """What to write on the picture."""
        return CAPTIONS[TURNS[self._turn]] if self._stage is _Stage.SHOWING else None

    def begin(self, tracking: TrackingSettings) -> None:
        """Wait for a face; nothing happens where ``tracking`` is not as usual, since somebody asked for that."""
        if tracking.rwr and not tracking.compare:
            self._stage, self._own, self._since = _Stage.WAITING, tracking, None

    def move_on(self, state: SessionState, result: FrameResult | None, now: float) -> None:
        """Show what is due at ``now`` (seconds); ends after the last turn, and where there is nothing to show.

        Args:
            state: of the session.
            result: what is in view, None before the first picture.
            now: seconds.
        """
        if not self.active:
            return
        source = state.source
        unsuitable = source is not None and not isinstance(source, DemoSpec | CameraSpec)
        if unsuitable or state.stage in (LiveState.FAILED, LiveState.STOPPED, LiveState.ENDED):
            self.end()
        elif self._stage is _Stage.SHOWING:
            self._show(now)
        elif result is not None and result.faces:
            self._stage, self._since = _Stage.SHOWING, now
            self._turn = 0
            self._switch()
        elif result is not None:
            self._since = now if self._since is None else self._since
            if now - self._since > PATIENCE_SECONDS:
                self.end()

    def end(self) -> bool:
        """Restore the settings; return whether RwR was on just before."""
        shown = self._stage is not _Stage.SHOWING or TURNS[self._turn]
        if self._stage is _Stage.SHOWING:
            self._configure(self._own)
        self._stage = _Stage.IDLE
        return shown

    def _show(self, now: float) -> None:
        turn = int((now - (self._since or 0.0)) / TURN_SECONDS)
        if turn >= len(TURNS):
            self.end()
        elif turn != self._turn:
            self._turn = turn
            self._switch()

    def _switch(self) -> None:
        self._configure(replace(self._own, rwr=TURNS[self._turn]))
