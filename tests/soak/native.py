"""A shop that speaks the native API to several machines at once, and somebody who guesses the owner's password at them.

One idempotency key is one order with one answer, whichever machine is asked, at once or later, also when the order was
closed meanwhile. Tries at a password count over all machines together.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

from checkout import api_keys, ids, owner
from checkout.api_keys import Scope
from checkout.interfaces import Rows, Store
from checkout.owner import MOST_TRIES
from tests.clients.api import Shop
from tests.clients.wire import Reply
from tests.soak.crash import Ledger

AWAY = frozenset({502, 503, 504})  # what nginx and a server without its database say
_PATIENCE_S = 180  # of who asks again and again
_GIVE_UP_S = 20
_DIALECT = "api"


class NobodyAnswers(Exception):
    pass


class Native:
    """`places`: the machines' own addresses, of which any may be gone."""

    def __init__(self, opened: Store, places: list[str], ledger: Ledger) -> None:
        now = int(time.time())
        key = api_keys.add(opened, 1001, "soak", tuple(Scope), actor="soak", new_id=ids.new_id, now=now)
        owner.set_password(opened, "not to be guessed", actor="soak", new_id=ids.new_id, now=now)
        self._secret, self._places, self._ledger = key.secret, places, ledger
        self._known: dict[str, str] = {}  # number → order

    def sell(self, stop: threading.Event) -> None:
        dice, number = random.Random(3), 0
        with ThreadPoolExecutor(2) as pool:
            while not stop.is_set() and not self._ledger.unexpected:
                number += 1
                with suppress(NobodyAnswers):
                    self._order(pool, dice, f"native-{number}")

    def faults(self, db: Rows) -> Iterator[str]:
        """Where the orders differ from what the shop was told."""
        found = db.all("SELECT number, token FROM orders WHERE dialect = :dialect", dialect=_DIALECT)
        told = set(self._known.items())
        if not told:
            yield "the native shop has sold nothing"
        for number, order in set(found) ^ told:
            yield f"{number} under an idempotency key: {order} is " + (
                "not there" if (number, order) in told else "more"
            )

    def guess(self) -> Iterator[str]:
        """More wrong passwords than are allowed, at all machines at once; gives the faults."""
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(self._guess, range(2 * MOST_TRIES)))
        wrong = sum("The password is wrong" in one for one in answers)
        refused = sum("Too many wrong passwords" in one for one in answers)
        if wrong > MOST_TRIES or wrong + refused != len(answers):
            yield f"of {len(answers)} guesses {wrong} were tried and {refused} refused; {MOST_TRIES} are allowed"

    def _order(self, pool: ThreadPoolExecutor, dice: random.Random, number: str) -> None:
        def ask(_: object = None) -> Reply:
            price = {"amount": amount, "currency": "CNY"}
            return self._insist(dice, lambda shop: shop.send(
                "POST", "/orders", {"number": number, "price": price, "method": "alipay"}, once=number
            ))  # fmt: skip

        amount = dice.randint(100, 3_000_000)
        first, second = pool.map(ask, range(2))
        order = first.json().get("order", "") if first.status == 201 else ""
        self._known[number] = order
        if dice.random() < 0.5:
            self._insist(dice, lambda shop: shop.send("POST", f"/orders/{order}/close"))
        third = ask()
        if not order or {(one.status, one.body) for one in (second, third)} != {(201, first.body)}:
            said = [(one.status, one.body[:200]) for one in (first, second, third)]
            self._ledger.unexpected.append(f"{number} had more than one answer under its key: {said}")

    def _guess(self, at: int) -> str:
        form = urlencode({"password": f"guess {at}"}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "en"}
        answer = self._insist(
            random.Random(at), lambda shop: shop.wire("POST", "/admin/sign-in", kind, form)
        )  # fmt: skip
        return answer.body.decode()

    def _insist(self, dice: random.Random, ask: Callable[[Shop], Reply]) -> Reply:
        """Asks any machine, in the same words, until one answers."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and not self._ledger.unexpected:
            with suppress(OSError, HTTPException):
                answer = ask(Shop(_wire_to(dice.choice(self._places)), self._secret))
                if answer.status not in AWAY:
                    return answer
            time.sleep(0.1)
        self._ledger.unexpected.append("the native shop was not answered")
        raise NobodyAnswers


def _wire_to(place: str) -> Callable[..., Reply]:
    def send(method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        with closing(HTTPConnection(place, timeout=_GIVE_UP_S)) as connection:
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    return send
