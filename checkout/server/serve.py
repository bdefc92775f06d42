"""The server: a crew of gunicorn's workers, set up for one small machine and watched by `checkout.server.supervisor`.

The first worker, the leader, loads the application and forks the others, so that they share its memory. What is wrong
with it ends the start in one sentence. Each worker is pinned to a CPU (threads of one Python process on several CPUs
fight for its lock: pinning doubled what one worker answers) and runs the worker loop.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn.config import Config  # type: ignore[import-untyped]

from checkout import __version__, logs, pages
from checkout.errors import Code, Refusal, StoreError
from checkout.server import admission, cpus, crews, process, terms
from checkout.server.balance import Balance
from checkout.server.buffering import BufferingWorker
from checkout.server.terms import Terms
from checkout.settings import Settings, SettingsError

if TYPE_CHECKING:
    from flask import Flask

    from checkout.server.crews import Line
    from checkout.worker import Worker

log = logging.getLogger(__name__)

_MEMORY = "/dev/shm"  # noqa: S108 - for files that gunicorn makes for each worker
_RENEWED = "The settings were read again; new workers have taken over."
OPTIONS: dict[str, Any] = {
    "worker_class": BufferingWorker,
    "limit_request_line": 8190,
    "limit_request_fields": 64,
    "keepalive": 130,  # Caddy keeps idle ones for 120, nginx for 60: no request may meet one that is being closed here
    "graceful_timeout": 15,  # requests and callbacks under way may end; a callback takes 10 seconds at most
    "loglevel": "warning",
    # X-Forwarded-* is believed in one place only, and only from the proxies in the settings.
    "forwarded_allow_ips": "",
    "secure_scheme_headers": {},
    "forwarder_headers": "",
}


def run(
    read: Callable[[], Settings], make: Callable[[Settings], Flask], host: str, port: int, *,
    ready: Callable[[], None] = lambda: None, greet: Callable[[Flask], None] = lambda app: None,
) -> None:  # fmt: skip
    """As a crew: serves what `make` gives, made with `work=False`, for the settings that `read` gives, until a signal
    ends it. The first crew calls `greet` with it, and `ready` when its workers answer.

    Exits with 1 where it cannot serve, and has told the watcher why: the settings, the address, the log, the database.
    """
    line = crews.line
    assert line is not None, "Only a process that is watched can serve."
    try:
        settings = terms.settings(line, read)
        listener = line.listener or process.listener(host, port)
        set_up_logs(settings)
        app = make(settings)
        app.extensions["checkout"].store.guard(line.server)
    except (SettingsError, Refusal, StoreError) as error:
        line.refused(str(error))
        raise SystemExit(1) from None
    crew = _Crew(app, settings, listener, line)
    if line.listener is None:
        greet(app)
        ready()
    crew.muster(settings.workers)
    line.ready(listener, Terms(__version__, settings).written())
    if line.listener is not None:
        log.warning("%s", f"{line.news} Another has taken its place." if line.news else _RENEWED)
    crew.work()


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

    def __init__(self) -> None:
        super().__init__(logging.getLogger("gunicorn.error"))
        self.setLevel(logging.WARNING)

    def access(self, *_: Any) -> None: ...

    def reopen_files(self) -> None: ...

    def close_on_exec(self) -> None: ...


class _Crew:
    """What stands for the application where gunicorn's worker asks for it."""

    def __init__(self, app: Flask, settings: Settings, listener: socket.socket, line: Line) -> None:
        self._app, self._settings, self._listener, self._line = app, settings, listener, line
        self._mates: list[int] = []
        self._number, self._parent = 0, line.server
        self._balance = Balance(settings.workers)

    def muster(self, workers: int) -> None:
        """In the leader: forks the others. What is there now is left alone by the collector of garbage, whose marks
        would make each worker's memory its own."""
        process.share_one_heap()
        if workers > 1:
            try:
                pages.prepare(self._app)
            except Exception:  # a template that is broken, or a catalogue: only the pages that need it shall fail
                log.exception("What pages need could not be loaded before the workers are forked")
            gc.collect()
        gc.freeze()
        leader = os.getpid()
        for number in range(1, workers):
            if mate := os.fork():
                self._mates.append(mate)
                self._line.started(mate)
            else:
                self._mates, self._number, self._parent = [], number, leader
                process.carry_out(self.work)

    def work(self) -> None:
        """Is a worker, until it is told to end."""
        cpus.pin(self._number, self._line.server)
        threading.Thread(target=self._listen, name="watch", daemon=True).start()
        worker = BufferingWorker(
            self._number, self._parent, [self._listener], self, None, self._configuration(), _Log()
        )
        worker.pid, worker.signed = os.getpid(), self._sign
        worker.share_clients(self._balance)
        if not self._settings.is_postgres:  # whose threads wait for another machine most of the time
            worker.admit_reads(admission.AT_ONCE)
        try:
            worker.init_process()
        except Exception:
            log.exception("A worker has failed")
            raise SystemExit(1) from None
        finally:
            worker.tmp.close()
            self._app.extensions["checkout.worker"].stop()  # callbacks under way may end

    def wsgi(self) -> Flask:
        return self._app

    def _configuration(self) -> Any:
        own = {
            "threads": self._settings.threads,
            "worker_connections": process.connections(),
            "worker_tmp_dir": _MEMORY if os.access(_MEMORY, os.W_OK) else None,
            "post_worker_init": self._begin,
        }
        configuration = Config()
        for name, value in (OPTIONS | own).items():
            configuration.set(name, value)
        return configuration

    def _begin(self, worker: BufferingWorker) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes says it to all; the watcher obeys
        own: Worker = self._app.extensions["checkout.worker"]
        # Not where the loop would have to wait for another machine, or for whoever reads the log of requests. Behind
        # `Access` requests write as soon as they are begun, which at the desk would be outside its commit.
        has_desk = not self._settings.is_postgres and self._settings.log_level != "info"
        own.start(is_carried=has_desk)
        if has_desk:
            worker.open_desk(self._app.extensions["checkout"].store, own.dispatcher)

    def _sign(self) -> None:
        """Once a second, while the worker's loop turns."""
        self._line.alive()
        for mate in list(self._mates):
            if os.waitpid(mate, os.WNOHANG)[0]:
                self._mates.remove(mate)
                self._line.short()

    def _listen(self) -> None:
        """A watcher that was killed takes its workers with it, so that the next start finds port and database free."""
        while sentences := self._line.heard():
            for sentence in sentences:
                log.error("%s", sentence)
        os._exit(1)
