"""Updates the current hint on a thread of its own, so that neither tracking nor the window waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.core.frame import FrameResult
from app.gui.live.presenters.hints import Hint, HintJudge

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25


class HintWatcher:
    """Looks at the newest result about four times a second.

    Args:
        changed: called on the watcher's thread when :attr:`hint` changed.
        pause: seconds between two looks.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None, pause: float = LOOK_SECONDS) -> None:
        self._changed = changed
        self._pause = pause
        self._lock = threading.Lock()
        self._newest: FrameResult | None = None
        self._last_face: FrameResult | None = None
        self._hint: Hint | None = None
        self._looked_at: FrameResult | None = None
        self._judge = HintJudge()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)

    @property
    def hint(self) -> Hint | None:
        """What to say, None if nothing."""
        return self._hint

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """End the thread; return whether it ended in time. Safe to call before :meth:`start`."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def consume(self, result: FrameResult) -> None:
        """Note a result; a consumer of the pipeline, takes no time."""
        with self._lock:
            self._newest = result
            if result.faces:
                self._last_face = result

    def clear(self) -> None:
        """Forget everything: another source follows."""
        with self._lock:
            self._newest = self._last_face = None
            self._judge = HintJudge()
            self._hint = None

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            with self._lock:
                newest, last_face, judge = self._newest, self._last_face, self._judge
            if newest is None or newest is self._looked_at:
                continue
            try:
                self._look(newest, last_face, judge)
            except Exception:
                # Hints are optional: a picture that cannot be judged must not stop tracking.
                log.exception("no hint could be found")
            self._looked_at = newest

    def _look(self, newest: FrameResult, last_face: FrameResult | None, judge: HintJudge) -> None:
        hint = judge.look(newest, last_face)
        with self._lock:
            if judge is not self._judge:
                return  # cleared meanwhile
            changed = hint != self._hint
            self._hint = hint
        if changed:
            self._changed()
