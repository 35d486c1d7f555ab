"""Which computers of a Ray cluster are still there.

Ray knows after about a minute that a computer has lost its power, but ends its tasks there only when the network says
that the connection is broken, which takes minutes. If the head of the cluster is gone, Ray answers no more questions.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

LOOK_SECONDS = 2.0
"""Seconds between two looks."""
HEAD_SECONDS = 20.0
"""How long the head may be out of reach before it counts as lost."""
CONNECT_SECONDS = 2.0


class Nodes:
    """Watches the computers of a cluster.

    Args:
        head: host:port of the cluster's head; None if it is not known, and so not watched.
        list_nodes: as ``ray.nodes``; must not be called while the head is out of reach.
        is_reachable: whether something answers at host:port.

    Attributes:
        dead: Ray's names for the computers that are gone.
        head_lost: the head is gone, and with it the cluster.
    """

    def __init__(
        self,
        head: str | None,
        list_nodes: Callable[[], list[dict[str, Any]]],
        is_reachable: Callable[[str], bool] | None = None,
    ) -> None:
        self.dead: frozenset[str] = frozenset()
        self.head_lost = False
        self._head = head
        self._list_nodes = list_nodes
        self._is_reachable = is_reachable or answers
        self._next = 0.0
        self._seen = time.monotonic()

    def look(self) -> frozenset[str]:
        """Look again if it is time to; return the computers that have died since the last look."""
        now = time.monotonic()
        if now < self._next:
            return frozenset()
        self._next = now + LOOK_SECONDS
        if self._head is not None and not self._is_reachable(self._head):
            self.head_lost = time.monotonic() - self._seen >= HEAD_SECONDS
            return frozenset()
        self._seen = now
        before = self.dead
        self.dead = frozenset(node["NodeID"] for node in self._list_nodes() if not node["Alive"])
        return self.dead - before


def answers(address: str) -> bool:
    """Return whether a connection to host:port can be made."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS):
            return True
    except OSError:
        return False
