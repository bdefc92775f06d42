"""When a page shows what, and how soon it asks again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkout.model.orders import State
from checkout.pages.stages import Stage, is_same_view, look
from checkout.store.orders import PollState

GRACE = 600
NEW = PollState(
    state=State.PENDING, method="wechat", rev=0, created_at=1000, expires_at=1300, shown_at=1000, closed_at=None,
    channel="personal",
)  # fmt: skip


@pytest.mark.parametrize(("age", "interval"), [(0, 2), (89, 2), (90, 3), (179, 3), (180, 5), (299, 5)])
def test_a_waiting_page_asks_more_rarely_as_it_grows_old(age: int, interval: int) -> None:
    at = look(NEW, GRACE, 1000 + age)
    assert (at.stage, at.interval, at.left) == (Stage.PENDING, interval, 300 - age)


def test_the_pace_counts_from_the_moment_the_code_was_shown() -> None:
    assert look(replace(NEW, shown_at=1100), GRACE, 1150).interval == 2


def test_an_order_without_a_method_lets_the_buyer_choose() -> None:
    assert look(replace(NEW, method="", shown_at=None), GRACE, 1010).stage is Stage.CHOOSE


def test_from_its_last_second_on_an_order_is_expired_and_listened_for_during_the_grace() -> None:
    at = look(NEW, GRACE, 1300)
    assert (at.stage, at.listening, at.interval, at.left) == (Stage.EXPIRED, True, 15, 0)
    assert look(NEW, GRACE, 1899).listening
    over = look(NEW, GRACE, 1900)
    assert (over.stage, over.listening, over.interval) == (Stage.EXPIRED, False, None)


def test_nobody_listens_for_an_order_whose_code_was_never_shown() -> None:
    at = look(replace(NEW, shown_at=None), GRACE, 1300)
    assert (at.listening, at.interval) == (False, None)


def test_a_closed_order_is_listened_for_from_its_closing_on() -> None:
    closed = replace(NEW, state=State.CLOSED, closed_at=1100, rev=1)
    assert look(closed, GRACE, 1699).listening
    assert not look(closed, GRACE, 1700).listening


def test_a_paid_order_is_at_its_end() -> None:
    at = look(replace(NEW, state=State.PAID, rev=1), GRACE, 5000)
    assert (at.stage, at.listening, at.interval) == (Stage.PAID, False, None)


def test_the_worker_that_books_an_expiry_later_changes_nothing_on_the_page() -> None:
    booked = replace(NEW, state=State.EXPIRED, rev=1)
    assert look(booked, GRACE, 1310).rev == look(NEW, GRACE, 1310).rev


def test_a_change_of_the_row_makes_a_waiting_page_new() -> None:
    assert look(replace(NEW, rev=1), GRACE, 1010).rev != look(NEW, GRACE, 1010).rev


def test_another_pace_is_news_but_the_same_view() -> None:
    before, after = look(NEW, GRACE, 1089), look(NEW, GRACE, 1090)
    assert before.rev != after.rev
    assert is_same_view(before.rev, after)
    assert not is_same_view(before.rev, look(NEW, GRACE, 1300))
    assert not is_same_view(look(NEW, GRACE, 1300).rev, look(NEW, GRACE, 1900))
    assert not is_same_view("", before)
