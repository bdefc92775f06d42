"""Everything that is a secret is sent through a real server that logs all it can: none of it is written down."""

from __future__ import annotations

import json
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from checkout import store as stores
from checkout.store import open_store
from tests import loopback
from tests.loopback import answering, ok
from tests.servers import CHECKOUT, ask, serving
from tests.world import DEVICE_KEY, MERCHANT_KEY, account, device, md5, merchant

SERVE = (*CHECKOUT, "serve", "--port", "{port}")
GENERIC, TOKEN = "gk" + "5f" * 31, "genericpushtoken" + "7" * 16
METRICS, PASSWORD, COOKIE = "metrics-canary-0123456789", "password-canary-0123", "cookie-canary-0123"
API = "sk_canary0123456789canary0123456789"
SECRETS = (MERCHANT_KEY, DEVICE_KEY, GENERIC, TOKEN, METRICS, PASSWORD, COOKIE, API, "sign=", "payId", "9.90")


@pytest.fixture(scope="module", params=["json", "text"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """(format, what the server has written to its log and to its output, the token of an order that was paid)."""
    folder = tmp_path_factory.mktemp("canaries")
    log = folder / "checkout.log"
    heard: list[bytes] = []
    with loopback.serving(answering(ok(), seen=heard)) as receiver:
        fill(folder / "data" / "checkout.db", f"http://127.0.0.1:{receiver.port}/notify")
        environ = {"CHECKOUT_LOG_FORMAT": request.param, "CHECKOUT_LOG_LEVEL": "info",
                   "CHECKOUT_LOG_FILE": str(log), "CHECKOUT_METRICS_TOKEN": METRICS}  # fmt: skip
        with serving(folder, *SERVE, environ=environ) as (server, url):
            token = live(url)
            deadline = time.monotonic() + 30
            while "message.tried" not in log.read_text() and time.monotonic() < deadline:
                time.sleep(0.02)
            server.stop()
    return request.param, log.read_text() + server.log, token


def fill(database: Path, notify_url: str) -> None:
    with closing(open_store(str(database))) as opened, opened.transaction() as db:
        stores.merchants.add(db, merchant(notify_url=notify_url))
        stores.accounts.add(db, account())
        stores.devices.add(db, device(), ["wx-main"])
        stores.devices.add(db, device(id="script", kind="generic", key=GENERIC, token=TOKEN), ["wx-main"])


def live(url: str) -> str:
    """An order from its opening to its callback, and a try at every kind of door with what opens it."""
    values = {"payId": "N1", "type": "1", "price": "9.90", "sign": md5("N1", "1", "9.90", MERCHANT_KEY)}
    data = json.loads(ask(f"{url}/createOrder?{urlencode(values)}").text)["data"]
    t = str(time.time_ns() // 1_000_000)
    push = {"t": t, "type": "1", "price": "9.90", "sign": md5("1", "9.90", t, DEVICE_KEY)}
    assert json.loads(ask(f"{url}/appPush?{urlencode(push)}").text)["code"] == 1
    ask(f"{url}/monitor/push/{TOKEN}", {"text": "微信收款9.90元", "key": GENERIC})
    for path in (f"/pay/{data['orderId']}", f"/pay/{data['orderId']}/poll?rev=1", f"/{MERCHANT_KEY}", "/healthz",
                 f"/mapi.php?key={MERCHANT_KEY}", f"/api/v1/orders/{data['orderId']}"):  # fmt: skip
        get(url, path)
    get(url, "/metrics", Authorization=f"Bearer {METRICS}")
    get(url, "/metrics", Authorization=f"Bearer {METRICS}x")
    get(url, "/api/v1/orders", Authorization=f"Bearer {API}")
    get(url, "/admin", Cookie=f"session={COOKIE}")
    ask(f"{url}/admin/sign-in", {"password": PASSWORD})
    return str(data["orderId"])


def get(url: str, path: str, **headers: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", path, headers={"App-Secret": MERCHANT_KEY, **headers})
    assert connection.getresponse().status < 500
    connection.close()


def test_no_secret_is_written_at_any_door(written: tuple[str, str, str]) -> None:
    _, text, _ = written
    assert text.count("request") > 8, "nothing was logged, so nothing was tested"
    for secret in SECRETS:
        assert secret not in text


def test_the_life_of_an_order_can_be_followed_by_its_token(written: tuple[str, str, str]) -> None:
    form, text, token = written
    mine = [line for line in text.splitlines() if token in line]
    events = ("order.opened", "order.paid", "message.tried", "request")
    if form == "text":
        assert all(any(event in line for line in mine) for event in events)
        return
    found: dict[str, dict[str, Any]] = {line["event"]: line for line in map(json.loads, mine)}
    assert set(events) <= set(found)
    assert found["order.opened"]["merchant"] == 1001
    assert found["message.tried"]["acknowledged"] is True
    assert found["message.tried"]["status"] == 200
    assert {"request", "route", "status", "duration_ms", "method"} <= set(found["request"])


def test_the_request_that_a_phone_sent_names_the_phone_and_the_order(written: tuple[str, str, str]) -> None:
    form, text, token = written
    if form == "text":
        return
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    (push,) = [line for line in lines if line["event"] == "request" and line.get("route") == "/appPush"]
    assert (push["device"], push["order"], push["merchant"], push["status"]) == ("phone", token, 1001, 200)
    (received,) = [line for line in lines if line["event"] == "payment.received" and line["device"] == "phone"]
    assert received["request"] == push["request"]
