"""The share card: landmarks to other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QLineEdit, QWidget

from app.gui.live.presenters.share import PICTURE_OPTIONS, REACH_OPTIONS, ShareField, ShareForm, StatusLine, StatusTone
from app.gui.live.views.preferences import mark_wrong
from app.gui.widgets.controls import ChoiceRow, rename, small_label
from app.gui.widgets.layouts import fill, in_column
from app.gui.widgets.sheet import Sheet
from app.gui.widgets.toggle import ToggleRow
from app.sharing.settings import CameraPicture, LslReach

WIDTH = 500
_LABELS = {StatusTone.GOOD: "fine", StatusTone.ERROR: "wrong", StatusTone.WRONG: "wrong"}
_NOTES = {
    ShareField.JSON: ("JSON over UDP", "Two datagrams for each face, for scripts and research tools"),
    ShareField.OSC: ("OSC over UDP", "For music and stage tools, and own programs"),
    ShareField.VMC: ("Avatar (VMC)", "Head and ARKit blendshapes for VTuber programs; key E takes your neutral face"),
    ShareField.OPENTRACK: ("opentrack", "The head's pose for games; its input is called UDP over network"),
}


class ShareSheet(Sheet):
    """Shows a :class:`ShareForm` and the status of the channels.

    Signals:
        changed: carries the new :class:`ShareForm`.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "Share with other programs", WIDTH)
        self._form = ShareForm()
        self._lines: dict[str, tuple[StatusLine, ...]] = {}
        self.switches: dict[str, ToggleRow] = {}
        self.addresses: dict[str, QLineEdit] = {}
        self._status: dict[str, _Lines] = {}
        for field, (name, note) in _NOTES.items():
            self.switches[field] = ToggleRow(name, note)
            line = QLineEdit()
            line.setPlaceholderText("127.0.0.1:9000")
            line.setAccessibleName(f"Where {name} goes: host and port, several with commas")
            line.setToolTip("HOST:PORT, or only PORT for this computer; several with commas between them")
            line.editingFinished.connect(self._tell)
            self.addresses[field] = line
            self._add(field, line)
        self.switches[ShareField.CAMERA] = ToggleRow(
            "Virtual camera", "Other programs can choose LDEQ Live as their camera; needs pyvirtualcam"
        )
        self.switches[ShareField.LSL] = ToggleRow(
            "Lab Streaming Layer", "Landmarks and signals for laboratories; needs pylsl"
        )
        self.reach = ChoiceRow("Found by", REACH_OPTIONS)
        self.reach.changed.connect(lambda name: self._tell(lsl_reach=LslReach(name)))
        self._add(ShareField.LSL, self.reach)
        self.picture = ChoiceRow("It shows", PICTURE_OPTIONS)
        self.picture.changed.connect(lambda name: self._tell(camera_picture=CameraPicture(name)))
        self._add(ShareField.CAMERA, self.picture)
        self.body.addWidget(
            small_label(
                "Nothing leaves this computer unless you name another one or the network. Formats: "
                "docs/guide/sharing.md."
            )
        )
        self.switches[ShareField.JSON].changed.connect(lambda on: self._tell(json_on=on))
        self.switches[ShareField.OSC].changed.connect(lambda on: self._tell(osc_on=on))
        self.switches[ShareField.LSL].changed.connect(lambda on: self._tell(lsl_on=on))
        self.switches[ShareField.VMC].changed.connect(lambda on: self._tell(vmc_on=on))
        self.switches[ShareField.OPENTRACK].changed.connect(lambda on: self._tell(opentrack_on=on))
        self.switches[ShareField.CAMERA].changed.connect(lambda on: self._tell(camera_on=on))
        self.show_form(self._form)

    def show_form(self, form: ShareForm) -> None:
        """Show what is in force; a line that the user is editing is left alone."""
        self._form = form
        self.switches[ShareField.CAMERA].show_state(form.camera_on)
        self.switches[ShareField.LSL].show_state(form.lsl_on)
        for field, (on, text) in form.addressed().items():
            self.switches[field].show_state(on)
            line = self.addresses[field]
            if not line.hasFocus() and line.text() != text:
                line.setText(text)
        self.picture.show_choice(form.camera_picture)
        self.reach.show_choice(form.lsl_reach)

    def show_status(self, lines: Mapping[str, Sequence[StatusLine]]) -> None:
        """Show the status of each channel; cheap where nothing changed."""
        grown = False
        for field, status in self._status.items():
            wanted = tuple(lines.get(field, ()))
            if wanted == self._lines.get(field):
                continue
            self._lines[field] = wanted
            grown |= status.show_lines(wanted)
            if field in self.addresses:
                mark_wrong(self.addresses[field], any(line.tone == StatusTone.WRONG for line in wanted))
        if grown and self.isVisible():
            self.fit()

    def _add(self, field: str, control: QWidget) -> None:
        self._status[field] = _Lines()
        fill(self.body, in_column(self.switches[field], control, self._status[field], spacing=6), 8)

    def _tell(self, **changes: Any) -> None:
        """Tell what was changed, with the addresses as they stand there, also in the line that is being edited."""
        typed = {field: line.text().strip() for field, line in self.addresses.items()}
        form = replace(
            self._form,
            json_to=typed[ShareField.JSON],
            osc_to=typed[ShareField.OSC],
            vmc_to=typed[ShareField.VMC],
            opentrack_to=typed[ShareField.OPENTRACK],
            **changes,
        )
        if form != self._form:
            self._form = form
            self.changed.emit(form)


class _Lines(QWidget):
    """The lines below a field; takes no room while there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = in_column(on=self, spacing=2)
        self._labels: list[QLabel] = []
        self.hide()

    def show_lines(self, lines: Sequence[StatusLine]) -> bool:
        """Show ``lines``; return whether that may take another height."""
        same = [len(label.text()) for label in self._labels] == [len(line.text) for line in lines]
        while len(self._labels) > len(lines):
            old = self._labels.pop()
            self._layout.removeWidget(old)
            old.hide()
            old.deleteLater()
        while len(self._labels) < len(lines):
            self._labels.append(small_label())
            # A line may name the command that installs what is missing.
            self._labels[-1].setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._layout.addWidget(self._labels[-1])
            self._labels[-1].show()  # now, so that it counts when the card is fitted
        for label, line in zip(self._labels, lines, strict=True):
            label.setText(line.text)
            rename(label, _LABELS.get(line.tone, "small"))
        self.setVisible(bool(lines))
        self.updateGeometry()
        return not same
