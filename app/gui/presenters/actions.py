"""Every action of the window: one table for buttons, keys, tooltips and the key list."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum

COMMAND = "Cmd" if sys.platform == "darwin" else "Ctrl"
"""The key that Qt calls Ctrl, as the keyboards of this system do."""


class ActionName(StrEnum):
    """What can be done: by a key or a button, or offered by a banner."""

    RWR = "rwr"
    COMPARE = "compare"
    BASELINE = "baseline"
    COMPARE_VIEW = "compare-view"
    CLOSE_UP = "close-up"
    DIVIDER_LEFT = "divider-left"
    DIVIDER_RIGHT = "divider-right"
    GHCU = "ghcu"
    CALM = "calm"
    BALANCED = "balanced"
    FAST = "fast"
    NEXT_FACE = "next-face"
    DRAWER = "drawer"
    HEAT = "heat"
    SIGNALS = "signals"
    NEUTRAL = "neutral"
    HOLD_STILL = "hold-still"
    RECORD = "record"
    SNAPSHOT = "snapshot"
    SESSIONS = "sessions"
    SOURCE = "source"
    PLAY = "play"
    PAUSE = "pause"
    BACK = "back"
    AHEAD = "ahead"
    BACK_MORE = "back-more"
    AHEAD_MORE = "ahead-more"
    FRAME_BACK = "frame-back"
    FRAME_AHEAD = "frame-ahead"
    MIRROR = "mirror"
    PRIVACY = "privacy"
    SHARE = "share"
    THEME = "theme"
    FULL_SCREEN = "full-screen"
    PANEL = "panel"
    PREFERENCES = "preferences"
    TOUR = "tour"
    KEYS = "keys"
    DISMISS = "dismiss"
    QUIT = "quit"
    RETRY = "retry"
    CHOOSE = "choose"
    DEMO = "demo"
    SHOW_FOLDER = "show-folder"
    OPEN_SESSION = "open-session"
    USE_CAMERA = "use-camera"


class ActionGroup(StrEnum):
    """What actions are about, in the order of the key list."""

    TRACKING = "Tracking"
    MEASURING = "Measuring"
    RECORDING = "Recording"
    SOURCES = "Source"
    WINDOW = "Window"


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    Attributes:
        name: identifies it.
        key: Qt's name of the key, "" when it has none.
        label: two or three words for a button.
        help: one sentence for the tooltip and the key list.
        group: what it is about, for the key list.
    """

    name: ActionName
    key: str
    label: str
    help: str
    group: ActionGroup

    @property
    def tooltip(self) -> str:
        """The sentence with the key behind it."""
        return f"{self.help} ({self.key.replace('Ctrl', COMMAND)})" if self.key else self.help


