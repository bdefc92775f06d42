"""Buyers by the thousand: no money pays a stranger's order where the rules promise it, none is lost, no shop is told
again after it has acknowledged. `./dev soak arrivals` has a million."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import arrivals


def test_whatever_buyers_and_phones_and_shops_do_the_promises_hold(tmp_path: Path) -> None:
    report = arrivals.run(tmp_path, 500, seed=3)
    assert report.faults == []
    assert report.counts["right"] > 200
    assert report.counts["suspected"] > 50


@pytest.mark.parametrize(
    ("function", "broken", "fault"),
    [
        ("payments.echoes", lambda *_: False, "told again"),
        ("deliveries.acknowledge", lambda *_: None, "after it had acknowledged"),
        ("payments.judge", lambda *_, **__: None, "reports were acknowledged"),
    ],
)
def test_a_broken_rule_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, broken: object, fault: str
) -> None:
    monkeypatch.setattr(f"checkout.store.{function}", broken)
    report = arrivals.run(tmp_path, 120, seed=1)
    assert any(fault in one for one in report.faults), report.faults[:3]
