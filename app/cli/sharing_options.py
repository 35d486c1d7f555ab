"""The options of commands that share landmarks with other programs."""

from __future__ import annotations

import argparse

from app.sharing.settings import CameraPicture, LslReach, SharingSettings, parse_address


def add_sharing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`sharing_settings` reads."""
    group = parser.add_argument_group("sharing with other programs (docs/guide/sharing.md)")
    where = ", to this computer unless HOST is given; repeatable"
    for option, what in (
        ("--udp", "send landmarks as JSON over UDP"),
        ("--osc", "send landmarks as OSC over UDP"),
        ("--vmc", "send head and ARKit blendshapes of an avatar as VMC (usual port: 39539)"),
        ("--opentrack", "send the head's pose to opentrack's input \"UDP over network\" (usual port: 4242)"),
    ):
        group.add_argument(option, action="append", metavar="[HOST:]PORT", help=f"{what}{where}")
    group.add_argument(
        "--lsl",
        nargs="?",
        const=LslReach.MACHINE,
        choices=[each.value for each in LslReach],
        help="open Lab Streaming Layer streams, announced on this machine (default) or in the local network; needs the "
        "package pylsl",
    )
    group.add_argument(
        "--virtual-camera",
        nargs="?",
        const=CameraPicture.ANNOTATED,
        choices=[each.value for each in CameraPicture],
        help="appear as a camera in other programs, with the annotated picture (default) or the landmarks on black; "
        "needs the package pyvirtualcam",
    )


def sharing_settings(args: argparse.Namespace) -> SharingSettings | None:
    """Return what the options say, None if none was given.

    Raises:
        UserError: for addresses that cannot be used.
    """
    if all(given is None for given in (args.udp, args.osc, args.vmc, args.opentrack, args.lsl, args.virtual_camera)):
        return None
    return SharingSettings(
        udp=tuple(parse_address(text) for text in args.udp or ()),
        osc=tuple(parse_address(text) for text in args.osc or ()),
        vmc=tuple(parse_address(text) for text in args.vmc or ()),
        opentrack=tuple(parse_address(text) for text in args.opentrack or ()),
        virtual_camera=CameraPicture(args.virtual_camera) if args.virtual_camera else None,
        lsl=LslReach(args.lsl) if args.lsl else None,
    )
