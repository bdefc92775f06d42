"""What a buyer is handed to pay with, and what happens when a gateway does not take the order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from checkout import prompts, store
from checkout.channel import GatewayError, Prompt, PromptKind, Scene, Start
from checkout.errors import Code, Refusal
from checkout.model.orders import Order
from checkout.prompts import Shown, Wanted
from tests.gateways import DOWN, REFUSED, Till, install
from tests.pages.shop import closed, opened
from tests.world import World

PHONE = Wanted(page=True, phone=True)
LINKS = frozenset({Scene.QR, Scene.H5})


def link_or_code(start: Start) -> Prompt:
    return Prompt(PromptKind.LINK if start.scene is Scene.H5 else PromptKind.QR, f"https://x.example/{start.scene}")


def ready(world: World, order: Order, wanted: Wanted | None = None) -> Shown:
    return prompts.ready(world.parts.till, world.order(order.token), wanted or Wanted(), world.clock())


def refused(world: World, order: Order, wanted: Wanted | None = None) -> Code:
    with pytest.raises(Refusal) as outcome:
        ready(world, order, wanted)
    return outcome.value.code


def test_an_official_order_is_for_the_exact_price_and_its_gateway_is_asked_once(world: World) -> None:
    till = Till("ali")
    install(world, till)
    order = opened(world, method="alipay")
    first, second = ready(world, order), ready(world, order)
    assert (first.prompt.kind, first.prompt.text) == (PromptKind.QR, f"https://qr.example/{order.token[:8]}")
    assert (first.order.really_price, first.is_typed) == (990, False)
    assert (second.prompt, till.calls) == (first.prompt, ["start qr"])
    assert first.order.shown_at == world.clock()


def test_the_gateway_is_told_where_we_are_and_who_pays(world: World) -> None:
    till = Till("ali")
    install(world, till)
    order = opened(world, method="alipay", title="Tea")
    ready(world, order, Wanted(client_ip="203.0.113.9"))
    [start] = till.starts
    assert (start.title, start.client_ip) == ("Tea", "203.0.113.9")
    assert start.notify_url == "http://127.0.0.1:8000/notify/ali"
    assert start.return_url == f"http://127.0.0.1:8000/pay/{order.token}"


def test_a_personal_order_has_its_own_code(world: World) -> None:
    shown = ready(world, opened(world, method="alipay"))
    assert (shown.prompt, shown.is_typed) == (Prompt(PromptKind.QR, "https://qr.alipay.com/fkx"), True)


@pytest.mark.parametrize("fault", [DOWN, REFUSED])
def test_an_order_moves_on_when_its_gateway_does_not_take_it(world: World, fault: Exception) -> None:
    broken, sound = Till("a"), Till("b")
    install(world, broken, sound)
    order = opened(world, method="alipay")
    if order.account == "b":
        broken, sound = sound, broken
    broken.faults = {None: DOWN if fault is DOWN else REFUSED}
    shown = ready(world, order)
    assert (shown.order.account, shown.order.channel) == (sound.name, sound.name)
    assert (broken.calls, sound.calls) == (["start qr"], ["start qr"])


def test_an_order_moves_to_a_personal_code_when_no_gateway_takes_it(world: World) -> None:
    install(world, Till("a", faults={None: DOWN}), personal=True)
    with world.store.transaction() as db:
        main = store.accounts.get(db, "ali-main")
        assert main is not None
        store.accounts.update(db, replace(main, disabled_at=world.clock()))
    order = opened(world, method="alipay")
    with world.store.transaction() as db:
        store.accounts.update(db, main)
    shown = ready(world, order)
    assert (shown.order.account, shown.prompt.text, shown.is_typed) == ("ali-main", "https://qr.alipay.com/fkx", True)


def test_none_left_is_said_and_changes_nothing_so_that_the_next_try_may_succeed(world: World) -> None:
    till = Till("a", faults={None: DOWN})
    install(world, till)
    order = opened(world, method="alipay")
    assert refused(world, order) is Code.GATEWAY
    assert world.order(order.token) == order
    till.faults = {}
    world.clock.go(prompts.PASSED_OVER_S)
    assert ready(world, order).order.account == "a"


def test_nobody_waits_again_for_a_gateway_that_has_just_failed(world: World) -> None:
    till = Till("a", faults={None: DOWN})
    install(world, till)
    for number in ("N1", "N2", "N3"):
        assert refused(world, opened(world, number, method="alipay")) is Code.GATEWAY
    assert till.calls == ["start qr"]


def test_a_refusal_of_one_order_keeps_no_other_from_being_asked_for(world: World) -> None:
    till = Till("a", faults={None: REFUSED})
    install(world, till)
    for number in ("N1", "N2"):
        assert refused(world, opened(world, number, method="alipay")) is Code.GATEWAY
    assert till.calls == ["start qr"] * 2


def test_an_order_between_two_broken_gateways_does_not_go_to_and_fro(world: World) -> None:
    install(world, Till("a", faults={None: DOWN}), Till("b", faults={None: DOWN}))
    order = opened(world, method="alipay")
    assert refused(world, order) is Code.GATEWAY
    before = world.order(order.token)
    assert refused(world, order) is Code.GATEWAY
    assert world.order(order.token) == before


def test_an_order_that_has_ended_is_not_begun_at_a_gateway(world: World) -> None:
    till = Till("ali")
    install(world, till)
    order = opened(world, method="alipay")
    closed(world, order)
    assert (refused(world, order), till.calls) == (Code.NOT_ALLOWED, [])


def test_a_gateway_that_cannot_show_a_code_is_passed_over(world: World) -> None:
    install(world, Till("app-only", serves=frozenset({Scene.APP})))
    assert refused(world, opened(world, method="alipay")) is Code.GATEWAY


def test_a_gateway_of_the_other_method_is_never_asked(world: World) -> None:
    till = Till("ali")
    install(world, till)
    world.app.extensions["checkout"] = replace(world.parts, channels={"ali": Till("ali", method="wechat")})
    assert refused(world, opened(world, method="alipay")) is Code.GATEWAY


class TestScenes:
    def test_a_phone_gets_the_link_into_the_app(self, world: World) -> None:
        install(world, Till("wx", method="wechat", serves=LINKS, phone=Scene.H5, prompt=link_or_code))
        shown = ready(world, opened(world), PHONE)
        assert shown.prompt == Prompt(PromptKind.LINK, "https://x.example/h5")

    def test_where_the_contract_has_no_links_a_phone_gets_the_code(self, world: World) -> None:
        faults: dict[Scene | None, GatewayError] = {Scene.H5: REFUSED}
        till = Till("wx", method="wechat", serves=LINKS, phone=Scene.H5, prompt=link_or_code, faults=faults)
        install(world, till)
        assert ready(world, opened(world), PHONE).prompt.kind is PromptKind.QR
        assert ready(world, opened(world, "N2"), PHONE).prompt.kind is PromptKind.QR
        assert till.calls == ["start h5", "start qr", "start qr"]

    def test_our_page_keeps_the_way_that_an_order_was_begun_in(self, world: World) -> None:
        """The gateway knows one way for one number."""
        till = Till("wx", method="wechat", serves=LINKS, phone=Scene.H5, prompt=link_or_code)
        install(world, till)
        order = opened(world)
        ready(world, order)
        assert ready(world, order, PHONE).prompt.kind is PromptKind.QR
        assert till.calls == ["start qr"]

    def test_a_clients_sdk_gets_its_parameters_and_nothing_else_will_do(self, world: World) -> None:
        params = {"appid": "wx1", "sign": "S"}
        both = frozenset({Scene.QR, Scene.APP})
        till = Till("wx", method="wechat", serves=both, prompt=lambda start: Prompt(PromptKind.CLIENT, params=params))
        install(world, till, personal=True)
        with world.store.transaction() as db:
            main = store.accounts.get(db, "wx-main")
            assert main is not None
            store.accounts.update(db, replace(main, disabled_at=1))
        order = opened(world)
        with world.store.transaction() as db:
            store.accounts.update(db, main)
        assert ready(world, order, Wanted(Scene.APP)).prompt.params == params
        till.faults = {Scene.QR: REFUSED}
        assert refused(world, order, Wanted(page=True)) is Code.NOT_ALLOWED
        assert world.order(order.token).account == "wx"


def test_of_two_that_ask_at_once_both_are_handed_what_came_first(world: World) -> None:
    both = threading.Barrier(2)

    def another(start: Start) -> Prompt:
        both.wait(10)
        return Prompt(PromptKind.QR, f"https://qr.example/{threading.get_ident()}")

    install(world, Till("ali", prompt=another))
    order = opened(world, method="alipay")
    with ThreadPoolExecutor(2) as pool:
        shown = list(pool.map(lambda _: ready(world, order).prompt.text, range(2)))
    assert shown[0] == shown[1]


def test_a_crowd_that_waits_for_a_gateway_leaves_threads_for_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "_TURN_S", 0.05)
    go, begun = threading.Event(), threading.Semaphore(0)

    def slow(start: Start) -> Prompt:
        begun.release()
        assert go.wait(30)
        return Prompt(PromptKind.QR, "https://qr.example/1")

    install(world, Till("ali", prompt=slow))
    orders = [opened(world, f"N{number}", method="alipay") for number in range(prompts.AT_ONCE + 1)]
    with ThreadPoolExecutor(prompts.AT_ONCE) as pool:
        waiting = [pool.submit(ready, world, order) for order in orders[: prompts.AT_ONCE]]
        for _ in waiting:
            assert begun.acquire(timeout=30)
        assert refused(world, orders[-1]) is Code.GATEWAY
        go.set()
        assert {one.result().prompt.text for one in waiting} == {"https://qr.example/1"}
    assert ready(world, orders[-1]).prompt.text == "https://qr.example/1", "the gateway itself has not failed"
