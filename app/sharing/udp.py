"""Datagrams to one address. UDP promises nothing: what a receiver misses is gone, and nobody waits for anybody."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from app.core.frame import FrameResult
from app.sharing.settings import Address, SharingError

Encoder = Callable[[FrameResult], list[bytes]]

LOOK_UP_PAUSE = 3.0

_REASONS = {
    errno.EACCES: "the system does not allow it; a firewall or a broadcast address may be the reason",
    errno.EPERM: "the system does not allow it; a firewall may be the reason",
    errno.ENETUNREACH: "there is no way to that network; check the address and the connection",
    errno.EHOSTUNREACH: "that computer cannot be reached; check the address and that it is on",
    errno.ENETDOWN: "the network is down; check the connection",
}


class UdpOutlet:
    """Sends every frame's datagrams to one address.

    Args:
        address: looked up when the first frame is sent, and again after it could not be found.
        encode: makes the datagrams of a frame.
    """

    def __init__(self, address: Address, encode: Encoder) -> None:
        self._address = address
        self._encode = encode
        self._socket: socket.socket | None = None

    def send(self, result: FrameResult) -> None:
        """Send the frame's datagrams.

        Raises:
            SharingError: where the address is unknown or unreachable, or nobody listens on this computer.
        """
        connection = self._socket or self._connect()
        refused = False
        for datagram in self._encode(result):
            try:
                connection.send(datagram)
            except (ConnectionRefusedError, ConnectionResetError):
                # Tells about an earlier datagram; this one was not sent yet.
                refused = True
                self._again(connection, datagram)
            except OSError as error:
                raise self._failure(error) from error
        if refused:
            raise SharingError(f"Nobody listens at {self._address} yet; start the program that is to receive.")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        # Connected, so that the system reports when nobody listens.
        try:
            found = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, target = found[0]
            connection = socket.socket(family, kind, protocol)
        except OSError as error:
            raise SharingError(
                f"{self._address.host} cannot be found; check the name, or give its address in numbers.", LOOK_UP_PAUSE
            ) from error
        try:
            connection.connect(target)
        except OSError as error:
            connection.close()
            raise self._failure(error) from error
        self._socket = connection
        return connection

    def _again(self, connection: socket.socket, datagram: bytes) -> None:
        try:
            connection.send(datagram)
        except (ConnectionRefusedError, ConnectionResetError):
            pass  # counted already
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> SharingError:
        reason = _REASONS.get(error.errno or 0) or f"{(error.strerror or str(error)).lower()}; check the address"
        return SharingError(f"Cannot send to {self._address}: {reason}.", LOOK_UP_PAUSE)
