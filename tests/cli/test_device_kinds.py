"""What `checkout device` prints for each kind of phone works when it is entered as it stands."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask

from checkout import devices, ids, qr
from checkout import store as stores
from checkout.app import create_app
from checkout.model.payments import Payment
from checkout.settings import Settings
from checkout.web import Parts
from tests.cli.conftest import Console
from tests.clients.smsforwarder import WECHAT, Forwarder, Notification
from tests.clients.wire import to_app
from tests.conftest import skip_or_fail
from tests.world import Outside

BASE_URL = "https://pay.example.com"
TEXT = "微信支付收款9.90元(朋友到店)"


@pytest.fixture
def far(shop: Console) -> Console:
    shop.environ["CHECKOUT_BASE_URL"] = BASE_URL
    return shop


@pytest.fixture
def server(far: Console) -> Iterator[Flask]:
    settings = Settings(database=far.database, folder=far.folder)
    made = create_app(settings, clock=far.clock, new_id=ids.new_id, send=Outside().send, work=False)
    yield made
    parts: Parts = made.extensions["checkout"]
    parts.store.close()


def payments(server: Flask) -> list[Payment]:
    parts: Parts = server.extensions["checkout"]
    with parts.store.read() as db:
        return stores.payments.listed(db, review=False)


def printed(out: str) -> dict[str, str]:
    """The entries as a person reads them: a line that ends with a colon, then what to copy."""
    blocks = [block.partition(":\n") for block in out.strip().split("\n\n")[1:]]
    return {label: value for label, _, value in blocks}


@pytest.mark.parametrize("kind", devices.KINDS)
def test_a_phone_of_each_kind_is_added_with_everything_to_scan_or_enter(far: Console, kind: str) -> None:
    out = far("device", "add", "another", "--kind", kind, "--account", "wx-main").out
    shown = far.json("device", "show", "another")
    assert all(value in out for value in [*shown["entries"].values()] or [shown["pairing"]])


def test_smsforwarder_works_with_what_is_printed(far: Console, server: Flask) -> None:
    out = far("device", "add", "forwarder", "--kind", "smsforwarder", "--account", "wx-main").out
    entries = printed(out)
    phone = Forwarder(
        to_app(server),
        entries["Webhook Server (POST)"],
        entries["Secret"],
        entries["消息模板 (message template), one line"],
        entries["Word in a good answer, where your version asks for one"],
    )
    assert phone.forward(Notification(WECHAT, "微信支付", TEXT, far.clock() * 1000))
    (found,) = payments(server)
    assert (found.amount, found.method) == (990, "wechat")


def test_the_same_stands_in_the_json(far: Console) -> None:
    data = far.json("device", "add", "forwarder", "--kind", "smsforwarder")
    assert data["entries"]["url"] == data["pairing"] == f"{BASE_URL}/monitor/smsforwarder/{data['token']}"
    assert data["entries"]["secret"] == data["key"]
    assert data["signed"] is True
    assert far.json("device", "add", "old", "--kind", "vmq")["entries"] == {}


def test_codes_are_drawn_where_an_app_scans_them_or_the_owner_asks(far: Console) -> None:
    data = far.json("device", "add", "forwarder", "--kind", "smsforwarder")
    plain, drawn = far("device", "show", "forwarder").out, far("device", "show", "forwarder", "--qr").out
    assert "█" not in plain
    for value in data["entries"].values():
        assert value in plain
        assert qr.terminal(value) in drawn
    phone = far.json("device", "show", "phone")
    assert qr.terminal(phone["pairing"]) in far("device", "show", "phone").out


@pytest.mark.parametrize("tool", ["tasker", "macrodroid"])
def test_the_fields_of_automation_apps_are_taken(far: Console, server: Flask, tool: str) -> None:
    data = far.json("device", "add", "script", "--kind", "generic", "--account", "wx-main")
    values = {"title": "微信支付", "text": TEXT, "package": WECHAT, "time": str(far.clock() * 1000)}
    fields = json.loads(data["entries"][tool])
    assert fields.keys() == values.keys()
    query = urlencode({name: values[name] for name in fields})
    reply = to_app(server)("POST", f"{urlsplit(data['entries']['url']).path}?{query}", {}, b"")
    assert reply.status == 200
    (found,) = payments(server)
    assert (found.amount, found.happened_at) == (990, far.clock())


def test_the_json_of_shortcuts_is_taken(far: Console, server: Flask) -> None:
    data = far.json("device", "add", "script", "--kind", "generic")
    path = urlsplit(data["entries"]["url"]).path
    kind = {"Content-Type": "application/json"}
    assert to_app(server)("POST", path, kind, data["entries"]["shortcuts"].encode()).status == 200
    assert to_app(server)("POST", path, kind, data["entries"]["beat"].encode()).status == 200
    assert [payment.amount for payment in payments(server)] == [990]
    assert data["signed"] is False
    assert data["key"] not in data["entries"].values()


def test_the_lines_for_a_shell_sign_as_they_must(far: Console, server: Flask, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        skip_or_fail("openssl", "there is no openssl, with which the printed lines sign")
    data = far.json("device", "add", "script", "--kind", "generic", "--signed", "--account", "wx-main")
    assert data["signed"] is True
    assert set(data["entries"]) == {"url", "secret", "curl"}
    lines = data["entries"]["curl"].replace("$(date +%s)", str(far.clock()))
    script = f'curl() {{ printf "%s\\0" "$@"; }}\n{lines}\n'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=10)
    words = done.stdout.decode().split("\0")
    headers = dict(word.split(": ") for flag, word in pairwise(words) if flag == "-H")
    body = words[words.index("-d") + 1].encode()
    assert words[-2] == data["entries"]["url"]
    assert to_app(server)("POST", urlsplit(words[-2]).path, headers, body).status == 200
    assert to_app(server)("POST", urlsplit(words[-2]).path, headers, body + b" ").status == 401


@pytest.mark.parametrize("kind", ["vmq", "smsforwarder"])
def test_only_generic_devices_choose_whether_they_sign(far: Console, kind: str) -> None:
    assert "always sign" in far.refused("device", "add", "x", "--kind", kind, "--signed")


# How texts are read.

RULES = """
version = "7"
[[rule]]
id = "own-receipt"
app = "alipay"
text = "码上收款{amount}元"
"""


def test_a_text_is_explained_without_being_booked(far: Console, server: Flask) -> None:
    found = far.json("device", "test", "收钱码", "9向你付款1,160.00元", "--package", "com.eg.android.AlipayGphone")
    assert (found["verdict"], found["amount"], found["rule"]) == ("receipt", "1160.00", "alipay-payer")
    assert found["why"] == "It says that this money came in."
    told = far("device", "test", "微信支付", "已支付¥25.00").out
    assert "Verdict: outgoing" in told
    assert "Why: " in told
    assert payments(server) == []


def test_rules_of_ones_own_are_added_shown_and_removed(far: Console) -> None:
    file = far.folder / "mine.toml"
    file.write_text(RULES)
    ask = ("device", "test", "收钱码", "码上收款9.90元", "--package", "com.eg.android.AlipayGphone")
    assert far.json(*ask)["verdict"] == "unreadable"
    assert far.json("device", "rules", "show")["own"] is None
    assert far.json("device", "rules", "add", str(file)) == {"version": "7", "apps": 0, "rules": 1}
    assert (far.json(*ask)["verdict"], far.json(*ask)["rule"]) == ("receipt", "own-receipt")
    shown = far.json("device", "rules", "show")
    assert (shown["own"], shown["problem"]) == ("7", None)
    assert [rule["id"] for rule in shown["rules"] if rule["own"]] == ["own-receipt"]
    assert "own-receipt" in far("device", "rules", "show").out
    assert far.json("device", "rules", "remove") == {"removed": True}
    assert far.json(*ask)["verdict"] == "unreadable"
    assert "no reading rules of your own" in far.refused("device", "rules", "remove")


def test_a_faulty_file_of_rules_is_refused_in_one_sentence(far: Console) -> None:
    file = far.folder / "mine.toml"
    file.write_text(RULES.replace("{amount}", ""))
    assert "own-receipt" in far.refused("device", "rules", "add", str(file))
    assert "cannot be read" in far.refused("device", "rules", "add", str(far.folder / "missing"))


def test_rules_that_became_faulty_are_named_and_left_out(far: Console) -> None:
    (far.folder / "data").mkdir(exist_ok=True)
    (far.folder / "data" / "reading_rules.toml").write_text("version = ")
    result = far("device", "test", "微信支付", TEXT, "--json")
    assert result.json["amount"] == "9.90"
    assert "are left out: The rules are not valid TOML" in result.err
    assert "not valid TOML" in far.json("device", "rules", "show")["problem"]
