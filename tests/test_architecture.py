"""The house rules: who may know whom, and what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
QT = ("PySide6", "shiboken6")

FORBIDDEN = {
    "app": ("tests", "benchmarks"),
    "model": ("app", "tests", "benchmarks"),
    "tests": ("benchmarks", r"tests\.test_\w+"),  # what tests share is in helper modules
    "benchmarks": ("tests",),
}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_rooms_know_only_whom_they_may(folder: str) -> None:
    paths = sources(folder)
    assert paths, f"{folder} holds no code"
    forbidden = re.compile(rf"^ *(?:from|import) ({'|'.join(FORBIDDEN[folder])})\b", re.MULTILINE)
    broken = [
        f"{path.relative_to(ROOT)} imports {found[1]}"
        for path in paths
        for found in forbidden.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not broken


def test_the_bootstrap_needs_the_standard_library_only() -> None:
    core = [ROOT / "app" / "core" / f"{name}.py" for name in ("ending", "places")]
    allowed = (
        *sys.stdlib_module_names,
        *("app.setup", "app.core.ending", "app.core.places", "app.cli.main", "msvcrt", "fcntl"),
    )
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in [ROOT / "main.py", *core, *sorted((ROOT / "app" / "setup").glob("*.py"))]
        for name in imported(parse(path))
        if not any(is_within(name, package) for package in allowed)
    ]
    assert not broken


@pytest.mark.parametrize("path", [*sources("app", "model"), ROOT / "main.py"], ids=lambda path: str(path.name))
def test_files_keep_the_house_rules(path: Path) -> None:
    tree = parse(path)
    assert path.name not in ("utils.py", "helpers.py", "misc.py", "common.py")
    if tree.body:
        assert ast.get_docstring(tree), "say in a docstring what the file is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert all(name.name != "*" for name in node.names), f"star import in line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{node.func.id} in line {node.lineno}"


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules a fresh Python holds after ``statement``."""
    script = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import model, model.engine.onnx_engine", {"torch", "onnxruntime", "mediapipe", "PySide6", "scipy"}),
        (
            "import app.tracking.live, app.tracking.pipeline, app.sources.open, app.sessions.recorder",
            {"torch", "PySide6"},
        ),
        ("import app.gui.window, app.cli.live, app.cli.track", {"torch", "scipy"}),
        ("import app.cli.main", {"torch", "numpy", "cv2", "PySide6", "onnxruntime"}),
        ("import app.cli.train, app.cli.doctor", {"torch", "numpy", "cv2", "PySide6", "onnxruntime"}),
    ],
)
@pytest.mark.process
def test_imports_stay_light(statement: str, unwanted: set[str]) -> None:
    assert not modules_after(statement) & unwanted
