"""V免签 (vmqphp's MySQL, Vmq's H2): its settings, codes and orders.

One merchant and one phone with V免签's key, so that shops and apps go on with it; an account for each of its two
codes; fixed-amount codes; orders as history. What is here already is left alone, so a second import adds what is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from hashlib import sha256

from msgspec import Struct, field
from msgspec.structs import replace

from checkout import devices, merchants, receiving, store, tallies
from checkout.errors import Refusal
from checkout.importing.tables import Table
from checkout.interfaces import NewId, Rows, Store
from checkout.model.accounts import Method
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.money import MAX_FEN, yuan

TABLES = {
    "setting": ("vkey", "vvalue"),
    "pay_qrcode": ("id", "pay_url", "price", "type"),
    "pay_order": (
        "id", "close_date", "create_date", "is_auto", "notify_url", "order_id", "param", "pay_date", "pay_id",
        "pay_url", "price", "really_price", "return_url", "state", "type",
    ),
}  # fmt: skip
_ACCOUNTS = {Method.WECHAT: ("wxpay", "vmq-wechat"), Method.ALIPAY: ("zfbpay", "vmq-alipay")}
_METHODS = {"1": Method.WECHAT, "2": Method.ALIPAY}
_OFFSETS = {"1": "up", "2": "down"}
_MIN_KEY = 16
_MAX_NUMBER = 64
_CHANNEL = "personal"
_BATCH = 500
Watch = Callable[[list[Table]], Iterable[Table]]


class Report(Struct):
    """What came over, and what did not with its reason; sentences for the owner."""

    imported: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)  # what, why
    notes: list[str] = field(default_factory=list)


class By(Struct, frozen=True):
    """Who does it, as the audit log and new rows need it."""

    actor: str
    new_id: NewId
    now: int


def run(db_store: Store, tables: dict[str, Table], reach: merchants.Reach, by: By, watch: Watch = iter) -> Report:
    """`watch` is given the batches of orders and gives them back one by one. Refused: BAD_REQUEST when there are no
    settings: without the key nothing can go on."""
    values = {row.get("vkey") or "": row.get("vvalue") or "" for row in tables.get("setting", [])}
    report = Report()
    key = values.get("key", "")
    if len(key) < _MIN_KEY and values:
        report.skipped["key", f"it has {len(key)} characters, {_MIN_KEY} are the least; a new one was made"] += 1
    accounts = _accounts(db_store, values, by, report)
    _codes(db_store, tables.get("pay_qrcode", []), accounts, by, report)
    merchant = _merchant(db_store, values, key, reach, by, report)
    if len(key) >= _MIN_KEY:
        _device(db_store, key, sorted(accounts.values()), by, report)
    _orders(db_store, tables.get("pay_order", []), merchant, accounts, by, report, watch)
    if values.get("close", "").isdecimal():
        report.notes.append(
            f"V免签 closes orders after {values['close']} minutes: order_ttl = {int(values['close']) * 60}"
        )
    return report


def _accounts(db_store: Store, values: dict[str, str], by: By, report: Report) -> dict[Method, str]:
    """The accounts by method; one whose code is missing stands for none."""
    found = {}
    for method, (name, account) in _ACCOUNTS.items():
        with db_store.read() as db:
            exists = store.accounts.get(db, account)
        if exists:
            report.known["account"] += 1
            found[method] = account
        elif values.get(name):
            wish = receiving.Wish(code=values[name], offset=_OFFSETS.get(values.get("payQf", ""), "up"))
            try:
                receiving.add(
                    db_store, account, method, wish, frozenset(), actor=by.actor, new_id=by.new_id, now=by.now
                )
            except Refusal as refusal:
                report.skipped[f"{name}'s code", refusal.message] += 1
                continue
            report.imported["account"] += 1
            found[method] = account
    return found


def _codes(db_store: Store, rows: Table, accounts: dict[Method, str], by: By, report: Report) -> None:
    for row in rows:
        account = accounts.get(_METHODS.get(row["type"] or "", Method.WECHAT), "")
        price = _fen(row["price"])
        if row["type"] not in _METHODS or not account or price is None or not row["pay_url"]:
            report.skipped["fixed-amount code", "its account, its price or its text is missing"] += 1
            continue
        with db_store.read() as db:
            there = any(code.price == price for code in store.accounts.codes(db, account))
        if there:
            report.known["fixed-amount code"] += 1
            continue
        try:
            receiving.add_code(db_store, account, price, row["pay_url"], actor=by.actor, new_id=by.new_id, now=by.now)
            report.imported["fixed-amount code"] += 1
        except Refusal as refusal:
            report.skipped["fixed-amount code", refusal.message] += 1


def _merchant(
    db_store: Store, values: dict[str, str], key: str, reach: merchants.Reach, by: By, report: Report
) -> Merchant | None:
    """The merchant with V免签's key. None: the file has no settings and nobody has the key."""
    with db_store.read() as db:
        everyone = store.merchants.all_of(db)
    known = [one for one in everyone if one.key == key or (not values and one.name == "V免签")]
    if known:
        report.known["merchant"] += 1
        return known[0]
    if not values:
        return None
    urls = {}
    for name, setting in (("notify_url", "notifyUrl"), ("return_url", "returnUrl")):
        try:
            if values.get(setting):
                merchants.check_own_url(values[setting], name.partition("_")[0], reach)
                urls[name] = values[setting]
        except Refusal as refusal:
            report.skipped[setting, refusal.message] += 1
    wish = merchants.Wish(name="V免签", notify_url=urls.get("notify_url"), return_url=urls.get("return_url"))
    merchant = merchants.add(db_store, wish, reach, actor=by.actor, new_id=by.new_id, now=by.now)
    if len(key) >= _MIN_KEY:
        merchant = replace(merchant, key=key)
        with db_store.transaction() as db:
            store.merchants.update(db, merchant)
    report.imported["merchant"] += 1
    return merchant


