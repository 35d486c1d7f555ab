"""What ``track`` tells at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from app.core.frame import FrameResult
from app.core.modes import Mode
from app.media.outputs import OutputPlan


@dataclass(slots=True)
class TrackReport:
    """What a run found; grows frame by frame.

    Attributes:
        frames: frames tracked.
        with_face: frames with at least one face.
        faces: identities seen.
        solves: faces solved, over all frames.
        evaluations: evaluations of the cell, over all frames and faces.
        resets: how often RwR started cold, by reason.
    """

    frames: int = 0
    with_face: int = 0
    faces: set[int] = field(default_factory=set)
    solves: int = 0
    evaluations: int = 0
    resets: Counter[str] = field(default_factory=Counter)

    def add(self, result: FrameResult) -> None:
        """Count one result."""
        self.frames += 1
        self.with_face += bool(result.faces)
        for face in result.faces:
            report = face.estimate.report
            self.faces.add(face.face)
            self.solves += 1
            self.evaluations += report.evaluations
            if face.estimate.mode == Mode.RWR and not report.warm:
                self.resets[report.reason] += 1

    def lines(self, seconds: float, interrupted: bool, plan: OutputPlan) -> list[str]:
        """Return the summary for people."""
        speed = self.frames / seconds if seconds > 0 else 0.0
        verb = "Interrupted after" if interrupted else "Tracked"
        lines = [f"{verb} {_count(self.frames, 'frame')} ({speed:.1f} fps)"]
        if self.faces:
            frames = _count(self.frames, "frame")
            lines.append(f"{_count(len(self.faces), 'face')}, at least one in {self.with_face} of {frames}")
            lines.append(f"{self.evaluations / self.solves:.2f} evaluations per face and frame")
        elif self.frames:
            lines.append(f"No face was found in {_count(self.frames, 'frame')}")
        if self.resets:
            reasons = ", ".join(f"{reason} {count}" for reason, count in self.resets.most_common())
            lines.append(f"{_count(self.resets.total(), 'cold start')}: {reasons}")
        return [*lines, f"Written: {', '.join(map(str, plan.written))}"] if self.frames else lines


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
