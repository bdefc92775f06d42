"""What the server asks of the system: an address to listen on, room for its clients, one heap for its threads."""

from __future__ import annotations

import resource
import socket
from contextlib import suppress

from checkout.errors import Code, Refusal

_CONNECTIONS = 2000
_OTHER_FILES = 512  # callbacks, database, log
_BACKLOG = 2048  # that are connected and wait for a worker to look
_M_ARENA_MAX = -8  # <malloc.h>


def listener(host: str, port: int) -> socket.socket:
    """Refused: BAD_REQUEST."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=_BACKLOG,
            dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
        )  # fmt: skip
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
    """Before a worker makes threads. glibc gives them heaps of their own lest they wait for each other; ours wait
    for Python's lock anyway, and what one heap has free another cannot use: 6 MB of a worker after an hour. Other C
    libraries know no such thing."""
    import ctypes  # whoever makes no threads does without

    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
