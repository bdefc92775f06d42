"""Statistics: takings and what became of orders, with tables and a spreadsheet that say the same."""

from __future__ import annotations

import csv
import io

from tests.admin.desk import Owner

PLACE = "/admin/statistics"
DAY_S = 86_400


def sold(owner: Owner, number: str, price: str, after: int) -> None:
    owner.world.create(number, price)
    owner.world.clock.go(after)
    owner.world.push(price)


def test_an_empty_shop_has_empty_plots(owner: Owner) -> None:
    for period in ("month", "quarter", "year", "nonsense"):
        assert "Statistics" in owner.see(PLACE, period=period)


def test_the_page_counts_what_was_opened_and_paid_and_how_soon(owner: Owner) -> None:
    sold(owner, "N1", "9.90", 40)
    sold(owner, "N2", "20.00", 20)
    owner.world.create("N3", "5.00")
    text = owner.see(PLACE)
    assert "Orders opened3" in text
    assert "Paid266 %" in text
    assert "Half are paid within20 s95 of 100 within 40 s" in text
    assert "¥29.90" in text


def test_the_spreadsheet_says_what_the_page_says(owner: Owner) -> None:
    sold(owner, "N1", "9.90", 40)
    owner.world.clock.go(3 * DAY_S)
    owner.sign_in()
    sold(owner, "N2", "20.00", 20)
    rows = list(csv.DictReader(io.StringIO(owner.get("/admin/statistics.csv").text.lstrip("\ufeff"))))
    assert len(rows) == 30
    assert [row["yuan"] for row in rows if row["orders"] == "1"] == ["9.90", "20.00"]
    assert sum(row["wechat"] == "9.90" or row["alipay"] == "9.90" for row in rows) == 1


def test_strangers_see_no_statistics(owner: Owner) -> None:
    stranger = owner.world.app.test_client()
    assert stranger.get("/admin/statistics.csv").status_code == 303