_TABLE: dict[ActionGroup, tuple[tuple[ActionName, str, str, str], ...]] = {
    ActionGroup.TRACKING: (
        (ActionName.RWR, "R", "RwR", "Start every solve at the last frame's fixed point: steadier and cheaper"),
        (ActionName.GHCU, "G", "Repair", "Repair covered points from the others (GHCU)"),
        (ActionName.CALM, "1", "Calm", "RwR set for the steadiest landmarks"),
        (ActionName.BALANCED, "2", "Balanced", "The default: what measured best on labelled clips"),
        (ActionName.FAST, "3", "Fast", "RwR set to follow quickly with the least computing"),
        (
            ActionName.NEXT_FACE,
            "N",
            "Next face",
            "Show the figures of the next face; after the last one, of the largest",
        ),
    ),
    ActionGroup.MEASURING: (
        (ActionName.COMPARE, "C", "Compare", "Solve each frame in two ways and compare their flicker"),
        (ActionName.BASELINE, "B", "Baseline", "Compare with the next one: the other mode, EMA, 1 euro"),
        (ActionName.COMPARE_VIEW, "V", "View", "Show both on one picture, split, or side by side"),
        (ActionName.CLOSE_UP, "Z", "Close-up", "Fill the view with the face, or show the whole picture again"),
        (ActionName.DIVIDER_LEFT, "[", "Divider left", "Move the line of the split view to the left"),
        (ActionName.DIVIDER_RIGHT, "]", "Divider right", "Move the line of the split view to the right"),
        (ActionName.DRAWER, "D", "Lab", "Open or close the heat map and the solver under the picture"),
        (ActionName.HEAT, "X", "Heat", "Colour the points on the face by their flicker"),
        (ActionName.SIGNALS, "I", "Signals", "Show or hide head pose, eyes, blinks, mouth and brows in the panel"),
        (ActionName.HOLD_STILL, "T", "Hold still", "Measure the noise floor in ten seconds and keep a report card"),
    ),
    ActionGroup.RECORDING: (
        (ActionName.RECORD, "Space", "Record", "Record a session: video, landmarks, events; or finish it"),
        (ActionName.SNAPSHOT, "P", "Snapshot", "Save this frame as two pictures, with and without landmarks"),
        (ActionName.SESSIONS, "L", "Sessions", "Browse what was recorded, or go back to the live picture"),
    ),
    ActionGroup.SOURCES: (
        (ActionName.SOURCE, "O", "Source", "Choose a camera, a file, a stream, the screen or the demo clip"),
        (ActionName.PLAY, "S", "Stop", "Start or stop the source"),
        (ActionName.PAUSE, "K", "Pause", "Pause or resume a file"),
        (ActionName.BACK, "Left", "Back", "Go back one second in a file"),
        (ActionName.AHEAD, "Right", "Ahead", "Go ahead one second in a file"),
        (ActionName.BACK_MORE, "Shift+Left", "Back 5 s", "Go back five seconds in a file"),
        (ActionName.AHEAD_MORE, "Shift+Right", "Ahead 5 s", "Go ahead five seconds in a file"),
        (ActionName.FRAME_BACK, ",", "Frame back", "Go back one frame in a file"),
        (ActionName.FRAME_AHEAD, ".", "Frame ahead", "Go ahead one frame in a file"),
    ),
    ActionGroup.WINDOW: (
        (ActionName.MIRROR, "M", "Mirror", "Flip the picture left to right, as in a mirror"),
        (ActionName.PRIVACY, "H", "Privacy", "Blur the picture and record landmarks only"),
        (ActionName.SHARE, "U", "Share", "Send to other programs: UDP, OSC, avatars (VMC), opentrack, virtual camera"),
        (ActionName.NEUTRAL, "E", "Neutral face", "Take the face of the last second as your neutral one, for avatars"),
        (ActionName.PANEL, "Ctrl+B", "Panel", "Show or hide the panel at the side"),
        (ActionName.PREFERENCES, "Ctrl+,", "Preferences", "Theme, what recordings hold, number of faces"),
        (ActionName.THEME, "Ctrl+T", "Theme", "Switch between dark and light"),
        (ActionName.FULL_SCREEN, "F", "Full screen", "Fill the screen, or go back to a window"),
        (ActionName.TOUR, "F1", "Tour", "Show the tour in three steps again"),
        (ActionName.KEYS, "?", "Keys", "Show or hide the list of keys"),
        (ActionName.DISMISS, "Esc", "Close", "Close what covers the picture"),
        (ActionName.QUIT, "Ctrl+Q", "Quit", "Finish the recording and close the window"),
    ),
}
"""By what actions are about: their names, keys, labels and help, see :class:`Action`."""

ACTIONS: tuple[Action, ...] = tuple(Action(*fields, group) for group, table in _TABLE.items() for fields in table)

REPEATING = frozenset(
    {
        ActionName.DIVIDER_LEFT,
        ActionName.DIVIDER_RIGHT,
        ActionName.BACK,
        ActionName.AHEAD,
        ActionName.BACK_MORE,
        ActionName.AHEAD_MORE,
        ActionName.FRAME_BACK,
        ActionName.FRAME_AHEAD,
    }
)
"""Actions that repeat while their key is held down."""

LIVE_ONLY = REPEATING | {
    ActionName.RWR,
    ActionName.COMPARE,
    ActionName.BASELINE,
    ActionName.COMPARE_VIEW,
    ActionName.CLOSE_UP,
    ActionName.GHCU,
    ActionName.CALM,
    ActionName.BALANCED,
    ActionName.FAST,
    ActionName.NEXT_FACE,
    ActionName.DRAWER,
    ActionName.HEAT,
    ActionName.SIGNALS,
    ActionName.NEUTRAL,
    ActionName.RECORD,
    ActionName.SNAPSHOT,
    ActionName.PLAY,
    ActionName.PAUSE,
    ActionName.MIRROR,
    ActionName.PRIVACY,
    ActionName.PANEL,
}
"""Actions on the live picture, ignored while another page is in front."""

OFFERS: dict[ActionName, str] = {
    ActionName.RETRY: "Try again",
    ActionName.CHOOSE: "Choose another source",
    ActionName.DEMO: "Play the demo clip",
    ActionName.SHOW_FOLDER: "Show in folder",
    ActionName.OPEN_SESSION: "Open the session",
    ActionName.USE_CAMERA: "Use it",
}
"""Labels of the actions that a banner can offer."""

BY_NAME: dict[ActionName, Action] = {action.name: action for action in ACTIONS}
