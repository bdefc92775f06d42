"""A real server on a disk that fills up, fails or is read-only, and beside a process that locks the database.

Nothing is acknowledged that is not kept; when the trouble is over the server goes on by itself, and the phone, which
repeats what was not acknowledged, loses nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from checkout.store import open_store
from tests.servers import CHECKOUT, ROOT, ask, free_port, serving
from tests.soak import crash, troubles


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk; what needs none of its own is tested below")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_on_a_full_disk_nothing_is_acknowledged_and_afterwards_all_goes_on(small_disk: Path) -> None:
    with troubles.served(small_disk) as trouble:
        first, filler = trouble.open("before", "9.90"), small_disk / "filler"
        _fill(filler)
        troubles.sell_until_refused(trouble)
        trouble.push(first[1] if first else "", "before")
        assert not trouble.ledger.pushes
        assert ask(trouble.url + "/healthz").status == 503
        filler.unlink()
        _expect_to_go_on(trouble, first)


def test_where_files_grow_no_more_nothing_is_acknowledged_and_afterwards_all_goes_on(tmp_path: Path) -> None:
    with troubles.served(tmp_path) as trouble:
        first = trouble.open("before", "9.90")
        with troubles.failing(trouble):
            trouble.push(first[1] if first else "", "before")
            assert not trouble.ledger.pushes
            assert ask(trouble.url + "/healthz").status == 503
        _expect_to_go_on(trouble, first)
        assert ask(trouble.url + "/healthz").status == 200


def _expect_to_go_on(trouble: troubles.Trouble, first: tuple[str, str] | None) -> None:
    assert first is not None
    assert set(trouble.ledger.orders) <= trouble.stored()
    trouble.recovers("after")
    trouble.push(first[1], "before")
    assert trouble.ledger.pushes
    assert trouble.paid() == {"before"}
    assert set(trouble.ledger.orders) <= trouble.stored()
    _expect_sound(trouble.database)


def test_on_a_read_only_disk_the_server_says_why_it_does_not_start(small_disk: Path) -> None:
    crash.set_up(small_disk / "data" / "checkout.db", "")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    sentence = _why_it_does_not_start(small_disk)
    assert "read-only" in sentence.lower() or "cannot be written" in sentence


@pytest.mark.parametrize(("closed", "said"), [("data", "cannot be written"), ("data/checkout.db", "Permission denied")])
def test_where_it_may_not_write_the_server_says_why_it_does_not_start(tmp_path: Path, closed: str, said: str) -> None:
    crash.set_up(tmp_path / "data" / "checkout.db", "")
    place = tmp_path / closed
    place.chmod(place.stat().st_mode & ~0o222)
    try:
        assert said in _why_it_does_not_start(tmp_path, *_who_keeps_to_modes())
    finally:
        place.chmod(0o700)


def _why_it_does_not_start(folder: Path, *before: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}
    environ |= {"CHECKOUT_DATABASE": str(folder / "data" / "checkout.db"), "PYTHONPATH": str(ROOT)}
    command = [*before, *CHECKOUT, "serve", "--port", str(free_port())]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    (sentence,) = done.stderr.strip().splitlines()
    return sentence


def _who_keeps_to_modes() -> tuple[str, ...]:
    """Root may write what nobody may, unless it starts a program without that right."""
    if os.geteuid() != 0:
        return ()
    assert shutil.which("setpriv"), "util-linux is part of every Debian"
    return ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")


def test_beside_a_process_that_locks_the_database_the_phone_hears_no_success(tmp_path: Path) -> None:
    with troubles.served(tmp_path) as trouble:
        first = trouble.open("before", "9.90")
        assert first is not None
        with troubles.locked(trouble):
            trouble.push(first[1], "before")
            assert not trouble.ledger.pushes
            assert "busy" in trouble.ledger.unexpected[-1]
        trouble.recovers("after")
        trouble.push(first[1], "before")
        assert trouble.paid() == {"before"}


def test_while_the_database_is_moved_away_nothing_is_acknowledged_and_afterwards_all_goes_on(tmp_path: Path) -> None:
    with troubles.served(tmp_path) as trouble:
        first = trouble.open("before", "9.90")
        assert first is not None
        with troubles.moved_away(trouble):
            assert trouble.open("meanwhile", "9.90") is None
            trouble.push(first[1], "before")
            assert not trouble.ledger.pushes
            assert ask(f"{trouble.url}/healthz").status == 503
        trouble.recovers("after")
        trouble.push(first[1], "before")
        assert trouble.paid() == {"before"}
        assert "meanwhile" not in trouble.stored()


def test_a_log_that_was_damaged_while_the_server_was_down_is_found_or_left_out_and_never_believed(
    tmp_path: Path,
) -> None:
    """SQLite takes of its log what has the right checksums, up to the first fault, as if the rest had not been."""
    database = tmp_path / "data" / "checkout.db"
    crash.set_up(database, "")
    ledger = crash.Ledger()
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (server, url):
        shop = troubles.Trouble(server, url, tmp_path, ledger)
        for number in range(20):
            shop.open(f"N{number}", f"{number + 1}.00")
        server.process.kill()
        server.process.wait()
    log = Path(f"{database}-wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 600] = os.urandom(600)
    log.write_bytes(content)
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (server, url):
        after = troubles.Trouble(server, url, tmp_path, crash.Ledger())
        kept = after.stored()
        assert kept == {f"N{number}" for number in range(len(kept))}
        assert after.open("again", "77.00") is not None
    _expect_sound(database)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        piece = 65_536
        while piece:
            try:
                file.write(bytes(piece))
            except OSError:
                piece //= 2


def _expect_sound(database: Path) -> None:
    with closing(open_store(str(database))) as opened:
        opened.check()


@pytest.mark.parametrize("kind", troubles.KINDS)
def test_the_seconds_of_a_recovery_are_those_of_its_trouble(kind: str, tmp_path: Path) -> None:
    """`./dev soak troubles` tells them; here it is only seen to work."""
    assert len(troubles.recoveries(tmp_path, kind, 1)) == 1
