"""A cable between two programs that can be cut: nothing is refused or closed, it only stops to arrive."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress


class Relay:
    """Passes what comes to its port on to `port`. What comes while it is cut arrives when it is mended, as the systems
    at both ends would send it again."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._whole = threading.Event()
        self._whole.set()
        self._words, self._keeps_answer = b"", False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_over = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        self._whole.clear()

    def cut_at(self, words: bytes, *, answer: bool) -> None:
        """Cuts itself before these words to the server, or after them: before the `answer`."""
        self._words, self._keeps_answer = words, answer

    def mend(self) -> None:
        self._words = b""
        self._whole.set()

    def break_all(self) -> None:
        """What an end hears that was forgotten by the other: every connection ends, and the cable is whole again."""
        for pair in self._pairs:
            for sock in pair:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self.mend()

    @property
    def is_cut(self) -> bool:
        return not self._whole.is_set()

    def close(self) -> None:
        self._is_over = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.break_all()
        for thread in self._threads:
            thread.join(30)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._is_over:
                client.close()
                return
            self._threads.append(threading.Thread(target=self._pass_on, args=(client,), daemon=True))
            self._threads[-1].start()

    def _pass_on(self, client: socket.socket) -> None:
        self._whole.wait()
        if self._is_over:
            client.close()
            return
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            self._pairs.append((client, server))
            while True:
                for sock in select.select([client, server], [], [])[0]:
                    read = sock.recv(65536)
                    self._carry(read, to_server=sock is client)
                    (server if sock is client else client).sendall(read)
                    if not read:
                        return

    def _carry(self, read: bytes, *, to_server: bool) -> None:
        if self._words and to_server and self._words in read:
            self._whole.clear()
            if self._keeps_answer:
                return
        self._whole.wait()
