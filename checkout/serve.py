"""The server: gunicorn in this process, set up for one small machine.

The workers of a start load the application themselves, and what is wrong with it ends the start in one sentence: in
the master, which only watches them, it would take 13 MB. The master loads it when a worker has to be replaced, and has
it at hand from then on. Each worker is pinned to a CPU (threads of one Python process on several CPUs fight for its
lock: pinning doubled what one worker answers) and runs the worker loop.

SIGHUP reads the settings again: new workers take over, the old ones end after their last request, and the socket stays
open all the time. Settings that cannot be used change nothing.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.systemd import sd_notify  # type: ignore[import-untyped]

from checkout import logs, process
from checkout.boot import Boot
from checkout.cpus import Cpus
from checkout.errors import Code, Refusal, StoreError
from checkout.patience import PatientWorker
from checkout.settings import Settings, SettingsError

if TYPE_CHECKING:
    from flask import Flask

    from checkout.interfaces import Store
    from checkout.worker import Worker

log = logging.getLogger(__name__)

Make = Callable[[], "Flask"]
Ready = Callable[[], None]
Greet = Callable[["Flask"], None]
Renew = Callable[[], tuple["Flask", Settings]]

_UNUSABLE = (SettingsError, Refusal, StoreError)
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
_MEMORY = "/dev/shm"  # noqa: S108 - for the workers' heartbeat files, which must never wait for a disk
_OPTIONS: dict[str, Any] = {
    "worker_class": PatientWorker,
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
    make: Make, settings: Settings, host: str, port: int, *,
    ready: Ready = lambda: None, greet: Greet = lambda app: None, renew: Renew | None = None,
) -> None:  # fmt: skip
    """Serves the application that `make` gives, made with `work=False`, until a signal ends it.

    The first worker calls `greet` with it, the master calls `ready` when all workers answer; `renew` makes it anew at
    SIGHUP. Refused: BAD_REQUEST (the address cannot be listened on, the log not be written, or `make` refused, found
    the database damaged or another server at it: then with that sentence).
    """
    process.try_address(host, port)
    set_up_logs(settings)
    _Server(make, settings, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", ready, greet, renew).run()


def set_up_logs(settings: Settings) -> None:
    """Refused: BAD_REQUEST."""
    try:
        logs.set_up(settings.log_format, settings.log_level, settings.log_file)
    except OSError as error:
        raise Refusal(
            Code.BAD_REQUEST, f"The log cannot be written to {settings.log_file} ({error.strerror}); change log_file."
        ) from error


class _Log(logging.LoggerAdapter[logging.Logger]):
    """gunicorn's own words go where everything goes, without queries: it quotes request lines that it cannot read. What
    else its own class can do (files, levels, lines of access) is done elsewhere here, and costs each process 0.3 MB."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(logging.getLogger("gunicorn.error"))
        self.setup(cfg)

    def setup(self, cfg: Any) -> None:
        """At the start, and when the settings were read again."""
        self.cfg = cfg
        self.setLevel(cfg.loglevel.upper())

    def access(self, *_: Any) -> None: ...

    def reopen_files(self) -> None: ...

    def close_on_exec(self) -> None: ...


