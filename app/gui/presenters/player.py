"""Steers a file or a session that plays: pause, seek, step by frames, change speed. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from app.gui.presenters.actions import ActionName
from app.gui.presenters.playback import LONG_STEP_SECONDS, STEP_SECONDS, moved_by

if TYPE_CHECKING:
    from app.sources.base import Playback, Steerable


class Player:
    """Does what the scrub bar and its keys ask for; does nothing for cameras and while nothing plays.

    Args:
        playable: returns what steers that which plays now; None if nothing plays or it cannot be steered.
    """

    def __init__(self, playable: Callable[[], Steerable | None]) -> None:
        self._playable = playable
        self.actions: Mapping[ActionName, Callable[[], None]] = {
            ActionName.PAUSE: self.toggle_pause,
            ActionName.BACK: lambda: self.move(-STEP_SECONDS),
            ActionName.AHEAD: lambda: self.move(STEP_SECONDS),
            ActionName.BACK_MORE: lambda: self.move(-LONG_STEP_SECONDS),
            ActionName.AHEAD_MORE: lambda: self.move(LONG_STEP_SECONDS),
            ActionName.FRAME_BACK: lambda: self.step(-1),
            ActionName.FRAME_AHEAD: lambda: self.step(1),
        }

    @property
    def playback(self) -> Playback | None:
        """Where the source stands; None if it cannot be steered."""
        playable = self._playable()
        return playable.playback if playable is not None else None

    def toggle_pause(self) -> None:
        """Pause, or play on."""
        playback = self.playback
        if playback is not None:
            self.pause(not playback.paused)

    def move(self, seconds: float) -> None:
        """Continue that many seconds later, or earlier if negative."""
        playback = self.playback
        if playback is not None:
            self.seek(moved_by(playback, seconds))

    def pause(self, paused: bool) -> None:
        """Pause or play on, as told."""
        if (playable := self._playable()) is not None:
            playable.pause(paused)

    def seek(self, seconds: float) -> None:
        """Continue at ``seconds`` from the beginning."""
        if (playable := self._playable()) is not None:
            playable.seek_to(seconds)

    def step(self, frames: int) -> None:
        """Pause and show the picture that many frames later, or earlier if negative."""
        if (playable := self._playable()) is not None:
            playable.step(frames)

    def set_speed(self, speed: float) -> None:
        """Play at ``speed`` times the normal speed."""
        if (playable := self._playable()) is not None:
            playable.set_speed(speed)
