"""Progress of a batch: on a terminal, a bar over all inputs and one per running input; a line for each finished one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from tqdm import tqdm

from app.batch.job import Job, JobState
from app.batch.report import FileReport, frame_rate, noun

MOST_BARS = 8
"""More inputs at once than this have no bars of their own."""
NAME_WIDTH = 28


class BatchProgress:
    """Shows a run. Inputs count by file size, so that the time left can be estimated without opening them.

    Args:
        stream: a terminal, or something that only takes the lines of inputs that ended.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._all: tqdm | None = None
        self._bars: dict[str, tqdm] = {}
        self._sizes: dict[str, int] = {}
        self._shares: dict[str, float] = {}
        self._frames: dict[str, int] = {}
        self._started = time.monotonic()
        self._ended = self._count = self._failed = 0
        self._noun, self._pictures = "video", False

    def __enter__(self) -> BatchProgress:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()
        if self._all is not None:
            self._all.close()

    def begin(self, jobs: Sequence[Job]) -> None:
        """These inputs are going to be tracked."""
        self._started, self._count = time.monotonic(), len(jobs)
        self._noun = "part" if any(job.part for job in jobs) else noun(bool(job.pictures) for job in jobs)
        self._pictures = all(job.pictures for job in jobs)
        for job in jobs:
            self._sizes[job.name] = 1
            with suppress(OSError):
                self._sizes[job.name] = max(1, sum(path.stat().st_size for path in job.files))
        self._all = tqdm(
            total=sum(self._sizes.values()),
            disable=None,
            file=self._stream,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
            smoothing=0.05,
            dynamic_ncols=True,
        )
        self._show_all()

    def progress(self, job: Job, frames: int, total: int | None) -> None:
        """One of them is that far."""
        bar = self._bar(job, total)
        if bar is not None:
            bar.update(frames - bar.n)
            bar.refresh()
        self._frames[job.name] = frames
        if total:
            self._shares[job.name] = min(1.0, frames / total)
        self._show_all()

    def end(self, job: Job | None, report: FileReport) -> None:
        """An input is done with."""
        self._failed += bool(report.error)
        if job is not None:
            self._ended += 1
            self._shares[job.name], self._frames[job.name] = 1.0, report.frames
            bar = self._bars.pop(job.name, None)
            if bar is not None:
                bar.close()
        if report.state != JobState.SKIPPED:
            tqdm.write(report.line, file=self._stream)
        self._show_all()

    @property
    def fps(self) -> float:
        """Frames per second of all workers together, from the first one's start on."""
        seconds = time.monotonic() - self._started
        return sum(self._frames.values()) / seconds if seconds > 0 else 0.0

    def _bar(self, job: Job, total: int | None) -> tqdm | None:
        bar = self._bars.get(job.name)
        if bar is None and len(self._bars) < MOST_BARS:
            name = job.title if len(job.title) <= NAME_WIDTH else f"…{job.title[1 - NAME_WIDTH :]}"
            used = {other.pos for other in self._bars.values()}
            place = next(index for index in range(1, MOST_BARS + 1) if -index not in used)
            bar = tqdm(
                total=total,
                desc=f"  {name:<{NAME_WIDTH}}",
                unit="picture" if job.pictures else "frame",
                disable=None,
                file=self._stream,
                position=place,
                leave=False,
                dynamic_ncols=True,
            )
            self._bars[job.name] = bar
        if bar is not None and total != bar.total:
            bar.total = total
        return bar

    def _show_all(self) -> None:
        bar = self._all
        if bar is None:
            return
        failed = f", {self._failed} failed" if self._failed else ""
        bar.set_description_str(f"{self._ended} of {self._count} {self._noun}s{failed}", refresh=False)
        bar.set_postfix_str(frame_rate(self.fps, self._pictures), refresh=False)
        bar.update(sum(self._shares[name] * self._sizes[name] for name in self._shares) - bar.n)
        bar.refresh()
