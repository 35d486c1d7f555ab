"""``main.py evaluate wflw``, ``300w`` and ``wflw-v``: figures on labelled data; ``evaluate compare``: two of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from app.cli.engine_options import add_engine_options, engine_settings
from app.cli.option_names import typed
from app.core.errors import EXIT_OK, UserError
from app.core.files import check_writable, write_json
from app.core.modes import Mode
from app.lab.accuracy.comparison import compare, comparison_table, comparison_values, read_evaluation
from app.lab.accuracy.groups import evaluate_groups
from app.lab.accuracy.predict import Predictor, open_predictor
from app.lab.accuracy.report import (
    groups_table,
    groups_values,
    provenance,
    w300_table,
    w300_values,
    wflw_table,
    wflw_v_table,
    wflw_v_values,
    wflw_values,
)
from app.lab.accuracy.settings import CropSource, EvaluationMode, EvaluationSettings
from app.lab.accuracy.stills import StillVideo
from app.lab.accuracy.w300 import evaluate_w300, find_faces
from app.lab.accuracy.wflw import check_images, evaluate_wflw, read_list
from app.lab.accuracy.wflw_v import evaluate_wflw_v, find_videos
from app.tracking.smoothing import SmoothingSettings
from model.config import LANDMARKS
from model.conventions import read_conversion, to_300w
from model.errors import ModelError
from model.weights import read_card

FILTER_OPTIONS = {
    "alpha": Mode.EMA,
    "min_cutoff": Mode.ONE_EURO,
    "beta": Mode.ONE_EURO,
    "d_cutoff": Mode.ONE_EURO,
}
"""The mode that each setting of a filter is for."""
OpenPredictor = Callable[[EvaluationSettings], Predictor]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``evaluate`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure accuracy and flicker on labelled data",
        description="Measure accuracy on WFLW or 300W faces, or accuracy and flicker on WFLW-V videos, and print a "
        "table.",
    )
    datasets = parser.add_subparsers(dest="dataset", metavar="DATASET", required=True)

    faces = datasets.add_parser("wflw", help="still faces: NME, FR@10, AUC@10, per attribute")
    faces.add_argument("--list", type=Path, required=True, metavar="LIST", help="a WFLW list file")
    faces.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="the folder that its paths are relative to"
    )
    faces.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="show each still as a video of N frames; NME of the last"
    )
    faces.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="S",
        help="sensor noise in each frame, standard deviation in grey levels",
    )
    faces.add_argument(
        "--jitter", type=float, default=0.0, metavar="J", help="how far box edges jitter, as a share of the box's side"
    )
    faces.add_argument(
        "--groups",
        action="store_true",
        help="also by size, light and sharpness of the face, and with photos shrunk until the face has 120 to 24 px",
    )
    _add_mode(faces)
    _add_shared(faces, "faces")

    points68 = datasets.add_parser("300w", help="still faces with 68 points: NME by inter-pupil and inter-ocular")
    points68.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of pictures and .pts files")
    points68.add_argument(
        "--conversion", type=Path, metavar="FILE", help="how 98 points become 68, from benchmarks.conversion_300w"
    )
    _add_shared(points68, "faces")

    videos = datasets.add_parser("wflw-v", help="videos: NME and NMF, per video and on average")
    videos.add_argument(
        "--root",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with videos, landmarks and, if it has them, bboxes",
    )
    videos.add_argument("--ids", type=Path, metavar="FILE", help="evaluate only the IDs in this file, one per line")
    _add_mode(videos)
    _add_shared(videos, "videos")

    two = datasets.add_parser(
        "compare", help="two evaluations of the same data: ratios and differences, with intervals"
    )
    two.add_argument("baseline", type=Path, metavar="A.json", help="JSON of the baseline, from evaluate --json")
    two.add_argument("other", type=Path, metavar="B.json", help="JSON of the run that is compared with it")
    _add_json(two)
    return parser


def _add_mode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode",
        choices=[each.value for each in EvaluationMode],
        default=EvaluationMode.OFF,
        help="every frame cold (off, the default), RwR, or a filter over cold landmarks",
    )
    defaults = SmoothingSettings()
    for name, metavar, meaning in (
        ("alpha", "A", "weight of the new frame in mode ema"),
        ("min-cutoff", "HZ", "cut-off at rest in mode one-euro, Hz"),
        ("beta", "B", "Hz added per inter-ocular distance per second in mode one-euro"),
        ("d-cutoff", "HZ", "cut-off of the speed in mode one-euro, Hz"),
    ):
        default = getattr(defaults, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=float, metavar=metavar, help=f"{meaning} (default: {default})")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures as JSON")


def _add_shared(parser: argparse.ArgumentParser, things: str) -> None:
    _add_json(parser)
    parser.add_argument(
        "--crop",
        choices=[each.value for each in CropSource],
        default=CropSource.RECT,
        help="the boxes of the data set (rect, the default), or the live tracker's own crops",
    )
    parser.add_argument(
        "--scale", type=float, metavar="S", help="crop side over the box's larger side (default: the model's own)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help=f"only the first N {things}")
    parser.add_argument("--ghcu", action="store_true", help="let the GHCU beside the weights repair covered landmarks")
    add_engine_options(parser)


def run(args: argparse.Namespace, *, open_predictor: OpenPredictor = open_predictor) -> int:
    """Evaluate, print the table and write the JSON.

    Args:
        args: from :func:`add_parser`.
        open_predictor: opens what is evaluated; the application's own if not given.

    Returns:
        The exit code.

    Raises:
        UserError: for data, weights and outputs that cannot be used.
    """
    if args.json is not None:
        check_writable(args.json, overwrite=True)
    if args.dataset == "compare":
        values = _compare(args.baseline, args.other)
    else:
        try:
            values = _measure(args, _settings(args), open_predictor)
        except ModelError as error:
            raise UserError(f"The model cannot be used: {error}.") from error
    if args.json is not None:
        write_json(args.json, values)
        print(f"Written: {args.json}")
    return EXIT_OK


def _settings(args: argparse.Namespace) -> EvaluationSettings:
    if args.crop == CropSource.TRACK and args.scale is not None:
        raise UserError("--scale goes with --crop rect; the live tracker has its own scale.")
    engine, crop = engine_settings(args), CropSource(args.crop)
    if args.dataset == "300w":
        return EvaluationSettings(engine, crop, args.scale, limit=args.limit, ghcu=args.ghcu)
    given = {name: value for name in FILTER_OPTIONS if (value := getattr(args, name)) is not None}
    idle = next((name for name in given if FILTER_OPTIONS[name] != args.mode), None)
    if idle is not None:
        raise UserError(f"{typed(idle)} goes with --mode {FILTER_OPTIONS[idle]}.")
    smoothing = SmoothingSettings(**given)
    mode = EvaluationMode(args.mode)
    return EvaluationSettings(engine, crop, args.scale, mode, smoothing, args.limit, args.ghcu)


def _still(args: argparse.Namespace) -> StillVideo:
    still = StillVideo(args.repeat, args.noise, args.jitter)
    if args.mode != EvaluationMode.OFF and still.frames == 1:
        raise UserError(f"Mode {args.mode} needs more than one frame of each still; add --repeat 8, for example.")
    if args.crop == CropSource.TRACK and still.jitter:
        raise UserError("--jitter goes with --crop rect; the live tracker has its own boxes.")
    if args.groups and args.mode != EvaluationMode.OFF:
        raise UserError("--groups goes with --mode off.")
    return still


def _compare(baseline_path: Path, other_path: Path) -> dict[str, object]:
    """Compare two evaluations and print; returns the JSON's values."""
    baseline, other = read_evaluation(baseline_path), read_evaluation(other_path)
    comparisons = compare(baseline, other)
    print(comparison_table(baseline, other, comparisons))
    return comparison_values(baseline, other, comparisons)


