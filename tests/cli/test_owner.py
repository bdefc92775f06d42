"""checkout admin: the password is set where only the machine's owner is, and is never repeated."""

from __future__ import annotations

import io
import sys
from contextlib import closing

import pytest

from checkout import ids, sessions
from checkout import owner as rules
from checkout.store import open_store
from tests.admin.conftest import cheap_hashes
from tests.cli.conftest import Console

__all__ = ["cheap_hashes"]

PASSWORD = "a long walk by the sea"


def piped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_the_password_comes_from_a_pipe_and_goes_nowhere_but_the_hash(
    co: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(monkeypatch, f"{PASSWORD}\n")
    result = co("admin", "password", "--json")
    assert result.json == {"set": True, "sessions_ended": 0}
    assert PASSWORD not in result.out + result.err
    with closing(open_store(co.database)) as opened, opened.read() as db:
        ((kept,),) = db.all("SELECT password FROM owner")
        notes = db.all("SELECT * FROM audit")
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in f"{kept}{notes}"


def test_a_new_password_ends_every_session(co: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(co.database)) as opened:
        sessions.open_session(opened, "", address="", agent="", actor="a", new_id=ids.new_id, now=co.clock())
        piped(monkeypatch, PASSWORD)
        assert co.json("admin", "password")["sessions_ended"] == 1
        rules.check(opened, PASSWORD, rules.STRANGERS, new_id=ids.new_id, now=co.clock())


def test_a_password_that_is_missing_or_too_short_is_refused(co: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, "")
    assert "no password on the standard input" in co.refused("admin", "password")
    piped(monkeypatch, "short\n")
    assert "10 to 200 characters" in co.refused("admin", "password")


def test_a_lost_phone_is_signed_out(co: Console) -> None:
    with closing(open_store(co.database)) as opened:
        cookie = sessions.open_session(opened, "", address="", agent="", actor="a", new_id=ids.new_id, now=co.clock())
        assert co.json("admin", "sign-out") == {"sessions_ended": 1}
        assert sessions.find(opened, cookie, co.clock()) is None
