"""Keys of official accounts are in their files and nowhere else: not in logs, pages, answers, lists, database, backup.

Everything is done that might let one slip: orders, refunds, bad notices, refused calls, broken answers, faults.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from checkout import owner, prompts, store
from checkout.channel import Scene
from checkout.demo.gateways.serving import post
from checkout.errors import Refusal
from checkout.prompts import Wanted
from checkout.refunds import calls
from tests.admin.desk import PASSWORD, Owner
from tests.channels.rsa import written
from tests.channels.wechat import certificates
from tests.cli.conftest import Console
from tests.officials import COUNTERS, Counter, Official, official

OPERATOR = "canary-password-of-the-operator"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
MISCHIEF = ("status", "busy", "unsigned", "tampered", "other_key", "other_order", "")


@pytest.fixture
def made(tmp_path: Path, database: str) -> Iterator[Official]:
    files = certificates(tmp_path / "certificates")
    ours = {"cert": files.cert, "cert_key": files.cert_key}
    word = written(tmp_path / "keys" / "op_user_passwd.txt", OPERATOR)
    with official(tmp_path, database=database, wechat=ours, wechat_2014={**ours, "op_user_passwd": word}) as made:
        yield made


@pytest.fixture
def co(made: Official, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Console:
    """The command line of the same shop."""
    settings = made.world.parts.settings
    lines = [f'base_url = "{settings.base_url}"', "allow_private = true"]
    for name, table in settings.channels.items():
        lines += [f"[channels.{name}]", *(f'{key} = "{value}"' for key, value in table.items())]
    (tmp_path / "checkout.toml").write_text("\n".join(lines))

    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return Console(tmp_path, settings.database, made.world.clock, read)


def canaries(folder: Path) -> set[str]:
    """Each long line of each secret file; public keys and certificates are no secrets."""
    files = [*(folder / "keys").iterdir(), *(folder / "certificates").glob("*.key")]
    private = [file for file in files if "public" not in file.name]
    assert len(private) >= 9
    lines = {line for file in private for line in file.read_text().splitlines() if len(line) >= 16}
    return {line for line in lines if not line.startswith("-----")}


class Ears:
    """Everything that anybody gets to see."""

    def __init__(self, made: Official) -> None:
        self.heard: list[str] = []
        self._made = made

    def get(self, path: str, **headers: str) -> None:
        answer = self._made.world.client.get(path, headers=headers)
        self.heard.append(f"{answer.status} {answer.headers} {answer.get_data(as_text=True)}")

    def post(self, path: str, body: bytes, kind: str = "text/xml") -> None:
        answer = self._made.world.client.post(path, data=body, content_type=kind)
        self.heard.append(f"{answer.status} {answer.headers} {answer.get_data(as_text=True)}")

    def run(self, co: Console, *arguments: str) -> None:
        result = co(*arguments)
        self.heard.append(result.out + result.err)


def trade(counter: Counter, ears: Ears, co: Console) -> None:
    """An order with a bad road to its payment, and a refund."""
    made, channel = counter.made, counter.channel
    gateway = getattr(made.town, channel)
    order = counter.begin(f"N-{channel}")
    counter.pay(order)
    url, body, headers = counter.notice(order)
    for spoilt in (body[:-9], body.replace(b"9", b"8"), b"", b"<xml>", b"x" * 70_000):
        post(url, spoilt, "text/xml", headers)
        ears.post(f"/notify/{channel}", spoilt)
    ears.post(f"/notify/{channel}/product", body)
    ears.get(f"/return/{channel}?{body.decode('latin-1')[:900]}")
    for mischief in MISCHIEF:
        gateway.mischief = mischief
        ears.run(co, "order", "ask", order.token)
        made.world.clock.go(130)
        made.question()
    assert counter.send((url, body, headers)) or made.world.order(order.token).paid_at
    for mischief in ("status", ""):
        gateway.mischief = mischief
        ears.run(co, "order", "refund", order.token, "--reason", "test", "--amount", "1.00")
    gateway.mischief = ""
    ears.get(f"/pay/{order.token}?lang=en")
    ears.run(co, "order", "show", order.token, "--json")


def start_in_every_way(made: Official, channel: str, ears: Ears) -> None:
    gateway = getattr(made.town, channel)
    for number, scene in enumerate(Scene):
        for mischief in ("status", "tampered", ""):
            gateway.mischief = mischief
            made.world.clock.go(prompts.PASSED_OVER_S)
            order = made.order(channel, f"S-{channel}-{number}-{mischief}")
            wanted = Wanted(scene, "203.0.113.5", OPENID)
            try:
                shown = prompts.ready(made.world.parts.till, order, wanted, made.world.clock())
                ears.heard.append(f"{shown}")
            except Refusal as refusal:
                ears.heard.append(f"{refusal!r} {refusal.__cause__!r}")
            ears.get(f"/pay/{order.token}")


def look_around(made: Official, ears: Ears) -> None:
    """The owner opens every page, and that of every order and account."""
    world = made.world
    owner.set_password(world.store, PASSWORD, actor="test", new_id=world.parts.new_id, now=world.clock())
    desk = Owner(world).sign_in(PASSWORD)
    with world.store.read() as db:
        orders = [f"/orders/{one.token}" for one in store.orders.listed(db, store.orders.Filter(limit=500))]
    accounts = [f"/accounts/{channel}" for channel in COUNTERS]
    pages = ("", "/orders", "/orders.csv", "/review", "/accounts", "/audit", "/settings", "/status", "/callbacks")
    for path in (*pages, *orders, *accounts):
        ears.heard.append(desk.get(f"/admin{path}").text)


def test_no_secret_gets_out(
    made: Official, co: Console, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "call_until_done", partial(calls.call_until_done, seconds=0.1))
    caplog.set_level(logging.DEBUG)
    ears = Ears(made)
    for channel in COUNTERS:
        with made.world.store.transaction() as db:
            db.run("UPDATE accounts SET disabled_at = 1 WHERE disabled_at IS NULL")
        made.add_account(channel)
        trade(Counter(made, channel), ears, co)
        start_in_every_way(made, channel, ears)
    for arguments in (("order", "list"), ("payment", "list"), ("account", "list"), ("refund", "list"), ("doctor",)):
        ears.run(co, *arguments)
        ears.run(co, *arguments, "--json")
    ears.run(co, "export", "payments", "--csv", str(tmp_path / "payments.csv"))
    ears.run(co, "backup", str(tmp_path / "backup.db"))
    for path in ("/", "/healthz", "/metrics", "/nothing", "/notify/none", "/admin"):
        ears.get(path)
    look_around(made, ears)
    ears.heard.append(f"{made.world.parts} {made.world.parts.channels} {made.world.parts.settings}")
    ears.heard += [str(vars(channel)) for channel in made.world.parts.channels.values()]
    ears.heard.append("\n".join(logging.Formatter().format(record) for record in caplog.records))
    files = [tmp_path / "backup.db", tmp_path / "payments.csv", *tmp_path.glob("data/*")]
    with made.world.store.read() as db:
        assert len(store.payments.listed(db, review=False)) >= len(COUNTERS)
    seen = "\n".join(ears.heard).encode() + b"".join(file.read_bytes() for file in files)
    assert len(seen) > 100_000
    for canary in canaries(tmp_path):
        assert canary.encode() not in seen
        assert quote(canary, safe="").encode() not in seen


def test_the_search_would_find_one(tmp_path: Path, made: Official) -> None:
    found = canaries(tmp_path)
    assert OPERATOR in found
    assert any(line in (tmp_path / "keys" / "app_private.pem").read_text() for line in found)
