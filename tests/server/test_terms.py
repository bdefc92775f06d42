"""On which terms a crew serves: those that are written down now, or those of the one whose place it takes."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from flask import Flask
from jinja2 import TemplateSyntaxError

from checkout import __version__, pages
from checkout.server import terms
from checkout.server.crews import Crew, Line
from checkout.server.serve import _Crew
from checkout.server.terms import Terms
from checkout.settings import Settings, SettingsError, load
from tests.servers import CHECKOUT, ask, serving, until


def settings(folder: Path, text: str = "") -> Settings:
    (folder / "checkout.toml").write_text(text)
    return load({}, folder)


def never() -> Settings:
    raise AssertionError("Nobody asked for what is written now.")


@contextmanager
def line(left: str, news: str = "") -> Iterator[Line]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Line(theirs, 0, ours, left, news)


def written(found: Settings) -> str:
    return Terms(__version__, found).written()


EVERYTHING = """
shop_name = "茶语"
workers = 2
trusted_proxies = ["10.0.0.0/8"]
callback_ports = [80, 8080]
alerts = ["mailto://a:b@example.com"]
alerts_quiet = "23:00-08:00"
[channels.ali]
kind = "alipay"
list = [1, "two", 3.5, true]
"""


def test_every_setting_is_passed_on_as_it_is(tmp_path: Path) -> None:
    found = settings(tmp_path, EVERYTHING)
    read = Terms.read(written(found)).settings
    assert read == found
    assert type(read.folder) is type(found.folder)
    assert "b@example" not in repr(Terms.read(written(found)))


def test_a_folder_whose_name_is_no_text_is_passed_on_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.mkdir()
    found = settings(odd)
    assert Terms.read(written(found)).settings == found
    with line(written(found)) as one:
        assert terms.settings(one, lambda: found) is found


def test_who_takes_the_place_of_one_that_died_keeps_to_what_was_in_force(tmp_path: Path) -> None:
    found = settings(tmp_path, EVERYTHING)
    with line(written(found), "A worker has ended.") as one:
        assert terms.settings(one, never) == found


def test_who_was_asked_for_reads_what_is_written_now(tmp_path: Path) -> None:
    before, now = settings(tmp_path), settings(tmp_path, 'shop_name = "New"\n')
    with line(written(before)) as one:
        assert terms.settings(one, lambda: now) is now


def test_another_database_needs_a_restart(tmp_path: Path) -> None:
    before, now = settings(tmp_path), settings(tmp_path, 'database = "other.db"\n')
    with line(written(before)) as one, pytest.raises(SettingsError, match="Another database needs a restart"):
        terms.settings(one, lambda: now)


def test_another_program_needs_a_restart_but_not_to_take_the_place_of_one_that_died(tmp_path: Path) -> None:
    """What it left may not be what this version understands."""
    left = msgspec.json.encode({"version": "0.0.1", "settings": {"unknown": 1}}).decode()
    now = settings(tmp_path)
    with line(left) as one, pytest.raises(SettingsError, match="needs a restart"):
        terms.settings(one, never)
    with line(left, "A worker has ended.") as one:
        assert terms.settings(one, lambda: now) is now


def test_half_written_settings_do_not_keep_a_worker_from_being_replaced(tmp_path: Path) -> None:
    (tmp_path / "checkout.toml").write_text('shop_name = "First name"\n')
    environ = {"CHECKOUT_CONFIG": str(tmp_path / "checkout.toml")}
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}", environ=environ) as (server, url):
        (tmp_path / "checkout.toml").write_text('shop_name = "Second na')
        (worker,) = server.children()
        os.kill(worker, signal.SIGKILL)
        server.wait_until_ready(f"{url}/healthz")
        assert server.children() != [worker]
        assert "First name" in ask(f"{url}/").text
        assert server.stop() == 0


def test_the_watcher_knows_each_worker_before_that_says_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter((101, 102))
    monkeypatch.setattr(os, "fork", lambda: next(numbers))
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(pages, "prepare", lambda app: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _Crew(Flask("app"), settings(tmp_path), ours, Line(theirs, 0, None, "", "")).muster(3)
        assert Crew(os.getpid(), ours, "").heard() == ([["alive", "101"], ["alive", "102"]], [])


@pytest.mark.parametrize(("workers", "done"), [(1, ["freeze"]), (2, ["prepare", "freeze", "fork"])])
def test_what_several_workers_need_is_loaded_before_they_are_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, done: list[str]
) -> None:
    heard: list[str] = []

    def fork() -> int:
        heard.append("fork")
        return 101

    monkeypatch.setattr(pages, "prepare", lambda app: heard.append("prepare"))
    monkeypatch.setattr(gc, "freeze", lambda: heard.append("freeze"))
    monkeypatch.setattr(os, "fork", fork)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _Crew(Flask("app"), settings(tmp_path), ours, Line(theirs, 0, None, "", "")).muster(workers)
    assert heard == done


def test_workers_are_forked_also_where_a_page_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def prepare(app: Flask) -> None:
        raise TemplateSyntaxError("Unknown tag.", 1, "pay.html~")

    numbers = iter((101,))
    monkeypatch.setattr(pages, "prepare", prepare)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(os, "fork", lambda: next(numbers))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _Crew(Flask("app"), settings(tmp_path), ours, Line(theirs, 0, None, "", "")).muster(2)
    assert list(numbers) == []
    assert "Unknown tag" in caplog.text


def test_a_worker_of_several_that_died_is_replaced_with_its_crew(tmp_path: Path) -> None:
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}", environ={"CHECKOUT_WORKERS": "3"}) as (server, url):
        for which in (2, 0):
            crew = server.children()
            assert len(crew) == 3
            os.kill(crew[which], signal.SIGKILL)
            until(lambda crew=crew: not set(crew) & set(server.children()))  # type: ignore[misc]
            server.wait_until_ready(f"{url}/healthz")
            until(lambda: len(server.children()) == 3)
        until(lambda: server.log.count("Another has taken its place") == 2)
        assert server.stop() == 0
