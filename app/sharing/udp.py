"""UDP datagrams to one address. Delivery is not guaranteed: datagrams that a receiver misses are lost."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence

from app.core.frame import FrameResult
from app.sharing.settings import Address, SharingError

Encoder = Callable[[FrameResult], list[bytes]]

LARGEST = 1400
"""Bytes of a datagram that no common network fragments (1500 less the headers, with room for tunnels)."""
RETRY_SECONDS = 3.0
"""Pause before another attempt to find or reach the address."""

_REASONS = {
    errno.EACCES: "the system does not allow it; a firewall or a broadcast address may be the reason",
    errno.EPERM: "the system does not allow it; a firewall may be the reason",
    errno.ENETUNREACH: "that network cannot be reached; check the address and the connection",
    errno.EHOSTUNREACH: "that computer cannot be reached; check the address and that it is on",
    errno.ENETDOWN: "the network is down; check the connection",
}


def pack(sizes: Sequence[int], room: int) -> list[range]:
    """Divide pieces of ``sizes`` bytes, in order, into runs of at most ``room``; a larger piece is a run of its own."""
    runs: list[range] = []
    start = taken = 0
    for index, size in enumerate(sizes):
        if index > start and taken + size > room:
            runs.append(range(start, index))
            start, taken = index, 0
        taken += size
    return [*runs, range(start, len(sizes))] if sizes else runs


class UdpOutlet:
    """Sends every frame's datagrams to one address.

    Args:
        address: resolved when the first frame is sent, and again after an error: the network may be another one then.
        encode: returns the datagrams of a frame.
    """

    def __init__(self, address: Address, encode: Encoder) -> None:
        self._address = address
        self._encode = encode
        self._socket: socket.socket | None = None

    def send(self, result: FrameResult) -> None:
        """Send the frame's datagrams.

        Raises:
            SharingError: the address is unknown or cannot be reached, or no program on this computer listens.
        """
        connection = self._socket or self._connect()
        refused = False
        for datagram in self._encode(result):
            try:
                connection.send(datagram)
            except (ConnectionRefusedError, ConnectionResetError):
                # It reports an earlier datagram; this one has not been sent yet.
                refused = True
                self._resend(connection, datagram)
            except OSError as error:
                self.close()
                raise self._failure(error) from error
        if refused:
            raise SharingError(f"No program receives at {self._address} yet; start the receiving program.")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        # Connected, so that the system reports if no program listens.
        try:
            found = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_DGRAM)
            # Most receivers listen on IPv4 alone, but "localhost" is often an IPv6 address first.
            family, kind, protocol, _, target = min(found, key=lambda each: each[0] != socket.AF_INET)
            connection = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as error:  # the latter for what can be no name, such as "a..b"
            raise SharingError(
                f"{self._address.host} cannot be found; check the name, or give its address in numbers.", RETRY_SECONDS
            ) from error
        try:
            connection.connect(target)
        except OSError as error:
            connection.close()
            raise self._failure(error) from error
        self._socket = connection
        return connection

    def _resend(self, connection: socket.socket, datagram: bytes) -> None:
        try:
            connection.send(datagram)
        except (ConnectionRefusedError, ConnectionResetError):
            pass  # reported already
        except OSError as error:
            self.close()
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> SharingError:
        reason = _REASONS.get(error.errno or 0) or f"{(error.strerror or str(error)).lower()}; check the address"
        return SharingError(f"Cannot send to {self._address}: {reason}.", RETRY_SECONDS)
