"""The option that says which face comes first."""

from __future__ import annotations

import argparse


def add_follow_option(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Add ``--follow``, which is ``default`` where it is not given."""
    parser.add_argument(
        "--follow",
        default=default,
        metavar="FACE",
        help="the face that comes first: largest (default), centre, first (longest in view), or a face's number",
    )
