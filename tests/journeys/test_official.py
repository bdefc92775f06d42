"""Orders at official gateways, from the page to the booked payment, over HTTP in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkout import gateways, prompts
from checkout.errors import StoreError
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from tests.officials import COUNTERS, Counter, Official, official
from tests.pages.shop import stage_in
from tests.world import World


@pytest.fixture
def made(tmp_path: Path, database: str) -> Iterator[Official]:
    with official(tmp_path, database=database) as made:
        yield made


@pytest.fixture(params=COUNTERS)
def counter(request: pytest.FixtureRequest, made: Official) -> Counter:
    made.add_account(request.param)
    return Counter(made, request.param)


@pytest.fixture
def alipay(made: Official) -> Counter:
    made.add_account("alipay")
    return Counter(made, "alipay")


def judgements(world: World) -> list[Judgement]:
    return sorted(payment.judgement for payment in world.payments())


def stage(made: Official, order: Order, query: str = "") -> str:
    return stage_in(made.world.client.get(f"/pay/{order.token}{query}").text)


class TestNotices:
    def test_the_same_one_eight_times_is_one_payment(self, counter: Counter) -> None:
        order = counter.begin()
        counter.pay(order)
        notice = counter.notice(order)
        assert [counter.send(notice) for _ in range(8)] == [True] * 8
        assert (counter.made.state(order), judgements(counter.made.world)) == (State.PAID, [Judgement.MATCHED])

    def test_twenty_at_once_are_one_payment_and_one_message_to_the_shop(self, counter: Counter) -> None:
        order = counter.begin()
        counter.pay(order)
        notices = [counter.notice(order) for _ in range(20)]
        with ThreadPoolExecutor(20) as pool:
            assert all(pool.map(counter.send, notices))
        assert judgements(counter.made.world) == [Judgement.MATCHED]
        assert counter.made.world.work() == 1

    def test_one_is_sent_again_until_it_is_safe_here(self, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
        order = counter.begin()
        counter.pay(order)
        heed, failures = gateways.handle_notice, [StoreError("The disk is full.")] * 2

        def unlucky(*arguments: object, **named: object) -> bool:
            if failures:
                raise failures.pop()
            return bool(heed(*arguments, **named))  # type: ignore[arg-type]

        monkeypatch.setattr(gateways, "handle_notice", unlucky)
        assert counter.deliver(order) == 3
        assert judgements(counter.made.world) == [Judgement.MATCHED]

    def test_money_after_the_end_counts_and_is_late(self, counter: Counter) -> None:
        order = counter.begin()
        counter.pay(order)
        counter.made.world.clock.go(301)
        assert stage(counter.made, order) == "expired"
        assert counter.send(counter.notice(order))
        assert (stage(counter.made, order), counter.made.world.order(order.token).late) == ("paid", True)

    def test_a_second_transaction_is_kept_and_shown_and_pays_nothing(self, counter: Counter) -> None:
        order = counter.begin()
        counter.pay(order)
        assert counter.send(counter.notice(order))
        assert counter.send(counter.notice(order, transaction="4200009999999999999999999999"))
        assert judgements(counter.made.world) == sorted([Judgement.MATCHED, Judgement.SUSPECTED])

    def test_money_that_no_notice_told_of_is_found_by_asking(self, counter: Counter) -> None:
        order = counter.begin()
        counter.pay(order)
        counter.made.world.clock.go(10)
        counter.made.question()
        assert (counter.made.state(order), judgements(counter.made.world)) == (State.PAID, [Judgement.MATCHED])

    def test_a_gateway_that_fails_when_it_is_asked_is_asked_again(self, counter: Counter) -> None:
        order = counter.begin()
        counter.pay(order)
        gateway = getattr(counter.made.town, counter.channel)
        gateway.mischief = "status"
        counter.made.world.clock.go(10)
        counter.made.question()
        assert counter.made.state(order) is State.PENDING
        gateway.mischief = ""
        counter.made.world.clock.go(20)
        counter.made.question()
        assert counter.made.state(order) is State.PAID


class TestStart:
    @pytest.mark.parametrize("channel", ["alipay", "wechat", "wechat_v3"])
    def test_a_start_that_times_out_may_be_repeated_under_the_same_number(
        self, made: Official, channel: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made.add_account(channel)
        gateway = getattr(made.town, channel)
        gateway.mischief = "silent"
        monkeypatch.setattr(prompts, "ONE_S", 0.3)
        order = made.order(channel)
        assert "cannot be prepared" in made.world.client.get(f"/pay/{order.token}?lang=en").text
        gateway.mischief = ""
        made.world.clock.go(prompts.PASSED_OVER_S)
        monkeypatch.undo()
        assert "qr.png" in made.world.client.get(f"/pay/{order.token}").text
        assert set(gateway.trades) == {order.token}

    def test_a_shop_gets_the_personal_code_while_the_gateway_is_down(self, made: Official) -> None:
        made.add_account("alipay")
        with made.world.store.transaction() as db:
            db.run("UPDATE accounts SET disabled_at = NULL, weight = 1 WHERE id = 'ali-main'")
            db.run("UPDATE accounts SET weight = 1000 WHERE id = 'alipay'")
        made.town.alipay.mischief = "status"
        answers = [made.world.create(f"N{number}", kind="2") for number in range(4)]
        assert [answer["data"]["payUrl"] for answer in answers] == ["https://qr.alipay.com/fkx"] * 4
        assert len(made.town.alipay.asked) == 0
        amount = answers[0]["data"]["reallyPrice"]
        assert made.world.push(amount, kind="2")["code"] == 1
        assert made.world.order(answers[0]["data"]["orderId"]).state is State.PAID

    def test_an_order_moves_to_the_next_gateway_and_the_first_is_closed_when_it_is_paid(self, made: Official) -> None:
        for channel in ("wechat", "wechat_v3"):
            made.add_account(channel)
        order = made.order("wechat")
        first, second = ("wechat", "wechat_v3") if order.account == "wechat" else ("wechat_v3", "wechat")
        getattr(made.town, first).mischief = "status"
        assert "qr.png" in made.world.client.get(f"/pay/{order.token}").text
        getattr(made.town, first).mischief = ""
        assert made.world.order(order.token).account == second
        counter = Counter(made, second)
        counter.pay(order)
        assert counter.send(counter.notice(order))
        made.question()
        with made.world.store.read() as db:
            assert db.all("SELECT 1 FROM gateway_watch") == []


class TestAlipay:
    def test_a_return_after_the_notice_shows_the_paid_page(self, alipay: Counter) -> None:
        order = alipay.begin()
        alipay.pay(order)
        assert alipay.send(alipay.notice(order))
        back = alipay.made.world.client.get(f"/return/alipay?{alipay.made.town.alipay.returned(order.token)}")
        assert (back.status_code, back.headers["Location"]) == (303, f"{alipay.made.site.url}/pay/{order.token}")
        assert stage(alipay.made, order) == "paid"

    @pytest.mark.parametrize("path", ["/return/alipay", "page"])
    def test_a_return_without_a_notice_pays_nothing_until_alipay_says_so(self, alipay: Counter, path: str) -> None:
        made, order = alipay.made, alipay.begin()
        alipay.pay(order)
        query = f"?{made.town.alipay.returned(order.token)}"
        if path == "page":
            assert stage(made, order, query) == "pending"
        else:
            made.world.client.get(path + query)
        assert stage(made, order) == "pending"
        made.question()
        assert stage(made, order) == "paid"

    def test_a_notice_in_gbk_is_read(self, alipay: Counter) -> None:
        order = alipay.begin(title="充气式")
        alipay.pay(order)
        notice = alipay.notice(order, charset="GBK")
        assert b"%B3%E4%C6%F8%CA%BD" in notice[1]
        assert alipay.send(notice)
        [payment] = alipay.made.world.payments()
        assert "充气式" in payment.raw


def test_a_title_of_awkward_characters_goes_all_the_way(counter: Counter) -> None:
    title = '+ & = % 中文 "quotes" {braces} <b> \\ 😀'
    order = counter.begin(title=title)
    counter.pay(order)
    assert counter.deliver(order) == 1
    page = counter.made.world.client.get(f"/pay/{order.token}").text
    assert stage_in(page) == "paid"
    assert "&lt;b&gt;" in page
    [payment] = counter.made.world.payments()
    json.loads(payment.raw)
