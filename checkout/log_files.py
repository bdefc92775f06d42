"""The log in a file that may be moved away at any moment. Servers that log to stderr do without `logging.handlers`, and
with it pickle: 0.4 MB of the process that watches them."""

from __future__ import annotations

import os
from logging.handlers import WatchedFileHandler
from typing import IO


class Watched(WatchedFileHandler):
    """Goes on in a new file once the old one was moved away; its lines are for the owner's eyes."""

    def _open(self) -> IO[str]:  # type: ignore[override]
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=private)
