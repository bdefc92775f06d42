"""The server: gunicorn in this process, set up for one small machine.

The application is loaded once, before the workers are forked, so that whatever is wrong is said in one sentence and
the workers share its memory. Each worker is pinned to a CPU (threads of one Python process on several CPUs fight for
its lock: pinning doubled what one worker answers) and runs the worker loop.

SIGHUP reads the settings again: new workers take over, the old ones end after their last request, and the socket stays
open all the time. Settings that cannot be used change nothing.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from checkout import logs
from checkout.errors import Code, Refusal, StoreError
from checkout.patience import PatientWorker
from checkout.settings import Settings, SettingsError

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)

Ready = Callable[[], None]
Renew = Callable[[], tuple["Flask", Settings]]

_CONNECTIONS = 2000
_M_ARENA_MAX = -8  # <malloc.h>
_OTHER_FILES = 512  # callbacks, database, log
_MEMORY = "/dev/shm"  # noqa: S108 - for the workers' heartbeat files, which must never wait for a disk
_OPTIONS: dict[str, Any] = {
    "worker_class": PatientWorker,
    "preload_app": True,
    "control_socket_disable": True,
    "limit_request_line": 8190,
    "limit_request_fields": 64,
    "keepalive": 15,  # a waiting page asks every 2 to 5 seconds
    "timeout": 60,
    "graceful_timeout": 15,  # requests and callbacks under way may end; a callback takes 10 seconds at most
    "loglevel": "warning",
    # X-Forwarded-* is believed in one place only, and only from the proxies in the settings.
    "forwarded_allow_ips": "",
    "secure_scheme_headers": {},
    "forwarder_headers": "",
}


def run(
    app: Flask, settings: Settings, host: str, port: int, ready: Ready = lambda: None, renew: Renew | None = None
) -> None:
    """Serves `app`, made with `work=False`, until a signal ends it.

    `ready` is called when it listens; `renew` makes the application anew at SIGHUP. Refused: BAD_REQUEST (the address
    cannot be listened on, or the log not be written); `StoreError` when the database is damaged or another server has
    it.
    """
    _share_one_heap()
    app.extensions["checkout"].store.guard()
    try_address(host, port)
    set_up_logs(settings)
    _Server(app, settings, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", ready, renew).run()


def _share_one_heap() -> None:
    """glibc gives threads heaps of their own lest they wait for each other. Ours wait for Python's lock anyway, and
    what one heap has free another cannot use: 6 MB of a worker after an hour. Other C libraries know no such thing."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def set_up_logs(settings: Settings) -> None:
    """Refused: BAD_REQUEST."""
    try:
        logs.set_up(settings.log_format, settings.log_level, settings.log_file)
    except OSError as error:
        raise Refusal(
            Code.BAD_REQUEST, f"The log cannot be written to {settings.log_file} ({error.strerror}); change log_file."
        ) from error


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's own words, without queries: it quotes request lines that it cannot read."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True  # to where everything goes


class _Arbiter(Arbiter):  # type: ignore[misc]
    def reload(self) -> None:
        if self.app.renew():
            super().reload()
            log.warning("The settings were read again; new workers have taken over.")


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, settings: Settings, address: str, ready: Ready, renew: Renew | None) -> None:
        self._app, self._settings, self._address, self._ready, self._renew = app, settings, address, ready, renew
        self._guard = app.extensions["checkout"].store  # holds the lock on the database, whatever comes after it
        self._cpus = _Cpus()
        self._alive = os.pipe()
        super().__init__()

    def load_config(self) -> None:
        own = {
            "bind": self._address,
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "worker_connections": _connections(),
            "worker_tmp_dir": _MEMORY if os.access(_MEMORY, os.W_OK) else None,
            "logger_class": _Log,
            "when_ready": lambda arbiter: self._ready(),
            "pre_fork": self._before_fork,
            "post_fork": self._begin,
            "worker_exit": self._end,
        }
        for name, value in (_OPTIONS | own).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app

    def run(self) -> None:
        _Arbiter(self).run()

    def renew(self) -> bool:
        """Makes the application anew from the settings as they are now; False, and nothing changed: they are bad."""
        try:
            if self._renew is not None:
                app, settings = self._renew()
                if settings.database != self._settings.database:
                    raise SettingsError("Another database needs a restart.")
                set_up_logs(settings)
                self._app, self._settings = app, settings
        except (SettingsError, Refusal, StoreError, ValueError, OSError) as error:
            log.error("The settings were not taken over, those from before stay in force: %s", error)
            return False
        self.callable = None
        return True

    def _before_fork(self, arbiter: Any, worker: Any) -> None:
        """What is there now is left alone by the collector of garbage, whose marks would make each worker's memory its
        own: 7 MB of it."""
        self._cpus.choose(arbiter, worker)
        gc.freeze()

    def _begin(self, _arbiter: Any, worker: Any) -> None:
        """In the new worker."""
        self._cpus.pin(worker)
        self._end_with_master()
        self._app.extensions["checkout.worker"].start()

    def _end(self, _arbiter: Any, _worker: Any) -> None:
        """In the worker, after its last request: callbacks under way may end."""
        self._app.extensions["checkout.worker"].stop()

    def _end_with_master(self) -> None:
        """A master that was killed takes its workers with it, so that the next start finds port and database free."""
        reading, writing = self._alive
        os.close(writing)

        def wait() -> None:
            os.read(reading, 1)  # ends when the last holder of the other end, the master, is gone
            os._exit(1)

        threading.Thread(target=wait, name="master", daemon=True).start()


class _Cpus:
    """Gives each worker the CPU that the fewest others have."""

    def __init__(self) -> None:
        self._cpus = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
        # Two servers on one machine should not choose the same CPU.
        first = os.getpid() % len(self._cpus) if self._cpus else 0
        self._cpus = self._cpus[first:] + self._cpus[:first]

    def choose(self, arbiter: Any, worker: Any) -> None:
        taken = Counter(getattr(other, "cpu", None) for other in arbiter.WORKERS.values())
        worker.cpu = min(self._cpus, key=lambda cpu: taken[cpu]) if len(self._cpus) > 1 else None

    def pin(self, worker: Any) -> None:
        """Before the worker's threads are made: they inherit it."""
        if sys.platform == "linux" and worker.cpu is not None:
            with suppress(OSError):  # not allowed in every container
                os.sched_setaffinity(0, {worker.cpu})


def _connections() -> int:
    """How many clients a worker keeps: systems allow a process few open files unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(_CONNECTIONS, soft - _OTHER_FILES))


def try_address(host: str, port: int) -> None:
    """gunicorn would try five times and then give up without saying what to do."""
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
