"""The process that `checkout serve` is: it watches those that answer, and starts others in their place.

It is there for as long as the server is and does next to nothing, so it loads next to nothing either: 11 MB. gunicorn's
master, with what it takes to make workers, was 28 MB of a server of 74.

Workers come as crews (`checkout.server.serve`): processes that share what one of them, the leader, has loaded. A crew
is started by a fork from here, loads everything anew, and ends as a whole. Another takes its place when one of its
workers ends or gives no sign of life for a minute, and when SIGHUP asks for new settings: the one before is told to end
when the new one is ready, and the socket that both listen on stays open. SIGTERM ends the server after the requests
under way, SIGINT and SIGQUIT at once.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from contextlib import suppress

from checkout.server import crews, process
from checkout.server.crews import Crew, Line

TYPE_CHECKING = False  # as in typing, which takes 0.8 MB
if TYPE_CHECKING:
    from collections.abc import Callable

HANGS_S = 60  # without a sign of life
COMES_S = 120  # for a crew to be ready, except the first: it may have tables to bring up to date
LEAVES_S = 25  # for its last requests and callbacks; systemd waits for 30
BRIEF_S = 1  # a crew that has served no longer is not replaced at once: it may fail always
_LOOK_S = 5
_AGAIN_S = 1

_HEARD = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD)
_UNHEARD = (signal.SIGUSR1, signal.SIGUSR2)  # which end a process that does not know them
_SPOKEN = (0, 1, 2)  # statuses of a command that has said by itself what there was to say
_POOR = "The system starts no other process ({}); allow it more processes and open files, or give it more memory."
_SPEECHLESS = "The server ended while it started and could not say why; see the log, and the system's for its memory."


def run(serve: Callable[[], object]) -> int:
    """Watches crews until a signal ends them; the status to exit with. Each is a process that calls `serve`, where
    `crews.line` is its own. No thread may run."""
    return _Watcher(serve).run()


class _Watcher:
    def __init__(self, serve: Callable[[], object]) -> None:
        self._serve, self._own = serve, os.getpid()
        self._crews: list[Crew] = []
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._terms = ""  # once a crew was ready
        self._launch_at: float | None = None  # the next crew
        self._news = ""
        self._status: int | None = None  # once the server ends

    def run(self) -> int:
        self._hear_signals()
        self._looked_at = time.monotonic()
        self._launch()
        while self._crews or self._status is None:
            for key, _ in self._selector.select(self._patience()):
                if key.data is not None:
                    self._hear(key.data)
            self._heed()
            self._reap()
            self._look()
        return self._status

    # Signals

    def _hear_signals(self) -> None:
        reading, writing = self._pipe = os.pipe()
        for file in self._pipe:
            os.set_blocking(file, False)
        self._selector.register(reading, selectors.EVENT_READ)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _HEARD:
            signal.signal(number, lambda *_: None)  # it is read from the pipe
        for number in _UNHEARD:
            signal.signal(number, signal.SIG_IGN)

    def _heed(self) -> None:
        """Those that have come."""
        with suppress(BlockingIOError):
            for number in os.read(self._pipe[0], 4096):
                if number == signal.SIGHUP:
                    self._want("")
                elif number != signal.SIGCHLD:
                    self._end(signal.SIGTERM if number == signal.SIGTERM else signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        self._status, self._launch_at = 0, None
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # whoever comes now is refused at once: by the crews as well
            self._listener.close()
        for crew in self._crews:
            self._dismiss(crew, how if crew.is_serving else signal.SIGTERM)

    # Crews

    def _want(self, news: str, after_s: float = 0) -> None:
        """One more crew, once no other is coming. That settings are to be read again is not forgotten over a loss."""
        if self._status is not None or (self._launch_at is not None and not self._news):
            return
        self._launch_at, self._news = time.monotonic() + after_s, news

    def _launch(self) -> None:
        self._launch_at = None
        try:
            self._fork()
        except OSError as error:
            self._has_not_started(self._news, _POOR.format(error.strerror))

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)  # the child must not write into our pipe
        try:
            leader = os.fork()
            if not leader:
                ours.close()
                process.carry_out(lambda: self._be_crew(theirs))
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
            theirs.close()
        crew = Crew(leader, ours, self._news)
        self._crews.append(crew)
        self._selector.register(ours, selectors.EVENT_READ, crew)

    def _be_crew(self, sock: socket.socket) -> None:
        signal.set_wakeup_fd(-1)
        for number in (*_HEARD, *_UNHEARD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        self._selector.close()
        for file in self._pipe:
            os.close(file)
        for crew in self._crews:
            crew.sock.close()
        crews.line = Line(sock, self._own, self._listener, self._terms, self._news)
        self._serve()

    def _dismiss(self, crew: Crew, how: signal.Signals = signal.SIGTERM) -> None:
        if crew.leaves_by is None:
            crew.leaves_by = time.monotonic() + LEAVES_S
        crew.kill(how)

    def _hear(self, crew: Crew) -> None:
        said, files = crew.heard()
        for file in files:
            self._listener = socket.socket(fileno=file)
        for what, *rest in said:
            if what == "alive":
                crew.seen[int(rest[0])] = time.monotonic()
            elif what == "refused":
                crew.why = rest[0]
            elif what == "ready":
                self._is_ready(crew, rest[0])
            elif what == "short" and crew.is_serving:
                crew.lack = "A worker has ended."
                self._want(crew.lack)
        if not crew.is_linked:
            self._selector.unregister(crew.sock)
            crew.sock.close()

    def _is_ready(self, crew: Crew, terms: str) -> None:
        crew.up_at = crew.seen[crew.leader] = time.monotonic()
        if not self._terms:
            process.tell_manager("READY=1")
        self._terms = terms
        for other in self._crews:
            if other is not crew and other.is_serving:
                self._dismiss(other)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for crew in self._crews:
                    if crew.leader == ended[0]:
                        self._has_ended(crew, os.waitstatus_to_exitcode(ended[1]))

    def _has_ended(self, crew: Crew, code: int) -> None:
        if crew.is_linked:
            self._hear(crew)  # its last words
        crew.has_leader = False
        self._heed()  # the signal that ended it may be ours too
        if crew.leaves_by is not None:
            return
        now = time.monotonic()
        crew.leaves_by = now + LEAVES_S  # its other workers see that it has gone
        if crew.up_at is not None:
            how = f"was ended by {process.signal_name(-code)}" if code < 0 else f"has ended with status {code}"
            self._want(f"A worker (process {crew.leader}) {how}.", 0 if now >= crew.up_at + BRIEF_S else _AGAIN_S)
        elif self._terms or crew.why or code not in _SPOKEN:
            self._has_not_started(crew.after, crew.why or _SPEECHLESS)
        else:
            self._status, self._launch_at = code, None

    def _has_not_started(self, news: str, why: str) -> None:
        """A crew that was to take another's place; the first one ends the server."""
        if not self._terms:
            self._status, self._launch_at = 1, None
            process.say(f"checkout: {why}")
            return
        serving = [other for other in self._crews if other.is_serving]
        if serving and not news:
            sentence = f"The settings were not taken over, those from before stay in force: {why}"
        else:
            news = news or "The workers have ended."
            sentence = f"{news} None can take its place; it is tried again: {why}"
            self._want(news, _AGAIN_S)
        for other in serving:
            other.tell(sentence)
            if other.lack:
                self._want(other.lack, _AGAIN_S)
        if not serving:
            process.say(sentence)

    # Time

    def _patience(self) -> float:
        now = time.monotonic()
        moments = [crew.leaves_by for crew in self._crews if crew.leaves_by is not None]
        if self._launch_at is not None and not self._is_one_coming():
            moments.append(self._launch_at)
        return min([_LOOK_S, *(max(0, moment - now) for moment in moments)])

    def _look(self) -> None:
        now = time.monotonic()
        if now >= self._looked_at + 2 * _LOOK_S:  # stopped, or in a container that was paused: so were the others
            for crew in self._crews:
                crew.forgive(now - self._looked_at)
        self._looked_at = now
        if self._launch_at is not None and now >= self._launch_at and not self._is_one_coming():
            self._launch()
        for crew in self._crews:
            if crew.is_serving:
                self._look_after(crew, now)
            elif crew.is_coming:
                if self._terms and now >= crew.seen[crew.leader] + COMES_S:
                    crew.kill(signal.SIGKILL)
            elif crew.leaves_by is not None and now >= crew.leaves_by:
                crew.leaves_by = now + _AGAIN_S
                crew.kill(signal.SIGKILL)
        self._crews = [crew for crew in self._crews if crew.has_leader or crew.is_linked]

    def _is_one_coming(self) -> bool:
        return any(crew.is_coming for crew in self._crews)

    def _look_after(self, crew: Crew, now: float) -> None:
        for worker, at in list(crew.seen.items()):
            if now >= at + HANGS_S:
                process.say(
                    f"A worker (process {worker}) has given no sign of life for {HANGS_S} seconds and is ended."
                )
                crew.kill(signal.SIGKILL, worker)
                del crew.seen[worker]
