"""V免签 (vmqphp's MySQL, Vmq's H2): its settings and codes; `vmq_orders` has its orders.

One merchant and one phone with V免签's key, so that shops and apps go on with it; an account for each of its two
codes; fixed-amount codes; orders as history. What is here already is left alone, so a second import adds what is new.
"""

from __future__ import annotations

from msgspec.structs import replace

from checkout import devices, merchants, receiving, store
from checkout.errors import Refusal
from checkout.importing import vmq_orders
from checkout.importing.report import By, Report
from checkout.importing.tables import Table
from checkout.importing.vmq_orders import METHODS, Watch, fen_of
from checkout.interfaces import Store
from checkout.model.accounts import Method
from checkout.model.merchants import Merchant

TABLES = {
    "setting": ("vkey", "vvalue"),
    "pay_qrcode": ("id", "pay_url", "price", "type"),
    "pay_order": (
        "id", "close_date", "create_date", "is_auto", "notify_url", "order_id", "param", "pay_date", "pay_id",
        "pay_url", "price", "really_price", "return_url", "state", "type",
    ),
}  # fmt: skip
_ACCOUNTS = {Method.WECHAT: ("wxpay", "vmq-wechat"), Method.ALIPAY: ("zfbpay", "vmq-alipay")}
_OFFSETS = {"1": "up", "2": "down"}
_MIN_KEY = 16


def run(db_store: Store, tables: dict[str, Table], reach: merchants.Reach, by: By, watch: Watch = iter) -> Report:
    """`watch` is given the batches of orders and gives them back one by one. Without settings, orders come over only
    where the merchant is here already."""
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
    vmq_orders.run(db_store, tables.get("pay_order", []), merchant, accounts, by, report, watch)
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
        account = accounts.get(METHODS.get(row["type"] or "", Method.WECHAT), "")
        price = fen_of(row["price"])
        if row["type"] not in METHODS or not account or price is None or not row["pay_url"]:
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
