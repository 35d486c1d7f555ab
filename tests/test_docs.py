"""The documents: their links, the paths and commands they name, and the version they state."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.core.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "weights/MODEL_CARD.md", ROOT / "app/assets/README.md"]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
NAMED_PATH = re.compile(r"`((?:\.ci|\.github|app|benchmarks|docs|model|tests|weights)/[^`\s*{]*)`")
NAMED_MODULE = re.compile(r"python3? -m ((?:app|benchmarks|model)(?:\.[a-z]\w*)+)")


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(CODE_BLOCK.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        known = target.is_file() or (target.is_dir() and not heading)
        if known and heading:
            known = heading in map(anchor, HEADING.findall(target.read_text(encoding="utf-8")))
        if not known:
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_named_paths_and_modules_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [path for path in NAMED_PATH.findall(text) if not (ROOT / path).exists()]
    missing += [module for module in NAMED_MODULE.findall(text) if find_spec(module) is None]
    assert not missing


def test_docs_named_in_code_exist() -> None:
    missing = []
    for folder in ("app", "model", "benchmarks", "tests"):
        for module in (ROOT / folder).rglob("*.py"):
            for path in re.findall(r"docs/[\w/-]+\.md", module.read_text(encoding="utf-8")):
                if not (ROOT / path).is_file():
                    missing.append(f"{module.relative_to(ROOT)}: {path}")
    assert not missing


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    documents = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("*/*.md")]
    assert [path for path in documents if f"({path})" not in index] == []


def test_changelog_and_citation_state_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert released[0] == VERSION
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 160


def test_every_installed_package_is_in_the_notices() -> None:
    notices = re.sub(r"[-_.]+", "-", (ROOT / "THIRD_PARTY_NOTICES.md").read_text(encoding="utf-8").lower())
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    names = {re.sub(r"[-_.]+", "-", name.lower()) for name in pinned}
    unnamed = [name for name in sorted(names) if name not in notices and not name.startswith("pyobjc-")]
    assert unnamed == []