class _Arbiter(Arbiter):  # type: ignore[misc]
    is_ending = False

    def start(self) -> None:
        """The system's manager is told when the workers are ready, not yet here."""
        manager = os.environ.pop("NOTIFY_SOCKET", None)
        super().start()
        if manager is not None:
            os.environ["NOTIFY_SOCKET"] = manager

    def signal(self, sig: int, frame: Any) -> None:
        self.is_ending |= sig in _ENDING
        super().signal(sig, frame)

    def spawn_workers(self) -> None:
        super().spawn_workers()
        if self.app.is_up:
            return
        if self.app.comes_up(self.num_workers, lambda: self.is_ending):
            sd_notify("READY=1", self.log)
        elif self.app.boot.why:
            raise StopIteration  # ends the loop without a further word

    def spawn_worker(self) -> None:
        if not self.app.is_up or self.app.is_at_hand():
            super().spawn_worker()

    def reload(self) -> None:
        if self.app.renew():
            super().reload()
            log.warning("The settings were read again; new workers have taken over.")


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(
        self, make: Make, settings: Settings, address: str, ready: Ready, greet: Greet, renew: Renew | None
    ) -> None:
        self._make, self._settings, self._address = make, settings, address
        self._ready, self._greet, self._renew = ready, greet, renew
        self._app: Flask | None = None
        self._guard: Store | None = None  # has the lock on the database
        self._cpus = Cpus()
        self._alive = os.pipe()
        self.boot, self.is_up = Boot(), False
        super().__init__()

    def load_config(self) -> None:
        own = {
            "bind": self._address,
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "worker_connections": process.connections(),
            "worker_tmp_dir": _MEMORY if os.access(_MEMORY, os.W_OK) else None,
            "logger_class": _Log,
            "pre_fork": self._before_fork,
            "post_fork": self._begin,
            "post_worker_init": self._work,
            "worker_exit": self._end,
        }
        for name, value in (_OPTIONS | own).items():
            self.cfg.set(name, value)

    def run(self) -> None:
        try:
            _Arbiter(self).run()
        except SystemExit:
            if self.boot.why:
                raise Refusal(Code.BAD_REQUEST, self.boot.why) from None
            raise

    def comes_up(self, workers: int, is_over: Callable[[], bool]) -> bool:
        """In the master, after the first workers were forked: waits until they are ready."""
        self.is_up = True
        try:
            is_ready = self.boot.wait(workers, is_over)
            if is_ready:
                self._ready()
            return is_ready
        finally:
            self.boot.go()

    def load(self) -> Flask:
        """In a worker."""
        if self._app is None:
            try:
                self._app = self._taken(self._make())
            except _UNUSABLE as error:
                self.boot.refused(str(error))
                sys.exit(0)
            gc.freeze()
        return self._app

    def is_at_hand(self) -> bool:
        """In the master: whether a worker can be forked from it, with the application."""
        if self._app is None:
            try:
                self._app = self._taken(self._make())
            except (*_UNUSABLE, ValueError, OSError) as error:
                log.error("A worker has ended and none can take its place; it is tried again: %s", error)
                return False
        return True

    def _taken(self, app: Flask) -> Flask:
        """Takes the database for an application; the one before lets go of it only then."""
        former, taken = self._guard, app.extensions["checkout"].store
        taken.guard()
        self._guard = taken
        if former is not None:
            former.close()
        return app

    def renew(self) -> bool:
        """Makes the application anew from the settings as they are now; False, and nothing changed: they are bad."""
        try:
            if self._renew is not None:
                app, settings = self._renew()
                if settings.database != self._settings.database:
                    raise SettingsError("Another database needs a restart.")
                set_up_logs(settings)
                self._app, self._settings = self._taken(app), settings
        except (*_UNUSABLE, ValueError, OSError) as error:
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
        process.share_one_heap()
        self._end_with_master()

    def _work(self, worker: Any) -> None:
        """In the worker, when it has the application."""
        app = self.load()
        own: Worker = app.extensions["checkout.worker"]
        # Not where the loop would have to wait for another machine, or for whoever reads the log of requests.
        has_desk = not self._settings.is_postgres and self._settings.log_level != "info"
        own.start(is_carried=has_desk)
        if has_desk:
            worker.open_desk(app.extensions["checkout"].store, own.outbox)
        if not self.is_up:
            if worker.age == 1:
                self._greet(app)
            self.boot.ready()

    def _end(self, _arbiter: Any, _worker: Any) -> None:
        """In the worker, after its last request: callbacks under way may end."""
        if self._app is not None:
            self._app.extensions["checkout.worker"].stop()

    def _end_with_master(self) -> None:
        """A master that was killed takes its workers with it, so that the next start finds port and database free."""
        reading, writing = self._alive
        os.close(writing)

        def wait() -> None:
            os.read(reading, 1)  # ends when the last holder of the other end, the master, is gone
            os._exit(1)

        threading.Thread(target=wait, name="master", daemon=True).start()
