"""How the workers of a start tell the master that they are ready, or why they cannot be, and wait for its word."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

_END = b"\0"
_MOST = select.PIPE_BUF - len(_END)  # bytes that are written at once, not between those of another worker
_LOOK_AGAIN_S = 0.2
_SPEECHLESS = (
    "A worker ended while the server started and could not say why; see the log, and the system's for its memory."
)


class Boot:
    """Made before the workers are forked: a pipe on which each says one thing, and one on which they wait."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._word, self._master = os.pipe()
        self.why = ""

    def ready(self) -> None:
        """In a worker: returns when the master has announced the start, so that nobody is answered before."""
        self._say(b"")
        os.close(self._master)
        os.read(self._word, 1)  # ends when the last holder of the other end has closed it

    def refused(self, why: str) -> None:
        """In a worker that will not become ready: a sentence that names the next step."""
        self._say(why.encode()[:_MOST])

    def wait(self, workers: int, is_over: Callable[[], bool]) -> bool:
        """In the master: whether that many became ready. Where not, `why` is what the first refused one said, or that
        one died without a word; it stays empty where `is_over` found that there is nothing to wait for any more."""
        os.close(self._writing)
        said = self._said(workers, is_over)
        os.close(self._reading)
        if len(said) < workers and not is_over():
            self.why = _SPEECHLESS
        self.why = next((words.decode(errors="replace") for words in said if words), self.why)
        return len(said) == workers and not any(said)

    def go(self) -> None:
        """In the master: lets the workers that are ready begin."""
        os.close(self._master)
        os.close(self._word)

    def _said(self, workers: int, is_over: Callable[[], bool]) -> list[bytes]:
        heard = b""
        while heard.count(_END) < workers and not is_over():
            if select.select([self._reading], [], [], _LOOK_AGAIN_S)[0]:
                data = os.read(self._reading, 4096)
                if not data:
                    break
                heard += data
        return heard.split(_END)[:-1]

    def _say(self, words: bytes) -> None:
        os.write(self._writing, words + _END)
        os.close(self._writing)
