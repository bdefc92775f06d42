"""A call with a wrong key leaves one mark, which is written by the minute; nothing else comes of it."""

from __future__ import annotations

import json

import pytest

from checkout import store as stores
from checkout.errors import StoreError
from checkout.interfaces import Store
from checkout.store.strangers import Stranger
from checkout.strangers import Seen, Strangers
from checkout.worker import Worker
from tests.dump import dump
from tests.world import DEVICE_KEY, START, World, device

WRONG = "f" * 64


@pytest.fixture
def scripts(world: World) -> None:
    with world.store.transaction() as db:
        stores.devices.add(db, device(id="sms", name="sms", kind="smsforwarder", key="s" * 64, token="s" * 32), [])
        stores.devices.add(
            db, device(id="script", name="script", kind="generic", key="g" * 64, token="g" * 32, signed=True), []
        )


def written(world: World) -> dict[str, Stranger]:
    """After the worker has looked after its chores."""
    worker: Worker = world.app.extensions["checkout.worker"]
    for chore in worker._chores:
        chore(world.clock())
    with world.store.read() as db:
        return stores.strangers.all_of(db)


def test_a_beat_with_a_wrong_key_is_noted_for_the_kind_of_its_app(world: World) -> None:
    before = dump(world)
    assert world.beat(WRONG)["msg"] == "签名校验不通过"
    assert dump(world) == before  # a refused request writes nothing
    assert written(world) == {"vmq": Stranger("vmq", START, "127.0.0.1")}


def test_a_push_with_a_wrong_key_is_too_and_no_secret_of_it_is_kept(world: World) -> None:
    world.push("1.00", key=WRONG)
    (row,) = written(world).values()
    assert (row.whose, row.at, row.address) == ("vmq", START, "127.0.0.1")


def test_right_keys_and_other_faults_leave_no_mark(world: World) -> None:
    world.beat()
    world.push("1.00")
    world.client.get("/appHeart", query_string={"t": "1", "sign": "x"})
    assert written(world) == {}


@pytest.mark.usefixtures("scripts")
def test_where_the_address_names_the_device_it_is_noted_for_that_one(world: World) -> None:
    at = str(START * 1000)
    sms = {"from": "com.tencent.mm", "title": "t", "text": "x", "ts": at, "sign": "d3Jvbmc="}
    world.client.post(f"/monitor/smsforwarder/{'s' * 32}", json=sms)
    assert set(written(world)) == {"sms"}
    headers = {"X-Timestamp": str(START), "X-Signature": "00"}
    world.client.post(f"/monitor/push/{'g' * 32}", data=json.dumps({"beat": "true"}), headers=headers)
    assert set(written(world)) == {"sms", "script"}


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize("what", [{}, {"sign": ""}, {"ts": str(START), "sign": "00"}])
def test_a_signature_that_is_missing_is_a_wrong_one(world: World, what: dict[str, str]) -> None:
    world.client.post(f"/monitor/push/{'g' * 32}", json={"beat": "true", **what})
    assert set(written(world)) == {"script"}


@pytest.mark.usefixtures("scripts")
def test_an_address_of_no_device_is_noted_for_its_kind(world: World) -> None:
    for token in ("0" * 32, "1" * 32, "t" * 32):
        assert world.client.get(f"/monitor/push/{token}").status_code == 404
    assert set(written(world)) == {"generic"}


def test_a_stranger_who_calls_without_end_costs_one_row(world: World) -> None:
    for number in range(300):
        world.clock.go(1)
        world.client.get(
            "/appHeart", query_string={"t": str(world.clock() * 1000), "sign": f"{number}"},
            environ_overrides={"REMOTE_ADDR": f"10.0.0.{number % 250}"},
        )  # fmt: skip
    assert len(world.parts.strangers._noted) == 1
    assert written(world) == {"vmq": Stranger("vmq", START + 300, "10.0.0.49")}
    before = dump(world)
    assert len(written(world)) == 1
    assert dump(world) == before  # nothing new, nothing written


def test_what_could_not_be_written_is_kept_for_the_next_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = Strangers()
    strangers.note("vmq", "10.0.0.1", START)

    def busy() -> None:
        raise StoreError("busy")

    with monkeypatch.context() as patched:
        patched.setattr(store, "transaction", busy)
        with pytest.raises(StoreError):
            strangers.write(store)
    strangers.write(store)
    with store.read() as db:
        assert list(stores.strangers.all_of(db)) == ["vmq"]


def test_a_call_counts_for_a_phone_until_it_is_heard_of_again(world: World) -> None:
    world.beat(WRONG)
    written(world)

    def perhaps() -> Stranger | None:
        with world.store.read() as db:
            found = stores.devices.get(db, "phone")
            assert found is not None
            return Seen.by(db, world.clock()).perhaps(found)

    assert perhaps() == Stranger("vmq", START, "127.0.0.1")
    world.clock.go(1)
    world.beat(DEVICE_KEY)
    assert perhaps() is None
