"""What a server writes to stderr: warnings and errors, without what must stay secret.

Keys and signatures travel in query strings, so no query, no long hexadecimal number and no secret of a webhook is ever
written.
"""

from __future__ import annotations

import logging
import re

FORMAT = "%(asctime)s [%(process)d] %(levelname)s %(message)s"
_SECRETS = re.compile(
    r"(?<=\?)[^\s'\"<>]+|\b[0-9A-Fa-f]{32,}\b|%[0-9A-Fa-f]{2}[^\s'\"<>]{16,}|\bwhsec_[0-9A-Za-z+/=_-]+"
)


class Redacting(logging.Formatter):
    """Formats a record with its traceback, then takes the secrets out of all of it."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def redacted(text: str) -> str:
    return _SECRETS.sub("…", text)


def set_up() -> None:
    """Sends what our own parts and their libraries log to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(Redacting())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
