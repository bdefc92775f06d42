"""The process that watches, with crews that do nothing: what it starts, ends and says."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from checkout.server.crews import Crew, Line
from tests.servers import ROOT, until

# A crew says in a file of its own number what becomes of it; files say what the crews are to do.
PROGRAM = """
import os, signal, socket, sys, time
from pathlib import Path
from checkout.server import crews, supervisor

supervisor.HANGS_S = supervisor.COMES_S = supervisor.LEAVES_S = 1
supervisor._LOOK_S = supervisor._AGAIN_S = crews._SIGN_S = 0.1

def note(words):
    with open(f"crew-{number}", "a") as file:
        file.write(words + "\\n")

def on(signum, frame):
    note(signal.Signals(signum).name)
    if not Path("deaf").exists():
        os._exit(0)

def ready():
    line.ready(line.listener or socket.create_server(("127.0.0.1", 0)), f"terms of {number}")

def serve():
    global line, number
    line, number = crews.line, len(list(Path().glob("crew-*"))) + 1
    for each in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(each, on)
    note(f"process {os.getpid()}")
    note(f"news {line.news}")
    note(f"after {line.terms}")
    what = Path("do").read_text() if Path("do").exists() else ""
    if what == "refuse":
        line.refused("port is\\ntaken; do this")
        sys.exit(1)
    elif what == "die":
        os._exit(9)
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "usage":
        sys.exit(2)
    elif what == "help":
        sys.exit()
    elif what == "crash":
        raise ZeroDivisionError("for nothing")
    elif what == "never":
        time.sleep(60)
    elif what == "brief":
        ready()
        sys.exit(3)
    elif what.startswith("late"):
        while Path("do").exists() and Path("do").read_text() in ("", what):
            time.sleep(0.01)
        if what == "late refusal":
            line.refused("port is taken; do this")
            sys.exit(1)
    if Path("mate").exists() and number == 1:
        mate = os.fork()
        if not mate:
            while True:
                time.sleep(60)
        Path("mate").write_text(str(mate))
        line.started(mate)
    ready()
    note("ready")
    os.set_blocking(line._sock.fileno(), False)
    while True:
        if not Path("silent").exists() or number > 1:
            line.alive()
        if number == 1 and (Path("short").exists() or (Path("mate").exists() and os.waitpid(mate, os.WNOHANG)[0])):
            line.short()
        try:
            note("told " + line._sock.recv(4096).decode().strip())
        except BlockingIOError:
            time.sleep(0.02)

sys.exit(supervisor.run(serve))
"""


class Watched:
    """A watcher in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self, environ: dict[str, str] | None = None, *, errors: int | None = None) -> None:
        with (self.folder / "errors").open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM], cwd=self.folder, stderr=errors or file, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
            )  # fmt: skip

    def do(self, name: str, what: str = "") -> None:
        (self.folder / name).write_text(what)

    def undo(self, name: str) -> None:
        (self.folder / name).unlink()

    def crew(self, number: int) -> str:
        with suppress(FileNotFoundError):
            return (self.folder / f"crew-{number}").read_text()
        return ""

    def leader(self, number: int) -> int:
        until(lambda: "process" in self.crew(number))
        return int(self.crew(number).split()[1])

    @property
    def said(self) -> str:
        return (self.folder / "errors").read_text()

    def up(self, number: int) -> None:
        until(lambda: "ready" in self.crew(number))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    with suppress(ProcessLookupError):
        os.killpg(made.process.pid, signal.SIGKILL)
    made.process.wait()


def is_gone(process: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("refuse", 1, "checkout: port is taken; do this\n"),
        ("die", 1, "checkout: The server ended while it started and could not say why; see the log"),
        ("kill", 1, "checkout: The server ended while it started and could not say why; see the log"),
        ("usage", 2, ""),
        ("help", 0, ""),
        ("crash", 1, "Traceback"),
    ],
)
def test_a_start_that_comes_to_nothing_ends_with_its_sentence(
    watched: Watched, what: str, status: int, said: str
) -> None:
    watched.do("do", what)
    watched.start()
    assert watched.process.wait(60) == status
    assert watched.said.startswith(said)
    assert bool(watched.said) == bool(said)
    assert not watched.crew(2)


