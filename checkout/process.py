"""What the server asks of the system: an address to listen on, room for its clients, one heap for its threads."""

from __future__ import annotations

import resource
import socket
from contextlib import suppress

from checkout.errors import Code, Refusal

_CONNECTIONS = 2000
_OTHER_FILES = 512  # callbacks, database, log
_M_ARENA_MAX = -8  # <malloc.h>


def try_address(host: str, port: int) -> None:
    """Refused: BAD_REQUEST. gunicorn would try five times and then give up without saying what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
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
    import ctypes  # the master does without

    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
