"""From exec to the first 200, in turn with Flask hello: over a database that is there, and making a new one."""

from __future__ import annotations

import compileall
import statistics
from collections.abc import Iterator

from bench import servers
from bench.figures import Figure, Plan, at_most, median_ratio


def run(plan: Plan) -> Iterator[Figure]:
    compileall.compile_dir(servers.ROOT / "checkout", quiet=1)  # as an installation is
    ours, theirs, new = [], [], []
    with servers.existing_database() as database:
        for _ in range(11 if plan.is_full else 5):
            with servers.hello() as server:
                theirs.append(server.started_s)
            with servers.checkout(database=database) as server:
                ours.append(server.started_s)
            with servers.checkout() as server:
                new.append(server.started_s)
    yield Figure("start", "hello, exec → first 200", statistics.median(theirs), "s")
    ratio = median_ratio(ours, theirs)
    yield Figure("start", "Checkout, exec → first 200", statistics.median(ours), "s", ratio, "hello", at_most(1.8))
    ratio = median_ratio(new, theirs)
    yield Figure("start", "Checkout, the first start of all", statistics.median(new), "s", ratio, "hello")
