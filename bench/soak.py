"""`./dev soak`: the long forms of the tests that look for rare faults; minutes to hours.

crash     the server killed under load (--cycles 10000), over a database with orders of a year (--before 100000)
power     disks as they may look after a power cut (--images 5000)
slow      idle and dripping clients for a minute, bare and behind nginx and Caddy (--clients 500 of each of three kinds)
backup    a copy of a year beside a writer, and what its restoring gives (--orders 1000000)
fuzz      requests of every kind to every route (--requests 1000000)
arrivals  buyers, phones and shops on a told clock, through the real rules (--arrivals 1000000)
life      random lives of orders held against a book (--steps 1000000)
apart     machines on one PostgreSQL that die or are cut off (--machines 4 --rounds 50); needs root, nginx and iproute2
troubles  a disk that fails, a locked and a missing database: how soon orders are taken again (--times 20)
standby   a standby takes over from a PostgreSQL that writes no more, dies or stands still (--takeovers 20)
Exit status 1: a fault was found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench.driver import percentile
from tests import postgres, proxies, servers
from tests.soak import apart, arrivals, backups, crash, network, powercut, slow, standby, troubles

_BATCH = 250
_SHOP = 50_000  # arrivals in one database


def main() -> None:
    options = _options()
    runs: dict[str, Callable[[argparse.Namespace], bool]] = {
        "crash": _crash,
        "power": _power,
        "slow": _slow,
        "backup": _backup,
        "fuzz": _fuzz,
        "arrivals": _arrivals,
        "life": _life,
        "apart": _apart,
        "troubles": _troubles,
        "standby": _standby,
    }
    wanted = options.what or list(runs)
    sound = [runs[name](options) for name in wanted]
    sys.exit(0 if all(sound) else 1)


def _crash(options: argparse.Namespace) -> bool:
    """In batches with a database each: a start checks the whole file, which would become the most of a long run."""
    restarts_s: list[float] = []
    faults = 0
    while len(restarts_s) < options.cycles:
        some = min(_BATCH, options.cycles - len(restarts_s))
        with TemporaryDirectory(prefix="crash-") as folder:
            seed = options.seed + len(restarts_s)
            report = crash.run(Path(folder), some, seed=seed, before=options.before)
        restarts_s, faults = restarts_s + report.restarts_s, faults + len(report.faults)
        print(
            f"crash: of {report.cycles} deaths: {report.orders} orders and {report.pushes} pushes acknowledged,"
            f" {report.callbacks} callbacks heard; of all {len(restarts_s)}: {_restarts(restarts_s)}",
            flush=True,
        )
        for fault in report.faults:
            print(f"  {fault}", flush=True)
    return not faults


def _restarts(seconds: list[float]) -> str:
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return f"from exec to the first answer {p50:.2f} s p50, {p99:.2f} s p99, {max(seconds):.2f} s at most"


def _power(options: argparse.Namespace) -> bool:
    with TemporaryDirectory(prefix="power-") as folder:
        report = powercut.cut(powercut.record(Path(folder), 1000), Path(folder), options.images, seed=options.seed)
    print(f"power: {report.images} disks, {report.acknowledged} acknowledgements looked for,"
          f" {len(report.lost)} lost, {len(report.corrupt)} disks damaged")  # fmt: skip
    for fault in [*report.lost[:10], *report.corrupt[:10]]:
        print(f"  {fault}")
    return not (report.lost or report.corrupt)


def _slow(options: argparse.Namespace) -> bool:
    return all([_slow_at(kind, options.clients) for kind in ("", *proxies.KINDS)])


def _slow_at(kind: str, clients: int) -> bool:
    """The bare server, or behind a proxy as it is documented."""
    if kind and proxies.program(kind) is None:
        print(f"slow: not run behind {kind}, which is not installed.")
        return True
    with TemporaryDirectory(prefix="slow-") as name, ExitStack() as running:
        folder = Path(name)
        _, url = running.enter_context(servers.serving(folder, *servers.CHECKOUT, "serve", "--port", "{port}"))
        port = running.enter_context(proxies.before(kind, folder, url)) if kind else urlsplit(url).port or 0
        report = slow.run(port, each=clients, seconds=60)
    print(f"slow: {report.answered} of {report.probes} probes answered beside {report.held} slow clients,"
          f" the slowest after {report.slowest_ms} ms ({kind or 'bare'})", flush=True)  # fmt: skip
    return report.share >= 0.999


def _backup(options: argparse.Namespace) -> bool:
    with TemporaryDirectory(prefix="backup-") as folder:
        report = backups.run(Path(folder), options.orders)
    print(
        f"backup: {report.orders:,} orders, {report.megabytes} MB, copied and checked in {report.backup_s:.1f} s,"
        f" restored in {report.restore_s:.1f} s; a writer's p99 was {report.undisturbed_ms:.0f} ms before and"
        f" {report.meanwhile_ms:.0f} ms meanwhile, with {report.written} orders"
    )
    for fault in report.faults:
        print(f"  {fault}")
    return not report.faults


def _fuzz(options: argparse.Namespace) -> bool:
    files = ("tests/soak/test_fuzz.py", "tests/soak/test_genuine.py")
    command = [sys.executable, "-m", "pytest", "-q", "-o", "faulthandler_timeout=0", *files]
    return subprocess.run(["env", f"CHECKOUT_TEST_FUZZ={options.requests // 2}", *command]).returncode == 0


def _arrivals(options: argparse.Namespace) -> bool:
    """One shop after the other, each with a database and a seed of its own."""
    counts, lived, faults = Counter[str](), 0, 0
    while lived < options.arrivals:
        with TemporaryDirectory(prefix="arrivals-") as folder:
            some = min(_SHOP, options.arrivals - lived)
            report = arrivals.run(Path(folder), some, seed=options.seed + lived // _SHOP)
        lived, counts, faults = lived + some, counts + report.counts, faults + len(report.faults)
        words = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
        print(f"arrivals: {lived:,} orders asked for; {words}; {faults} faults", flush=True)
        for fault in report.faults[:20]:
            print(f"  {fault}", flush=True)
    return not faults


def _life(options: argparse.Namespace) -> bool:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-o",
        "faulthandler_timeout=0",
        "tests/model/test_life.py",
        f"--hypothesis-seed={options.seed}",
    ]
    return subprocess.run(["env", f"CHECKOUT_TEST_STEPS={options.steps}", *command]).returncode == 0


def _apart(options: argparse.Namespace) -> bool:
    if proxies.program("nginx") is None:
        print("apart: not run. There is no nginx to put in front.")
        return True
    with TemporaryDirectory(prefix="apart-") as folder:
        try:
            report = apart.run(Path(folder), machines=options.machines, rounds=options.rounds)
        except (network.NotPermitted, postgres.Missing) as missing:
            print(f"apart: not run. {missing}")
            return True
    print(f"apart: {report.cycles} machines died or were cut off; {report.orders} orders and {report.pushes} pushes"
          f" acknowledged, {report.callbacks} callbacks heard")  # fmt: skip
    for fault in report.faults[:20]:
        print(f"  {fault}")
    return not report.faults


def _standby(options: argparse.Namespace) -> bool:
    try:
        cluster = standby.Cluster()
    except postgres.Missing as missing:
        print(f"standby: not run. {missing}")
        return True
    with closing(cluster), TemporaryDirectory(prefix="standby-") as folder:
        report = standby.run(Path(folder), cluster, standby.some(options.takeovers))
    print(f"standby: taken over {report.cycles} times; {report.orders} orders and {report.pushes} pushes acknowledged,"
          f" {report.callbacks} callbacks heard, {len(report.faults)} faults")  # fmt: skip
    for fault in report.faults[:20]:
        print(f"  {fault}")
    return not report.faults


def _troubles(options: argparse.Namespace) -> bool:
    for kind in troubles.KINDS:
        with TemporaryDirectory(prefix="troubles-") as folder:
            seconds = troubles.recoveries(Path(folder), kind, options.times)
        print(f"troubles: after {kind} the first order is taken in {percentile(seconds, 0.5):.2f} s p50,"
              f" {max(seconds):.2f} s at most, of {len(seconds)} times", flush=True)  # fmt: skip
    return True


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        prog="./dev soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what",
        nargs="*",
        choices=["crash", "power", "slow", "backup", "fuzz", "arrivals", "life", "apart", "troubles", "standby"],
        help="all of them, unless named",
    )
    parser.add_argument("--cycles", type=int, default=10_000)
    parser.add_argument("--before", type=int, default=0)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--arrivals", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--machines", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--takeovers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