@pytest.mark.parametrize(
    ("sent", "heard"),
    [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGQUIT"), (signal.SIGQUIT, "SIGQUIT")],
)
def test_a_server_that_is_told_to_end_waits_for_its_crew(watched: Watched, sent: signal.Signals, heard: str) -> None:
    watched.start()
    watched.up(1)
    watched.signal(sent)
    assert watched.process.wait(60) == 0
    assert watched.crew(1).splitlines()[-1] == heard
    assert is_gone(watched.leader(1))


def test_a_crew_that_does_not_end_is_killed(watched: Watched) -> None:
    watched.do("deaf")
    watched.start()
    watched.up(1)
    watched.signal(signal.SIGTERM)
    assert watched.process.wait(60) == 0
    assert watched.crew(1).splitlines()[-1] == "SIGTERM"
    assert is_gone(watched.leader(1))


def test_a_server_that_is_told_to_end_while_it_starts_ends(watched: Watched) -> None:
    watched.do("do", "never")
    watched.start()
    leader = watched.leader(1)
    watched.signal(signal.SIGTERM)
    assert watched.process.wait(60) == 0
    assert is_gone(leader)


def test_a_start_that_was_refused_is_not_tried_again_for_settings_that_were_written_meanwhile(watched: Watched) -> None:
    watched.do("do", "late refusal")
    watched.start()
    watched.leader(1)
    watched.signal(signal.SIGHUP)
    time.sleep(0.3)
    watched.undo("do")
    assert watched.process.wait(60) == 1
    assert not watched.crew(2)


def test_the_first_crew_may_take_its_time_and_the_next_ones_may_not(watched: Watched) -> None:
    watched.do("do", "late")
    watched.start()
    time.sleep(2)  # twice what another would have
    watched.undo("do")
    watched.up(1)
    watched.do("do", "never")
    watched.signal(signal.SIGHUP)
    until(lambda: "told The settings were not taken over" in watched.crew(1))
    assert "could not say why" in watched.crew(1)
    assert is_gone(watched.leader(2))


def test_new_settings_are_served_by_a_new_crew_and_the_one_before_is_told_to_end(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    watched.do("do", "late")
    watched.signal(signal.SIGHUP)
    watched.leader(2)
    assert "SIGTERM" not in watched.crew(1)
    watched.undo("do")
    watched.up(2)
    until(lambda: "SIGTERM" in watched.crew(1))
    assert watched.crew(2).splitlines()[1:3] == ["news ", "after terms of 1"]
    assert not watched.crew(3)


def test_settings_that_change_twice_are_read_twice(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    watched.do("do", "late")
    watched.signal(signal.SIGHUP)
    watched.leader(2)
    watched.signal(signal.SIGHUP)
    time.sleep(0.3)
    assert not watched.crew(3), "one crew at a time comes up"
    watched.undo("do")
    watched.up(3)
    until(lambda: "SIGTERM" in watched.crew(2))


def test_why_settings_cannot_be_served_is_told_to_the_crew_that_serves_on(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    watched.do("do", "refuse")
    watched.signal(signal.SIGHUP)
    until(lambda: "told" in watched.crew(1))
    assert (
        watched.crew(1).splitlines()[-1]
        == "told The settings were not taken over, those from before stay in force: port is taken; do this"
    )
    time.sleep(0.3)
    assert not watched.crew(3)
    assert watched.said == ""


def test_a_crew_that_died_is_replaced_as_soon_as_that_can_be(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    watched.do("do", "refuse")
    os.kill(watched.leader(1), signal.SIGKILL)
    news = f"A worker (process {watched.leader(1)}) was ended by SIGKILL."
    sentence = f"{news} None can take its place; it is tried again: port is taken; do this\n"
    until(lambda: watched.said.count(sentence) >= 2)
    watched.undo("do")
    until(lambda: any("ready" in watched.crew(number) for number in range(2, 50)))
    (last,) = [number for number in range(2, 50) if "ready" in watched.crew(number)]
    assert watched.crew(last).splitlines()[1] == f"news {news}"
    assert watched.said == sentence * watched.said.count("\n")


def test_a_crew_that_dies_as_soon_as_it_is_ready_is_not_replaced_without_a_pause(watched: Watched) -> None:
    watched.do("do", "brief")
    began = time.monotonic()
    watched.start()
    watched.leader(10)
    assert time.monotonic() - began > 9 * 0.1
    until(lambda: "has ended with status 3" in watched.crew(10))
    watched.undo("do")
    until(lambda: any("ready" in watched.crew(number) for number in range(10, 100)))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_to_all_processes_of_a_start_ends_it_as_one_to_the_server(
    watched: Watched, sent: signal.Signals
) -> None:
    watched.do("do", "never")
    watched.start()
    leader = watched.leader(1)
    watched.signal(signal.SIGSTOP)  # it sees that its crew has died when it sees the signal
    os.kill(leader, signal.SIGKILL)
    until(lambda: is_gone(leader))
    watched.signal(sent)
    watched.signal(signal.SIGCONT)
    assert watched.process.wait(60) == 0
    assert watched.said == ""


def test_a_worker_that_gives_no_sign_of_life_is_replaced(watched: Watched) -> None:
    watched.do("silent")
    watched.start()
    watched.up(2)
    leader = watched.leader(1)
    assert is_gone(leader)
    assert watched.said.count(f"(process {leader}) has given no sign of life") == 1
    assert f"(process {leader}) was ended by SIGKILL" in watched.crew(2)
    time.sleep(1.5)
    assert not watched.crew(3), "the next one gives them"


def test_a_crew_in_which_a_worker_has_ended_is_replaced_and_then_told_to_end(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    watched.do("short")
    watched.up(2)
    until(lambda: "SIGTERM" in watched.crew(1))
    assert watched.crew(2).splitlines()[1] == "news A worker has ended."


def test_settings_that_are_written_while_no_crew_comes_up_by_the_old_ones_are_read(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    watched.do("do", "late refusal")
    os.kill(watched.leader(1), signal.SIGKILL)
    watched.leader(2)
    watched.signal(signal.SIGHUP)
    time.sleep(0.3)
    watched.undo("do")
    watched.up(3)
    assert watched.crew(3).splitlines()[1] == "news "


def test_a_crew_that_lacks_a_worker_is_replaced_though_new_settings_cannot_be_used(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    watched.do("do", "late refusal")
    watched.do("short")
    watched.leader(2)
    watched.undo("short")
    watched.signal(signal.SIGHUP)
    time.sleep(0.3)
    watched.do("do", "refuse")
    until(lambda: "The settings were not taken over" in watched.crew(1))
    watched.undo("do")
    until(lambda: "SIGTERM" in watched.crew(1))


def test_a_server_for_which_the_system_can_start_no_process_serves_on_with_those_it_has(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    pid = watched.process.pid
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    watched.signal(signal.SIGHUP)
    until(lambda: "told The settings were not taken over" in watched.crew(1))
    assert "allow it more processes and open files" in watched.crew(1)
    os.kill(watched.leader(1), signal.SIGKILL)
    until(lambda: "None can take its place" in watched.said)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (100, most))
    watched.up(2)
    watched.signal(signal.SIGTERM)
    assert watched.process.wait(60) == 0


def test_time_in_which_all_of_it_stood_still_is_nobody_s_silence(watched: Watched) -> None:
    """As with Ctrl+Z, or in a container that was paused."""
    watched.start()
    watched.up(1)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.killpg(watched.process.pid, number)
        time.sleep(2)  # twice what a worker may be silent
    assert watched.said == ""
    assert not watched.crew(2)


def test_a_pipe_that_nobody_reads_does_not_stop_the_one_that_watches(watched: Watched) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    watched.do("silent")
    watched.start(errors=writing)
    watched.up(2)
    watched.signal(signal.SIGTERM)
    assert watched.process.wait(60) == 0
    os.close(reading)
    os.close(writing)


def test_a_crew_that_does_not_end_gains_no_time_from_being_told_again(watched: Watched) -> None:
    watched.do("deaf")
    watched.start()
    watched.up(1)
    asked = time.monotonic()
    while watched.process.poll() is None:
        watched.signal(signal.SIGTERM)
        time.sleep(0.1)
        assert time.monotonic() < asked + 20


def test_a_worker_that_was_ended_by_a_signal_without_a_name_is_replaced(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    os.kill(watched.leader(1), signal.SIGRTMIN + 1)
    watched.up(2)
    assert f"was ended by signal {signal.SIGRTMIN + 1}." in watched.crew(2)


def test_a_worker_that_hangs_before_its_first_sign_of_life_is_ended(watched: Watched) -> None:
    watched.do("mate")
    watched.start()
    watched.up(2)
    assert "has given no sign of life" in watched.said
    mate = int((watched.folder / "mate").read_text())
    until(lambda: is_gone(mate))


def test_other_signals_are_not_heard(watched: Watched) -> None:
    watched.start()
    watched.up(1)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
        watched.signal(number)
    watched.signal(signal.SIGHUP)
    watched.up(2)
    watched.signal(signal.SIGTERM)
    assert watched.process.wait(60) == 0


def test_the_system_is_told_once_that_the_server_is_ready(watched: Watched) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(watched.folder / "manager"))
        manager.settimeout(60)
        watched.start({"NOTIFY_SOCKET": str(watched.folder / "manager")})
        assert manager.recv(100) == b"READY=1"
        watched.signal(signal.SIGHUP)
        watched.up(2)
        until(lambda: "SIGTERM" in watched.crew(1))
        manager.settimeout(0.2)
        with pytest.raises(TimeoutError):
            manager.recv(100)


def test_a_watcher_that_was_stopped_stops_no_worker() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = Line(theirs, 0, None, "", "")
        for _ in range(100_000):
            line.short()
        theirs.settimeout(0)
        with pytest.raises(BlockingIOError):
            theirs.send(b"x")


def test_words_that_come_in_pieces_are_heard_whole() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        crew = Crew(os.getpid(), ours, "")
        assert crew.heard() == ([], [])
        theirs.sendall(b"alive 7\nrefu")
        assert crew.heard() == ([["alive", "7"]], [])
        theirs.sendall("sed 端口\nshort\n".encode())
        assert crew.heard() == ([["refused", "端口"], ["short"]], [])
        assert crew.is_linked
        theirs.close()
        assert crew.heard() == ([], [])
        assert not crew.is_linked


def test_a_reason_that_names_what_is_no_text_is_told() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Line(theirs, 0, None, "", "").refused(f"{os.fsdecode(bytes([255]))} is missing")
        assert Crew(os.getpid(), ours, "").heard() == ([["refused", "\\udcff is missing"]], [])


def test_a_number_that_is_another_group_s_by_now_is_not_killed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, start_new_session=True) as other:
        Crew(other.pid, ours, "").kill(signal.SIGKILL)
        other.communicate(b"\n", timeout=60)
        assert other.returncode == 0
