"""The source menu: what can be chosen, and asking for files and addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject

from app.gui.live.camera_finder import CameraFinder
from app.gui.live.presenters.chooser import Ask, CameraChoice, Choice, ScreenChoice, choices
from app.gui.live.presenters.state import SessionState
from app.gui.live.views.page import LivePage
from app.gui.widgets.files import ask_for_file
from app.sources.spec import PathSpec, SourceSpec


class SourceMenu(QObject):
    """Keeps the menu up to date and plays what is chosen in it.

    Args:
        page: has the menu and the entry for addresses.
        find_cameras: lists the cameras; may take a while.
        find_screens: lists the screens.
        playing: returns the session's state.
        play: plays a source.
        open_typed: plays what a person typed.
    """

    def __init__(
        self,
        page: LivePage,
        find_cameras: Callable[[], Sequence[CameraChoice]],
        find_screens: Callable[[], Sequence[ScreenChoice]],
        playing: Callable[[], SessionState],
        play: Callable[[SourceSpec], None],
        open_typed: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._page = page
        self._playing = playing
        self._play = play
        self._shown: tuple[Choice, ...] = ()
        self._finder = CameraFinder(find_cameras, find_screens)
        self._finder.found.connect(self._fill)
        page.bar.chosen.connect(self._choose)
        page.bar.menu_opened.connect(self._fill)
        page.bar.menu_opened.connect(self._finder.search)
        page.address.entered.connect(open_typed)

    def begin(self) -> None:
        """Look for cameras, now and whenever one comes or goes."""
        self._finder.search()
        self._finder.watch()

    @property
    def cameras(self) -> Sequence[CameraChoice] | None:
        """The cameras found last; None before they were looked for."""
        return self._finder.cameras

    def stop(self) -> None:
        """Stop searching for cameras."""
        self._finder.stop(0.5)

    def _fill(self) -> None:
        state = self._playing()
        found = choices(self._finder.cameras, self._finder.screens, state.source, state.info)
        if found != self._shown:  # not under the hand of somebody who reads the menu
            self._shown = found
            self._page.bar.show_choices(found)

    def _choose(self, opens: SourceSpec | Ask) -> None:
        self._shown = ()  # a click takes the tick off the entry that plays
        if opens is Ask.FILE:
            playing = self._playing().source
            start = playing.path.parent if isinstance(playing, PathSpec) else Path.home()
            ask_for_file(self._page, start, lambda path: self._play(PathSpec(path)))
        elif opens is Ask.ADDRESS:
            self._page.address.ask()
            self._page.place()
        else:
            self._play(opens)
