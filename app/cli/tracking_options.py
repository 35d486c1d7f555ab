"""The options of commands that track files: how faces are followed, and how many."""

from __future__ import annotations

import argparse

from app.batch.track import EVERY_FACE
from app.cli.follow_option import add_follow_option
from app.core.errors import UserError
from app.core.settings import FollowChoice, TrackingSettings, parse_follow


def add_tracking_options(parser: argparse.ArgumentParser) -> None:
    """Add how faces are followed, and how many; :func:`tracking_settings` reads it."""
    parser.add_argument(
        "--rwr",
        choices=("on", "off"),
        default="on",
        help="start each frame's solve at the last frame's solution (default: on)",
    )
    parser.add_argument("--ghcu", action="store_true", help="repair covered landmarks, using all the others")
    faces = parser.add_mutually_exclusive_group()
    faces.add_argument("--every-face", action="store_true", help=f"follow every face (up to {EVERY_FACE})")
    faces.add_argument("--max-faces", type=int, default=1, metavar="N", help="follow the N largest faces (default: 1)")
    add_follow_option(parser, FollowChoice.LARGEST)


def tracking_settings(args: argparse.Namespace) -> TrackingSettings:
    """Return what the options say.

    Raises:
        UserError: for values that cannot be used.
    """
    max_faces = EVERY_FACE if args.every_face else args.max_faces
    return TrackingSettings(
        rwr=args.rwr == "on",
        max_faces=max_faces,
        follow=parse_follow(args.follow),
        search_at_once=True,
        ghcu=args.ghcu,
    )


def refuse_useless_no_audio(args: argparse.Namespace, *, annotated: bool) -> None:
    """Refuse ``--no-audio`` where no annotated video is written.

    Raises:
        UserError: it would do nothing.
    """
    if args.no_audio and not annotated:
        raise UserError("--no-audio concerns an annotated video, which is not written here; leave it out.")
