"""Messages in the window: what happened, in one sentence, with actions to take."""

from __future__ import annotations

from collections.abc import Hashable

from app.core.text_table import counted
from app.gui.live.presenters.state import SessionState
from app.gui.presenters.actions import ActionName
from app.gui.presenters.banner import NOTICE_SECONDS, Banner, Tone
from app.sessions.recorder import RecordingSummary
from app.sources.spec import DemoSpec
from app.tracking.live import LiveState

NO_CAMERA = "No camera found; playing the demo clip instead."
OFFER_SECONDS = 12.0
"""How long a message stays that the user may want to act on."""


class Banners:
    """Decides which message is shown. Messages about the session depend on its state alone."""

    def __init__(self) -> None:
        self._dismissed: set[Hashable] = set()
        self._notice: Banner | None = None
        self._shown_since: dict[Hashable, float] = {}
        self.outlook = ""
        """What will happen by itself to a source that failed, "" for nothing."""

    def post(self, banner: Banner) -> None:
        """Show a message that does not follow from the session's state, such as a saved snapshot."""
        self._notice = banner

    def dismiss(self, banner: Banner) -> None:
        """Do not show this occasion of the message again."""
        self._dismissed.add(banner.key)

    def current(self, state: SessionState, now: float) -> Banner | None:
        """Return the message to show at ``now``, the most pressing first."""
        finished = _finished(state.finished)
        untold = finished is not None and finished.key not in self._shown_since
        asked = (
            _failed(state, finished.text if finished is not None and untold else "", self.outlook),
            self._notice,
            finished,
            _ended(state),
            _no_camera(state),
        )
        banners = [banner for banner in asked if banner is not None]
        self._forget_all_but({banner.key for banner in banners})
        for banner in banners:
            if banner.key not in self._dismissed and not self._over(banner, now):
                return banner
        return None

    def _forget_all_but(self, keys: set[Hashable]) -> None:
        """Forget occasions that are over; none of them comes back."""
        self._dismissed &= keys
        self._shown_since = {key: since for key, since in self._shown_since.items() if key in keys}

    def _over(self, banner: Banner, now: float) -> bool:
        since = self._shown_since.setdefault(banner.key, now)
        return banner.seconds is not None and now - since > banner.seconds


def _failed(state: SessionState, finished: str, outlook: str) -> Banner | None:
    """Return why the source failed, what became of its recording, and what will happen by itself."""
    if state.stage != LiveState.FAILED:
        return None
    error = state.status.error if state.status is not None else ""
    text = state.problem or error or "The source stopped."
    others = () if state.source == DemoSpec() else (ActionName.DEMO,)
    return Banner(
        (LiveState.FAILED, state.play),
        Tone.ERROR,
        " ".join(part for part in (text, finished, outlook) if part),
        (ActionName.RETRY, ActionName.CHOOSE, *others),
    )


def _ended(state: SessionState) -> Banner | None:
    if state.stage != LiveState.ENDED:
        return None
    name = state.info.name if state.info is not None else "The source"
    return Banner((LiveState.ENDED, state.play), Tone.INFO, f"{name} has ended.", (ActionName.RETRY, ActionName.CHOOSE))


def _finished(finished: RecordingSummary | None) -> Banner | None:
    if finished is None:
        return None
    key = ("finished", finished)
    if finished.error:
        return Banner(key, Tone.ERROR, finished.error, (ActionName.SHOW_FOLDER,) if finished.frames else ())
    if not finished.frames:
        return Banner(key, Tone.INFO, "Nothing was recorded: it ended before the first frame.", (), NOTICE_SECONDS)
    missing = ""
    if finished.dropped:
        pictures = "1 picture is" if finished.dropped == 1 else f"{finished.dropped} pictures are"
        missing = f"; {pictures} missing in its video"
    if finished.damaged:
        missing += f"; {counted(finished.damaged, 'frame')} could not be written"
    text = f"Saved {finished.path.name}: {finished.seconds:.1f} s{missing}."
    return Banner(key, Tone.GOOD, text, (ActionName.OPEN_SESSION, ActionName.SHOW_FOLDER), OFFER_SECONDS)


def _no_camera(state: SessionState) -> Banner | None:
    if not state.no_camera:
        return None
    text = f"{state.refusal} The demo clip plays instead." if state.refusal else NO_CAMERA
    return Banner(("no camera", state.play), Tone.INFO, text, (ActionName.RETRY, ActionName.CHOOSE))
