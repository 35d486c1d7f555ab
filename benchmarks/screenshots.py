"""Pictures of the live window for the documentation, taken without a screen.

    python benchmarks/screenshots.py docs/images --weights weights/ldeq-s.safetensors

The demo clip plays in the real window on the real pipeline; each picture is a named moment of that.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZE = (1440, 860)
OPEN_SECONDS = 60.0


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--source", default="demo")
    parser.add_argument("--seconds", type=float, default=11.0, help="how long to play before each picture")
    args = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    sys.path.insert(0, str(ROOT))
    args.folder.mkdir(parents=True, exist_ok=True)
    take(args.folder, args.source, args.weights, args.seconds)
    return 0


def take(folder: Path, source: str, weights: Path | None, seconds: float) -> None:
    """Play ``source`` and save ``live.png``, ``compare.png``, ``keys.png`` and ``trouble.png``."""
    from app.gui.environment import forget_opencv_plugins
    from app.gui.presenters import actions
    from app.gui.settings import LiveSettings
    from app.settings import DEFAULT_WEIGHTS, EngineSettings, TrackingSettings

    forget_opencv_plugins()
    from PySide6.QtWidgets import QApplication

    from app.gui.theme import dress
    from app.gui.window import make_window

    application = QApplication([])
    dress(application)
    settings = LiveSettings(
        source=source, engine=EngineSettings(weights or DEFAULT_WEIGHTS), tracking=TrackingSettings(compare=True)
    )
    window = make_window(settings)
    window.resize(*SIZE)
    window.show()
    window.begin()

    def play(span: float) -> None:
        until = time.monotonic() + span
        while time.monotonic() < until:
            application.processEvents()
            time.sleep(0.002)

    def save(name: str) -> None:
        window.grab().save(str(folder / f"{name}.png"))

    deadline = time.monotonic() + OPEN_SECONDS
    while window.view.picture is None and time.monotonic() < deadline:
        play(0.1)
    play(seconds)
    save("compare")
    window.act(actions.COMPARE)
    play(seconds)
    save("live")
    window.act(actions.KEYS)
    play(0.5)
    save("keys")
    window.act(actions.KEYS)
    window.desk.play("no such clip.mp4")
    play(6.0)
    save("trouble")
    window.close()
    until = time.monotonic() + 10
    while not window.desk.session.state.closed and time.monotonic() < until:
        play(0.1)


if __name__ == "__main__":
    sys.exit(main())
