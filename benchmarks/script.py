"""What the scripts of this folder share: their arguments, the file of their figures, and how they end."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import UserError
from app.core.files import check_writable
from model.errors import ModelError

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication


def parser_of(docstring: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help is a module's docstring."""
    return argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_list(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options for labelled faces in WFLW's form."""
    parser.add_argument("--list", type=Path, required=required, help="WFLW list")
    parser.add_argument("--images", type=Path, required=required, help="the folder its paths start from")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for what :func:`write_figures` writes."""
    parser.add_argument("--json", type=_writable, metavar="OUT", help="also write the figures as JSON")


def _writable(text: str) -> Path:
    path = Path(text)
    check_writable(path, overwrite=True)
    return path


def write_figures(path: Path | None, figures: Any) -> None:
    """Write JSON-ready figures, where there is a path."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2, default=float) + "\n", encoding="utf-8")


def application() -> QApplication:
    """Return Qt's application, offscreen unless QT_QPA_PLATFORM says otherwise."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from app.sources.opencv import forget_qt_plugins

    forget_qt_plugins()
    from PySide6.QtWidgets import QApplication

    return QApplication([])


def run_script(main: Callable[[], int | None]) -> None:
    """End the process with what ``main`` returns; what a person can put right is told in one sentence."""
    try:
        sys.exit(main())
    except (UserError, ModelError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
