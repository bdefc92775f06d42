from __future__ import annotations

import csv
import io
import json
import stat
from contextlib import closing
from pathlib import Path

import pytest

from checkout.store import open_store
from tests.cli.conftest import Console
from tests.cli.test_orders import opened, pushed
from tests.servers import free_port


def database(co: Console) -> Path:
    return co.folder / "data" / "checkout.db"


def test_a_backup_is_a_whole_database_for_its_owner_only(shop: Console) -> None:
    opened(shop)
    made = shop.json("backup", str(shop.folder / "b.db"))
    copy = Path(made["file"])
    assert made["checked"] is True
    assert made["bytes"] == copy.stat().st_size
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    shop.environ["CHECKOUT_DATABASE"] = str(copy)
    assert [one["number"] for one in shop.json("order", "list")] == ["N1"]


def test_a_backup_replaces_no_file_and_leaves_nothing_behind(shop: Console) -> None:
    kept = shop.folder / "b.db"
    kept.write_text("mine")
    assert "exists already" in shop.refused("backup", str(kept))
    assert kept.read_text() == "mine"
    assert "There is no folder" in shop.refused("backup", str(shop.folder / "nowhere" / "b.db"))
    assert [path.name for path in shop.folder.iterdir() if "part" in path.name] == []


def test_a_backup_beside_a_writer_holds_one_moment(shop: Console) -> None:
    with closing(open_store(str(database(shop)))) as store, store.transaction() as db:
        db.run("UPDATE merchants SET name = 'half done'")
        shop("backup", str(shop.folder / "b.db"))
    shop.environ["CHECKOUT_DATABASE"] = str(shop.folder / "b.db")
    assert [one["name"] for one in shop.json("merchant", "list")] == ["Shop"]


def test_a_restored_backup_takes_the_place_of_the_database_which_is_kept(shop: Console) -> None:
    shop("backup", str(shop.folder / "b.db"))
    shop("merchant", "add", "Later")
    former = shop.json("restore", str(shop.folder / "b.db"))["former"]
    assert [one["name"] for one in shop.json("merchant", "list")] == ["Shop"]
    assert stat.S_IMODE(database(shop).stat().st_mode) == 0o600
    shop.environ["CHECKOUT_DATABASE"] = former
    assert [one["name"] for one in shop.json("merchant", "list")] == ["Shop", "Later"]


def test_a_damaged_database_is_brought_back_by_restore(shop: Console) -> None:
    shop("backup", str(shop.folder / "b.db"))
    database(shop).write_bytes(b"not a database" * 400)
    assert "checkout restore FILE" in shop.refused("merchant", "list")
    shop("restore", str(shop.folder / "b.db"))
    assert [one["name"] for one in shop.json("merchant", "list")] == ["Shop"]


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + bytes(5000)])
def test_only_a_sound_backup_of_ours_is_restored(shop: Console, content: bytes) -> None:
    file = shop.folder / "b.db"
    file.write_bytes(content)
    assert str(file) in shop.refused("restore", str(file))
    assert "There is no file" in shop.refused("restore", str(shop.folder / "nowhere.db"))
    assert [one["name"] for one in shop.json("merchant", "list")] == ["Shop"]
    assert sorted(path.name for path in database(shop).parent.iterdir()) == ["checkout.db", "checkout.db.lock"]


def test_nothing_is_restored_under_a_running_server(shop: Console) -> None:
    shop("backup", str(shop.folder / "b.db"))
    with closing(open_store(str(database(shop)))) as store:
        store.guard()
        assert "stop it first" in shop.refused("restore", str(shop.folder / "b.db"))
    shop("restore", str(shop.folder / "b.db"))


def test_orders_are_exported_with_a_byte_order_mark(shop: Console) -> None:
    opened(shop, "N1")
    pushed(shop, 990)
    assert shop("export", "orders", "--csv", str(shop.folder / "o.csv")).code == 0
    content = (shop.folder / "o.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbftoken,")
    assert stat.S_IMODE((shop.folder / "o.csv").stat().st_mode) == 0o600
    (row,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert (row["number"], row["state"], row["price"], row["title"]) == ("N1", "paid", "9.90", "Tea")
    assert row["paid_at"] == "2026-09-21 22:13:20"


def test_payments_go_to_the_standard_output_where_asked(shop: Console) -> None:
    pushed(shop, None)
    out = shop("export", "payments", "--csv", "-").out
    (row,) = csv.DictReader(io.StringIO(out.removeprefix("\ufeff")))
    assert (row["amount"], row["judgement"]) == ("", "unreadable")


def test_an_export_goes_on_after_a_page(shop: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout.exports._PAGE", 2)
    for number in range(5):
        opened(shop, f"N{number}", price=1000 + number)
    rows = csv.DictReader(io.StringIO(shop("export", "orders", "--csv", "-").out.removeprefix("\ufeff")))
    assert sorted(row["number"] for row in rows) == ["N0", "N1", "N2", "N3", "N4"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠"])
def test_a_cell_that_could_be_a_formula_is_guarded(shop: Console, start: str) -> None:
    opened(shop, f"{start}1+1")
    (row,) = csv.DictReader(io.StringIO(shop("export", "orders", "--csv", "-").out.removeprefix("\ufeff")))
    assert row["number"] == f"'{start}1+1"


def test_an_export_that_cannot_be_written_is_refused(shop: Console) -> None:
    assert "cannot be written" in shop.refused("export", "orders", "--csv", str(shop.folder / "no" / "o.csv"))
    assert shop("export", "secrets", "--csv", "-").code == 2


def test_migrate_makes_the_database(co: Console) -> None:
    assert co.json("migrate") == {"database": str(database(co)), "migrated": True}
    assert stat.S_IMODE(database(co).stat().st_mode) == 0o600
    assert stat.S_IMODE(database(co).parent.stat().st_mode) == 0o700


def test_a_bad_setting_is_named_in_one_sentence(co: Console) -> None:
    co.environ["CHECKOUT_ORDER_TTL"] = "soon"
    assert "CHECKOUT_ORDER_TTL" in co.refused("merchant", "list")
    co.environ["CHECKOUT_ORDER_TTL"] = ""
    co.environ["CHECKOUT_ORDRE_TTL"] = "300"
    assert "did you mean CHECKOUT_ORDER_TTL" in co.refused("merchant", "list")


def test_the_doctor_exits_with_1_when_something_fails_and_says_what_to_do(co: Console) -> None:
    co.environ["CHECKOUT_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    result = co("doctor")
    assert result.code == 1
    assert "FAIL  merchants: There is no merchant" in result.out
    assert "→ checkout merchant add NAME" in result.out
    assert "must be put right" in result.out


def test_the_doctor_s_json_is_a_list_of_findings(co: Console) -> None:
    co.environ["CHECKOUT_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    result = co("doctor", "--json")
    found = json.loads(result.out)
    assert result.code == 1
    assert all(set(one) == {"check", "status", "message", "fix"} for one in found)
    assert {one["status"] for one in found} <= {"ok", "warn", "fail"}


def test_the_doctor_looks_at_a_damaged_database_too(co: Console) -> None:
    co.environ["CHECKOUT_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    database(co).parent.mkdir()
    database(co).write_bytes(b"not a database" * 400)
    result = co("doctor", "--json")
    assert result.code == 1
    (finding,) = [one for one in json.loads(result.out) if one["check"] == "database"]
    assert "checkout restore FILE" in finding["message"]
