"""``main.py card A.json [B.json]``: print the report card of a hold-still test, or compare two."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.core.errors import EXIT_OK


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``card`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "card",
        help="print a report card of the hold-still test, or compare two",
        description="Print a report card of the live window's hold-still test. With two, print how the second differs "
        "from the first, whether that is significant, and what else was different.",
    )
    parser.add_argument("card", type=Path, metavar="A.json", help="a report card")
    parser.add_argument("other", type=Path, nargs="?", metavar="B.json", help="compare this card with the first")
    return parser


def run(args: argparse.Namespace) -> int:
    """Print one card, or two compared; return the exit code.

    Raises:
        UserError: for files that are no cards.
    """
    from app.holdstill.card_file import read_card
    from app.holdstill.comparison import compare
    from app.holdstill.text import card_lines, comparison_lines

    card = read_card(args.card)
    lines = card_lines(card) if args.other is None else comparison_lines(compare(card, read_card(args.other)))
    print("\n".join(lines))
    return EXIT_OK
