"""What the window's thread spends on each panel: ``python -m benchmarks.panels [--faces 1] [--scale 2]``.

Every widget is real and painted offscreen, with ten seconds of figures at 60 frames per second behind it, on the demo
clip's first frames as the tracker sees them. "update" is handing over the figures, "paint" painting them.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from app.core.frame import Estimate, FaceResult, FrameResult
from app.core.modes import Mode
from app.core.places import ASSETS
from app.core.settings import EngineSettings, TrackingSettings
from app.sources.open import open_source
from app.sources.spec import parse_source
from app.tracking.pipeline import build_pipeline
from benchmarks.script import application, parser_of, run_script
from model.geometry import Crop
from model.metrics.flicker_meter import reading_of

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.gui.presenters.picture import Picture
    from app.gui.widgets.video import VideoView

RATE = 60
SECONDS = 10
ROUNDS = 100
CLIP_FRAMES = 12
VIEW = (1080, 720)


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--faces", type=int, default=1, help="faces in the picture")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels per pixel")
    arguments = parser.parse_args()
    os.environ["QT_SCALE_FACTOR"] = str(arguments.scale)
    frames = [crowd(frame, arguments.faces) for frame in demo_frames()]
    from app.gui.theme.theme import apply

    qt = application()
    apply(qt)
    print(f"{'panel':<28} {'update ms':>10} {'paint ms':>9} {'95 % ms':>8}")
    for name, widget, update in (*figures(frames), *pictures(frames)):
        widget.show()
        qt.processEvents()
        updates, paints = [], []
        for number in range(ROUNDS):
            started = time.perf_counter()
            update(number)
            between = time.perf_counter()
            painted = widget.viewport() if hasattr(widget, "viewport") else widget
            painted.repaint()
            qt.processEvents()
            updates.append(1e3 * (between - started))
            paints.append(1e3 * (time.perf_counter() - between))
        whole = sorted(one + two for one, two in zip(updates, paints, strict=True))
        print(
            f"{name:<28} {statistics.median(updates):10.2f} {statistics.median(paints):9.2f} "
            f"{whole[int(0.95 * len(whole))]:8.2f}"
        )
        widget.hide()


def demo_frames() -> list[FrameResult]:
    """Return the first frames of the demo clip, solved in both modes."""
    source = open_source(parse_source(str(ASSETS / "demo.mp4")))
    pipeline = build_pipeline(EngineSettings(threads=1), TrackingSettings(compare=True))
    try:
        frames = [frame for frame in islice(iter(source.read, None), CLIP_FRAMES) if frame is not None]
        return [pipeline.process(frame) for frame in frames]
    finally:
        pipeline.close()
        source.close()


def crowd(result: FrameResult, faces: int) -> FrameResult:
    """Return the frame with its face drawn so many times, side by side."""
    (face,) = result.faces
    width = result.frame.image.shape[1]

    def beside(number: int) -> FaceResult:
        shift = np.array([(number + 0.5) * width / faces - face.crop.centre_x, 0.0], np.float32) * (faces > 1)

        def moved(estimate: Estimate) -> Estimate:
            return replace(estimate, landmarks=estimate.landmarks + shift)

        crop = Crop(face.crop.centre_x + float(shift[0]), face.crop.centre_y, face.crop.side)
        other = moved(face.other) if face.other is not None else None
        return FaceResult(number, crop, moved(face.estimate), other)

    return replace(result, faces=tuple(beside(number) for number in range(faces)))


def figures(frames: list[FrameResult]) -> list[tuple[str, QWidget, Callable[[int], None]]]:
    """Return the panels of figures with ten seconds behind them."""
    from app.gui.live.presenters.flicker import FlickerHistory
    from app.gui.live.presenters.heatmap import HeatKind
    from app.gui.live.presenters.solver import SolverHistory
    from app.gui.live.views.flicker import FlickerNumbers, FlickerTrace, RegionBars
    from app.gui.live.views.heatmap import HeatMapView
    from app.gui.live.views.solver import SolverPanel

    flicker, solver = FlickerHistory(), SolverHistory()
    rng = np.random.default_rng(0)
    now = [0.0]

    def feed(number: int) -> float:
        now[0] += 1 / RATE
        for history in (flicker, solver):
            history.add(_restless(frames[number % len(frames)], rng, now[0]))
        return now[0]

    for number in range(RATE * SECONDS):
        feed(number)
    panels: list[tuple[str, QWidget, Callable[[int], None]]] = []

    def shows(widget: FlickerTrace | FlickerNumbers | RegionBars) -> Callable[[int], None]:
        return lambda number: widget.show_flicker(flicker.view(feed(number)))

    def maps(heat: HeatMapView) -> Callable[[int], None]:
        # The view takes five pictures a second at most; here each must count.
        return lambda number: heat.show_flicker(replace(flicker.view(feed(number)), now=float(100 + number)))

    for widget, size in ((FlickerTrace(), (300, 118)), (FlickerNumbers(), (300, 78)), (RegionBars(), (300, 114))):
        widget.resize(*size)
        panels.append((type(widget).__name__, widget, shows(widget)))
    for name, what in (("HeatMapView, both modes", ""), ("HeatMapView, change", HeatKind.CHANGE)):
        heat = HeatMapView()
        heat.resize(296, 204)
        if what:
            heat.show_what(what)
        panels.append((name, heat, maps(heat)))
    panel = SolverPanel()
    panel.resize(640, 250)
    panels.append(("SolverPanel", panel, lambda n: panel.show_view(solver.view(feed(n)), float(100 + n))))
    return panels


def pictures(frames: list[FrameResult]) -> list[tuple[str, QWidget, Callable[[int], None]]]:
    """Return the picture in each of its views."""
    from app.gui.presenters.colour_scale import LEVELS
    from app.gui.presenters.compare import CompareView
    from app.gui.presenters.faces import FaceChoice
    from app.gui.presenters.picture import prepare
    from app.gui.presenters.zoom import FaceZoom
    from app.gui.widgets.video import VideoView

    views: list[tuple[str, QWidget, Callable[[int], None]]] = []
    plain = [replace(own, faces=tuple(replace(face, other=None) for face in own.faces)) for own in frames]
    plain = [replace(own, settings=TrackingSettings()) for own in plain]
    shown = [
        ("picture, one mode", plain, CompareView.OVERLAY, False),
        ("picture, heat", plain, CompareView.OVERLAY, True),
    ]
    for name, results, view_name, hot in [*shown, *((f"picture, {name}", frames, name, False) for name in CompareView)]:
        view, zoom = VideoView(), FaceZoom(FaceChoice())
        view.resize(*VIEW)
        view.set_compare_view(view_name)
        view.show_face(0)
        if hot:
            levels = np.random.default_rng(0).integers(0, LEVELS, 98).astype(np.uint8)
            view.show_heat({Mode.RWR: levels, Mode.COLD: levels})
        view.show_picture(prepare(results[0], VIEW, False))
        ready = [
            prepare(own, view.device_size, False, zoom(own, view.device_size) if view.close_up else None)
            for own in results
        ]
        views.append((name, view, turns(view, ready)))
    return views


def turns(view: VideoView, pictures: list[Picture]) -> Callable[[int], None]:
    """Return what shows the pictures in turn."""
    return lambda number: view.show_picture(pictures[number % len(pictures)])


def _restless(result: FrameResult, rng: np.random.Generator, time: float) -> FrameResult:
    """Return the frame as of another time, with flicker of its own."""

    def with_reading(estimate: Estimate, size: float) -> Estimate:
        return replace(estimate, flicker=reading_of(rng.normal(0, size, (98, 2)), np.zeros((98, 2)), 200.0))

    faces = tuple(
        replace(
            face,
            estimate=with_reading(face.estimate, 0.6),
            other=with_reading(face.other, 1.2) if face.other is not None else None,
        )
        for face in result.faces
    )
    return replace(result, frame=replace(result.frame, captured=time), faces=faces)


if __name__ == "__main__":
    run_script(main)
