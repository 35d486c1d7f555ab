"""The pages of recorded sessions: the list, and the one that is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFile
from PySide6.QtWidgets import QStackedWidget

from app.core.settings import EngineSettings
from app.gui.presenters.actions import ActionName
from app.gui.viewer.presenters.jobs import Outcome
from app.gui.viewer.presenters.library import Library
from app.gui.viewer.presenters.viewer import Viewer
from app.gui.viewer.views.library import LibraryView
from app.gui.viewer.views.viewer import ViewerView


class SessionPages:
    """Adds both pages to the window's and goes between them.

    Args:
        pages: the window's pages.
        engine: returns what computes replays.
        folder: returns where recordings go.
        recording: returns the session that is being recorded, None while none is.
        go_live: goes back to the live page.
        show_folder: opens a folder in the system's file manager.
    """

    def __init__(
        self,
        pages: QStackedWidget,
        engine: Callable[[], EngineSettings],
        folder: Callable[[], Path],
        recording: Callable[[], Path | None],
        go_live: Callable[[], None],
        show_folder: Callable[[Path], None],
    ) -> None:
        self._pages = pages
        self._folder = folder
        self._recording = recording
        self._recorded: Path | None = None
        library = Library(folder(), recording=recording)
        self.list = LibraryView(library, go_live)
        self.viewer = ViewerView(Viewer(engine, recording=recording), library, go_live)
        for page in (self.list, self.viewer):
            pages.addWidget(page)
            page.show_folder.connect(show_folder)
        self.list.opened.connect(self.open)
        self.list.closed.connect(go_live)
        self.list.discarded.connect(self._discard)
        self.viewer.closed.connect(lambda: pages.setCurrentWidget(self.list))

    @property
    def shown(self) -> bool:
        """Whether one of the pages is in front."""
        return self._pages.currentWidget() in (self.list, self.viewer)

    def show(self, folder: Path | None = None) -> None:
        """Show the list of what was recorded, or of the sessions in another folder."""
        self.list.library.open(folder or self._folder())
        self._pages.setCurrentWidget(self.list)

    def open(self, folder: Path) -> None:
        """Show one session; the list, and the sessions to compare with, are those beside it."""
        self.list.library.open(folder.parent)
        self._pages.setCurrentWidget(self.viewer)
        self.viewer.open(folder)

    def blur(self, private: bool) -> None:
        """Show blurred pictures on both pages from now on, or clear ones again."""
        self.list.blur(private)
        self.viewer.blur(private)

    def show_state(self, recording: str) -> Outcome | None:
        """Show what goes on elsewhere; return how work ended where no page in front tells it.

        Args:
            recording: how long the recording has run, "" without one.
        """
        for page in (self.list, self.viewer):
            page.sign.show_recording(recording)
        viewer, front = self.viewer.viewer, self._pages.currentWidget()
        message = None if front is self.viewer else viewer.take_message()
        job = viewer.job
        recorded = self._recording()
        if front is self.list and (message is not None or recorded != self._recorded):
            self.list.library.refresh()  # a clip may be new, a recording complete
        self._recorded = recorded
        self.list.show_work("" if job is None else f"{job.label}: {job.progress:.0%}", message)
        return None if front is self.list else message

    def act(self, name: ActionName) -> bool:
        """Do what an action means on these pages; return False for those that mean what they always do."""
        if self._pages.currentWidget() is self.viewer:
            return self.viewer.act(name)
        if name == ActionName.DISMISS and self._pages.currentWidget() is self.list:
            self.list.closed.emit()
            return True
        return False

    def _discard(self, folder: Path) -> None:
        """Move a session to the trash, from where it can be taken back."""
        if folder in (self._recording(), self.viewer.viewer.job_of):
            outcome = Outcome(f"{folder.name} is in use; wait until it is finished.", good=False)
        elif QFile.moveToTrash(str(folder)):
            outcome = Outcome(f"{folder.name} is in the trash.")
        else:
            outcome = Outcome(f"{folder.name} cannot be moved to the trash; delete its folder yourself.", good=False)
        self.list.show_work("", outcome)
        self.list.library.refresh()

    def stop(self) -> None:
        """Release everything before the window closes."""
        self.viewer.stop()
