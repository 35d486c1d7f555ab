"""Everything a person can do in the live window: one table for buttons, keys, tooltips and the key list."""

from __future__ import annotations

from dataclasses import dataclass

RWR = "rwr"
COMPARE = "compare"
GHCU = "ghcu"
SOURCE = "source"
PLAY = "play"
RECORD = "record"
SNAPSHOT = "snapshot"
MIRROR = "mirror"
FULL_SCREEN = "full-screen"
KEYS = "keys"
DISMISS = "dismiss"
QUIT = "quit"

RETRY = "retry"
CHOOSE = "choose"
DEMO = "demo"
SHOW_FOLDER = "show-folder"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do.

    Attributes:
        name: what the window calls it.
        key: Qt's name of the key, "" when it has none.
        label: two or three words for a button.
        help: one sentence for the tooltip and the key list.
    """

    name: str
    key: str
    label: str
    help: str

    @property
    def tooltip(self) -> str:
        """The sentence with the key behind it."""
        return f"{self.help} ({self.key})" if self.key else self.help


ACTIONS: tuple[Action, ...] = (
    Action(RWR, "R", "RwR", "Start every solve at the last frame's fixed point: steadier and cheaper"),
    Action(COMPARE, "C", "Compare", "Solve each frame with and without RwR and show both flickers"),
    Action(GHCU, "G", "Repair", "Take covered points from all the others instead (GHCU)"),
    Action(SOURCE, "O", "Source", "Choose a camera, a file, a stream or the demo clip"),
    Action(PLAY, "S", "Stop", "Start or stop the source"),
    Action(RECORD, "Space", "Record", "Record the annotated video, or finish the recording"),
    Action(SNAPSHOT, "P", "Snapshot", "Save this frame as two pictures, with and without landmarks"),
    Action(MIRROR, "M", "Mirror", "Flip the picture left to right, as in a mirror"),
    Action(FULL_SCREEN, "F", "Full screen", "Fill the screen, or go back to a window"),
    Action(KEYS, "?", "Keys", "Show or hide the list of keys"),
    Action(DISMISS, "Esc", "Close", "Close the message or the list of keys"),
    Action(QUIT, "Ctrl+Q", "Quit", "Finish the recording and close the window"),
)

OFFERS: dict[str, str] = {
    RETRY: "Try again",
    CHOOSE: "Choose another source",
    DEMO: "Play the demo clip",
    SHOW_FOLDER: "Show in folder",
}
"""Labels of the ways out that a banner can offer."""

BY_NAME: dict[str, Action] = {action.name: action for action in ACTIONS}
