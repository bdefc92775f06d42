"""One effect for one key, by several processes that ask at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import idempotency
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.idempotency import KEPT_S, Once
from checkout.interfaces import Store
from tests.servers import ROOT
from tests.world import START, merchant

KEYS, PROCESSES = 25, 4

# Each process asks for an order of its own under every key, in the same second as the others.
ASKER = """
import sys
from checkout import idempotency, opening, orders, store
from checkout.idempotency import Once
from checkout.opening import Ask
from checkout.orders import Rules
from checkout.store import open_store

path, me, keys, now = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
db_store = open_store(path)
with db_store.read() as db:
    merchant = store.merchants.get(db, 1001)
print("ready", flush=True)
sys.stdin.readline()
for key in range(keys):
    def effect(within):
        ask = Ask(merchant=merchant, dialect="api", number=f"{key}-{me}", price=990, price_text="9.90")
        return 201, opening.open_order(within, ask, Rules(min_free_disk=0), now).token
    print(idempotency.once(db_store, Once(1001, f"k{key}", "same"), effect, now).body, flush=True)
"""


@pytest.fixture
def filled(store: Store) -> Store:
    with store.transaction() as db:
        stores.merchants.add(db, merchant())
    return store


def test_of_processes_that_ask_at_once_one_does_it_and_all_get_its_answer(filled: Store, database: str) -> None:
    database = database
    command = [sys.executable, "-c", ASKER, database]
    asking = [
        subprocess.Popen(
            [*command, str(one), str(KEYS), str(START)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for one in range(PROCESSES)
    ]
    for one in asking:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in asking:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    answers = [one.communicate(timeout=60)[0].split() for one in asking]
    assert answers == [answers[0]] * PROCESSES
    with filled.read() as db:
        tokens = {token for (token,) in db.all("SELECT token FROM orders")}
        winners = {number.partition("-")[2] for (number,) in db.all("SELECT number FROM orders")}
    assert tokens == set(answers[0])
    assert len(tokens) == KEYS
    assert winners <= {str(one) for one in range(PROCESSES)}


def test_what_a_killed_process_had_begun_is_not_there(filled: Store, database: str) -> None:
    killed = ASKER.replace("return 201, ", "import os, signal; found = ").replace(
        "now).token\n", "now)\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", killed, database, "0", "1", str(START)]
    assert subprocess.run(command, cwd=ROOT, input="\n", text=True, capture_output=True).returncode == -9
    with filled.read() as db:
        assert db.all("SELECT token FROM orders") == []
        assert stores.answered.get(db, 1001, "k0") is None


def test_a_refusal_within_undoes_what_was_done_before_it(filled: Store) -> None:
    def effect(within: Store) -> tuple[int, str]:
        with within.transaction() as db:
            stores.merchants.add(db, merchant(id=1002))
        raise Refusal(Code.NOT_ALLOWED, "No.")

    with pytest.raises(Refusal):
        idempotency.once(filled, Once(1001, "k", "r"), effect, START)
    with filled.read() as db:
        assert stores.merchants.get(db, 1002) is None
        assert stores.answered.get(db, 1001, "k") is None


def test_an_answer_counts_for_a_day_and_not_a_second_longer(filled: Store) -> None:
    def ask(now: int, request: str = "r") -> tuple[str, bool]:
        reply = idempotency.once(filled, Once(1001, "k", request), lambda _: (200, json.dumps(now)), now)
        return reply.body, reply.replayed

    assert ask(START) == (str(START), False)
    assert ask(START + KEPT_S - 1) == (str(START), True)
    with pytest.raises(Refusal, match="another request"):
        ask(START + KEPT_S - 1, "other")
    assert ask(START + KEPT_S, "other") == (str(START + KEPT_S), False)
    assert ask(START + KEPT_S + 1, "other") == (str(START + KEPT_S), True)


def test_a_transaction_offers_nothing_but_reading_and_writing(filled: Store, tmp_path: Path) -> None:
    def effect(within: Store) -> tuple[int, str]:
        assert (within.free_bytes() or 0) == pytest.approx(filled.free_bytes() or 0, rel=0.5)
        questions = within.guard, within.check, within.expect_writes
        for forbidden in (*questions, within.close, lambda: within.copy_to(tmp_path)):
            with pytest.raises(AssertionError):
                forbidden()
        return 200, ""

    assert idempotency.once(filled, Once(1001, "k", "r"), effect, START).status == 200


def test_what_is_older_than_a_day_is_forgotten(filled: Store) -> None:
    idempotency.once(filled, Once(1001, "k", "r"), lambda _: (200, ""), START)
    assert idempotency.sweep(filled, START + KEPT_S - 1) == 0
    assert idempotency.sweep(filled, START + KEPT_S) == 1
    with filled.read() as db:
        assert stores.answered.get(db, 1001, "k") is None
