"""A real PostgreSQL for tests: started once, in a temporary folder, as a user without rights."""

from __future__ import annotations

import atexit
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

from checkout.store.postgres import PostgresStore
from tests.servers import free_port

_NUMBERS = count(1)
# Nothing here must survive a loss of power.
SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=60", "shared_buffers=32MB")


class Missing(Exception):
    """No PostgreSQL is installed, or it does not start."""


class Server:
    """Listens on loopback; `stop` and `start` as an administrator would. `copy_of`: a standby of that server, which
    follows it until it is told to `promote`."""

    def __init__(self, programs: Path, *settings: str, copy_of: Server | None = None, port: int = 0) -> None:
        self._programs, self._settings = programs, settings
        self._owner = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="checkout-postgres-"))
        self.port = port or free_port()
        self._shared = ""
        if self._owner is not None:
            os.chown(self.folder, self._owner, -1)
        if copy_of is None:
            self._run(
                "initdb", "--auth=trust", "--username=checkout", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"
            )
        else:
            source = (f"--dbname={copy_of.address('postgres')}", "--write-recovery-conf")
            self._run("pg_basebackup", *source, "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        self.start()
        atexit.register(self.remove, os.getpid())

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k ''" + "".join(f" -c {setting}" for setting in self._settings)
        self._run("pg_ctl", "--wait", f"--log={self.folder}/log", f"--options={options}", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", "--mode=immediate", "stop")

    def promote(self) -> None:
        """A standby becomes a server that writes, and this returns when it does."""
        self._run("pg_ctl", "--wait", "promote")

    def freeze(self) -> None:
        """All its processes stand still: connections stay, and nothing is said on them any more."""
        main = self._main()
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(main)], capture_output=True, text=True, check=True)
        for process in (main, *map(int, children.stdout.split())):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)

    def _main(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def address(self, database: str) -> str:
        return f"postgresql://checkout@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """The address of a new, empty database."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        self.administer(f"CREATE DATABASE {name}")
        return self.address(name)

    def emptied(self) -> str:
        """The address of the one database that tests share, one after the other: all tables of Checkout, no rows."""
        if not self._shared:
            self._shared = self.create()
            PostgresStore(self._shared).close()
        with psycopg.connect(self._shared, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '10s'")
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            names = [name for (name,) in rows if not name.startswith("_checkout_")]
            connection.execute("SET session_replication_role = replica")  # references are not asked, as all rows go
            connection.execute("; ".join(f"DELETE FROM {name}" for name in names).encode())
            connection.execute("DELETE FROM _checkout_migrations WHERE name NOT LIKE '%.sql'")
        return self._shared

    def drop(self, address: str) -> None:
        self.administer(f"DROP DATABASE IF EXISTS {address.rpartition('/')[2]} WITH (FORCE)")

    def administer(self, statement: str) -> None:
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def remove(self, maker: int) -> None:
        """At the end of the process that made it, not of one that it forked."""
        if os.getpid() == maker and self.folder.exists():
            with suppress(OSError):  # it may end, and take its file along, between any two of these lines
                main = self._main()
                os.kill(main, signal.SIGQUIT)
                os.kill(main, signal.SIGCONT)
                self._run("pg_ctl", "--wait", "--mode=immediate", "stop", check=False)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(self._programs / program), f"--pgdata={self.folder}/data", *arguments]
        is_short = program != "pg_ctl"  # what that one starts keeps its output open
        done = subprocess.run(
            command, user=self._owner, cwd=self.folder, capture_output=is_short, text=True, check=False,
            stdout=None if is_short else subprocess.DEVNULL,
            stderr=None if is_short else subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode:
            raise Missing(f"{program} of PostgreSQL failed: {done.stderr or (self.folder / 'log').read_text()}")


@cache
def server() -> Server:
    """The one of this run. Raises `Missing`."""
    return Server(programs(), *SETTINGS)


def programs() -> Path:
    """The folder of initdb and pg_ctl; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: _version(path.parts[4]))
    if found:
        return found[-1].parent
    if known := shutil.which("pg_ctl"):
        return Path(known).resolve().parent
    raise Missing("PostgreSQL is not installed; on Debian: apt-get install postgresql")


def _version(name: str) -> int:
    return int(re.sub(r"\D.*", "", name) or 0)