def _device(db_store: Store, key: str, accounts: list[str], by: By, report: Report) -> None:
    """A phone with V免签's key: the app goes on when this server takes over the address."""
    with db_store.read() as db:
        if any(device.key == key for device in store.devices.all_of(db)):
            report.known["phone"] += 1
            return
    try:
        added = devices.add(db_store, "V免签", "vmq", accounts, actor=by.actor, new_id=by.new_id, now=by.now)
    except Refusal as refusal:
        report.skipped["phone", refusal.message] += 1
        return
    with db_store.transaction() as db:
        store.devices.set_key(db, replace(added.device, key=key))
    report.imported["phone"] += 1


def _orders(
    db_store: Store, rows: Table, merchant: Merchant | None, accounts: dict[Method, str], by: By, report: Report,
    watch: Watch,
) -> None:  # fmt: skip
    if merchant is None:
        if rows:
            report.skipped["order", "the settings are not here yet: import their file too"] += len(rows)
        return
    ordered = sorted(rows, key=lambda row: (_seconds(row["create_date"]) or 0, row["id"] or ""))
    for batch in watch([ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]):
        with db_store.transaction() as db:
            for row in batch:
                _order(db, row, merchant, accounts, by, report)


def _order(
    db: Rows, row: dict[str, str | None], merchant: Merchant, accounts: dict[Method, str], by: By, report: Report
) -> None:
    found = _read_order(row, merchant, accounts, by.now)
    if isinstance(found, str):
        report.skipped["order", found] += 1
        return
    if store.orders.get(db, found.token):
        report.known["order"] += 1
        return
    former = store.orders.by_number(db, merchant.id, found.number)
    if former and former.state is State.PAID and found.state is State.PAID:
        report.skipped["order", "its number was paid before"] += 1
        return
    last = max((one.attempt for one in store.orders.other_attempts(db, found)), default=0)
    order = replace(found, attempt=last + 1)
    store.orders.add(db, order)
    if order.state is State.PAID:
        _settle(db, order, row, by)
    tallies.imported(db, order)
    report.imported[f"order ({order.state})"] += 1


def _settle(db: Rows, order: Order, row: dict[str, str | None], by: By) -> None:
    """What a paid order needs to be whole: its payment, and the message, which V免签 has sent or not."""
    paid_at = order.paid_at or order.created_at
    payment = Payment(
        id=by.new_id("pay"), channel=_CHANNEL, reference=f"vmq:{order.token}", device="", method=order.method,
        amount=order.really_price, judgement=Judgement.MATCHED, order_token=order.token, account=order.account,
        raw="", note="imported from V免签", happened_at=paid_at, received_at=paid_at, judged_at=paid_at,
        merchant=order.merchant,
    )  # fmt: skip
    store.payments.add(db, payment)
    told = row["state"] == "1"
    state = DeliveryState.DELIVERED if told else DeliveryState.FAILED
    store.deliveries.add(
        db,
        Delivery(
            id=by.new_id("msg"), order_token=order.token, merchant=order.merchant, dialect=order.dialect,
            event="order.paid", url=order.notify_url, state=state, attempts=0, due_at=paid_at, created_at=paid_at,
            done_at=paid_at,
        ),
    )  # fmt: skip


def _read_order(row: dict[str, str | None], merchant: Merchant, accounts: dict[Method, str], now: int) -> Order | str:
    """The order as it would have become here, or why it cannot come over."""
    method = _METHODS.get(row["type"] or "")
    created, price, really = _seconds(row["create_date"]), _fen(row["price"]), _fen(row["really_price"])
    number = row["pay_id"] or ""
    if method is None or method not in accounts:
        return "its way of paying has no account here"
    if price is None or really is None or created is None or created > now:
        return "its amounts or times make no sense"
    if not 1 <= len(number) <= _MAX_NUMBER or not number.isprintable() or not row["order_id"]:
        return "it has no usable number"
    is_paid = row["state"] in ("1", "2")
    ended = _seconds(row["close_date"]) or created
    paid_at = (_seconds(row["pay_date"]) or ended) if is_paid else None
    secret = f"{merchant.key}\n{row['order_id']}\n{row['id']}"
    return Order(
        token=sha256(secret.encode()).hexdigest()[:32], merchant=merchant.id, dialect="vmq", number=number, attempt=1,
        state=State.PAID if is_paid else State.EXPIRED, late=False, method=method, account=accounts[method],
        channel=_CHANNEL, price=price, really_price=really, title="", content="", param=row["param"] or "", buyer="",
        price_text=yuan(price), notify_url=row["notify_url"] or merchant.notify_url,
        return_url=row["return_url"] or merchant.return_url, extra="{}", asked="imported", product="", quantity=1,
        rev=0, created_at=created, expires_at=max(created, ended), shown_at=None,
        paid_at=max(created, paid_at) if paid_at is not None else None, closed_at=None,
    )  # fmt: skip


def _fen(text: str | None) -> int | None:
    """A double of yuan as exports spell it (9.9, 9.90, 0.1000000001, 1.0E7); None: no amount of whole fen."""
    try:
        amount = Decimal(text or "") * 100
        whole = amount.to_integral_value()
    except InvalidOperation:
        return None
    if not whole.is_finite() or not 0 < whole <= MAX_FEN or abs(amount - whole) > Decimal("0.0001"):
        return None
    return int(whole)


def _seconds(text: str | None) -> int | None:
    """Unix seconds; Vmq in Java keeps milliseconds. None: none, or 0."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > 14:
        return None
    value = int(text)
    return (value // 1000 if value > 10**11 else value) or None
