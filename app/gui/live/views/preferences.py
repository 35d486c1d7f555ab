"""The preferences card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QLineEdit, QWidget

from app.core.errors import UserError
from app.core.settings import ModelChoice
from app.gui.live.presenters.model import MODEL_OPTIONS
from app.gui.live.presenters.preferences import (
    FACES_OPTIONS,
    MIRROR_OPTIONS,
    MIRRORED,
    THEME_OPTIONS,
    Preferences,
    RecordingPart,
    read_folder,
    recording_switches,
    with_switch,
)
from app.gui.presenters.palettes import Theme
from app.gui.theme import theme
from app.gui.widgets.controls import ChoiceRow, heading, push_button, small_label
from app.gui.widgets.layouts import fill, in_column, in_row
from app.gui.widgets.sheet import Sheet
from app.gui.widgets.toggle import ToggleRow

WIDTH = 520
SWITCH_NAMES = {
    RecordingPart.VIDEO: "Clean video",
    RecordingPart.ANNOTATED: "Annotated video",
    RecordingPart.EXACT: "Exact pictures",
}


class PreferencesSheet(Sheet):
    """Shows :class:`Preferences` and reports changes, which apply at once.

    Signals:
        changed: carries the new :class:`Preferences`.
        folder_asked: the system's dialog for folders is wanted; carries the folder to begin with.
    """

    changed = Signal(object)
    folder_asked = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "Preferences", WIDTH)
        self._shown, self._usual = Preferences(), Path()
        self.theme = ChoiceRow("Theme", THEME_OPTIONS)
        self.mirror = ChoiceRow("Mirror", MIRROR_OPTIONS)
        self.faces = ChoiceRow("Faces followed", FACES_OPTIONS)
        self.model = ChoiceRow("Model", MODEL_OPTIONS)
        self.symmetric = ToggleRow(
            "Symmetric", "See each face mirrored as well: more accurate and steadier, for twice the model's time"
        )
        self.privacy = ToggleRow("Privacy", "Blur the picture beyond recognition; recordings hold landmarks only")
        self.switches = {name: ToggleRow(label) for name, label in SWITCH_NAMES.items()}
        self.folder = QLineEdit()
        self.folder.setAccessibleName("Folder for recordings and snapshots")
        self.choose = push_button("Choose…")
        self._wrong = small_label("", "wrong")
        self._lay_out()
        self.theme.changed.connect(lambda name: self._change(theme=Theme(name)))
        self.mirror.changed.connect(lambda name: self._change(mirror=MIRRORED[name]))
        self.faces.changed.connect(lambda count: self._change(max_faces=int(count)))
        self.model.changed.connect(lambda name: self._change(model=ModelChoice(name)))
        self.symmetric.changed.connect(lambda on: self._change(symmetric=on))
        self.privacy.changed.connect(lambda on: self._change(privacy=on))
        for name, row in self.switches.items():
            row.changed.connect(lambda on, name=name: self._tell(with_switch(self._shown, name, on)))
        self.folder.editingFinished.connect(self._read_folder)
        self.choose.clicked.connect(self._ask_for_folder)
        self._show()

    def show_preferences(self, preferences: Preferences, usual: Path) -> None:
        """Show what is in force; ``usual`` is where recordings go when no folder is chosen. Cheap without a change."""
        if (preferences, usual) != (self._shown, self._usual):
            self._shown, self._usual = preferences, usual
            self._show()

    def _show(self) -> None:
        preferences = self._shown
        self.theme.show_choice(preferences.theme)
        self.mirror.show_choice(preferences.mirror_option)
        self.faces.show_choice(str(preferences.max_faces))
        self.model.setVisible(preferences.model is not None)
        if preferences.model is not None:
            self.model.show_choice(preferences.model)
        self.symmetric.show_state(preferences.symmetric)
        self.privacy.show_state(preferences.privacy)
        for name, state in recording_switches(preferences).items():
            self.switches[name].show_state(state.on, state.free, state.note)
        self.folder.setPlaceholderText(str(self._usual))
        if not self.folder.hasFocus():
            self.folder.setText(str(preferences.folder or ""))
            self._say_wrong("")

    def _lay_out(self) -> None:
        place = in_row((self.folder, 1), self.choose, spacing=8)
        where = in_column(QLabel("Folder for recordings and snapshots"), place, self._wrong, spacing=4)
        self._wrong.hide()
        fill(self.body, self.theme, self.mirror, self.faces, self.model, self.symmetric, self.privacy, 6)
        fill(self.body, heading("A recording holds"))
        fill(self.body, small_label("Landmarks, flicker and events always, and besides:"), *self.switches.values())
        fill(self.body, 2, where)

    def _change(self, **changes: object) -> None:
        self._tell(replace(self._shown, **changes))  # type: ignore[arg-type]

    def _tell(self, preferences: Preferences) -> None:
        if preferences != self._shown:
            self._shown = preferences
            self.changed.emit(preferences)

    def _read_folder(self) -> None:
        try:
            folder = read_folder(self.folder.text())
        except UserError as error:
            self._say_wrong(str(error))
            return
        self._say_wrong("")
        self._change(folder=folder)

    def _say_wrong(self, sentence: str) -> None:
        self._wrong.setText(sentence)
        self._wrong.setVisible(bool(sentence))
        mark_wrong(self.folder, bool(sentence))
        if self.isVisible():
            self.fit()

    def _ask_for_folder(self) -> None:
        self.folder_asked.emit(self.folder.text() or self.folder.placeholderText())


def mark_wrong(line: QLineEdit, wrong: bool) -> None:
    """Give a line of text the border of one that cannot be used, or take it away."""
    if line.property("wrong") != wrong:
        line.setProperty("wrong", wrong)
        theme.polish(line)
