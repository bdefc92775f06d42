"""A client's connection, as the server's loop keeps it."""

from __future__ import annotations

import socket
import struct
from typing import Any

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from checkout.server.buffered_socket import BufferedSocket
from checkout.server.framing import Place

STALLED_S = 10  # for a client to take a piece of its answer where a thread waits: one that is made while it is sent
_STALLED = struct.pack("ll", STALLED_S, 0)
_SEND_BUFFER = 256 * 1024  # our pages fit


class Connection(TConn):  # type: ignore[misc]
    """What is known of a client: what has come of its next request, and who listens to it."""

    sock: BufferedSocket
    parser: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sock = BufferedSocket(self.sock)
        self.received = bytearray()
        self.place = Place()
        self.is_closing = False
        self.is_heard = False  # the loop would learn that something has come

    def take_received(self) -> bytes:
        received = bytes(self.received)
        self.received.clear()
        self.place.at = 0
        return received

    def hand_to_parser(self, received: bytes) -> None:
        """For a thread, which waits where the loop asks not to in each call: that is cheaper than switching twice a
        request, and many connections never need a thread."""
        if not self.initialized:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                self.sock.setsockopt(socket.SOL_SOCKET, option, _STALLED)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.init()
        self.parser.unreader.unread(received)

    def take_unread(self) -> bytes:
        """What the parser has left of what it was given."""
        return bytes(self.parser.unreader.take_buffered()) if self.initialized else b""
