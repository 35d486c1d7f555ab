"""Says on other pages that a recording runs in the live picture, and leads back to it."""

from __future__ import annotations

from collections.abc import Callable

from app.gui.widgets.controls import show_text
from app.gui.widgets.page_button import PageButton


class RecordingSign(PageButton):
    """Hidden while there is nothing to say.

    Args:
        go_live: called when it is pressed.
    """

    def __init__(self, go_live: Callable[[], object]) -> None:
        super().__init__("", "Back to the live picture, where Space finishes a recording", go_live)
        self.setObjectName("recording")
        self.setAccessibleName("Recording; back to the live picture")
        self.hide()

    def show_recording(self, text: str) -> None:
        """Show how long it has run already, as the live picture does, or that it ended; "" for nothing."""
        if text:
            show_text(self, f"\u25cf  {text}")
            self.setFixedSize(self.sizeHint())
        self.setVisible(bool(text))
