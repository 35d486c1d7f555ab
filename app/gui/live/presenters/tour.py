"""The tour at the first start: three steps, shown once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.gui.presenters.actions import BY_NAME, ActionName


class TourTarget(StrEnum):
    """What a step points at; the window knows where these are."""

    SWITCH = "switch"
    FLICKER = "flicker"
    RECORDING = "recording"


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        target: what it points at.
        title: a few words.
        text: two sentences at most.
    """

    target: TourTarget
    title: str
    text: str


_KEYS = {name: action.key for name, action in BY_NAME.items()}

STEPS: tuple[Step, ...] = (
    Step(
        TourTarget.SWITCH,
        "One switch makes it calm",
        f"With RwR every frame starts where the last one ended. Press {_KEYS[ActionName.RWR]} to turn it off and on, "
        "and look at the points.",
    ),
    Step(
        TourTarget.FLICKER,
        "See how still it is",
        "Flicker is motion of the points that the picture does not explain. Press "
        f"{_KEYS[ActionName.COMPARE]} to measure two ways on the same frames.",
    ),
    Step(
        TourTarget.RECORDING,
        "Keep it",
        f"{_KEYS[ActionName.RECORD]} records a session with video, landmarks and events; "
        f"{_KEYS[ActionName.SESSIONS]} opens sessions to scrub and replay them. "
        f"{_KEYS[ActionName.KEYS]} shows every key.",
    ),
)


class Tour:
    """The state of the tour. It ends after the last step or when it is skipped."""

    def __init__(self) -> None:
        self._number: int | None = None

    @property
    def step(self) -> Step | None:
        """The step to show, None while there is no tour."""
        return STEPS[self._number] if self._number is not None else None

    @property
    def progress(self) -> str:
        """Such as "1 of 3"."""
        return f"{self._number + 1} of {len(STEPS)}" if self._number is not None else ""

    @property
    def last(self) -> bool:
        """Whether nothing follows."""
        return self._number == len(STEPS) - 1

    @property
    def next_label(self) -> str:
        """The label of the button that continues."""
        return "Done" if self.last else "Next"

    def begin(self) -> None:
        """Start with the first step."""
        self._number = 0

    def go_on(self) -> None:
        """Go to the next step, or end after the last one."""
        if self._number is not None:
            self._number = self._number + 1 if self._number + 1 < len(STEPS) else None

    def skip(self) -> None:
        """End it."""
        self._number = None


Box = tuple[int, int, int, int]
"""Left, top, width, height."""

GAP = 16
MARGIN = 12


def card_place(
    target: Box, card: tuple[int, int], window: tuple[int, int], message: Box = (0, 0, 0, 0)
) -> tuple[int, int]:
    """Return where a card of this size stands beside what it points at, inside the window.

    Left, right, above or below the target, or moved from there to above or below the message: where it covers least of
    the message, then least of the target, and moves least.

    Args:
        target: in the window.
        card: width and height.
        window: width and height.
        message: a box in the window that is to be read as well; without width if there is none.
    """
    left, top, width, height = target
    middle_x, middle_y = left + width // 2 - card[0] // 2, top + height // 2 - card[1] // 2
    places = (
        (left - GAP - card[0], middle_y),
        (left + width + GAP, middle_y),
        (middle_x, top - GAP - card[1]),
        (middle_x, top + height + GAP),
    )
    around = (message[1] - GAP - card[1], message[1] + message[3] + GAP) if message[2] else ()

    def inside(place: tuple[int, int]) -> tuple[int, int]:
        x, y = (
            max(MARGIN, min(value, room - size - MARGIN)) for value, size, room in zip(place, card, window, strict=True)
        )
        return x, y

    def covered(place: tuple[int, int], box: Box) -> int:
        wide = min(place[0] + card[0], box[0] + box[2]) - max(place[0], box[0])
        high = min(place[1] + card[1], box[1] + box[3]) - max(place[1], box[1])
        return max(0, wide) * max(0, high)

    def badness(choice: tuple[tuple[int, int], tuple[int, int]]) -> tuple[int, int, int]:
        place, at = choice
        return covered(at, message), covered(at, target), abs(at[0] - place[0]) + abs(at[1] - place[1])

    choices = [(place, inside((place[0], y))) for place in places for y in (place[1], *around)]
    return min(choices, key=badness)[1]
