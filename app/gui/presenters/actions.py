"""Everything a person can do in the live window: one table for buttons, keys, tooltips and the key list."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do.

    Attributes:
        name: what the window calls it.
        key: Qt's name of the key, "" when it has none.
        label: two or three words for a button.
        help: one sentence for the tooltip and the key list.
        group: what it is about, for the key list.
    """

    name: str
    key: str
    label: str
    help: str
    group: str

    @property
    def tooltip(self) -> str:
        """The sentence with the key behind it."""
        return f"{self.help} ({self.key})" if self.key else self.help


TRACKING, MEASURING, KEEPING, SOURCES, WINDOW = "Tracking", "Measuring", "Keeping", "Source", "Window"
GROUPS = (TRACKING, MEASURING, KEEPING, SOURCES, WINDOW)
"""What actions are about, in the order of the key list."""

ACTIONS: tuple[Action, ...] = (
    Action(RWR, "R", "RwR", "Start every solve at the last frame's fixed point: steadier and cheaper", TRACKING),
    Action(GHCU, "G", "Repair", "Take covered points from all the others instead (GHCU)", TRACKING),
    Action(CALM, "1", "Calm", "RwR set for the stillest landmarks", TRACKING),
    Action(BALANCED, "2", "Balanced", "RwR as measured best on labelled clips", TRACKING),
    Action(FAST, "3", "Fast", "RwR set to follow quickly with the least computing", TRACKING),
    Action(NEXT_FACE, "N", "Next face", "Read the next face's figures, after the last one the largest's", TRACKING),
    Action(COMPARE, "C", "Compare", "Solve each frame in two ways and show both flickers", MEASURING),
    Action(BASELINE, "B", "Baseline", "Compare with the next one: the other mode, EMA, 1 euro", MEASURING),
    Action(COMPARE_VIEW, "V", "View", "Show both on one picture, split, or side by side", MEASURING),
    Action(CLOSE_UP, "Z", "Close-up", "Fill the view with the face, or show the whole picture again", MEASURING),
    Action(DIVIDER_LEFT, "[", "Divider left", "Move the line of the split view to the left", MEASURING),
    Action(DIVIDER_RIGHT, "]", "Divider right", "Move the line of the split view to the right", MEASURING),
    Action(DRAWER, "D", "Lab", "Open or close the heat map and the solver under the picture", MEASURING),
    Action(HEAT, "X", "Heat", "Colour the points on the face by their flicker", MEASURING),
    Action(HOLD_STILL, "T", "Hold still", "Measure the noise floor in ten seconds and keep a report card", MEASURING),
    Action(RECORD, "Space", "Record", "Record a session: video, landmarks, events; or finish it", KEEPING),
    Action(SNAPSHOT, "P", "Snapshot", "Save this frame as two pictures, with and without landmarks", KEEPING),
    Action(SESSIONS, "L", "Sessions", "Look at what was recorded, or go back to the live picture", KEEPING),
    Action(SOURCE, "O", "Source", "Choose a camera, a file, a stream, the screen or the demo clip", SOURCES),
    Action(PLAY, "S", "Stop", "Start or stop the source", SOURCES),
    Action(PAUSE, "K", "Pause", "Hold a file still, or play on", SOURCES),
    Action(BACK, "Left", "Back", "Go back one second in a file", SOURCES),
    Action(AHEAD, "Right", "Ahead", "Go ahead one second in a file", SOURCES),
    Action(BACK_MORE, "Shift+Left", "Back 5 s", "Go back five seconds in a file", SOURCES),
    Action(AHEAD_MORE, "Shift+Right", "Ahead 5 s", "Go ahead five seconds in a file", SOURCES),
    Action(FRAME_BACK, ",", "Frame back", "Go back one frame in a file", SOURCES),
    Action(FRAME_AHEAD, ".", "Frame ahead", "Go ahead one frame in a file", SOURCES),
    Action(MIRROR, "M", "Mirror", "Flip the picture left to right, as in a mirror", WINDOW),
    Action(PRIVACY, "H", "Privacy", "Blur the picture and record landmarks only", WINDOW),
    Action(SHARE, "U", "Share", "Send the landmarks to other programs: UDP, OSC, virtual camera", WINDOW),
    Action(PANEL, "Ctrl+B", "Panel", "Show or hide the panel at the side", WINDOW),
    Action(PREFERENCES, "Ctrl+,", "Preferences", "Theme, what recordings hold, number of faces", WINDOW),
    Action(THEME, "Ctrl+T", "Theme", "Change between dark and light", WINDOW),
    Action(FULL_SCREEN, "F", "Full screen", "Fill the screen, or go back to a window", WINDOW),
    Action(TOUR, "F1", "Tour", "Show the tour in three steps again", WINDOW),
    Action(KEYS, "?", "Keys", "Show or hide the list of keys", WINDOW),
    Action(DISMISS, "Esc", "Close", "Close what lies over the picture", WINDOW),
    Action(QUIT, "Ctrl+Q", "Quit", "Finish the recording and close the window", WINDOW),
)

REPEATING = frozenset({DIVIDER_LEFT, DIVIDER_RIGHT, BACK, AHEAD, BACK_MORE, AHEAD_MORE, FRAME_BACK, FRAME_AHEAD})
"""Actions that go on while their key is held down."""

LIVE_ONLY = frozenset(
    {RWR, GHCU, CALM, BALANCED, FAST, NEXT_FACE, COMPARE, BASELINE, COMPARE_VIEW, CLOSE_UP, DIVIDER_LEFT, DIVIDER_RIGHT}
    | {DRAWER, HEAT, RECORD, SNAPSHOT, PLAY, PAUSE, BACK, AHEAD, MIRROR, PRIVACY, PANEL}
    | {BACK_MORE, AHEAD_MORE, FRAME_BACK, FRAME_AHEAD}
)
"""Actions about the live picture. While another page is in front they would change what nobody sees."""

OFFERS: dict[str, str] = {
    RETRY: "Try again",
    CHOOSE: "Choose another source",
    DEMO: "Play the demo clip",
    SHOW_FOLDER: "Show in folder",
    OPEN_SESSION: "Open the session",
    USE_CAMERA: "Use it",
}
"""Labels of the ways out that a banner can offer."""

BY_NAME: dict[str, Action] = {action.name: action for action in ACTIONS}
