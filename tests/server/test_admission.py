"""Requests that only read: a few are at work, the others wait in line, and nobody waits for who waits himself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkout.server.admission import LONG_S, Admission


class Desk:
    """`begun`: whom the threads were given, in their order."""

    def __init__(self, at_once: int = 2) -> None:
        self.begun: list[str] = []
        self.admission: Admission[str] = Admission(at_once, self.begun.append)

    def enter(self, *requests: str, now: float = 0) -> None:
        for request in requests:
            self.admission.enter(request, now)


def test_as_many_begin_at_once_as_may_and_the_next_when_one_leaves_in_the_order_they_came() -> None:
    desk = Desk()
    desk.enter("a", "b", "c", "d")
    assert desk.begun == ["a", "b"]
    desk.admission.leave("b", 0.001)
    assert desk.begun == ["a", "b", "c"]
    desk.admission.leave("a", 0.001)
    assert desk.begun == ["a", "b", "c", "d"]


def test_who_is_at_work_for_long_keeps_nobody_from_a_thread() -> None:
    desk = Desk()
    desk.enter("a", "b", "c", "d")
    desk.admission.admit(LONG_S / 2)
    assert desk.begun == ["a", "b"]
    desk.admission.admit(LONG_S)
    assert desk.begun == ["a", "b", "c", "d"]
    desk.enter("e", now=LONG_S * 1.5)
    assert desk.begun == ["a", "b", "c", "d"]
    desk.admission.leave("a", LONG_S * 1.5)  # it was not counted any more
    assert desk.begun == ["a", "b", "c", "d"]
    desk.admission.leave("c", LONG_S * 1.5)
    assert desk.begun == ["a", "b", "c", "d", "e"]


def test_the_loop_looks_again_soon_only_while_somebody_waits() -> None:
    desk = Desk()
    assert desk.admission.look_within(1) == 1
    desk.enter("a", "b")
    assert desk.admission.look_within(1) == 1
    desk.enter("c")
    assert desk.admission.look_within(1) == LONG_S
    assert desk.admission.look_within(LONG_S / 2) == LONG_S / 2
    desk.admission.leave("a", 0.001)
    assert desk.admission.look_within(1) == 1


def test_one_that_never_entered_may_leave() -> None:
    desk = Desk()
    desk.enter("a", "b", "c")
    desk.admission.leave("a form", 0.001)
    assert desk.begun == ["a", "b"]


@given(at_once=st.integers(1, 3), steps=st.lists(st.tuples(st.sampled_from("+-t"), st.integers(0, 9)), max_size=60))
def test_all_begin_once_and_in_order_and_no_more_are_busy_than_may_be(
    at_once: int, steps: list[tuple[str, int]]
) -> None:
    desk, now, came = Desk(at_once), 0.0, 0
    working: dict[str, float] = {}
    for step, which in steps:
        before = len(desk.begun)
        if step == "+":
            desk.enter(str(came), now=now)
            came += 1
        elif step == "-" and working:
            done = list(working)[which % len(working)]
            del working[done]
            desk.admission.leave(done, now)
        else:
            now += LONG_S / 3
            desk.admission.admit(now)
        working |= dict.fromkeys(desk.begun[before:], now)
        busy = sum(now - began < LONG_S for began in working.values())
        assert busy <= at_once
        assert desk.begun == [str(number) for number in range(len(desk.begun))]
        assert len(desk.begun) == came or busy == at_once
