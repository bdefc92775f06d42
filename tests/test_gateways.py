"""Orders at official gateways: asked about while their page is open, closed at their end, followed where they move."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from checkout import gateways, ids, inquiries, logs, prompts, store
from checkout.channel import Channel, Found, Heard, Notice, Paid, Scene, Standing
from checkout.errors import Refusal
from checkout.interfaces import Rows, Store
from checkout.locks import Held, NotLocked
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.prompts import Wanted
from checkout.store.gateways import NEVER, Watch
from tests.gateways import DOWN, UNPAID, Till, install
from tests.pages.shop import closed, opened, settled
from tests.world import START, World


def begun(world: World, *tills: Till) -> Order:
    """An order that its buyer was shown a code for, at the first of the gateways."""
    install(world, *tills)
    order = opened(world, method="alipay")
    if order.account != tills[0].name:
        with world.store.transaction() as db:
            name = tills[0].name
            store.orders.assign(db, order.token, method="alipay", account=name, channel=name, really_price=990)
    return prompts.ready(world.parts.till, world.order(order.token), Wanted(), world.clock()).order


def watch_of(world: World, order: Order) -> Watch | None:
    with world.store.read() as db:
        return store.gateways.watch_of(db, order.token)


def due_at(world: World, order: Order) -> int:
    found = watch_of(world, order)
    assert found is not None
    return found.due_at


def ask(world: World, order: Order) -> None:
    """What the worker does with a watch that is due."""
    watch = watch_of(world, order)
    assert watch is not None
    with world.store.transaction() as db:
        assert store.gateways.claim(db, watch, world.clock() + inquiries.LEASE_S)
    inquiries.check(world.store, world.parts.channels, watch, new_id=ids.new_id, clock=world.clock)


def ask_now(world: World, order: Order) -> None:
    """What the owner does who wants to know."""
    inquiries.ask_now(world.store, world.parts.channels, order.token, new_id=ids.new_id, now=world.clock())


def told(world: World, channel: Channel, paid: Paid) -> bool:
    return gateways.book(world.store, channel, paid, "{}", new_id=ids.new_id, now=world.clock())


def judgements(world: World) -> list[Judgement]:
    return [one.judgement for one in world.payments()]


class TestOpenPage:
    def test_brings_the_question_forward_to_every_four_seconds(self, world: World) -> None:
        order = begun(world, Till("a"))
        inquiries.hasten(world.store, order.token, world.clock())
        assert due_at(world, order) == START
        ask(world, order)
        for _ in range(20):
            inquiries.hasten(world.store, order.token, world.clock())
        assert due_at(world, order) == START + 4

    def test_asks_at_once_when_nobody_has_asked_for_long(self, world: World) -> None:
        order = begun(world, Till("a"))
        for _ in range(8):
            ask(world, order)
        world.clock.go(30)
        inquiries.hasten(world.store, order.token, world.clock())
        assert due_at(world, order) == world.clock()

    def test_leaves_a_question_that_is_under_way_alone(self, world: World) -> None:
        order = begun(world, Till("a"))
        watch = watch_of(world, order)
        assert watch is not None
        with world.store.transaction() as db:
            store.gateways.claim(db, watch, START + inquiries.LEASE_S)
        inquiries.hasten(world.store, order.token, START + 2)
        assert due_at(world, order) == START + inquiries.LEASE_S

    def test_twenty_pages_at_once_bring_it_forward_once(self, world: World) -> None:
        order = begun(world, Till("a"))
        ask(world, order)
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda _: inquiries.hasten(world.store, order.token, START + 1), range(20)))
        assert due_at(world, order) == START + 4

    def test_polls_of_a_personal_order_ask_nobody(self, world: World) -> None:
        order = opened(world)
        assert world.client.get(f"/pay/{order.token}/poll").status_code == 200
        assert watch_of(world, order) is None

    def test_polls_of_an_official_order_bring_it_forward(self, world: World) -> None:
        order = begun(world, Till("a"))
        ask(world, order)
        world.clock.go(2)
        world.client.get(f"/pay/{order.token}/poll")
        assert due_at(world, order) == START + 4


class TestEnd:
    def test_an_order_that_cannot_be_closed_is_asked_about_all_the_same(self, world: World) -> None:
        till = Till("a", unclosable=True)
        order = begun(world, till)
        world.clock.go(301)
        till.found = Found(Standing.PAID, Paid(order.token, "T1", 990, START))
        ask(world, order)
        assert (world.order(order.token).state, till.calls[1:]) == (State.PAID, ["close", "query"])

    def test_an_unpaid_order_that_cannot_be_closed_stays_watched(self, world: World) -> None:
        order = begun(world, Till("a", unclosable=True))
        world.clock.go(301)
        ask(world, order)
        assert due_at(world, order) > world.clock()

    def test_a_gateway_that_only_fails_is_asked_less_often_and_given_up_after_days(self, world: World) -> None:
        till = Till("a")
        order = begun(world, till)
        till.faults = {None: DOWN}
        asked = 0
        while due_at(world, order) != NEVER:
            world.clock.now = due_at(world, order)
            ask(world, order)
            asked += 1
        assert order.expires_at + inquiries.END_S <= world.clock() <= order.expires_at + inquiries.END_S + 6 * 3600
        assert asked < 100
        with world.store.read() as db:
            assert [one.order_token for one in store.gateways.given_up(db, 10)] == [order.token]

    def test_an_order_that_is_closed_while_it_is_asked_about_is_closed_there_at_once(self, world: World) -> None:
        def asking(order: Order, now: int) -> Found:
            closed(world, order)
            return UNPAID

        till = Till("a")
        order = begun(world, till)
        till.query = asking  # type: ignore[method-assign]
        ask(world, order)
        assert due_at(world, order) == world.clock()

    def test_a_channel_that_was_taken_out_of_the_settings_keeps_its_watch(self, world: World) -> None:
        order = begun(world, Till("a"))
        watch = watch_of(world, order)
        assert watch is not None
        world.clock.go(400)
        inquiries.check(world.store, {}, watch, new_id=ids.new_id, clock=world.clock)
        assert due_at(world, order) > world.clock()


class TestMovedOn:
    @pytest.fixture
    def tills(self) -> tuple[Till, Till]:
        return Till("a"), Till("b")

    @pytest.mark.parametrize("asked", [ask, ask_now])
    def test_one_that_is_begun_elsewhere_while_the_money_is_found_is_closed_there(
        self, world: World, tills: tuple[Till, Till], asked: Callable[[World, Order], None]
    ) -> None:
        """Or its buyer, who has both pages open, could pay twice."""

        def asking(order: Order, now: int) -> Found:
            gateways.begin(world.store, order, tills[1], Scene.QR, now)
            return Found(Standing.PAID, Paid(order.token, "T1", 990, now))

        order = begun(world, *tills)
        tills[0].query = asking  # type: ignore[method-assign]
        asked(world, order)
        assert (world.order(order.token).state, due_at(world, order)) == (State.PAID, world.clock())
        ask(world, order)
        assert tills[1].calls == ["close", "query"]
        assert watch_of(world, order) is None

    def moved(self, world: World, tills: tuple[Till, Till]) -> Order:
        """An order whose first gateway may know it, for all that one can tell from a broken connection."""
        first, second = tills
        install(world, first, second)
        order = opened(world, method="alipay")
        with world.store.transaction() as db:
            store.orders.assign(db, order.token, method="alipay", account="a", channel="a", really_price=990)
        first.faults = {None: DOWN}
        shown = prompts.ready(world.parts.till, world.order(order.token), Wanted(), world.clock())
        first.faults = {}
        assert shown.order.account == "b"
        return shown.order

    def test_money_at_the_first_gateway_pays_the_order_and_is_booked_there(
        self, world: World, tills: tuple[Till, Till]
    ) -> None:
        order = self.moved(world, tills)
        assert told(world, tills[0], Paid(order.token, "T1", 990, START))
        paid = world.order(order.token)
        assert (paid.state, paid.account, paid.channel) == (State.PAID, "a", "a")
        assert judgements(world) == [Judgement.MATCHED]

    @pytest.mark.parametrize("missing", ["account a", "account b", "number"])
    def test_money_at_the_first_is_not_booked_beside_what_was_not_taken(
        self, world: World, tills: tuple[Till, Till], monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        """The order moved while the lock keys of the transaction were read: it is undone, and done again alone."""
        order = self.moved(world, tills)
        keys = ("account a", "account b", f"number 1001 {order.number}")
        taken = Held(frozenset(key for key in keys if not key.startswith(missing)))

        def locked(opened: Store, _: object, work: Callable[[Rows, Held], object]) -> object:
            with opened.transaction() as db:
                return work(db, taken)

        with monkeypatch.context() as narrow:
            narrow.setattr(type(world.store), "locked", locked)
            with pytest.raises(NotLocked):
                told(world, tills[0], Paid(order.token, "T1", 990, START))
        assert (world.order(order.token), judgements(world)) == (order, [])

    def test_once_it_is_paid_the_other_gateway_is_closed(self, world: World, tills: tuple[Till, Till]) -> None:
        order = self.moved(world, tills)
        assert told(world, tills[1], Paid(order.token, "T1", 990, START))
        assert due_at(world, order) == START
        ask(world, order)
        assert (tills[0].calls, tills[1].calls) == (["start qr", "close", "query"], ["start qr"])
        assert watch_of(world, order) is None

    def test_money_at_both_is_a_double_payment(self, world: World, tills: tuple[Till, Till]) -> None:
        order = self.moved(world, tills)
        assert told(world, tills[1], Paid(order.token, "T1", 990, START))
        assert told(world, tills[0], Paid(order.token, "T2", 990, START))
        assert sorted(judgements(world)) == sorted([Judgement.MATCHED, Judgement.SUSPECTED])

    def test_both_are_closed_when_it_ends(self, world: World, tills: tuple[Till, Till]) -> None:
        order = self.moved(world, tills)
        world.clock.go(301)
        ask(world, order)
        assert [till.calls[1:] for till in tills] == [["close", "query"]] * 2
        assert watch_of(world, order) is None

    def test_another_amount_at_the_first_one_is_stored_and_not_booked(
        self, world: World, tills: tuple[Till, Till]
    ) -> None:
        order = self.moved(world, tills)
        assert told(world, tills[0], Paid(order.token, "T1", 989, START))
        assert (world.order(order.token).state, judgements(world)) == (State.PENDING, [Judgement.UNMATCHED])

    def test_money_at_a_gateway_that_never_knew_the_order_is_not_booked(
        self, world: World, tills: tuple[Till, Till]
    ) -> None:
        order = self.moved(world, tills)
        assert told(world, Till("c"), Paid(order.token, "T1", 990, START))
        assert (world.order(order.token).state, judgements(world)) == (State.PENDING, [Judgement.UNMATCHED])


def test_money_that_was_confirmed_by_hand_before_is_not_called_a_second_payment(world: World) -> None:
    till = Till("a")
    order = begun(world, till)
    settled(world, order)
    assert told(world, till, Paid(order.token, "T1", 990, START))
    [payment] = [one for one in world.payments() if one.channel == "a"]
    assert (payment.judgement, "probably the same money" in payment.note) == (Judgement.SUSPECTED, True)


class TestEvents:
    @pytest.fixture
    def events(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        heard: list[str] = []
        monkeypatch.setattr(logs, "event", lambda name, **values: heard.append(name))
        return heard

    def test_an_order_paid_at_its_gateway_is_logged_once_however_often_it_is_told(
        self, world: World, events: list[str]
    ) -> None:
        till = Till("a")
        order = begun(world, till)
        events.clear()
        for _ in range(2):
            assert told(world, till, Paid(order.token, "T1", 990, START))
        assert events == ["payment.received", "order.paid"]

    def test_money_that_pays_nothing_is_logged_as_received_only(self, world: World, events: list[str]) -> None:
        till = Till("a")
        order = begun(world, till)
        events.clear()
        assert told(world, till, Paid(order.token, "T1", 5, START))
        assert events == ["payment.received"]

    def test_an_order_that_its_gateway_closed_is_logged_once(self, world: World, events: list[str]) -> None:
        till = Till("a")
        order = begun(world, till)
        events.clear()
        notice = Notice(Heard.CLOSED, order.token, "{}")
        for _ in range(2):
            assert gateways.handle_notice(world.store, till, notice, new_id=ids.new_id, now=world.clock())
        assert (world.order(order.token).state, events) == (State.CLOSED, ["order.closed"])


class TestAskNow:
    def asked(self, world: World, order: Order) -> None:
        inquiries.ask_now(world.store, world.parts.channels, order.token, new_id=world.parts.new_id, now=world.clock())

    def test_finds_money_that_nobody_told_of(self, world: World) -> None:
        till = Till("a")
        order = begun(world, till)
        till.found = Found(Standing.PAID, Paid(order.token, "T1", 990, START))
        self.asked(world, order)
        assert world.order(order.token).state is State.PAID

    def test_says_what_the_gateway_says_when_it_cannot_be_asked(self, world: World) -> None:
        till = Till("a")
        order = begun(world, till)
        till.faults = {None: DOWN}
        with pytest.raises(Refusal, match=r"a could not be asked\. It did not answer\."):
            self.asked(world, order)

    def test_has_nobody_to_ask_about_a_personal_order(self, world: World) -> None:
        with pytest.raises(Refusal, match="no such order"):
            self.asked(world, opened(world))

    def test_ends_a_watch_that_was_given_up(self, world: World) -> None:
        order = begun(world, Till("a"))
        world.clock.go(inquiries.END_S + 600)
        with world.store.transaction() as db:
            store.gateways.postpone(db, order.token, NEVER, closing=True)
        self.asked(world, order)
        assert watch_of(world, order) is None


def test_an_order_that_is_closed_early_is_closed_at_its_gateway_at_once(world: World) -> None:
    till = Till("a")
    order = begun(world, till)
    world.clock.go(1)
    closed(world, order)
    assert due_at(world, order) == world.clock()
    ask(world, order)
    assert till.calls[1:] == ["close", "query"]


def test_a_later_attempt_that_is_paid_closes_the_one_before_at_its_gateway(world: World) -> None:
    till = Till("a")
    first = begun(world, till)
    world.clock.go(301)
    second = opened(world, method="alipay")
    assert second.attempt == 2
    assert told(world, till, Paid(first.token, "T1", 990, world.clock()))
    prompts_of_second = world.order(second.token)
    assert prompts_of_second.state is State.CLOSED
