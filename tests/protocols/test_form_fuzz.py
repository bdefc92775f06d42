"""BufPay and epay under requests that are spoilt at random: a defined answer each time, rows only for successes."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import quote_from_bytes

import pytest

from tests.clients import bufpay, epay
from tests.clients.forms import BOUNDARY, FORM, raw_path
from tests.clients.wire import Reply, Wire
from tests.protocols.support import rows
from tests.world import MERCHANT_KEY, World

REQUESTS = 600
CREATING = ("/api/pay/1001?format=json", "/mapi.php", "/submit.php")
NASTY = (
    b"", b"0", b"-1", b"1e2", b"NaN", b"\x00", b"\xff\xfe", "１".encode(), "\u202e中文".encode(), b"%00",
    b"' OR 1=1 --", b"<script>alert(1)</script>", b"${7*7}", b"../../etc/passwd", b"&money=0.01",
    b"x" * 3000, b"9" * 40, b"[]", b"{}",
)  # fmt: skip
Pairs = list[tuple[bytes, bytes]]


@pytest.fixture
def wire(world: World) -> Wire:
    return raw_path(world.app)


def spoilt(dice: random.Random, values: dict[str, str]) -> Pairs:
    """The pairs with up to three of them dropped, doubled, renamed or replaced."""
    pairs = [(name.encode(), value.encode()) for name, value in values.items()]
    for _ in range(dice.randint(0, 3)):
        at = dice.randrange(len(pairs))
        name, value = pairs[at]
        pairs[at : at + 1] = dice.choice(
            [
                [],
                [(name, value)] * 2,
                [(name, dice.choice(NASTY))],
                [(dice.choice(NASTY), value)],
                [(name, value + b"0")],
            ]
        )
        if not pairs:
            break
    return pairs


def sent(dice: random.Random, wire: Wire, path: str, pairs: Pairs) -> Reply:
    """In the query, as a form, as multipart, or under a content type that is a lie."""
    encoded = "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in pairs)
    style = dice.randrange(4)
    if style == 0:
        return wire("GET", f"{path}{'&' if '?' in path else '?'}{encoded}", {}, b"")
    if style == 1:
        return wire("POST", path, {"Content-Type": FORM}, encoded.encode())
    if style == 2:
        kind = dice.choice(["application/json", "text/plain", "multipart/form-data", "image/png", "x"])
        return wire("POST", path, {"Content-Type": kind}, encoded.encode())
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=".encode()
    body = b"".join(head + b'"' + name + b'"\r\n\r\n' + value + b"\r\n" for name, value in pairs)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return wire("POST", path, {"Content-Type": kind}, body + f"--{BOUNDARY}--\r\n".encode())


def is_bufpay(reply: Reply) -> bool | None:
    """True: an order; False: a defined refusal; None: neither."""
    if reply.status != 200:
        return None
    status = reply.json()["status"]
    if status == "ok":
        return True
    return False if status in ("sign_error", "param_error", "qr_limit", "order_payed", "order_expire") else None


def is_epay(reply: Reply) -> bool | None:
    if reply.status == 303:
        return True
    if reply.status != 200:
        return None
    if reply.headers["content-type"].startswith("text/html"):
        return False
    code = reply.json()["code"]
    return True if code == 1 else False if code in (-4, -3, -2, -1) else None


@pytest.mark.parametrize(
    "path", ["/api/pay/1001?format=json", "/mapi.php", "/submit.php", "/api.php", "/api/pay/create"]
)
def test_a_defined_answer_each_time_and_rows_only_for_successes(world: World, wire: Wire, path: str) -> None:
    dice = random.Random(path)
    read: Callable[[Reply], bool | None] = is_bufpay if "1001" in path else is_epay
    made = 0
    for number in range(REQUESTS):
        if "1001" in path:
            values = bufpay.Shop(wire, "1001", MERCHANT_KEY).values(f"N{number}", f"{number + 1}")
        else:
            values = epay.Shop(wire, "1001", MERCHANT_KEY).values(f"N{number}", f"{number + 1}")
        reply = sent(dice, wire, path, spoilt(dice, values))
        outcome = read(reply)
        assert outcome is not None, (number, reply.status, reply.body)
        made += outcome
    assert rows(world) == made
    assert (made > REQUESTS // 20) == (path in CREATING), "the requests are spoilt too little or too much"
