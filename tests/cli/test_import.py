"""`checkout import vmq` on dumps in the forms that phpMyAdmin, mysqldump, H2 and CSV exports write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from checkout import store as stores
from checkout.errors import Refusal
from checkout.importing import tables, vmq_orders
from checkout.importing.vmq import TABLES
from checkout.model.orders import Order, State
from checkout.store import invariants, open_store
from tests.cli.conftest import Console

KEY = "aa15188ce0f1d97018524d9862ef2a46"
NOW = 1_700_000_000
SETTINGS = {
    "user": "admin", "pass": "admin", "notifyUrl": "https://shop.example.com/it's/notify.php?a=1;b=2", "returnUrl": "",
    "key": KEY, "lastheart": "0", "close": "5", "payQf": "2", "wxpay": "wxp://f2f0abcdefghijklmnopqrst",
    "zfbpay": "HTTPS://QR.ALIPAY.COM/FKX04656BY2XHJXXLRFKF1",
}  # fmt: skip
CODES = [("1", "wxp://f2f1fixed", "9.9", "1"), ("2", "", "5", "2"), ("3", "wxp://f2f1zero", "0", "1")]


def order(
    number: str, state: int, *, price: str = "9.9", really: str = "9.91", kind: int = 1, **more: str
) -> list[str]:
    row = {
        "id": number, "close_date": str(NOW - 400), "create_date": str(NOW - 900), "is_auto": "1", "notify_url": "",
        "order_id": f"2019041800000{number}", "param": "", "pay_date": str(NOW - 600 if state > 0 else 0),
        "pay_id": f"N{number}", "pay_url": "", "price": price, "really_price": really, "return_url": "",
        "state": str(state), "type": str(kind), **more,
    }  # fmt: skip
    return [row[name] for name in TABLES["pay_order"]]


ORDERS = [
    order("1", 1), order("2", 2, really="9.92", param="it's \\ \"so\"; -- 用户\n2"), order("3", -1), order("4", 0),
    order("5", 1, price="9.999"), order("6", 1, kind=3), order("7", 1, pay_id="N1"),
]  # fmt: skip


def mysql(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace('"', '\\"')
    return f"'{escaped}'"


def dump() -> str:
    """As mysqldump writes it: no column names, several rows at once, comments that contain statements."""
    texts = {"notify_url", "order_id", "param", "pay_id", "pay_url", "return_url"}
    columns = TABLES["pay_order"]
    rows = [",".join(mysql(v) if c in texts else v for c, v in zip(columns, row, strict=True)) for row in ORDERS]
    settings = ",".join(f"({mysql(name)},{mysql(value)})" for name, value in SETTINGS.items())
    codes = ",".join(f"({number},{mysql(url)},{price},{kind})" for number, url, price, kind in CODES)
    return (
        "-- MariaDB dump; INSERT INTO `setting` VALUES ('key','no');\n/*!40101 SET NAMES utf8 */;\n"
        "CREATE TABLE `setting` (\n  `vkey` varchar(255) NOT NULL,\n  `vvalue` varchar(255) DEFAULT NULL\n);\n"
        f"LOCK TABLES `setting` WRITE;\nINSERT INTO `setting` VALUES {settings};\nUNLOCK TABLES;\n"
        f"INSERT INTO `pay_qrcode` (`id`, `pay_url`, `price`, `type`) VALUES\n{codes};\n"
        f"INSERT INTO `pay_order` VALUES ({'),('.join(rows)});\nINSERT INTO `tmp_price` VALUES ('990-1');\n"
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vmq.sql"
    path.write_text(dump(), encoding="utf-8")
    return path


def orders_of(co: Console) -> dict[str, Order]:
    store = open_store(co.database)
    try:
        with store.read() as db:
            for promise in invariants.PROMISES:
                assert invariants.broken(db, promise, co.clock()) == [], promise.name
            return {one.number: one for one in stores.orders.listed(db, stores.orders.Filter())}
    finally:
        store.close()


def test_a_dump_becomes_a_merchant_a_phone_accounts_codes_and_orders(co: Console, file: Path) -> None:
    told = co.json("import", "vmq", str(file))
    assert told["imported"] == {
        "account": 2, "fixed-amount code": 1, "merchant": 1, "phone": 1, "order (paid)": 2, "order (expired)": 2,
    }  # fmt: skip
    (merchant,) = co.json("merchant", "list")
    shown = co.json("merchant", "show", str(merchant["id"]))
    assert shown["key"] == KEY
    assert shown["notify_url"] == SETTINGS["notifyUrl"]
    accounts = {one["id"]: one for one in co.json("account", "list")}
    assert accounts["vmq-wechat"]["offset"] == "down"
    orders = orders_of(co)
    assert {number: one.state for number, one in orders.items()} == {
        "N1": State.PAID, "N2": State.PAID, "N3": State.EXPIRED, "N4": State.EXPIRED,
    }  # fmt: skip
    assert orders["N2"].param == 'it\'s \\ "so"; -- 用户\n2'
    assert (orders["N2"].price, orders["N2"].really_price) == (990, 992)


def test_what_is_left_out_is_named_with_its_reason(co: Console, file: Path) -> None:
    skipped = co.json("import", "vmq", str(file))["skipped"]
    assert {(one["what"], one["why"]): one["count"] for one in skipped} == {
        ("fixed-amount code", "its account, its price or its text is missing"): 2,
        ("order", "its amounts or times make no sense"): 1,
        ("order", "its way of paying has no account here"): 1,
        ("order", "its number was paid before"): 1,
    }


def test_a_second_import_changes_nothing(co: Console, file: Path) -> None:
    co.json("import", "vmq", str(file))
    before = orders_of(co)
    again = co.json("import", "vmq", str(file))
    assert again["imported"] == {}
    assert again["known"] == {"account": 2, "fixed-amount code": 1, "merchant": 1, "phone": 1, "order": 4}
    assert orders_of(co) == before


def test_a_dry_run_says_the_same_and_writes_nothing(co: Console, file: Path) -> None:
    rehearsed = co.json("import", "vmq", str(file), "--dry-run")
    assert orders_of(co) == {}
    assert co.json("account", "list") == []
    real = co.json("import", "vmq", str(file))
    assert {**rehearsed, "written": True} == real


def test_files_of_each_table_may_come_as_csv_or_as_a_script_of_h2(co: Console, tmp_path: Path) -> None:
    settings, orders = tmp_path / "setting.csv", tmp_path / "orders.sql"
    settings.write_text('"VKEY","VVALUE"\n' + "".join(f'"{k}","{v}"\n' for k, v in SETTINGS.items()))
    milliseconds = order("1", 1, create_date=f"{NOW - 900}123", param="C:\\it''s", price="1.0E1", really="10.0")
    texts = {"notify_url", "order_id", "param", "pay_id", "pay_url", "return_url"}
    row = ", ".join(f"'{v}'" if c in texts else v for c, v in zip(TABLES["pay_order"], milliseconds, strict=True))
    columns = "".join(
        f'    "{name.upper()}" {"VARCHAR(255)" if name in texts else "BIGINT"},\n' for name in TABLES["pay_order"]
    )
    orders.write_text(
        f'CREATE CACHED TABLE "PUBLIC"."PAY_ORDER"(\n{columns});\nINSERT INTO "PUBLIC"."PAY_ORDER" VALUES\n({row});\n'
    )
    co.json("import", "vmq", str(settings), str(orders))
    one = orders_of(co)["N1"]
    assert (one.price, one.created_at, one.param) == (1000, NOW - 900, "C:\\it's")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line is not that of a table"),
        ("a,b\n1,2\n", "its first line is not that of a table"),
        ("INSERT INTO `setting` VALUES ('key','abc", "seems to be cut off"),
        ("INSERT INTO `setting` VALUES ('key');", "1 values stand where setting has 2 columns"),
        ("INSERT INTO `setting` VALUES ('key' 'x');", "is missing"),
        ("INSERT INTO `users` VALUES (1);", "There is no table of V免签"),
    ],
)
def test_a_bad_file_gets_one_sentence(co: Console, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.sql").write_text(text)
    assert said in co.refused("import", "vmq", str(tmp_path / "bad.sql"))


def test_a_file_that_is_no_text_gets_one_sentence(co: Console, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8" in co.refused("import", "vmq", str(tmp_path / "bad.sql"))
    assert "cannot be read" in co.refused("import", "vmq", str(tmp_path / "none.sql"))


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), min_size=1, max_size=6))
def test_every_text_survives_the_quoting_of_mysql(values: dict[str, str]) -> None:
    rows = ",".join(f"({mysql(name)},{mysql(value)})" for name, value in values.items())
    found = tables.read(f"INSERT INTO `setting` VALUES {rows};", TABLES)["setting"]
    assert {row["vkey"]: row["vvalue"] for row in found} == values


@given(st.one_of(st.text(max_size=80), st.text("INSERT INTO `setting` VALUES('',);\\\"/*-- \n", max_size=80)))
@trying(suppress_health_check=[HealthCheck.too_slow])
def test_nonsense_is_read_or_refused(text: str) -> None:
    try:
        found: dict[str, Any] = tables.read("INSERT INTO `setting` VALUES ('a','b');" + text, TABLES)
    except Refusal as refusal:
        found = {"why": refusal.message}
    json.dumps(found)


@given(st.integers(1, 99_999_999_999))
def test_amounts_are_read_as_doubles_are_printed(fen: int) -> None:
    assert vmq_orders.fen_of(repr(fen / 100)) == fen
    assert vmq_orders.fen_of(f"{fen // 100}.{fen % 100:02d}") == fen
