"""`checkout upgrade` and its way back, with real servers of two releases; only systemd is played, by a supervisor.

tests/binary/test_service.py has the same under a real systemd.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from checkout import upgrade as upgrading
from checkout.errors import Code, Refusal
from checkout.machine import CURRENT, DATA, PROGRAMS, SETTINGS, Machine, Source
from tests.conftest import postgres_server
from tests.servers import ROOT, Server, ask, free_port

_PATIENCE_S = 300  # machines that test are busy
NOW = 1_800_000_000
NEW_TABLE = "-- A later release keeps notes.\nCREATE TABLE notes (text TEXT NOT NULL) STRICT;\n"


class Supervisor:
    """What `machine.run` calls: systemctl for one unit, and other users' commands as ourselves, below a folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.port, self.started = root, free_port(), 0
        self.server: Server | None = None

    def __call__(self, *command: str) -> subprocess.CompletedProcess[str]:
        if command[0] == "systemctl":
            return self.systemctl(*command[1:])
        if command[0] == "install":
            Path(command[-1]).mkdir(parents=True, exist_ok=True)
            return subprocess.CompletedProcess(command, 0, "", "")
        assert command[:3] == ("runuser", "-u", "checkout")
        words = [self.below(word) for word in command[4:]]
        done = subprocess.run(words, capture_output=True, text=True, cwd=self.root)
        if done.returncode:
            raise Refusal(Code.BAD_REQUEST, done.stderr.strip().splitlines()[-1])
        return done

    def systemctl(self, verb: str, *rest: str) -> subprocess.CompletedProcess[str]:
        program = f"{CURRENT}/checkout serve --port {self.port}"
        if verb == "start":
            self.started += 1
            log = self.root / f"log-{self.started}"
            words = tuple(self.below(word) for word in program.split())
            self.server = Server(words, {"CHECKOUT_CONFIG": self.below(str(SETTINGS))}, log, self.root)
        if verb == "stop" and self.server:
            self.server.stop()
        return subprocess.CompletedProcess((), 0, f"{{ path={CURRENT}/checkout ; argv[]={program} ; }}", "")

    def below(self, word: str) -> str:
        for folder in (PROGRAMS, SETTINGS, DATA):
            word = word.replace(str(folder), f"{self.root}{folder}")
        return word


class Impatient(Machine, frozen=True):
    """Soon gives up the release `two`, which will never be well; the former may take its time to come back."""

    def wait_until_healthy(self, url: str) -> None:
        Machine.wait_until_healthy(replace(self, patience_s=4 if self.current == "two" else _PATIENCE_S), url)


class Vps:
    """A server on which the release `one` is installed and runs."""

    def __init__(self, root: Path, address: str = "") -> None:
        self.root, self.systemd = root, Supervisor(root)
        self.machine = Machine(root, self.systemd, patience_s=_PATIENCE_S)
        for folder in (PROGRAMS, SETTINGS.parent, DATA, Path("/run/systemd/system")):
            self.machine.at(folder).mkdir(parents=True)
        self.database = self.machine.at(DATA) / "checkout.db"
        settings = f'database = "{address or self.database}"\nbase_url = "http://127.0.0.1"\nsecret = "{"s" * 64}"\n'
        self.machine.write(SETTINGS, settings, 0o600)
        self.machine.unpack(self.release("one"))
        self.machine.switch("one")
        upgrading.start(self.machine)

    def release(self, name: str, *, migration: str = "", first: str = "") -> Source:
        """A program with all of today's code; with one migration more, or with another first file."""
        files = self.root / "sources" / name
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "checkout", files / "checkout", ignore=skipped)
        for resource in ("templates", "static", "translations", "deploy"):
            shutil.copytree(ROOT / resource, files / "checkout" / resource, ignore=skipped)
        if migration:
            (files / "checkout" / "store" / "migrations" / "9999_notes.sql").write_text(migration)
        if first:
            (files / "checkout" / "__main__.py").write_text(first)
        starter = self.root / "sources" / f"{name}-starter"
        home = self.machine.at(PROGRAMS) / name / "_internal"
        starter.write_text(f'#!/bin/sh\nPYTHONPATH={home} exec {sys.executable} -P -m checkout "$@"\n')
        return Source(name, files, starter)

    def checkout(self, *words: str) -> str:
        return self.machine.as_owner(self.machine.current, *words).stdout

    def merchants(self) -> list[str]:
        with closing(sqlite3.connect(self.database)) as db:
            return [name for (name,) in db.execute("SELECT name FROM merchants ORDER BY created_at, name")]

    def tables(self) -> set[str]:
        with closing(sqlite3.connect(self.database)) as db:
            return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def serves(self) -> bool:
        return ask(f"http://127.0.0.1:{self.systemd.port}/healthz").status == 200


