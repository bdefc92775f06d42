"""The short form of `./dev simulate`: the same seed gives the same run, to the last payment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.market import Habits, Market, Policy, Sale, at_once, rested
from bench.simulate import Job, line, misses, run
from checkout.amounts import Limits

ROOT = Path(__file__).parents[1]
ARRIVALS = 40_000


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_the_policy_reaches_its_targets(rate: float) -> None:
    found = line("rested", 7200, rate, run(Job("rested", 7200, rate, 1, ARRIVALS)))
    assert found.wrong_within_grace == 0
    assert not misses(found)
    assert found.refused_ppm == 0
    assert 27_000 < found.payments < 29_000


@pytest.mark.parametrize(("rate", "wrong_at_least"), [(0.1, 3_000), (1.0, 10_000)])
def test_the_usual_policy_misses_them_by_far(rate: float, wrong_at_least: int) -> None:
    found = line("rested", 7200, rate, run(Job("at once", 0, rate, 1, ARRIVALS)))
    assert misses(found)
    assert found.wrong_within_grace > 0
    assert found.wrong_ppm > wrong_at_least


@pytest.mark.parametrize(
    ("policy", "rest", "rate", "outcome"),
    [
        ("rested", 7200, 0.1, (20_000, 0, 58_263, 14_099, 13_868, 0, 231, 0, 697)),
        ("rested", 7200, 1.0, (20_000, 0, 474_879, 14_099, 13_868, 0, 231, 0, 697)),
        ("rested", 0, 1.0, (20_000, 0, 97_430, 14_099, 13_854, 94, 85, 66, 710)),
        ("at once", 0, 1.0, (20_000, 0, 30_134, 14_099, 13_538, 239, 322, 0, 7)),
    ],
)
def test_a_seed_stands_for_one_exact_outcome(policy: str, rest: int, rate: float, outcome: tuple[int, ...]) -> None:
    names = (
        "opened", "refused", "offset", "received", "right", "wrong", "unmatched", "suspected", "repeats suspected",
    )  # fmt: skip
    tally = run(Job(policy, rest, rate, 1, 20_000))
    assert tuple(tally[name] for name in names) == outcome


@pytest.mark.parametrize("policy", [rested(Limits()), at_once()], ids=lambda policy: policy.name)
def test_every_payment_is_credited_or_kept_for_review(policy: Policy) -> None:
    tally = Market(policy, Limits(), Habits(), 1).run(5_000, 60)
    assert tally["opened"] + tally["refused"] == tally["arrivals"] == 5_000
    ends = [tally[f"{kind}{end}"] for kind in ("", "repeats ") for end in ("unmatched", "suspected")]
    assert sum(ends) + tally["right"] + tally["wrong"] == tally["received"] + tally["repeats received"]


def test_when_every_amount_is_held_buyers_are_refused_and_little_money_goes_astray() -> None:
    tally = Market(rested(Limits()), Limits(), Habits(), 1).run(5_000, 2)
    assert tally["refused"] > 1_000
    assert tally["wrong"] < tally["right"] // 50


def test_a_late_payer_whose_amount_was_given_away_is_counted_as_wrong() -> None:
    market = Market(at_once(), Limits(), Habits(), 1)
    first, second = Sale(990, 1_000), Sale(990, 2_000)
    for sale in (first, second):
        market._book(sale, at_once().shown(sale.expires_at))
    market._judge(1_600, first, repeat=False)
    assert (market.tally["wrong"], market.tally["wrong within the grace"], second.paid) == (1, 1, True)
    market._judge(1_602, second, repeat=False)
    assert market.tally["unmatched"] == 1


def test_the_command_prints_one_line_for_each_rate_and_policy() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.simulate", "--arrivals", "2000", "--seeds", "2", "--rate", "1", "--json"],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    lines = json.loads(done.stdout)
    assert [(found["policy"], found["rate"]) for found in lines] == [("rested", 1.0), ("at once", 1.0)]
    assert lines[0]["wrong"] < lines[1]["wrong"]
    table = subprocess.run(
        [sys.executable, "-m", "bench.simulate", "--arrivals", "500", "--seeds", "1"],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
    ).stdout.splitlines()  # fmt: skip
    assert len(table) == 7
    assert table[0].startswith("500 arrivals × 1 seeds")
