"""The life of orders and money as a person would keep it in a book: what must come of each event, in plain Python.

Written from the rules (docs/amounts.md, ARCHITECTURE.md), not from the code: no SQL, everything by looking through
lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TTL, GRACE, REST = 300, 600, 7200
HOLD_AFTER_PAID, LONGEST_HOLD = 120, 600
REPEAT, ECHO = 3, 3600
ACCOUNTS = {"wechat": "wx-main", "alipay": "ali-main"}
PHONES = {"phone": ("wx-main", "ali-main"), "second": ("wx-main",)}
OFFSET = 3
SETTLING = ("matched", "late", "linked")
REVIEW = ("suspected", "unmatched", "unreadable")


@dataclass
class Sale:
    """An order."""

    token: str
    number: str
    attempt: int
    dialect: str
    price: int
    method: str
    account: str
    amount: int | None
    created_at: int
    state: str = "pending"
    late: bool = False
    shown: bool = False

    @property
    def expires_at(self) -> int:
        return self.created_at + TTL

    def waits(self, now: int) -> bool:
        return self.state == "pending" and now < self.expires_at


@dataclass
class Hold:
    """Whom an amount was given to last, and until when nobody else may (or should) have it."""

    token: str
    free_at: int
    rested_at: int


@dataclass
class Money:
    """A payment."""

    phone: str
    method: str
    amount: int
    at: int  # the phone's own time
    received_at: int
    judgement: str = "unmatched"
    token: str = ""
    account: str = ""


@dataclass
class Book:
    sales: list[Sale] = field(default_factory=list)
    holds: dict[tuple[str, int], Hold] = field(default_factory=dict)
    money: list[Money] = field(default_factory=list)
    refunded: dict[str, int] = field(default_factory=dict)

    # What may be asked

    def opening(self, number: str, price: int, method: str, dialect: str, now: int) -> Sale | str:
        """The order that answers, or "new", or "duplicate"."""
        before = self.standing(number)
        if before is None:
            return "new"
        if before.state == "paid":
            return "duplicate"
        if not before.waits(now):
            return "new"
        asked = before.asked_method if isinstance(before, Asked) else before.method
        return before if (before.dialect, before.price, asked) == (dialect, price, method) else "duplicate"

    def renewing(self, sale: Sale, now: int) -> Sale | str:
        """The order that a buyer's wish for a new code leads to, or "new" (like the latest one), or "refused"."""
        tries = [one for one in self.sales if one.number == sale.number]
        latest = self.standing(sale.number)
        assert latest is not None
        if latest.waits(now) or latest.state == "paid":
            return latest
        is_open = latest.state != "closed" and now < min(one.created_at for one in tries) + 86_400
        return "new" if is_open else "refused"

    def amount_for(self, account: str, price: int, now: int) -> int | None:
        """The smallest rested amount; else the one that has been free for longest; None: all are held."""
        wanted = [(amount, self.holds.get((account, amount))) for amount in range(price, price + OFFSET + 1)]
        rested = [amount for amount, hold in wanted if hold is None or hold.rested_at <= now]
        free = [(hold.free_at, amount) for amount, hold in wanted if hold is not None and hold.free_at <= now]
        if rested:
            return rested[0]
        return min(free)[1] if free else None

    def holder(self, account: str, amount: int, now: int) -> Sale | None:
        hold = self.holds.get((account, amount))
        return self.sale(hold.token) if hold is not None and hold.free_at > now else None

    def sale(self, token: str) -> Sale:
        return next(one for one in self.sales if one.token == token)

    # What happens

    def give(self, sale: Sale, method: str, amount: int, now: int, *, shown: bool) -> None:
        """Whoever is over by then is over for good, also when the clock is put back."""
        self.expires(now)
        sale.method, sale.account, sale.amount, sale.shown = method, ACCOUNTS[method], amount, shown
        self.holds[sale.account, amount] = Hold(sale.token, sale.expires_at, sale.expires_at)
        if shown:
            self._rest_as_shown(sale, sale.expires_at)

    def shows(self, sale: Sale, now: int) -> None:
        if sale.waits(now) and sale.amount is not None and not sale.shown:
            sale.shown = True
            self._rest_as_shown(sale, sale.expires_at)

    def switches(self, sale: Sale, method: str, now: int) -> int | None:
        """The amount that it was given for this method earlier and still holds."""
        for (account, amount), hold in sorted(self.holds.items()):
            if hold.token == sale.token and hold.free_at > now and account == ACCOUNTS[method]:
                sale.method, sale.account, sale.amount, sale.shown = method, account, amount, False
                return amount
        return None

    def closes(self, sale: Sale, now: int) -> bool:
        if not sale.waits(now):
            return False
        sale.state = "closed"
        for hold in self.holds.values():
            if hold.token == sale.token and hold.free_at > now and hold.rested_at <= sale.expires_at:
                hold.free_at = hold.rested_at = now
        if sale.shown:
            self._rest_as_shown(sale, now)
        return True

    def expires(self, now: int) -> int:
        over = [one for one in self.sales if one.state == "pending" and one.expires_at <= now]
        for one in over:
            one.state = "expired"
        return len(over)

    def receives(self, phone: str, method: str, amount: int, at: int, now: int) -> Money | None:
        """A push; None: it was told before."""
        if any((one.phone, one.method, one.amount, one.at) == (phone, method, amount, at) for one in self.money):
            return None
        money = Money(phone, method, amount, at, now)
        earlier = list(self.money)
        self.money.append(money)
        account = ACCOUNTS[method]
        sale = self.holder(account, amount, now) if account in PHONES[phone] else None
        if sale is None:
            return money
        if sale.state == "paid" or self._doubtful(money, account, earlier, now) or not self.settles(sale, money, now):
            money.judgement, money.token = "suspected", sale.token
        return money

    def settles(self, sale: Sale, money: Money, now: int, *, by_hand: bool = False) -> bool:
        """The order becomes paid, unless it or another attempt at its number is."""
        others = [one for one in self.sales if one.number == sale.number and one is not sale]
        if sale.state == "paid" or any(one.state == "paid" for one in others):
            return False
        sale.late = not sale.waits(now)
        sale.state = "paid"
        for other in others:
            if other.waits(now):
                other.state = "closed"
        if not by_hand:
            sale.method, sale.account, sale.amount = money.method, ACCOUNTS[money.method], money.amount
        free_at = max(now + HOLD_AFTER_PAID, min(sale.expires_at, now + LONGEST_HOLD))
        for key, hold in self.holds.items():
            if hold.token != sale.token:
                continue
            if by_hand and hold.free_at > now:
                hold.free_at, hold.rested_at = max(hold.free_at, free_at), max(hold.rested_at, free_at)
            elif not by_hand and key == (sale.account, sale.amount):
                hold.free_at = hold.rested_at = free_at
        money.judgement = "linked" if by_hand else "late" if sale.late else "matched"
        money.token, money.account = sale.token, self._came_to(money) or sale.account
        return True

    def _came_to(self, money: Money) -> str:
        """The account that money came to, whatever order it is linked to; "" where its phone watches none."""
        account = ACCOUNTS[money.method]
        return account if account in PHONES.get(money.phone, ()) else ""

    def came_for(self, sale: Sale) -> int:
        return next(one.amount for one in self.money if one.token == sale.token and one.judgement in SETTLING)

    def standing(self, number: str) -> Sale | None:
        tries = [one for one in self.sales if one.number == number]
        return next((one for one in tries if one.state == "paid"), tries[-1] if tries else None)

    def _rest_as_shown(self, sale: Sale, ended_at: int) -> None:
        assert sale.amount is not None
        hold = self.holds[sale.account, sale.amount]
        if hold.token == sale.token:
            hold.free_at, hold.rested_at = ended_at + GRACE, ended_at + GRACE + REST

    def _doubtful(self, money: Money, account: str, earlier: list[Money], now: int) -> bool:
        """A repeat under a new time, or what another phone of the account has told already."""
        alike = [one for one in earlier if (one.method, one.amount) == (money.method, money.amount)]
        own = [one for one in alike if one.phone == money.phone]
        if any(one.received_at >= now - REPEAT for one in own):
            return True
        watching = {phone for phone, watched in PHONES.items() if account in watched}
        booked = [one for one in alike if one.phone in watching and one.judgement in ("matched", "late")]
        return any(self._tells_less(since.received_at, booked, own) for since in booked
                   if since.phone != money.phone and since.received_at >= now - ECHO)  # fmt: skip

    def _tells_less(self, since: int, booked: list[Money], own: list[Money]) -> bool:
        times = sorted(one.received_at for one in own)
        once = [at for before, at in zip([-REPEAT - 1, *times], times, strict=False) if at - before > REPEAT]
        return sum(one.received_at >= since for one in booked) > sum(at >= since for at in once)


@dataclass
class Asked(Sale):
    """An order whose buyer chooses the method: what its merchant asked for stays without one."""

    asked_method: str = ""
