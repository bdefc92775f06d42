"""Sends messages to the owner's services (ntfy, mail, Bark …) through Apprise, in a process of its own.

Apprise would make the server half as large again and has no deadline for a whole call. So a child is started for each
message: it reads the addresses from its standard input (they are secrets, and other users can read arguments), answers
with one line of JSON, and is killed when it takes too long. The addresses are the owner's and are trusted: they may
lead into the owner's own network.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import unquote

from msgspec import Struct

from checkout.resources import PACKAGE

_DEADLINE_S = 12  # of the child, for all services together
_KILLED_AFTER_S = 18  # a server that stops waits for it
_MAX_WHY = 200


class Handed(Struct, frozen=True):
    """What one service did with a message; `service` is its kind alone, `why` holds no secret."""

    service: str
    taken: bool
    why: str = ""


class HandOver(Protocol):
    def __call__(self, urls: Sequence[str], title: str, body: str) -> list[Handed]:
        """One answer for each address, in their order. Raises nothing."""
        ...


def hand_over(urls: Sequence[str], title: str, body: str) -> list[Handed]:
    """Sends one message to all services at once; returns within twenty seconds."""
    kinds = [kind_of(url) for url in urls]
    asked = json.dumps({"urls": list(urls), "title": title, "body": body})
    path = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(  # noqa: S603 - our own program, nothing of it from outside
            _command(), input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
            timeout=_KILLED_AFTER_S, check=True, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        answers = [str(why) for why in json.loads(done.stdout)]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        answers = [f"The message could not be handed over ({type(error).__name__})."] * len(kinds)
    return [Handed(kind, not why, why) for kind, why in zip(kinds, answers, strict=True)]


def kind_of(url: str) -> str:
    """The part of an address that is no secret, such as `ntfy`."""
    return url.partition("://")[0].lower()


def child() -> None:
    """The child process: reads one message, writes for each service why it was not accepted ("" where it was)."""
    import apprise  # noqa: F401 - takes a while; the services' time begins after it

    asked = json.load(sys.stdin)
    urls: list[str] = asked["urls"]
    answers = ["The service did not answer in time."] * len(urls)
    logging.getLogger("apprise").setLevel(logging.WARNING)

    def tell(index: int) -> None:
        answers[index] = _told(urls[index], asked["title"], asked["body"])

    threads = [threading.Thread(target=tell, args=(index,), daemon=True) for index in range(len(urls))]
    for thread in threads:
        thread.start()
    until = threading.Timer(_DEADLINE_S, lambda: _end(answers))
    until.daemon = True
    until.start()
    for thread in threads:
        thread.join()
    _end(answers)


def _end(answers: list[str]) -> None:
    """Ends the process even while a service still hangs."""
    sys.stdout.write(json.dumps(answers))
    sys.stdout.flush()
    os._exit(0)


def _told(url: str, title: str, body: str) -> str:
    import apprise

    heard = _Heard()
    try:
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if service is None:
            return f"Apprise does not know such an address: {kind_of(url)}://…"
        service.logger.addHandler(heard)
        taken = service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:  # whatever a plugin throws, the others go on
        return f"The service failed ({type(error).__name__})."
    if taken:
        return ""
    return scrubbed(" ".join(heard.said) or "The service did not take the message.", url)[:_MAX_WHY]


class _Heard(logging.Handler):
    """What Apprise logs in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.said.append(record.getMessage())


def scrubbed(text: str, url: str) -> str:
    """The text without any part of an address, which may be a password or a key."""
    parts = {part for part in re.split(r"[/:@?&=,#\s]+", url.partition("://")[2]) if len(part) >= 3}
    for part in sorted(parts | {unquote(part) for part in parts}, key=len, reverse=True):
        text = text.replace(part, "…")
    return " ".join(text.split())


def _command() -> list[str]:
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "checkout"]
    return [*program, "alert", "hand-over"]
