"""Where gateways send notices and browsers come back, with a small gateway of the tests' own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from checkout import store
from checkout.channel import (
    Channel,
    Found,
    Heard,
    Notice,
    NoticeRefused,
    Paid,
    Prompt,
    PromptKind,
    Raw,
    RefundAsk,
    Refunded,
    RefundStanding,
    Reply,
    Scene,
    Standing,
    Start,
)
from checkout.channels import make_channels
from checkout.model.orders import State
from checkout.model.payments import Judgement
from checkout.settings import Settings, SettingsError
from tests.channels.orders import TOKEN, order
from tests.world import START, World, account


class SmallGateway:
    """Believes what begins with `signed `: then come an order, an amount and a transaction number."""

    name, method = "alipay", "alipay"

    def scenes(self) -> frozenset[Scene]:
        return frozenset({Scene.QR})

    def start(self, ask: Start) -> Prompt:
        return Prompt(PromptKind.QR, "https://qr.example/1")

    def query(self, order: object, now: int) -> Found:
        return Found(Standing.UNPAID)

    def close(self, order: object, now: int) -> None: ...

    def refund(self, ask: RefundAsk) -> Refunded:
        return Refunded(RefundStanding.DONE)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        return Refunded(RefundStanding.DONE)

    def read_notice(self, raw: Raw) -> Notice:
        word, *rest = raw.body.decode().split(" ")
        if word == "closed":
            return Notice(Heard.CLOSED, rest[0], raw.body.decode())
        if word != "signed":
            raise NoticeRefused("not signed")
        token, amount, reference = rest
        return Notice(Heard.PAID, token, raw.body.decode(), Paid(token, reference, int(amount), raw.now))

    def reply_accepted(self) -> Reply:
        return Reply(b"success")

    def reply_refused(self) -> Reply:
        return Reply(b"failure")

    def read_return(self, raw: Raw) -> str:
        if not raw.query.startswith(b"signed="):
            raise NoticeRefused("not signed")
        return raw.query[7:].decode()


@pytest.fixture
def client(world: World) -> FlaskClient:
    """A browser or a gateway, at a shop with one order that waits."""
    gateway: Channel = SmallGateway()
    extensions = world.app.extensions
    extensions["checkout"] = replace(extensions["checkout"], channels={"alipay": gateway})
    with world.store.transaction() as db:
        store.accounts.add(db, account(id="ali-official", method="alipay", channel="alipay", code=""))
        store.orders.add(db, order())
    return world.app.test_client()


def state(world: World) -> State:
    with world.store.read() as db:
        found = store.orders.get(db, TOKEN)
    assert found is not None
    return found.state


def judgements(world: World) -> list[Judgement]:
    with world.store.read() as db:
        return [Judgement(row[0]) for row in db.all("SELECT judgement FROM payments ORDER BY id")]


def test_the_same_notice_twenty_times_at_once_is_one_payment(world: World, client: FlaskClient) -> None:
    body = f"signed {TOKEN} 990 T1"
    with ThreadPoolExecutor(20) as pool:
        bodies = list(pool.map(lambda _: world.app.test_client().post("/notify/alipay", data=body).data, range(20)))
    assert bodies == [b"success"] * 20
    assert (state(world), judgements(world)) == (State.PAID, [Judgement.MATCHED])


def test_a_notice_that_is_not_believed_changes_nothing(world: World, client: FlaskClient) -> None:
    assert client.post("/notify/alipay", data=f"forged {TOKEN} 990 T1").data == b"failure"
    assert (state(world), judgements(world)) == (State.PENDING, [])


def test_an_unknown_order_is_answered_so_that_the_notice_comes_again(world: World, client: FlaskClient) -> None:
    assert client.post("/notify/alipay", data=f"signed {'f' * 32} 990 T1").data == b"failure"
    assert judgements(world) == []


def test_a_wrong_amount_is_stored_and_not_booked(world: World, client: FlaskClient) -> None:
    assert client.post("/notify/alipay", data=f"signed {TOKEN} 1 T1").data == b"success"
    assert (state(world), judgements(world)) == (State.PENDING, [Judgement.UNMATCHED])


def test_a_second_payment_of_a_paid_order_is_stored_and_shown(world: World, client: FlaskClient) -> None:
    for reference in ("T1", "T2"):
        assert client.post("/notify/alipay", data=f"signed {TOKEN} 990 {reference}").data == b"success"
    assert judgements(world) == [Judgement.MATCHED, Judgement.SUSPECTED]


def test_money_for_an_expired_order_is_booked_as_late(world: World, client: FlaskClient) -> None:
    world.clock.go(3600)
    assert client.post("/notify/alipay", data=f"signed {TOKEN} 990 T1").data == b"success"
    assert (state(world), judgements(world)) == (State.PAID, [Judgement.LATE])


def test_a_return_proves_nothing_and_has_the_gateway_asked(world: World, client: FlaskClient) -> None:
    answer = client.get(f"/return/alipay?signed={TOKEN}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"http://127.0.0.1:8000/pay/{TOKEN}")
    assert state(world) is State.PENDING
    with world.store.read() as db:
        assert db.all("SELECT order_token, due_at FROM gateway_watch") == [(TOKEN, START)]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/return/alipay?forged=1", 401), (f"/return/alipay?signed={'f' * 32}", 404), ("/return/other", 404)],
)
def test_a_return_that_is_not_the_gateways_goes_nowhere(client: FlaskClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_there_is_no_channel_of_another_name_and_no_long_notice(client: FlaskClient) -> None:
    assert client.post("/notify/other", data="x").status_code == 404
    assert client.post("/notify/alipay", data=b"x" * 65_537).status_code == 400


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("shop", {}, "kind in [channels.shop] must be one of alipay, "),
        ("shop", {"kind": "paypal"}, "kind in [channels.shop] must be one of alipay, "),
        ("personal", {"kind": "alipay"}, "[channels.personal] cannot be used"),
        ("shop", {"kind": "alipay"}, "app_id in [channels.shop] is missing."),
    ],
)
def test_a_section_that_cannot_work_is_refused_in_one_sentence(
    name: str, table: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError) as outcome:
        make_channels(Settings(database="x.db", channels={name: table}))
    assert str(outcome.value).startswith(message)


def test_a_notice_of_closing_ends_an_unpaid_order(world: World, client: FlaskClient) -> None:
    assert client.post("/notify/alipay", data=f"closed {TOKEN}").data == b"success"
    assert state(world) is State.CLOSED


def test_a_notice_of_closing_marks_a_paid_order_refunded_once(world: World, client: FlaskClient) -> None:
    for body in (f"signed {TOKEN} 990 T1", f"closed {TOKEN}", f"closed {TOKEN}"):
        assert client.post("/notify/alipay", data=body).data == b"success"
    with world.store.read() as db:
        found = store.refunds.of_order(db, TOKEN)
    assert state(world) is State.PAID
    assert [(refund.amount, refund.state) for refund in found] == [(990, "done")]