@pytest.fixture
def vps(tmp_path: Path) -> Iterator[Vps]:
    found = Vps(tmp_path)
    try:
        yield found
    finally:
        found.systemd("systemctl", "stop")


def test_an_upgrade_across_a_new_table_keeps_the_day_and_the_way_back_asks_first(vps: Vps) -> None:
    vps.checkout("merchant", "add", "Before")
    done = upgrading.upgrade(vps.machine, vps.release("two", migration=NEW_TABLE), NOW)
    assert (done.before, done.after, vps.machine.current) == ("one", "two", "two")
    assert "notes" in vps.tables()
    assert vps.serves()
    assert vps.merchants() == ["Before"]
    vps.checkout("merchant", "add", "Since")
    with pytest.raises(Refusal, match="--restore"):
        upgrading.back(vps.machine, restore=False)
    assert vps.machine.current == "two"
    assert vps.serves()
    upgrading.back(vps.machine, restore=True)
    assert vps.machine.current == "one"
    assert vps.serves()
    assert vps.merchants() == ["Before"]
    assert "notes" not in vps.tables()
    beside = [path for path in vps.database.parent.iterdir() if path.name.startswith("checkout.db.")]
    assert any(b"Since" in path.read_bytes() for path in beside), "today's database is kept beside it"


def test_the_backup_is_from_before_the_migration(vps: Vps) -> None:
    done = upgrading.upgrade(vps.machine, vps.release("two", migration=NEW_TABLE), NOW)
    with closing(sqlite3.connect(vps.machine.at(Path(done.backup)))) as db:
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'notes'").fetchall()


def answers_badly(port: int) -> str:
    return (
        "import sys\nfrom checkout.cli import main\n"
        "if 'serve' not in sys.argv: main()\n"
        "from http.server import BaseHTTPRequestHandler, HTTPServer\n"
        "class Ill(BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_error(503)\n"
        f"HTTPServer(('127.0.0.1', {port}), Ill).serve_forever()\n"
    )


@pytest.mark.parametrize("fault", ["does not start", "runs and is not well", "cannot migrate"])
def test_when_the_new_program_fails_the_former_runs_again_with_its_database(vps: Vps, fault: str) -> None:
    vps.checkout("merchant", "add", "Before")
    first = {
        "does not start": "import sys\nfrom checkout.cli import main\nif 'serve' not in sys.argv: main()\n",
        "runs and is not well": answers_badly(vps.systemd.port),
        "cannot migrate": "import sys\nfrom checkout.cli import main\nif '--dry-run' in sys.argv: main()\n"
        "sys.exit('It does not know how.')\n",
    }
    vps.machine = Impatient(vps.root, vps.systemd)
    with pytest.raises(Refusal, match="former program runs again"):
        upgrading.upgrade(vps.machine, vps.release("two", migration=NEW_TABLE, first=first[fault]), NOW)
    assert vps.machine.current == "one"
    assert vps.serves()
    assert vps.merchants() == ["Before"]
    assert "notes" not in vps.tables()
    with pytest.raises(Refusal, match="no upgrade to go back from"):
        upgrading.back(vps.machine, restore=False)


def test_a_program_that_cannot_work_here_is_refused_while_the_former_serves(vps: Vps) -> None:
    started = vps.systemd.started
    with pytest.raises(Refusal, match="lacks a library"):
        upgrading.upgrade(vps.machine, vps.release("two", first="import sys\nsys.exit('It lacks a library.')\n"), NOW)
    assert (vps.machine.current, vps.systemd.started) == ("one", started)
    assert vps.serves()


@pytest.fixture
def address() -> Iterator[str]:
    """A database of its own on a real PostgreSQL."""
    server = postgres_server()
    made = server.create()
    yield made
    server.drop(made)


@pytest.fixture
def on_postgres(tmp_path: Path, address: str) -> Iterator[Vps]:
    found = Vps(tmp_path, address)
    try:
        yield found
    finally:
        found.systemd("systemctl", "stop")


def of_postgres(address: str, statement: str) -> list[str]:
    with psycopg.connect(address) as db:
        return [row[0] for row in db.execute(statement.encode()).fetchall()]


TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
MERCHANTS = "SELECT name FROM {}merchants ORDER BY created_at, name"