def _measure(
    args: argparse.Namespace, settings: EvaluationSettings, open_predictor: OpenPredictor
) -> dict[str, object]:
    """Check the data, then open the model, then measure and print; returns the JSON's values."""
    if args.dataset == "wflw":
        shown = _still(args)
        faces = read_list(args.list)[: settings.limit]
        check_images(args.images, faces)
    elif args.dataset == "300w":
        faces_68 = find_faces(args.root)[: settings.limit]
        convert = to_300w if args.conversion is None else read_conversion(args.conversion)
    else:
        videos = find_videos(args.root, args.ids)[: settings.limit]
    card = read_card(settings.engine.weights)
    if args.dataset != "300w" and card.config.landmarks != LANDMARKS:
        raise UserError(
            f"{card.path.name} finds {card.config.landmarks} points, {args.dataset} has {LANDMARKS}; use evaluate 300w."
        )
    with closing(open_predictor(settings)) as predictor:
        source = provenance(settings, card, predictor.engine_name)
        how = f"mode {settings.mode}, crop {settings.crop}"
        print(f"{card.path.stem} on {predictor.engine_name}; {how}; NME in %")
        if args.dataset == "wflw":
            still = evaluate_wflw(predictor, faces, args.images, shown)
            source["list"] = args.list.name
            source["box"] = "landmarks" if faces[0].attributes is None else "list"
            print(wflw_table(still, shown))
            values = wflw_values(still, shown) | {"mode": settings.mode} | source
            if args.groups:
                groups = evaluate_groups(predictor, faces, args.images, still.faces.nme)
                print(groups_table(groups))
                values["groups"] = groups_values(groups)
            return values
        if args.dataset == "300w":
            points_68 = evaluate_w300(predictor, faces_68, convert)
            print(w300_table(points_68))
            return w300_values(points_68) | source
        results = evaluate_wflw_v(predictor, videos)
        source["ids"] = None if args.ids is None else args.ids.name
        print(wflw_v_table(results))
        return wflw_v_values(results) | {"mode": settings.mode} | source
