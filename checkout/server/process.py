"""What the server asks of the system: an address to listen on, room for its clients, one heap for its threads, words
for whoever started it. The process that watches loads this too, and should stay small."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress

from checkout.errors import Code, Refusal

TYPE_CHECKING = False  # as in typing, which takes 0.8 MB
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_CONNECTIONS = 2000
_OTHER_FILES = 512  # callbacks, database, log
_BACKLOG = 2048  # that are connected and wait for a worker to look
_M_ARENA_MAX, _M_TRIM_THRESHOLD = -8, -1  # <malloc.h>
_SPARE = 256 * 1024  # bytes that the heap may have free at its end


def listener(host: str, port: int) -> socket.socket:
    """Refused: BAD_REQUEST."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG,
            dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
        )  # fmt: skip
        # Connections inherit it. An answer goes out in pieces, of which the last would wait 40 ms for the client.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as error:
        why, _, _ = (getattr(error, "strerror", None) or str(error)).partition(" (while")  # the address, once more
        raise Refusal(
            Code.BAD_REQUEST, f"Nothing can listen on {host}:{port} ({why}); choose another with --host and --port."
        ) from error


def connections() -> int:
    """How many clients a worker keeps: systems allow a process few open files unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(_CONNECTIONS, soft - _OTHER_FILES))


def share_one_heap() -> None:
    """Before a process, or those that it forks, make threads. glibc gives them heaps of their own lest they wait for
    each other; ours wait for Python's lock anyway, and what one heap has free another cannot use: 6 MB of a worker
    after an hour.

    What is free at its end goes back to the system, which glibc stops to do once a large block was freed: 3 MB of a
    worker after a quarter of an hour. Other C libraries know no such things."""
    import ctypes  # whoever makes no threads does without

    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, _SPARE)


def carry_out(work: Callable[[], object]) -> NoReturn:
    """Does the work of a process that was forked, and ends it there: what stands behind the fork is its parent's."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(status)


def signal_name(number: int) -> str:
    """Those between the first and the last of real time have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def say(sentence: str) -> None:
    """Where somebody reads it: a pipe that is full must not stop the one that watches."""
    with suppress(OSError, ValueError, AttributeError):
        words = sentence.encode(sys.stderr.encoding, "backslashreplace")
        if select.select([], [sys.stderr], [], 0)[1]:
            os.write(sys.stderr.fileno(), words[: select.PIPE_BUF - 1] + b"\n")


def tell_manager(words: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            manager.sendall(words.encode())
