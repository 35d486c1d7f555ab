"""Records live results: a thread of its own draws, encodes and tabulates, the tracker never waits."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from fractions import Fraction
from pathlib import Path
from time import monotonic

from app.errors import RecordingError
from app.overlay import draw_overlay
from app.pipeline.frame import FrameResult
from app.recording.clock import RecordingClock
from app.recording.encoding import LIVE
from app.recording.paths import check_writable
from app.recording.priority import yield_to_others
from app.recording.summary import RecordingSummary as RecordingSummary
from app.recording.tables import LandmarkTable, open_table
from app.recording.video import FINE_TIME_BASE, VideoWriter, letterbox

QUEUE_BYTES = 256 << 20
QUEUE_FRAMES = 32
QUEUE_SECONDS = 0.5
"""A result that waited this long keeps new ones out: what waits is lost if the process is killed."""
STOP_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Recorder:
    """Writes results to a video, and to a table if asked, from the moment it is made until :meth:`stop`.

    The picture keeps the first frame's size; later frames of another size are letterboxed into it.

    Args:
        path: of the video, a name that is free.
        overlay: draw the landmarks into the picture.
        table: also write the landmarks of the recorded frames here (.csv or .parquet).
        frame_rate: expected frames per second, for the encoder's rate control.
        queue_frames: most results that may wait; fewer where the pictures are large or encoding is late.
        overwrite: replace existing files.

    Raises:
        RecordingError: where a file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        *,
        overlay: bool = True,
        table: Path | None = None,
        frame_rate: float | None = None,
        queue_frames: int = QUEUE_FRAMES,
        overwrite: bool = False,
    ) -> None:
        check_writable(path, overwrite=overwrite)
        self._path = path
        self._overlay = overlay
        self._frame_rate = Fraction(frame_rate).limit_denominator(1001) if frame_rate else None
        self._overwrite = overwrite
        self._table: LandmarkTable | None = open_table(table, overwrite=overwrite) if table is not None else None
        self._table_path = table
        self._clock = RecordingClock()
        self._writer: VideoWriter | None = None
        self._room = queue_frames
        # Bounded by the counts below, not by itself, so that the sentinel at the end always finds room.
        self._queue: queue.SimpleQueue[FrameResult | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: deque[float] = deque()
        self._waiting_bytes = 0
        self._frames = self._dropped = self._damaged = 0
        self._seconds = 0.0
        self._error: str | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The video file."""
        return self._path

    @property
    def dropped(self) -> int:
        """Results left out so far because encoding could not keep up, or after an error."""
        with self._lock:
            return self._dropped

    @property
    def frames(self) -> int:
        """Pictures written so far."""
        with self._lock:
            return self._frames

    @property
    def seconds(self) -> float:
        """Playing time written so far."""
        with self._lock:
            return self._seconds

    @property
    def error(self) -> str | None:
        """The sentence to show once the recording has failed; :meth:`stop` it then."""
        with self._lock:
            return self._error

    def offer(self, result: FrameResult) -> None:
        """Hand over a result without ever waiting; counted in :attr:`dropped` where there is no room."""
        size = result.frame.image.nbytes
        with self._lock:
            if self._is_full(size) or self._stopping or self._error is not None:
                self._dropped += 1
            else:
                self._waiting.append(monotonic())
                self._waiting_bytes += size
                self._queue.put(result)

    def stop(self, timeout: float = STOP_SECONDS) -> RecordingSummary:
        """Write what waits, finish the files and end the thread; safe to call twice.

        Args:
            timeout: most seconds to wait; after them the summary carries an error, and the file
                plays up to what had been written.
        """
        with self._lock:
            if not self._stopping:
                self._stopping = True
                self._queue.put(None)
        self._thread.join(timeout)
        with self._lock:
            error = self._error
            if error is None and self._thread.is_alive():
                error = f"{self._path} was not finished within {timeout:g} seconds; it plays up to its last full part."
            return RecordingSummary(
                self._path, self._frames, self._dropped, self._seconds, error, self._damaged, self._table_path
            )

    def _is_full(self, size: int) -> bool:
        """Whether a result of ``size`` bytes has no room; asked with the lock held."""
        if not self._waiting:
            return False
        late = monotonic() - self._waiting[0] > QUEUE_SECONDS
        return late or len(self._waiting) >= self._room or self._waiting_bytes + size > QUEUE_BYTES

    def _work(self) -> None:
        yield_to_others()  # tracking comes first; what cannot be encoded in time is dropped and counted
        while (result := self._queue.get()) is not None:
            with self._lock:
                self._waiting.popleft()
                self._waiting_bytes -= result.frame.image.nbytes
                failed = self._error is not None
                self._dropped += failed
            if not failed:
                self._record(result)
        self._finish()

    def _record(self, result: FrameResult) -> None:
        try:
            image = draw_overlay(result) if self._overlay else result.frame.image
            if self._writer is None:
                self._writer = self._open(image.shape[1], image.shape[0])
            time = self._clock.time(result.frame)
            self._writer.write(letterbox(image, *self._writer.size), time)
            if self._table is not None:
                self._table.write(result, time)
        except RecordingError as error:
            self._fail(str(error))
        except Exception:  # one bad frame must not end a recording
            _log.exception("frame %s could not be recorded", result.frame.index)
            with self._lock:
                self._damaged += 1
        else:
            with self._lock:
                self._frames, self._seconds = self._writer.frames, self._writer.seconds

    def _open(self, width: int, height: int) -> VideoWriter:
        return VideoWriter(
            self._path,
            width,
            height,
            time_base=FINE_TIME_BASE,
            frame_rate=self._frame_rate,
            encoding=LIVE,
            threads=1,
            overwrite=self._overwrite,
        )

    def _finish(self) -> None:
        for file in (self._writer, self._table):
            try:
                if file is not None:
                    file.close()
            except RecordingError as error:
                self._fail(str(error))
            except Exception:
                _log.exception("%s could not be finished", file.path if file is not None else None)
                self._fail(f"{self._path} could not be finished; it plays up to its last full part.")

    def _fail(self, sentence: str) -> None:
        _log.error(sentence)
        with self._lock:
            if self._error is None:
                self._error = sentence
