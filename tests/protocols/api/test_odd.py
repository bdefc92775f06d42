"""What a curious stranger sends: times, texts and ids at the edges. Each is taken as it stands, or refused by name."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from checkout.protocols.api.paging import cursor
from tests.clients.api import Shop
from tests.world import START, World

PRICE = {"amount": 990, "currency": "CNY"}


@pytest.mark.parametrize(
    ("since", "finds"),
    [
        ("0001-01-01T00:00:00+23:59", True), ("9999-12-31T23:59:59-23:59", False), ("1970-01-01T00:00:00Z", True),
        ("1969-12-31T23:59:59Z", True), ("2026-09-21T14:13:20.999999999Z", True), ("2026-09-21t14:13:20z", True),
        ("2026-09-21T22:13:20+08:00", True), ("2026-09-21T14:13:21Z", False),
    ],
)  # fmt: skip
def test_every_time_of_the_calendar_is_understood(shop: Shop, since: str, finds: bool) -> None:
    assert START == 1_790_000_000
    shop.create()
    assert bool(shop.all(created_from=since)) is finds


@pytest.mark.parametrize(
    "given",
    ["2026-09-21T14:13:60Z", "2026-09-21T24:00:01Z", "2026-02-29T00:00:00Z", "2026-09-21T14:13:20+24:00",
     "2026-09-21T14:13:20+99:99", "2026-09-21T14:13:20-00", "2026-09-21T12000000Z", "2026-09-21T::::::::Z",
     "2026-09-21T1:2:3:4:Z", "２０２６-09-21T14:13:20Z", "2026-09-21 14:13:20Z", "10000-01-01T00:00:00Z",
     "0000-01-01T00:00:00Z", "2026-W39-1T14:13:20Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused(shop: Shop, given: str) -> None:
    found = shop.refused(400, "GET", f"/orders?created_from={quote(given)}")
    assert found["errors"][0]["parameter"] == "created_from"


@pytest.mark.parametrize(
    "number",
    [
        "订单 1",
        "N\u200b1",
        "e\u0301",
        "\u202egnp.exe",
        "👩‍👩‍👧‍👦" * 10,
        "ｆｕｌｌ",
        "'; DROP TABLE orders --",
        "../../etc",
        "%00",
        "\ufffe",
    ],
)
def test_a_number_is_kept_to_the_letter_and_found_by_it(shop: Shop, number: str) -> None:
    assert shop.create(number)["number"] == number
    assert [one["number"] for one in shop.all(number=number)] == [number]


def test_numbers_that_only_look_alike_are_two_orders(shop: Shop) -> None:
    tokens = {shop.create(number)["order"] for number in ("é", "e\u0301", "N1", "N\u200b1", "n1", " N1")}
    assert len(tokens) == 6


ODD_IDS = ["%00", "%00abc", "a%2Fb", "..%2f..", "%ff", "%F0%9F%98%80", "x" * 5000, "pay_%00", "*", "'", "%25"]


def test_an_id_that_cannot_be_one_is_not_found(shop: Shop) -> None:
    for place in ("/orders/{}", "/orders/{}/refunds", "/products/{}", "/payments/{}", "/receipts/{}"):
        for odd in ODD_IDS:
            assert shop.send("GET", place.format(odd)).status == 404, (place, odd)


def test_nothing_can_be_done_to_it(shop: Shop) -> None:
    acts: dict[str, dict[str, str]] = {
        "/orders/{}/close": {}, "/orders/{}/refunds": {"reason": "r"},
        "/payments/{}/link": {"reason": "r", "order": "0" * 32},
    }  # fmt: skip
    for place, body in acts.items():
        for odd in ODD_IDS:
            assert shop.send("POST", place.format(odd), body).status == 404, (place, odd)


@pytest.mark.parametrize(
    "text", ["999999999999.z", "0.0", "1790000000.zzzz", "999999999999." + "z" * 64, "000000000000.-"]
)
def test_a_forged_cursor_leads_to_ones_own_orders_or_nowhere(shop: Shop, other: Shop, world: World, text: str) -> None:
    mine = shop.create("N1")["order"]
    other.create("N1")
    at, _, last = text.partition(".")
    assert {one["order"] for one in shop.all(cursor=cursor(int(at), last))} <= {mine}
    for place in ("/payments", "/products"):
        assert shop.send("GET", f"{place}?cursor={cursor(int(at), last)}").status == 200
