from __future__ import annotations

from pathlib import Path

import pytest

from checkout import catalogue, exports
from checkout import store as stores
from checkout.cli import progress
from checkout.interfaces import Store
from checkout.store import open_store
from tests.cli.conftest import Console
from tests.cli.test_import import dump
from tests.shop import Shop
from tests.terminal import terminal
from tests.world import product


@pytest.fixture
def environ(database: str) -> dict[str, str]:
    """A shop with a few orders."""
    opened: Store = open_store(database)
    shop = Shop(opened).fill()
    for number in range(3):
        shop.open(f"N{number}")
    opened.close()
    return {"CHECKOUT_DATABASE": database}


def test_a_terminal_sees_how_far_an_export_is(environ: dict[str, str], tmp_path: Path) -> None:
    with terminal("export", "orders", "--csv", str(tmp_path / "orders.csv"), environ=environ) as term:
        assert term.end() == 0
    assert "Writing orders" in term.everything
    assert "100%" in term.everything
    assert (tmp_path / "orders.csv").read_text(encoding="utf-8-sig").count("\n") == 4


def test_a_terminal_sees_how_far_a_backup_and_its_way_back_are(environ: dict[str, str], tmp_path: Path) -> None:
    for command, label in (("backup", "Copying"), ("restore", "Restoring")):
        with terminal(command, str(tmp_path / "copy.db"), environ=environ) as term:
            assert term.end() == 0
        assert label in term.everything
        assert "100%" in term.everything


def test_a_terminal_sees_how_far_an_import_is(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "vmq.sql"
    file.write_text(dump(), encoding="utf-8")
    with terminal("import", "vmq", str(file), environ=environ) as term:
        assert term.end() == 0
    assert "Bringing over orders" in term.everything
    assert "100%" in term.everything
    with terminal("import", "vmq", str(file), "--json", environ=environ) as term:
        assert term.end() == 0
    assert "Bringing over orders" not in term.everything


def test_a_terminal_sees_how_far_new_keys_are(environ: dict[str, str], co: Console, tmp_path: Path) -> None:
    opened = open_store(environ["CHECKOUT_DATABASE"])
    with opened.transaction() as db:
        stores.products.add(db, product(deliver="keys", goods=""))
    opened.close()
    file = tmp_path / "keys.txt"
    file.write_text("\n".join(f"KEY-{number}" for number in range(catalogue.BATCH + 1)), encoding="utf-8")
    with terminal("product", "keys", "add", "ebook", str(file), environ=environ) as term:
        assert term.end() == 0
    assert "Adding keys" in term.everything
    assert "50%" in term.everything
    assert "100%" in term.everything
    assert f"{catalogue.BATCH + 1} added" in term.everything
    co.environ.update(environ)
    again = co("product", "keys", "add", "ebook", str(file))
    assert (again.err, again.out) == ("", f"0 added; {catalogue.BATCH + 1} left.\n")


def test_a_refusal_on_a_terminal_is_still_one_sentence(environ: dict[str, str], tmp_path: Path) -> None:
    with terminal("backup", str(tmp_path / "nowhere" / "copy.db"), environ=environ) as term:
        assert term.end() == 1
    assert f"checkout: There is no folder {tmp_path / 'nowhere'}." in term.everything


def test_json_on_a_terminal_is_left_alone(environ: dict[str, str], tmp_path: Path) -> None:
    with terminal("backup", str(tmp_path / "copy.db"), "--json", environ=environ) as term:
        assert term.end() == 0
    assert "Copying" not in term.everything


def test_scripts_see_no_bar(co: Console, environ: dict[str, str], tmp_path: Path) -> None:
    co.environ.update(environ)
    result = co("export", "orders", "--csv", str(tmp_path / "orders.csv"))
    assert result.err == f"Wrote {tmp_path / 'orders.csv'}.\n"
    assert co("backup", str(tmp_path / "copy.db")).err == ""


@pytest.mark.parametrize("total", [0, 2, 9])
def test_more_or_fewer_things_than_thought_do_no_harm(total: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_is_watched", lambda: True)
    assert list(progress.steps(range(5), "x", total)) == [0, 1, 2, 3, 4]
    with progress.growing(lambda: 10**9, "x", total):
        pass


def test_every_export_knows_how_many_pieces_it_has(environ: dict[str, str]) -> None:
    opened = open_store(environ["CHECKOUT_DATABASE"])
    with opened.read() as db:
        assert {what: exports.pieces(db, what) for what in exports.EXPORTS} == {
            "orders": 2, "payments": 1, "refunds": 1,
        }  # fmt: skip
    opened.close()
