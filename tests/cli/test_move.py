"""checkout move on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checkout.cli import main
from checkout.cli.desk import Desk
from checkout.store import merchants, open_store
from tests.conftest import postgres_server
from tests.world import merchant


def call(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments), Desk({}, folder))
    out, err = capsys.readouterr()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    return code or 0, out, err


def test_a_shop_moves_and_the_next_steps_are_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    address = postgres_server().emptied()
    store = open_store(str(tmp_path / "data" / "checkout.db"))
    with store.transaction() as db:
        merchants.add(db, merchant())
    store.close()
    code, out, err = call(capsys, tmp_path, "move", "--to", address, "--json")
    assert (code, json.loads(out)) == (0, {"rows": {"merchants": 1}, "compared": True})
    code, out, err = call(capsys, tmp_path, "move", "--to", address)
    assert code == 0
    assert "1 rows moved to PostgreSQL" in out
    assert "CHECKOUT_SECRET" in err


def test_what_is_no_address_of_postgresql_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = call(capsys, tmp_path, "move", "--to", "mysql://x/y")
    assert code == 1
    assert err == "checkout: --to takes a postgresql:// address.\n"
