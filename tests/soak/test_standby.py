"""A standby takes over while the old server keeps its connections: nothing that was acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from checkout.errors import StoreError
from checkout.store import open_store
from tests import postgres
from tests.conftest import skip_or_fail
from tests.shop import Shop
from tests.soak import standby
from tests.world import START

_WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def cluster() -> Iterator[standby.Cluster]:
    try:
        made = standby.Cluster()
    except postgres.Missing as missing:
        skip_or_fail("postgres", str(missing))
        raise
    yield made
    made.close()


def test_a_standby_takes_over_from_a_server_that_writes_no_more(tmp_path: Path, cluster: standby.Cluster) -> None:
    """Two servers of Checkout under load; their lines to the old one stay open until they ask."""
    report = standby.run(tmp_path, cluster, ["writes no more"])
    assert report.faults == []
    assert report.pushes >= 60


def test_a_commit_that_the_standby_has_not_confirmed_is_not_acknowledged(cluster: standby.Cluster) -> None:
    """An administrator ends the wait for a standby that is away: PostgreSQL then calls it done and warns."""
    with closing(open_store(cluster.address, serving=True)) as store:
        shop = Shop(store).fill()
        order = shop.open("N1", 990)
        cluster.follows.stop()
        with ThreadPoolExecutor(1) as pool, psycopg.connect(cluster.writes.address("postgres"), autocommit=True) as at:
            pushed = pool.submit(shop.push, 990, at=START)
            standby.until(lambda: pushed.done() or at.execute(_WAITING).fetchone())
            at.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            with pytest.raises(StoreError, match="its copy has this"):
                pushed.result(60)
        cluster.follows.start()
        again = shop.push(990, at=START)
        assert again.repeated
        assert [one.order_token for one in shop.payments()] == [order.token]


def test_whoever_reads_at_the_old_server_reads_at_the_new_one_after_its_next_write(cluster: standby.Cluster) -> None:
    with closing(open_store(cluster.address, serving=True)) as store:
        shop = Shop(store).fill()
        first = shop.open("N1", 990)
    with closing(open_store(cluster.turned, serving=True)) as store:  # the standby stands first
        shop = Shop(store)
        assert shop.order(first) == first
        cluster.take_over("writes no more")
        assert shop.order(first) == first  # the old server still answers
        second = shop.open("N2", 990)  # by both lines: one reads before, one writes
        assert second.really_price == 991
        assert shop.order(second) == second
