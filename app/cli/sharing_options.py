"""The options of commands that share landmarks with other programs."""

from __future__ import annotations

import argparse

from app.sharing.settings import CameraPicture, SharingSettings, parse_address


def add_sharing_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--udp``, ``--osc`` and ``--virtual-camera``; :func:`sharing_settings` reads them."""
    group = parser.add_argument_group("sharing with other programs (docs/guide/sharing.md)")
    where = "; without HOST to this computer; may be given several times"
    group.add_argument("--udp", action="append", metavar="[HOST:]PORT", help=f"send landmarks as JSON datagrams{where}")
    group.add_argument("--osc", action="append", metavar="[HOST:]PORT", help=f"send landmarks as OSC messages{where}")
    group.add_argument(
        "--virtual-camera",
        nargs="?",
        const=CameraPicture.ANNOTATED,
        choices=tuple(CameraPicture),
        help="be a camera for other programs: the annotated picture (default), or the landmarks on black; needs the "
        "package pyvirtualcam",
    )


def sharing_settings(args: argparse.Namespace) -> SharingSettings | None:
    """Return what the options say, None if none was given.

    Raises:
        UserError: for addresses that cannot be used.
    """
    if args.udp is None and args.osc is None and args.virtual_camera is None:
        return None
    return SharingSettings(
        udp=tuple(parse_address(text) for text in args.udp or ()),
        osc=tuple(parse_address(text) for text in args.osc or ()),
        virtual_camera=CameraPicture(args.virtual_camera) if args.virtual_camera else None,
    )
