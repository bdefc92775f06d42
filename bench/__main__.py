"""`./dev bench`: what one small server does, beside a Flask "hello" under the same gunicorn in the same run.

`./dev bench admin` measures the owner's pages instead.

Interleaved rounds and medians, because machines are noisy: read the ratios, not the absolute figures. Both servers
are pinned to one CPU, the driver to the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from bench import scenarios, servers
from bench.driver import Outcome


def main() -> None:
    if sys.argv[1:2] == ["admin"]:
        from bench import admin

        admin.main(sys.argv[2:])
        return
    options = _options()
    servers.pin_driver()
    figures = {**_starts(options.starts), **_rounds(options)}
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        _print(figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each scenario in each round")
    parser.add_argument("--starts", type=int, default=5, help="how often the servers are started to time it")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _starts(times: int) -> dict[str, Any]:
    """exec → first 200, in turn."""
    ours, theirs = [], []
    for _ in range(times):
        with servers.hello() as server:
            theirs.append(server.started_s)
        with servers.checkout() as server:
            ours.append(server.started_s)
    return {"start_s": statistics.median(ours), "hello_start_s": statistics.median(theirs)}


def _rounds(options: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        baseline = stack.enter_context(servers.hello())
        ours = stack.enter_context(servers.checkout())
        shop = scenarios.Shop(ours)
        runs: dict[str, Callable[[], Outcome]] = {
            "hello": lambda: scenarios.hello(baseline, options.seconds),
            "poll": lambda: scenarios.poll(shop, options.seconds),
            "create": lambda: scenarios.create(shop, options.seconds),
        }
        outcomes: dict[str, list[Outcome]] = {name: [] for name in runs}
        told: list[float] = []
        answered: list[float] = []
        for _ in range(options.rounds):
            for name, run in runs.items():
                outcomes[name].append(run())
            more_told, more_answered = scenarios.push_to_callback(shop, 40)
            told, answered = told + more_told, answered + more_answered
        latencies, amounts = scenarios.one_price(shop, 300)
        rss, pss = ours.memory_mb()
    return {
        **_throughput(outcomes),
        "push_answer_ms": _quantiles(answered),
        "push_to_callback_ms": _quantiles(told),
        "one_price": {
            "orders": len(latencies), "amounts": amounts,
            "last_to_first": statistics.median(latencies[-30:]) / statistics.median(latencies[:30]),
        },
        "memory_mb": {"rss": rss, "pss": pss},
    }  # fmt: skip


def _throughput(outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, rounds in outcomes.items():
        ratios = [one.per_second / base.per_second for one, base in zip(rounds, outcomes["hello"], strict=True)]
        figures[name] = {
            "per_second": statistics.median(one.per_second for one in rounds),
            "p99_ms": statistics.median(one.percentile(0.99) for one in rounds) * 1000,
            "ratio": statistics.median(ratios),
            "statuses": dict(sum((one.statuses for one in rounds), start=rounds[0].statuses.__class__())),
        }
    return figures


def _quantiles(seconds: list[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    return {"p50": statistics.median(ordered) * 1000, "p99": ordered[int(0.99 * (len(ordered) - 1))] * 1000}


def _print(figures: dict[str, Any]) -> None:
    print(f"{'':24}{'per second':>12}{'of hello':>10}{'p99 ms':>9}")
    for name in ("hello", "poll", "create"):
        row = figures[name]
        print(f"{name:24}{row['per_second']:12,.0f}{row['ratio']:10.2f}{row['p99_ms']:9.1f}   {row['statuses']}")
    for name, words in (("push_answer_ms", "push → answer"), ("push_to_callback_ms", "push → callback")):
        print(f"{words:24}p50 {figures[name]['p50']:.2f} ms, p99 {figures[name]['p99']:.2f} ms")
    one = figures["one_price"]
    print(
        f"{'one price at once':24}{one['orders']} orders, {one['amounts']} amounts,"
        f" the last 30 take {one['last_to_first']:.2f} × the first 30"
    )
    memory = figures["memory_mb"]
    print(f"{'memory, all processes':24}RSS {memory['rss']:.0f} MB, PSS {memory['pss']:.0f} MB")
    start, base = figures["start_s"], figures["hello_start_s"]
    print(f"{'exec → first 200':24}{start:.2f} s, {start / base:.2f} × hello ({base:.2f} s)")


if __name__ == "__main__":
    main()
