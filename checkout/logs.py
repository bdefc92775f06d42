"""What a server logs: warnings and errors always, every request and event where `log_level` is info; to stderr, or to a
file that may be moved away at any moment. As text, or as one JSON object a line.

Keys and signatures travel in query strings, so no query, no long hexadecimal number and no webhook secret is ever
written. The tokens of orders, which are no secrets, go into fields of their own.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

FORMAT = "%(asctime)s [%(process)d] %(levelname)s %(message)s"
_SECRETS = re.compile(
    r"(?<=\?)[^\s'\"<>]+|\b[0-9A-Fa-f]{32,}\b|%[0-9A-Fa-f]{2}[^\s'\"<>]{16,}|\bwhsec_[0-9A-Za-z+/=_-]+"
    r"|\b\w*(?:key|password|secret|sign|token)=[^\s'\"<>]+"  # of a form that was taken for a request's first line
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NAMES = frozenset({"order", "request"})  # fields whose long numbers are names, not secrets
_events = logging.getLogger("checkout.events")
_about: ContextVar[dict[str, Any] | None] = ContextVar("about", default=None)


class Redacting(logging.Formatter):
    """Formats a record with its traceback, then removes the secrets from all of it."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return redacted(super().format(record)) + fields

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """Strangers' text must not look like a line of ours, so line breaks in it are escaped; a traceback keeps its
        lines."""
        record.message = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), record.message)
        return super().formatMessage(record)


class Json(logging.Formatter):
    """One line a record: time (UTC), level, event, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{moment}.{int(record.msecs):03}Z", "level": record.levelname.lower()}
        if record.name == _events.name:
            line["event"] = record.getMessage()
        else:
            line |= {"event": "message", "logger": record.name, "message": redacted(record.getMessage())}
        line |= _fields(record) | {"process": record.process}
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def redacted(text: str) -> str:
    return _SECRETS.sub("…", text)


def event(name: str, **fields: object) -> None:
    """Logs that something happened, such as "order.paid". `fields` hold names and numbers, no secrets. Those of the
    request or job that it belongs to are added, and that learns of its order, merchant and device."""
    about = _about.get()
    if about is not None:
        about |= {key: value for key, value in fields.items() if key in ("order", "merchant", "device")}
    if _events.isEnabledFor(logging.INFO):
        _events.info(name, extra={"fields": fields})


@contextmanager
def about(**fields: object) -> Iterator[dict[str, Any]]:
    """Whatever is logged inside belongs to one request or job; yields what has become known of it."""
    known = dict(fields)
    before = _about.set(known)
    try:
        yield known
    finally:
        _about.reset(before)


def set_up(form: str = "text", level: str = "warning", file: str = "") -> None:
    """Sends what our own parts and their libraries log to stderr or a file; may be called again. `form`: text or json;
    `level`: warning or info. OSError when the file cannot be written."""
    handler = _in_file(file) if file else logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Redacting())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _events.setLevel(logging.INFO if level == "info" else logging.WARNING)


def _in_file(path: str) -> logging.Handler:
    from checkout.log_files import Watched

    return Watched(path, encoding="utf-8")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of the event and of what it belongs to, without empty ones."""
    fields = {**(_about.get() or {}), **getattr(record, "fields", {})}
    return {name: _clean(name, value) for name, value in fields.items() if value not in ("", None)}


def _clean(name: str, value: object) -> object:
    if isinstance(value, bool | int):
        return value
    text = str(value)
    return text if name in _NAMES else redacted(text)
