"""The published and computed signatures of vmq and GOGO: our functions, the tests' clients, and the server itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checkout import store as stores
from checkout.signing import md5_of
from tests.clients.vmq import md5
from tests.world import World, device

FILE = Path(__file__).parent.parent / "vectors" / "merchants.json"
VECTORS = {
    vector["name"]: vector
    for vector in json.loads(FILE.read_text(encoding="utf-8"))
    if vector["dialect"] in ("vmq", "gogo")
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_plain_concatenation_and_the_key_give_the_expected_md5(name: str) -> None:
    vector = VECTORS[name]
    assert md5_of(*vector["parts"], vector["key"]) == vector["expected"]
    assert md5(*vector["parts"], vector["key"]) == vector["expected"]


def test_the_documents_own_order_is_accepted(world: World) -> None:
    vector = VECTORS["vmq_create"]
    world.change_merchant(key=vector["key"])
    answer = world.client.post("/createOrder", data={**_create(*vector["parts"]), "sign": vector["expected"]})
    assert answer.get_json()["code"] == 1
    assert answer.get_json()["data"]["price"] == "0.10"


def test_the_phone_apps_own_push_is_accepted(world: World) -> None:
    vector = VECTORS["vmq_push_app_1.1"]
    with world.store.transaction() as db:
        stores.devices.add(db, device(id="second", key=vector["key"], token="u" * 32), ["wx-main"])
    kind, price, t = vector["parts"]
    values = {"type": kind, "price": price, "t": t, "sign": vector["expected"]}
    assert world.client.get("/appPush", query_string=values).get_json() == {"code": 1, "msg": "成功", "data": None}
    assert [payment.amount for payment in world.payments()] == [110]


def _create(number: str, param: str, kind: str, price: str) -> dict[str, Any]:
    return {"payId": number, "param": param, "type": kind, "price": price}
