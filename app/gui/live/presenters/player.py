"""Steers a file that plays: hold, go back and ahead, frame by frame. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from app.gui.presenters import actions
from app.gui.presenters.playback import moved_by

if TYPE_CHECKING:
    from app.gui.live.presenters.state import Live
    from app.sources.base import Playback

SECONDS = 1.0
MORE_SECONDS = 5.0


class Player:
    """Does what the scrub bar and its keys ask for; for cameras, and while nothing plays, that is nothing.

    Args:
        live: returns the pipeline that runs.
    """

    def __init__(self, live: Callable[[], Live | None]) -> None:
        self._live = live
        self.actions: Mapping[str, Callable[[], None]] = {
            actions.PAUSE: self.toggle_pause,
            actions.BACK: lambda: self.move(-SECONDS),
            actions.AHEAD: lambda: self.move(SECONDS),
            actions.BACK_MORE: lambda: self.move(-MORE_SECONDS),
            actions.AHEAD_MORE: lambda: self.move(MORE_SECONDS),
            actions.FRAME_BACK: lambda: self.step(-1),
            actions.FRAME_AHEAD: lambda: self.step(1),
        }

    @property
    def playback(self) -> Playback | None:
        """Where the source stands; None where it cannot be steered."""
        live = self._live()
        return live.status.playback if live is not None else None

    def toggle_pause(self) -> None:
        """Hold still, or play on."""
        playback = self.playback
        if playback is not None:
            self.pause(not playback.paused)

    def pause(self, paused: bool) -> None:
        """Hold still or play on, as asked."""
        live = self._live()
        if live is not None:
            live.pause(paused)

    def seek(self, seconds: float) -> None:
        """Go on at ``seconds`` from the beginning."""
        live = self._live()
        if live is not None:
            live.seek(seconds)

    def move(self, seconds: float) -> None:
        """Go on so many seconds later, or earlier if negative."""
        playback = self.playback
        if playback is not None:
            self.seek(moved_by(playback, seconds))

    def step(self, frames: int) -> None:
        """Hold still, so many frames on, or back if negative."""
        live = self._live()
        if live is not None:
            live.step(frames)

    def set_speed(self, speed: float) -> None:
        """Play so many times as fast."""
        live = self._live()
        if live is not None:
            live.set_speed(speed)
