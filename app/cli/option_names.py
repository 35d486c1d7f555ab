"""How options are typed, for sentences about them."""

from __future__ import annotations


def typed(name: str) -> str:
    """Return ``--max-faces`` for an option that the namespace calls ``max_faces``."""
    return f"--{name.replace('_', '-')}"
