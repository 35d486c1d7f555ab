"""The live window without its widgets: what each key does, and the facts to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from app.gui.presenters import actions
from app.gui.presenters.banners import ERROR, GOOD, INFO, NOTICE_SECONDS, Banner, Banners
from app.gui.presenters.flicker import FlickerHistory
from app.gui.presenters.readouts import Facts, is_camera, source_name
from app.gui.presenters.session import Consumer, LiveSession
from app.gui.presenters.state import SessionState
from app.gui.presenters.timing import LatencyMeter, RateMeter
from app.gui.settings import LiveSettings
from app.pipeline.frame import FrameResult
from app.recording.paths import unique_path
from app.settings import TrackingSettings
from app.sources.camera import CameraFormat

MakeSession = Callable[[TrackingSettings, Sequence[Consumer], Callable[[], None], Callable[[], None]], LiveSession]
"""Makes a session from settings, consumers and what to call when it changed and when it was emptied."""


class LiveDesk:
    """Keeps the meters, drives the session and answers what the window asks.

    Args:
        settings: how to begin.
        make_session: makes the session.
        changed: called on any thread when there is something new to show.
    """

    def __init__(self, settings: LiveSettings, make_session: MakeSession, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._flicker = FlickerHistory()
        self._rate = RateMeter()
        self._latency = LatencyMeter()
        self._banners = Banners()
        self._mirror = settings.mirror
        self._requested = settings.source
        self.session = make_session(settings.tracking, (self._consume,), changed, self._forget)

    def begin(self) -> None:
        """Play what the settings ask for."""
        self.play(self._settings.source)

    @property
    def folder(self) -> Path:
        """Where recordings and snapshots go."""
        return self._settings.folder

    @property
    def mirrored(self) -> bool:
        """Whether the picture is flipped: as the person chose, otherwise for cameras only."""
        if self._mirror is not None:
            return self._mirror
        return is_camera(self.session.state.source)

    @property
    def source_name(self) -> str:
        """What plays, for the source button."""
        state = self.session.state
        if state.info is not None and state.playing:
            return state.info.name
        return source_name(self._requested if self._requested is not None else state.source)

    def play(self, source: str | None) -> None:
        """Play ``source``; None looks for a camera."""
        self._requested = source
        self.session.play(source)

    def toggle(self, action: str) -> bool:
        """Do what ``action`` stands for; return False for actions that only a window can do."""
        doings: dict[str, Callable[[], None]] = {
            actions.RWR: self._toggle_rwr,
            actions.COMPARE: self._toggle_compare,
            actions.GHCU: self._toggle_ghcu,
            actions.PLAY: self._toggle_play,
            actions.RECORD: self._toggle_record,
            actions.MIRROR: self._toggle_mirror,
            actions.RETRY: self._retry,
            actions.DEMO: self._play_demo,
        }
        doing = doings.get(action)
        if doing is None:
            return False
        doing()
        return True

    def painted(self, captured: float, painted: float) -> None:
        """Note that a frame reached the screen."""
        self._latency.add(captured, painted)

    def saved(self, path: Path | None, error: str) -> None:
        """Say that a snapshot was saved, or why not."""
        key = ("snapshot", path, time.perf_counter())
        if path is None:
            self._banners.post(Banner(key, ERROR, error))
        else:
            text = f"Saved {path.name}, and the same picture without landmarks."
            self._banners.post(Banner(key, GOOD, text, (actions.SHOW_FOLDER,), NOTICE_SECONDS))

    def banner(self, state: SessionState) -> Banner | None:
        """Return the message to show beside what else ``state`` shows."""
        return self._banners.current(state, time.perf_counter())

    def dismiss(self, banner: Banner) -> None:
        """Do not show this message again."""
        self._banners.dismiss(banner)

    def facts(self, result: FrameResult | None) -> Facts:
        """Return everything the readouts need; ``result`` is what is in view."""
        now = time.perf_counter()
        return Facts(
            state=self.session.state,
            result=result,
            flicker=self._flicker.view(now),
            fps=self._rate.rate(now),
            latency=self._latency.latency(now),
            mirrored=self.mirrored,
            asked=self._asked_size(),
            now=now,
        )

    def _asked_size(self) -> tuple[int, int] | None:
        if not is_camera(self.session.state.source):
            return None
        asked = CameraFormat()
        return asked.width, asked.height

    def _consume(self, result: FrameResult) -> None:
        self._flicker.add(result)
        self._rate.tick(time.perf_counter())

    def _forget(self) -> None:
        self._flicker.clear()
        self._rate.clear()
        self._latency.clear()

    def _toggle_rwr(self) -> None:
        tracking = self.session.state.tracking
        self.session.configure(replace(tracking, rwr=not tracking.rwr))

    def _toggle_compare(self) -> None:
        tracking = self.session.state.tracking
        self.session.configure(replace(tracking, compare=not tracking.compare))

    def _toggle_ghcu(self) -> None:
        tracking = self.session.state.tracking
        if tracking.ghcu or self._settings.ghcu_found:
            self.session.configure(replace(tracking, ghcu=not tracking.ghcu))
        else:
            text = f"There is nothing to repair points with beside {self._settings.engine.weights.name}; "
            key = ("ghcu", time.perf_counter())
            self._banners.post(Banner(key, INFO, f"{text}main.py train-ghcu makes it.", (), NOTICE_SECONDS))

    def _toggle_play(self) -> None:
        if self.session.state.active:
            self.session.stop()
        else:
            self._retry()

    def _toggle_record(self) -> None:
        state = self.session.state
        if state.recording is not None:
            self.session.finish_recording()
        elif state.can_record:
            self.session.record(unique_path(self.folder, "ldeq-live", ""))

    def _toggle_mirror(self) -> None:
        self._mirror = not self.mirrored

    def _retry(self) -> None:
        self.play(self._requested)

    def _play_demo(self) -> None:
        self.play("demo")
