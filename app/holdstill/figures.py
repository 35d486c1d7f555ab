"""What a hold-still test yields: how restless the landmarks, how still the person, how fast and in what light."""

from __future__ import annotations

from dataclasses import dataclass

GOOD_STILL_SECONDS = 6.0
"""With less of it still, a test counts, but the person is advised to repeat it."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How restless landmarks are, root mean square over points and frames.

    Attributes:
        percent: over all points, in % of the inter-ocular distance.
        pixels: over all points, in frame pixels.
        regions_percent: per region, in the order of ``model.topology.REGIONS``.
        regions_pixels: the same in frame pixels.
    """

    percent: float
    pixels: float
    regions_percent: tuple[float, ...]
    regions_pixels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ModeFigures:
    """One mode's figures.

    Attributes:
        mode: its name.
        flicker: from frame to frame.
        wander: around the resting place.
        points: flicker of each of the 98 points, in % of the inter-ocular distance.
        seconds: flicker of each second that had still frames, overall, in %; tells how sure the figure is.
        evaluations: of the network's cell, mean per frame.
        frames: that were counted.
    """

    mode: str
    flicker: Noise
    wander: Noise
    points: tuple[float, ...]
    seconds: tuple[float, ...]
    evaluations: float
    frames: int


@dataclass(frozen=True, slots=True)
class Stillness:
    """How still the person was.

    Attributes:
        seconds: counted, without motion and blinks.
        asked: seconds the test lasted.
        travel: how far the head's centre went in all, the box's diagonal, in % of the inter-ocular distance.
        speed: of the head's centre, 95th percentile, in % of the inter-ocular distance a second.
        blinks: how many were left out.
    """

    seconds: float
    asked: float
    travel: float
    speed: float
    blinks: int

    @property
    def good(self) -> bool:
        """Whether enough of the test was still."""
        return self.seconds >= GOOD_STILL_SECONDS


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast tracking went.

    Attributes:
        fps: frames tracked a second.
        latency_p50: seconds from capture to result, median.
        latency_p95: the 95th percentile.
        skipped: frames of the source that were not tracked.
    """

    fps: float
    latency_p50: float
    latency_p95: float
    skipped: int


@dataclass(frozen=True, slots=True)
class Light:
    """The conditions of the test, medians over it; see :class:`app.tracking.conditions.Conditions`.

    Attributes:
        light: mean luma of the face, 0 to 255.
        dark: share of the face without detail in the dark.
        bright: share of the face clipped to white.
        contrast: standard deviation of the luma.
        sharpness: variance of the second difference along the worse axis over the luma's, in percent.
        noise: standard deviation of the sensor's noise in grey levels of 255.
        inter_ocular: distance of the outer eye corners in frame pixels.
        height: of the landmarks' box, as a share of the picture's height.
        cut_off: share of the landmarks outside the picture.
    """

    light: float
    dark: float
    bright: float
    contrast: float
    sharpness: float
    noise: float
    inter_ocular: float
    height: float
    cut_off: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All that a test measured; the first mode is the one that was chosen for display."""

    modes: tuple[ModeFigures, ...]
    stillness: Stillness
    pace: Pace
    light: Light
