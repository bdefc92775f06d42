"""Refunds from the command line, of an order that was paid at a strict Alipay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout.refunds import calls
from tests.channels.alipay_app import table_in
from tests.channels.orders import TOKEN
from tests.cli.conftest import Console
from tests.tills import Till, till_at
from tests.world import World

REFUND = ("order", "refund", TOKEN, "--reason", "came back")


@pytest.fixture
def till(co: Console, world: World, tmp_path: Path) -> Iterator[Till]:
    with till_at("alipay", world, tmp_path) as opened:
        lines = [f'{name} = "{value}"' for name, value in table_in(tmp_path).items()]
        lines.append(f'gateway = "{opened.gateway.gateway}"')
        (tmp_path / "checkout.toml").write_text("allow_private = true\n[channels.alipay]\n" + "\n".join(lines))
        yield opened


def test_the_command_says_how_it_ended(till: Till, co: Console) -> None:
    found = co.json(*REFUND, "--amount", "4.00")
    assert (found["state"], found["refunded"], found["refunding"]) == ("paid", "4.00", "0.00")
    [refund] = found["refunds"]
    assert (refund["amount"], refund["state"], refund["channel"]) == ("4.00", "done", "alipay")
    result = co(*REFUND)  # all that is left
    assert result.code == 0
    assert "9.90" in result.out
    assert till.moved() == 990
    assert "went back already" in co.refused(*REFUND)


def test_the_same_number_moves_money_once(till: Till, co: Console) -> None:
    for _ in range(2):
        co.json(*REFUND, "--amount", "4.00", "--number", "R-1")
    assert till.moved() == 400


def test_one_that_fails_ends_with_the_reason(till: Till, co: Console) -> None:
    till.gateway.trades[TOKEN].status = "TRADE_FINISHED"
    result = co(*REFUND)
    assert result.code == 1
    assert "The refund failed, no money went back: Alipay refused the refund: ACQ.TRADE_STATUS_ERROR." in result.err
    [failed] = co.json("refund", "list", "--state", "failed")
    assert failed["order"] == TOKEN
    assert "ACQ.TRADE_STATUS_ERROR" in co("refund", "list").out
    by_hand = co.json(*REFUND, "--by-hand")
    assert (by_hand["refunded"], by_hand["refunds"][-1]["state"]) == ("9.90", "by_hand")


def test_one_on_its_way_is_left_to_the_server(till: Till, co: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALLING_S", 0.2)
    till.settle("processing")
    result = co(*REFUND, "--amount", "4.00")
    assert result.code == 0
    assert "is on its way" in result.err
    assert "refunding" in result.out


def test_a_second_payment_is_sent_back(till: Till, co: Console) -> None:
    payment = till.pay_again()
    found = co.json("payment", "refund", payment.id, "--reason", "paid twice")
    assert (found["state"], found["payment"], found["amount"]) == ("done", payment.id, "9.90")
    assert co.json("payment", "list", "--review") == []
    assert "dealt with already" in co.refused("payment", "refund", payment.id, "--reason", "again")


def test_refunds_are_exported(till: Till, co: Console, tmp_path: Path) -> None:
    co.json(*REFUND, "--amount", "4.00")
    for what in ("refunds", "orders"):
        co("export", what, "--csv", str(tmp_path / f"{what}.csv"))
    head, line = (tmp_path / "refunds.csv").read_text("utf-8-sig").splitlines()
    assert head == "id,order,payment,number,amount,state,channel,reason,error,created_at,done_at"
    assert f",{TOKEN},," in line
    assert ",4.00,done,alipay,came back,," in line
    assert ",4.00," in (tmp_path / "orders.csv").read_text("utf-8-sig")


def test_an_order_of_a_channel_that_was_taken_out_is_refused(till: Till, co: Console, tmp_path: Path) -> None:
    (tmp_path / "checkout.toml").write_text("allow_private = true\n")
    assert "not in checkout.toml" in co.refused(*REFUND)


def test_without_keys_nothing_is_written(till: Till, co: Console, tmp_path: Path) -> None:
    (tmp_path / "keys" / "app_private.pem").unlink()
    assert "app_private_key" in co.refused(*REFUND)
    assert till.refunds() == []
