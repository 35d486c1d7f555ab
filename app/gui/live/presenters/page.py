"""The live page without its widgets: what each action does, and the facts to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from app.core.errors import UserError
from app.core.frame import FrameResult
from app.core.settings import ModelChoice, TrackingSettings
from app.gui.live.presenters.banners import Banners
from app.gui.live.presenters.choices import CHANGES, Change
from app.gui.live.presenters.chooser import CameraChoice
from app.gui.live.presenters.first_look import FirstLook
from app.gui.live.presenters.flicker import FlickerHistory, FlickerView
from app.gui.live.presenters.hint_watcher import HintWatcher
from app.gui.live.presenters.hotplug import WAITING, CameraHotplug
from app.gui.live.presenters.model import smaller_shipped
from app.gui.live.presenters.preferences import Preferences
from app.gui.live.presenters.readouts import Facts
from app.gui.live.presenters.recording import wished_path
from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.session import LiveSession
from app.gui.live.presenters.settings import LiveSettings, recordings_folder
from app.gui.live.presenters.share import ShareForm, ShareReading, read_form
from app.gui.live.presenters.signals import NeutralCapture
from app.gui.live.presenters.solver import SolverHistory, SolverView
from app.gui.live.presenters.state import SessionState
from app.gui.live.presenters.timing import CountMeter, LatencyMeter, RateMeter
from app.gui.presenters.actions import ActionName
from app.gui.presenters.banner import NOTICE_SECONDS, Banner, Tone
from app.gui.presenters.faces import FaceChoice
from app.gui.presenters.player import Player
from app.gui.presenters.zoom import FaceZoom
from app.sharing.sharing import Sharing
from app.sources.spec import CameraSpec, DemoSpec, PathSpec, SourceSpec, StreamSpec, parse_source
from app.tracking.live import Consumer, LiveState
from model.rwr.settings import RwrSettings

MakeSession = Callable[[TrackingSettings, Sequence[Consumer], Callable[[], None], Callable[[], None]], LiveSession]
"""Makes a session from settings, consumers and what to call when it changed and when it was emptied."""

Remember = Callable[..., None]
"""Takes fields of :class:`Remembered` that the user has changed."""


class Measurement(Protocol):
    """Something that measures what plays for a while, such as the hold-still test."""

    @property
    def running(self) -> bool: ...
    def consume(self, result: FrameResult) -> None: ...
    def cancel(self) -> None: ...


class LivePresenter:
    """Keeps the meters, drives the session and answers what the window asks.

    Args:
        settings: how to begin.
        make_session: makes the session.
        changed: called on any thread when there is something new to show.
        remember: keeps choices for the next time.
    """

    def __init__(
        self,
        settings: LiveSettings,
        make_session: MakeSession,
        changed: Callable[[], None],
        remember: Remember = lambda **changes: None,
    ) -> None:
        self._settings = settings
        self._remember = remember
        self._chosen = settings.chosen
        self.model = settings.model
        self._faces = FaceChoice()
        self._flicker = FlickerHistory(self._faces)
        self._solver = SolverHistory(self._faces)
        self._hints = HintWatcher()
        self._neutral = NeutralCapture()
        self.zoom = FaceZoom(self._faces)
        self._rate = RateMeter()
        self._captured = CountMeter()
        self._latency = LatencyMeter()
        self._banners = Banners()
        self._requested: SourceSpec | None = None
        self._hotplug = CameraHotplug()
        self._offered: SourceSpec | None = None
        self.sharing = Sharing(self.share_reading.settings)
        self.session = make_session(settings.chosen.tracking, (self._consume,), changed, self._forget)
        self.first_look = FirstLook(lambda own: self.session.configure(lambda now: replace(now, rwr=own.rwr)))
        self.player = Player(lambda: self.session.playable)
        self._measurements: tuple[Measurement, ...] = ()
        self._doings: dict[ActionName, Callable[[], None]] = {
            **{name: partial(self.change_tracking, change) for name, change in CHANGES.items()},
            ActionName.GHCU: self._toggle_ghcu,
            ActionName.NEUTRAL: self._take_neutral,
            ActionName.PLAY: self._toggle_play,
            ActionName.RECORD: self._toggle_record,
            ActionName.MIRROR: self._toggle_mirror,
            ActionName.PRIVACY: lambda: self.set_privacy(not self._chosen.privacy),
            ActionName.RETRY: lambda: self.play(self._requested),
            ActionName.DEMO: lambda: self.play(DemoSpec()),
            ActionName.USE_CAMERA: lambda: self.play(self._offered),
            **self.player.actions,
        }

    def attach(self, measurement: Measurement) -> None:
        """Hand every frame to ``measurement`` from now on, and keep tracking while it runs."""
        self._measurements = (*self._measurements, measurement)

    def begin(self) -> None:
        """Play what the settings ask for."""
        self._hints.start()
        if self._settings.note:
            self._banners.post(Banner(("note", self._settings.note), Tone.INFO, self._settings.note))
        if self._chosen.source is None:
            self.play(None)
        else:
            self.open(self._chosen.source)

    def end(self) -> None:
        """Stop what the session does not own, once that is closed."""
        for measurement in self._measurements:
            measurement.cancel()
        self._hints.stop()
        self.sharing.stop()

    def rest(self, unseen: bool) -> None:
        """Pause tracking while the picture is ``unseen``, unless it is recorded, shared or measured."""
        live = self.session.live
        resting = unseen and not self._needed
        if live is not None:
            live.rest(resting)
        if resting:  # or the first seconds after it would look as if the computer were too slow
            self._rate.clear()
            self._captured.clear()

    @property
    def _needed(self) -> bool:
        recorded = self.session.state.recording is not None
        return recorded or self.sharing.active or any(each.running for each in self._measurements)

    @property
    def chosen(self) -> Remembered:
        """Everything that the user has chosen."""
        return self._chosen

    def choose(self, **changes: Any) -> None:
        """Change fields of :attr:`chosen`, and remember them."""
        self._chosen = replace(self._chosen, **changes)
        self._remember(**changes)

    @property
    def folder(self) -> Path:
        """Where recordings, snapshots and report cards go."""
        return recordings_folder(self._chosen)

    @property
    def recording(self) -> Path | None:
        """The folder of the session that is being recorded, None while none is."""
        recording = self.session.state.recording
        return None if recording is None else recording.path

    @property
    def mirrored(self) -> bool:
        """Whether the picture is flipped: as the user chose, otherwise for cameras only."""
        return self._usually_mirrored if self._chosen.mirror is None else self._chosen.mirror

    @property
    def _usually_mirrored(self) -> bool:
        return isinstance(self.session.state.source, CameraSpec)  # not its kind: that of a path is read from the disk

    @property
    def source_name(self) -> str:
        """What plays, for the source button."""
        state = self.session.state
        if state.info is not None and state.playing:
            return state.info.name
        source = self._requested if self._requested is not None else state.source
        return "Automatic" if source is None else source.label

    def open(self, typed: str) -> None:
        """Play what a person typed; what names no source is answered with a message."""
        try:
            source = parse_source(typed)
        except UserError as error:
            self.say(str(error), Tone.ERROR)
        else:
            self.play(source)

    def open_dropped(self, sources: Sequence[SourceSpec]) -> None:
        """Play the first of what was dropped; not while a recording would end."""
        if self.session.state.recording is not None:
            self.say("A recording runs; finish it first, and then drop this again.")
            return
        if len(sources) > 1:
            self.say(f"The first of {len(sources)} is played; main.py track tracks all of them.")
        self.play(sources[0])

    def play(self, source: SourceSpec | None) -> None:
        """Play ``source``; None looks for a camera. It is remembered unless its address holds a secret."""
        self._requested = source
        self.choose(source=_kept(source))
        self.session.play(source)

    def watch_cameras(self, cameras: Sequence[CameraChoice] | None) -> None:
        """Play on with a camera that is back, and offer one that is new; ``cameras`` are those found last."""
        state = self.session.state
        self._know_by_name(state, cameras or ())
        advice = self._hotplug.look(cameras, state, time.perf_counter())
        self._banners.outlook = WAITING if advice.waiting else ""
        if advice.resume is not None:
            self.session.play(advice.resume)
        elif advice.offer is not None:
            self._offered = advice.offer.spec
            self.say(f"{advice.offer.name} is connected.", Tone.INFO, (ActionName.USE_CAMERA,))

    def _know_by_name(self, state: SessionState, cameras: Sequence[CameraChoice]) -> None:
        """Ask for the camera that plays by its name the next time; its number may be another one's by then."""
        source, info = state.source, state.info
        if state.stage != LiveState.RUNNING or info is None or source is None or source != self._requested:
            return
        if isinstance(source, CameraSpec) and any(camera.name == info.name for camera in cameras):
            named = replace(source, name=info.name)
            if named != source and not info.name.isdecimal():  # which would be taken for a number
                self._requested = named
                self.choose(source=str(named))

    def toggle(self, action: ActionName) -> bool:
        """Do what ``action`` stands for; return False for actions that only a window can do."""
        doing = self._doings.get(action)
        if doing is None:
            return False
        doing()
        return True

    def change_tracking(self, change: Change) -> None:
        """Track as ``change`` makes of the settings in force, from the next frame on."""
        before, after = self.session.configure(change)
        # Of the session's settings what changed alone: others may be those of the hold-still test.
        changed = {
            name: getattr(after, name)
            for name in TrackingSettings.__slots__
            if getattr(after, name) != getattr(before, name)
        }
        self.choose(tracking=replace(self._chosen.tracking, **changed))

    def adopt_first_look(self) -> None:
        """End the first look, but keep what it showed last: what follows is meant to change that."""
        shown = self.first_look.end()
        self.change_tracking(lambda tracking: replace(tracking, rwr=shown))

    def set_privacy(self, private: bool) -> None:
        """Blur and record landmarks only, or not; a recording with other rules is finished."""
        if private == self._chosen.privacy:
            return
        self.choose(privacy=private)
        self.sharing.configure(self.share_reading.settings)
        if self.session.finish_recording():
            text = "The recording was finished, because privacy was switched; start another one to go on."
            self._banners.post(Banner(("privacy", time.perf_counter()), Tone.INFO, text, (), NOTICE_SECONDS))

    @property
    def preferences(self) -> Preferences:
        """What the preferences card shows."""
        choice = self.model.choice if smaller_shipped() else None
        return replace(self._chosen.preferences, model=choice, symmetric=self.model.symmetric)

    def set_preferences(self, preferences: Preferences) -> None:
        """Take what the preferences card says."""
        shown = self.preferences
        self.set_privacy(preferences.privacy)
        self.choose(
            theme=preferences.theme,
            recording=preferences.recording,
            mirror=preferences.mirror,
            folder=preferences.folder,
        )
        if preferences.max_faces != shown.max_faces:  # the command line may ask for more than the card can show
            self.change_tracking(lambda tracking: replace(tracking, max_faces=preferences.max_faces))
        if preferences.model is not None and preferences.model != shown.model:
            self._choose_model(preferences.model)
        if preferences.symmetric != shown.symmetric:
            self._choose_symmetric(preferences.symmetric)

    @property
    def share_reading(self) -> ShareReading:
        """What the share card means."""
        return read_form(self._chosen.share, self._chosen.privacy, self._chosen.neutral)

    def share(self, form: ShareForm) -> None:
        """Share what the card says."""
        self.choose(share=form)
        self.sharing.configure(self.share_reading.settings)

    def choose_face(self, face: int | None) -> None:
        """Read this identity's figures, and let other programs receive it first; None for whom the settings prefer."""
        self._faces.choose(face)
        self._follow(face)

    def next_face(self, result: FrameResult | None) -> None:
        """Choose the next face in view, as :meth:`choose_face` does."""
        if result is not None:
            self._follow(self._faces.next(result))

    def _follow(self, face: int | None) -> None:
        """Let ``face`` come first until another source plays; its number means nothing at the next start."""
        follow = self._chosen.tracking.follow if face is None else str(face)
        if follow != self.session.state.tracking.follow:
            self.session.configure(lambda tracking: replace(tracking, follow=follow))

    def painted(self, captured: float, painted: float) -> None:
        """Record that a frame reached the screen."""
        self._latency.add(captured, painted)

    def saved(self, path: Path | None, error: str) -> None:
        """Report that a snapshot was saved, or why not."""
        key = ("snapshot", path, time.perf_counter())
        if path is None:
            self._banners.post(Banner(key, Tone.ERROR, error))
        else:
            text = f"Saved {path.name}, and the same picture without landmarks."
            self._banners.post(Banner(key, Tone.GOOD, text, (ActionName.SHOW_FOLDER,), NOTICE_SECONDS))

    def work_ended(self, text: str, good: bool) -> None:
        """Report how a replay or a clip ended that was made in the background; bad news stays."""
        tone, seconds = (Tone.GOOD, NOTICE_SECONDS) if good else (Tone.ERROR, None)
        self._banners.post(Banner(("work", text, time.perf_counter()), tone, text, (), seconds))

    def say(self, text: str, tone: Tone = Tone.INFO, offers: tuple[ActionName, ...] = ()) -> None:
        """Show one sentence for a while."""
        self._banners.post(Banner((text, time.perf_counter()), tone, text, offers, NOTICE_SECONDS))

    def banner(self, state: SessionState) -> Banner | None:
        """Return the message to show beside what else ``state`` shows."""
        return self._banners.current(state, time.perf_counter())

    def dismiss(self, banner: Banner) -> None:
        """Do not show this message again."""
        self._banners.dismiss(banner)

    def flicker(self) -> FlickerView:
        """Return the flicker of the last seconds."""
        return self._flicker.view(time.perf_counter())

    def solver(self) -> SolverView:
        """Return what the solver did lately, and how RwR is set."""
        settings = self.session.state.tracking.recurrence or RwrSettings()
        return replace(self._solver.view(time.perf_counter()), settings=settings)

    def facts(self, result: FrameResult | None) -> Facts:
        """Return everything the readouts need; ``result`` is what is in view."""
        now, state = time.perf_counter(), self.session.state
        return Facts(
            state=state,
            result=result,
            flicker=self._flicker.view(now),
            fps=self._rate.rate(now),
            latency=self._latency.latency(now),
            mirrored=self.mirrored,
            now=now,
            hint=self._hints.hint,
            chosen_face=self._faces.chosen,
            private=self._chosen.privacy,
            sharing=self.sharing.status(),
            model=self.model.name,
            caption=self.first_look.caption,
            captured_fps=None if state.status is None else self._captured.rate(state.status.captured, now),
        )

    def _consume(self, result: FrameResult) -> None:
        self._flicker.add(result)
        self._solver.add(result)
        self._hints.consume(result)
        self._neutral.add(result)
        for measurement in self._measurements:
            measurement.consume(result)
        self.sharing.consume(result)
        self._rate.tick(time.perf_counter())

    def _forget(self) -> None:
        self._flicker.clear()
        self._solver.clear()
        self._hints.clear()
        self._neutral.clear()
        self._rate.clear()
        self._latency.clear()
        self.zoom.forget()
        self.choose_face(None)

    def _toggle_mirror(self) -> None:
        """Flip the picture or not; what would be so anyway is left to the kind of source."""
        wanted = not self.mirrored
        self.choose(mirror=None if wanted == self._usually_mirrored else wanted)

    def _toggle_ghcu(self) -> None:
        if self.session.state.tracking.ghcu or self.model.ghcu_found:
            self.change_tracking(lambda tracking: replace(tracking, ghcu=not tracking.ghcu))
        else:
            text = f"There is no GHCU for {self.model.name}; "
            other = "choose ldeq-s in the preferences, or make it with" if self.model.choice else "make it with"
            self.say(f"{text}{other} main.py train-ghcu.")

    def _choose_model(self, model: ModelChoice) -> None:
        """Run another model; what plays starts again with it."""
        if self._model_recorded():
            return
        self.choose(model=model)
        self.model.choose(model)
        if self.session.state.tracking.ghcu and not self.model.ghcu_found:
            self.change_tracking(lambda tracking: replace(tracking, ghcu=False))
            self.say(f"Covered points are not repaired any more: there is no GHCU for {self.model.name}.")
        self._play_anew()

    def _choose_symmetric(self, on: bool) -> None:
        """Let the model see each face mirrored as well, or not; what plays starts again with it."""
        if self._model_recorded():
            return
        self.choose(symmetric=on)
        self.model.choose_symmetric(on)
        self._play_anew()

    def _play_anew(self) -> None:
        """Start what plays again, or failed to, with the model that was chosen."""
        state = self.session.state
        if state.active or state.stage == LiveState.FAILED:  # the model that failed may be the one that was replaced
            self.session.play(state.source)

    def _model_recorded(self) -> bool:
        """Whether a recording holds the model as it is; says so."""
        recorded = self.session.state.recording is not None
        if recorded:
            self.say("A recording has one model; finish it first, and then choose another one.")
        return recorded

    def _take_neutral(self) -> None:
        neutral = self._neutral.take()
        if neutral is None:
            self.say("There is no face in view; look into the camera with a relaxed face and try again.")
            return
        self.choose(neutral=neutral)
        self.sharing.configure(self.share_reading.settings)
        self.say("This is your neutral face now; avatars are at rest with it.", Tone.GOOD)

    def _toggle_play(self) -> None:
        if self.session.state.active:
            self.session.stop()
        else:
            self.play(self._requested)

    def _toggle_record(self) -> None:
        if not self.session.finish_recording() and self.session.state.can_record:
            choices = self._chosen.preferences.choices
            self.session.record(wished_path(self.folder), choices)


def _kept(source: SourceSpec | None) -> str | None:
    """Return what is remembered of a source: a path from anywhere, and no address that may hold a password."""
    if source is None or (isinstance(source, StreamSpec) and source.secret):
        return None
    return str(source.path.absolute() if isinstance(source, PathSpec) else source)
