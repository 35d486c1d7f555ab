"""Every action of the window: one table for buttons, keys, tooltips and the key list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
        return f"{self.help} ({self.key})" if self.key else self.help


ACTIONS: tuple[Action, ...] = (
    Action(
        ActionName.RWR,
        "R",
        "RwR",
        "Start every solve at the last frame's fixed point: steadier and cheaper",
        ActionGroup.TRACKING,
    ),
    Action(
        ActionName.GHCU,
        "G",
        "Repair",
        "Repair covered points from the others (GHCU)",
        ActionGroup.TRACKING,
    ),
    Action(ActionName.CALM, "1", "Calm", "RwR set for the steadiest landmarks", ActionGroup.TRACKING),
    Action(
        ActionName.BALANCED, "2", "Balanced", "The default: what measured best on labelled clips", ActionGroup.TRACKING
    ),
    Action(ActionName.FAST, "3", "Fast", "RwR set to follow quickly with the least computing", ActionGroup.TRACKING),
    Action(
        ActionName.NEXT_FACE,
        "N",
        "Next face",
        "Show the figures of the next face; after the last one, of the largest",
        ActionGroup.TRACKING,
    ),
    Action(
        ActionName.COMPARE,
        "C",
        "Compare",
        "Solve each frame in two ways and compare their flicker",
        ActionGroup.MEASURING,
    ),
    Action(
        ActionName.BASELINE,
        "B",
        "Baseline",
        "Compare with the next one: the other mode, EMA, 1 euro",
        ActionGroup.MEASURING,
    ),
    Action(
        ActionName.COMPARE_VIEW, "V", "View", "Show both on one picture, split, or side by side", ActionGroup.MEASURING
    ),
    Action(
        ActionName.CLOSE_UP,
        "Z",
        "Close-up",
        "Fill the view with the face, or show the whole picture again",
        ActionGroup.MEASURING,
    ),
    Action(
        ActionName.DIVIDER_LEFT,
        "[",
        "Divider left",
        "Move the line of the split view to the left",
        ActionGroup.MEASURING,
    ),
    Action(
        ActionName.DIVIDER_RIGHT,
        "]",
        "Divider right",
        "Move the line of the split view to the right",
        ActionGroup.MEASURING,
    ),
    Action(
        ActionName.DRAWER,
        "D",
        "Lab",
        "Open or close the heat map and the solver under the picture",
        ActionGroup.MEASURING,
    ),
    Action(ActionName.HEAT, "X", "Heat", "Colour the points on the face by their flicker", ActionGroup.MEASURING),
    Action(
        ActionName.SIGNALS,
        "I",
        "Signals",
        "Show or hide head pose, eyes, blinks, mouth and brows in the panel",
        ActionGroup.MEASURING,
    ),
    Action(
        ActionName.HOLD_STILL,
        "T",
        "Hold still",
        "Measure the noise floor in ten seconds and keep a report card",
        ActionGroup.MEASURING,
    ),
    Action(
        ActionName.RECORD,
        "Space",
        "Record",
        "Record a session: video, landmarks, events; or finish it",
        ActionGroup.RECORDING,
    ),
    Action(
        ActionName.SNAPSHOT,
        "P",
        "Snapshot",
        "Save this frame as two pictures, with and without landmarks",
        ActionGroup.RECORDING,
    ),
    Action(
        ActionName.SESSIONS,
        "L",
        "Sessions",
        "Browse what was recorded, or go back to the live picture",
        ActionGroup.RECORDING,
    ),
    Action(
        ActionName.SOURCE,
        "O",
        "Source",
        "Choose a camera, a file, a stream, the screen or the demo clip",
        ActionGroup.SOURCES,
    ),
    Action(ActionName.PLAY, "S", "Stop", "Start or stop the source", ActionGroup.SOURCES),
    Action(ActionName.PAUSE, "K", "Pause", "Pause or resume a file", ActionGroup.SOURCES),
    Action(ActionName.BACK, "Left", "Back", "Go back one second in a file", ActionGroup.SOURCES),
    Action(ActionName.AHEAD, "Right", "Ahead", "Go ahead one second in a file", ActionGroup.SOURCES),
    Action(ActionName.BACK_MORE, "Shift+Left", "Back 5 s", "Go back five seconds in a file", ActionGroup.SOURCES),
    Action(ActionName.AHEAD_MORE, "Shift+Right", "Ahead 5 s", "Go ahead five seconds in a file", ActionGroup.SOURCES),
    Action(ActionName.FRAME_BACK, ",", "Frame back", "Go back one frame in a file", ActionGroup.SOURCES),
    Action(ActionName.FRAME_AHEAD, ".", "Frame ahead", "Go ahead one frame in a file", ActionGroup.SOURCES),
    Action(ActionName.MIRROR, "M", "Mirror", "Flip the picture left to right, as in a mirror", ActionGroup.WINDOW),
    Action(ActionName.PRIVACY, "H", "Privacy", "Blur the picture and record landmarks only", ActionGroup.WINDOW),
    Action(
        ActionName.SHARE,
        "U",
        "Share",
        "Send to other programs: UDP, OSC, avatars (VMC), opentrack, virtual camera",
        ActionGroup.WINDOW,
    ),
    Action(
        ActionName.NEUTRAL,
        "E",
        "Neutral face",
        "Take the face of the last second as your neutral one, for avatars",
        ActionGroup.WINDOW,
    ),
    Action(ActionName.PANEL, "Ctrl+B", "Panel", "Show or hide the panel at the side", ActionGroup.WINDOW),
    Action(
        ActionName.PREFERENCES,
        "Ctrl+,",
        "Preferences",
        "Theme, what recordings hold, number of faces",
        ActionGroup.WINDOW,
    ),
    Action(ActionName.THEME, "Ctrl+T", "Theme", "Switch between dark and light", ActionGroup.WINDOW),
    Action(ActionName.FULL_SCREEN, "F", "Full screen", "Fill the screen, or go back to a window", ActionGroup.WINDOW),
    Action(ActionName.TOUR, "F1", "Tour", "Show the tour in three steps again", ActionGroup.WINDOW),
    Action(ActionName.KEYS, "?", "Keys", "Show or hide the list of keys", ActionGroup.WINDOW),
    Action(ActionName.DISMISS, "Esc", "Close", "Close what covers the picture", ActionGroup.WINDOW),
    Action(ActionName.QUIT, "Ctrl+Q", "Quit", "Finish the recording and close the window", ActionGroup.WINDOW),
)

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

LIVE_ONLY = frozenset(
    {
        ActionName.RWR,
        ActionName.GHCU,
        ActionName.CALM,
        ActionName.BALANCED,
        ActionName.FAST,
        ActionName.NEXT_FACE,
        ActionName.COMPARE,
        ActionName.BASELINE,
        ActionName.COMPARE_VIEW,
        ActionName.CLOSE_UP,
        ActionName.DIVIDER_LEFT,
        ActionName.DIVIDER_RIGHT,
    }
    | {
        ActionName.DRAWER,
        ActionName.HEAT,
        ActionName.SIGNALS,
        ActionName.NEUTRAL,
        ActionName.RECORD,
        ActionName.SNAPSHOT,
        ActionName.PLAY,
        ActionName.PAUSE,
        ActionName.BACK,
        ActionName.AHEAD,
        ActionName.MIRROR,
        ActionName.PRIVACY,
        ActionName.PANEL,
    }
    | {ActionName.BACK_MORE, ActionName.AHEAD_MORE, ActionName.FRAME_BACK, ActionName.FRAME_AHEAD}
)
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
