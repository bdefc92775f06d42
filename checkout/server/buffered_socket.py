"""A client's socket for which no thread waits: what it does not accept at once is kept, and a loop sends it later."""

from __future__ import annotations

import os
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

_AT_ONCE = int(socket.MSG_DONTWAIT)  # a plain number: joining flags of an enum takes 0.5 µs, a hundredth of a poll
_PIECE = 256 * 1024  # of a file, so that one fast client does not keep the loop
_MOST_KEPT = 4 * 1024 * 1024  # bytes in memory; whoever writes more than that in one answer waits after all


@dataclass(slots=True)
class _File:
    descriptor: int  # our own
    offset: int
    left: int


class BufferedSocket(socket.socket):
    """Takes the place of `sock`. `sendall` and `sendfile` return at once; the loop calls `send_on` until `is_sent`."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._left: deque[memoryview | _File] = deque()
        self.kept = 0  # bytes in memory that wait for the client
        self.files = 0  # open files that do

    @property
    def is_sent(self) -> bool:
        return not self._left

    def sendall(self, data: Any, flags: int = 0) -> None:
        try:
            sent = 0 if self._left else self.send(data, flags | _AT_ONCE)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            rest = memoryview(data)[sent:]
            self._left.append(rest)
            self.kept += rest.nbytes
            while self.kept > _MOST_KEPT:
                self._send_some()

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:  # type: ignore[override]
        descriptor = os.dup(file.fileno())
        size = os.fstat(descriptor).st_size - offset if count is None else count
        self._left.append(_File(descriptor, offset, size))
        self.files += 1
        return size

    def send_on(self) -> bool:
        """Sends a piece of what is left; True when that was the last. The socket must not block. OSError: the client
        has gone, or a file has become shorter than it was."""
        with suppress(BlockingIOError):
            self._send_some()
        return self.is_sent

    def close(self) -> None:
        while self._left:
            self._drop_first()
        super().close()

    def _send_some(self) -> None:
        first = self._left[0]
        if isinstance(first, _File):
            is_over = self._send_of(first)
        else:
            sent = self.send(first)
            self.kept -= sent
            self._left[0] = first[sent:]
            is_over = sent == first.nbytes
        if is_over:
            self._drop_first()

    def _send_of(self, file: _File) -> bool:
        if not file.left:
            return True
        sent = os.sendfile(self.fileno(), file.descriptor, file.offset, min(file.left, _PIECE))
        if not sent:
            raise ConnectionAbortedError("The file ends before its time.")
        file.offset += sent
        file.left -= sent
        return not file.left

    def _drop_first(self) -> None:
        first = self._left.popleft()
        if isinstance(first, _File):
            os.close(first.descriptor)
            self.files -= 1
        else:
            self.kept -= first.nbytes