def test_on_postgresql_the_backup_is_a_file_that_leads_back(on_postgres: Vps, address: str) -> None:
    vps = on_postgres
    vps.checkout("merchant", "add", "Before")
    done = upgrading.upgrade(vps.machine, vps.release("two", migration=NEW_TABLE), NOW)
    with closing(sqlite3.connect(vps.machine.at(Path(done.backup)))) as db:
        assert db.execute("SELECT name FROM merchants").fetchall() == [("Before",)]
    assert vps.serves()
    vps.checkout("merchant", "add", "Since")
    assert "notes" in of_postgres(address, TABLES)
    with pytest.raises(Refusal, match="--restore"):
        upgrading.back(vps.machine, restore=False)
    upgrading.back(vps.machine, restore=True)
    assert vps.machine.current == "one"
    assert vps.serves()
    assert of_postgres(address, MERCHANTS.format("")) == ["Before"]
    assert "notes" not in of_postgres(address, TABLES)
    [kept] = of_postgres(address, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before%'")
    assert of_postgres(address, MERCHANTS.format(f"{kept}.")) == ["Before", "Since"]


def test_on_postgresql_a_failed_program_leaves_the_database_as_it_was(on_postgres: Vps, address: str) -> None:
    vps = on_postgres
    vps.checkout("merchant", "add", "Before")
    vps.machine = Impatient(vps.root, vps.systemd)
    ill = vps.release("two", migration=NEW_TABLE, first=answers_badly(vps.systemd.port))
    with pytest.raises(Refusal, match="former program runs again"):
        upgrading.upgrade(vps.machine, ill, NOW)
    assert vps.machine.current == "one"
    assert vps.serves()
    assert of_postgres(address, MERCHANTS.format("")) == ["Before"]
    assert "notes" not in of_postgres(address, TABLES)


def test_on_postgresql_tables_change_only_while_no_other_machine_uses_them(on_postgres: Vps, address: str) -> None:
    vps = on_postgres
    two, three = vps.release("two"), vps.release("three", migration=NEW_TABLE)
    vps.machine.unpack(two)
    assert upgrading._planned(vps.machine, "one", "two", NOW).backup == "", "its tables are the same"
    on_another_machine = psycopg.connect(address, application_name="checkout")
    with on_another_machine, pytest.raises(Refusal, match=r"stop every server first\..* former program runs again"):
        upgrading.upgrade(vps.machine, three, NOW + 1)
    assert vps.machine.current == "one"
    assert vps.serves()
    assert "notes" not in of_postgres(address, TABLES)


def test_a_second_machine_follows_the_first_and_goes_back_after_it(on_postgres: Vps, address: str) -> None:
    vps = on_postgres
    two = vps.release("two", migration=NEW_TABLE)
    vps.machine.unpack(two)
    vps.systemd("systemctl", "stop")
    vps.machine.as_owner("two", "migrate")  # what the first machine did
    assert upgrading.upgrade(vps.machine, two, NOW).backup == ""
    assert vps.serves()
    with pytest.raises(Refusal, match="Another machine"):
        upgrading.back(vps.machine, restore=True)
    assert vps.machine.current == "two"
    with psycopg.connect(address) as db:  # the first machine has gone back
        db.execute("DROP TABLE notes")
        db.execute("DELETE FROM _checkout_migrations WHERE name LIKE '9999%'")
    upgrading.back(vps.machine, restore=False)
    assert vps.machine.current == "one"
    assert vps.serves()


def test_two_releases_and_one_backup_stay(vps: Vps) -> None:
    (vps.machine.at(PROGRAMS) / "notes of the owner").mkdir()
    for number, name in enumerate(("two", "three")):
        upgrading.upgrade(vps.machine, vps.release(name), NOW + number)
    kept = {path.name for path in vps.machine.at(PROGRAMS).iterdir() if path.is_dir() and not path.is_symlink()}
    assert kept == {"two", "three", "notes of the owner"}
    assert len(list(vps.machine.at(DATA / "upgrades").iterdir())) == 1
    assert vps.serves()


def test_an_upgrade_is_refused_where_nothing_would_change(vps: Vps, tmp_path: Path) -> None:
    started = vps.systemd.started
    with pytest.raises(Refusal, match="one is what is installed"):
        upgrading.upgrade(vps.machine, Source("one", tmp_path, tmp_path), NOW)
    with pytest.raises(Refusal, match="checkout install"):
        upgrading.upgrade(Machine(tmp_path / "empty", vps.systemd), Source("two", tmp_path, tmp_path), NOW)
    assert vps.systemd.started == started
    assert vps.serves()


def test_a_power_cut_between_the_link_and_the_database_boots_what_can_read_it(vps: Vps) -> None:
    class PowerCut(Exception):
        pass

    def cut(*command: str) -> subprocess.CompletedProcess[str]:
        if command[-1] == "migrate":
            raise PowerCut
        return vps.systemd(*command)

    with pytest.raises(PowerCut):
        upgrading.upgrade(Machine(vps.root, cut, 20), vps.release("two", migration=NEW_TABLE), NOW)
    upgrading.start(vps.machine)
    assert vps.machine.current == "two"
    assert vps.serves()
    assert "notes" in vps.tables()
