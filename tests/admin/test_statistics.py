"""Statistics: what sold, what became of orders and payments; plots with tables and spreadsheets that say the same."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest

from checkout import tallies
from checkout.admin import plots
from checkout.admin.bars import WIDTH, bars, thinned
from checkout.admin.tables import duration, percent, share
from tests.admin.desk import Owner

PLACE = "/admin/statistics"
DAY_S = 86_400


def sold(owner: Owner, number: str, price: str, after: int) -> None:
    owner.world.create(number, price)
    owner.world.clock.go(after)
    owner.world.push(price)


def sheet(owner: Owner, name: str, **query: str) -> list[dict[str, str]]:
    text = owner.get(f"{PLACE}/{name}.csv", **query).text
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


@pytest.mark.parametrize("days", ["7", "30", "90", "365", "nonsense", "8"])
@pytest.mark.parametrize("by", ["day", "week", "month", "hour"])
def test_an_empty_shop_has_empty_plots(owner: Owner, days: str, by: str) -> None:
    page = owner.see(PLACE, days=days, by=by)
    assert "Statistics" in page
    assert "Half are paid within–" in page.replace(" –", "–")


def test_the_page_counts_what_was_opened_and_paid_and_how_soon(owner: Owner) -> None:
    sold(owner, "N1", "9.90", 40)
    sold(owner, "N2", "20.00", 20)
    owner.world.create("N3", "5.00")
    owner.world.push("7.77")
    tallies.watch_amounts(owner.world.store, owner.world.clock())
    page = owner.see(PLACE)
    assert "Orders opened 3 100%" in page
    assert "Paid 2 66.6%" in page
    assert "Half are paid within20 s95 of 100 within 42 s" in page
    assert "CN¥29.90" in page
    assert "Money to review33.3%1 of 3 payments" in page
    assert "Money came late0%0 of 3 payments" in page
    assert "Amounts in use, at most0.9%of those for one price" in page


def test_money_that_comes_after_the_end_is_late(owner: Owner) -> None:
    sold(owner, "N1", "9.90", 400)
    assert "Money came late100%1 of 1 payment " in owner.see(PLACE)
    assert [row["late"] for row in sheet(owner, "orders") if row["opened"] == "1"] == ["1"]


def test_each_spreadsheet_says_what_the_page_says(owner: Owner) -> None:
    sold(owner, "N1", "9.90", 40)
    owner.world.clock.go(3 * DAY_S)
    owner.sign_in()
    sold(owner, "N2", "20.00", 20)
    tallies.watch_amounts(owner.world.store, owner.world.clock())
    tallies.sum_up(owner.world.store, owner.world.clock())
    takings = sheet(owner, "takings")
    assert len(takings) == 30
    assert [row["yuan"] for row in takings if row["orders"] == "1"] == ["9.90", "20.00"]
    assert sum(row["wechat_yuan"] == "9.90" for row in takings) == 1
    opened = [row for row in sheet(owner, "orders") if row["opened"] != "0"]
    assert [(row["paid"], row["paid_percent"]) for row in opened] == [("1", "100.0")] * 2
    assert [(row["paid_within"], row["orders"]) for row in sheet(owner, "waits") if row["orders"] != "0"] == [
        ("20 s", "1"),
        ("45 s", "1"),
    ]
    hours = sheet(owner, "hours")
    assert [row["weekday"] for row in hours] == ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert sum(int(count) for row in hours for name, count in row.items() if name != "weekday") == 2
    assert [(row["account"], row["in_use"], row["offered"]) for row in sheet(owner, "amounts")] == [
        ("ali-main", "0", "101"),
        ("wx-main", "1", "101"),
    ]
    came = [row for row in sheet(owner, "payments") if row["came"] != "0"]
    assert [(row["in_time"], row["reviewed_percent"]) for row in came] == [("1", "0.0")] * 2


def test_a_spreadsheet_follows_the_time_and_the_steps_of_the_page(owner: Owner) -> None:
    assert len(sheet(owner, "takings", days="7")) == 7
    assert len(sheet(owner, "takings", days="365", by="month")) in (12, 13)
    answer = owner.get(f"{PLACE}/takings.csv", days="90", by="week")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="takings-90-days-by-week.csv"'
    assert f"{PLACE}/hours.csv?days=90&amp;by=week&amp;" in owner.get(PLACE, days="90", by="week").text


def test_an_account_with_a_dangerous_name_is_no_formula(owner: Owner) -> None:
    tallies.watch_amounts(owner.world.store, owner.world.clock())
    with owner.world.store.transaction() as db:
        db.run("UPDATE daily_pressure SET account = '=1+1'  WHERE account = 'wx-main'")
    assert "'=1+1" in [row["account"] for row in sheet(owner, "amounts")]


def test_a_table_that_does_not_exist_is_not_found(owner: Owner) -> None:
    answer = owner.client.get(f"{PLACE}/nothing.csv?lang=en")
    assert answer.status_code == 404


def test_an_old_database_says_what_is_not_counted_yet(owner: Owner) -> None:
    sold(owner, "N1", "9.90", 40)
    owner.world.clock.go(20 * DAY_S)
    owner.sign_in()
    assert "The oldest 18 days of this time are still being counted" in owner.see(PLACE)
    while tallies.sum_up(owner.world.store, owner.world.clock()):
        pass
    assert "still being counted" not in owner.see(PLACE)
    assert "Paid 1 100%" in owner.see(PLACE)


def test_strangers_see_no_statistics(owner: Owner) -> None:
    stranger = owner.world.app.test_client()
    for name in plots.TABLES:
        assert stranger.get(f"{PLACE}/{name}.csv").status_code == 303


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (90, "1 min 30 s"), (3600, "1 h"), (7260, "2 h 1 min"), (DAY_S, "1 d"),
     (2 * DAY_S + 3700, "2 d 1 h")],
)  # fmt: skip
def test_times_are_told_in_two_units_at_the_most(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_shares_are_told_in_tenths_of_a_hundredth() -> None:
    assert share(1, 0) is None
    assert [percent(found) for part in (0, 1, 2, 3) if (found := share(part, 3)) is not None] == [
        "0%", "33.3%", "66.6%", "100%",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 7, 30, 90, 365])
def test_however_many_bars_fit_side_by_side(count: int) -> None:
    drawn = bars([100] * count, ["x"] * count, thinned(["l"] * count)).bars
    assert all(bar.width > 0 for bar in drawn)
    assert all(a.x + a.width <= b.x for a, b in pairwise(drawn))
    assert drawn[-1].x + drawn[-1].width <= WIDTH
    assert 1 <= sum(bar.label != "" for bar in drawn) <= 7
    assert drawn[-1].label


@pytest.mark.parametrize("lang", ["zh-CN", "zh-TW"])
def test_the_page_speaks_chinese_too(owner: Owner, lang: str) -> None:
    sold(owner, "N1", "9.90", 40)
    assert "95% 在 42 秒" in owner.see(PLACE, lang=lang)
    assert "2 分" in owner.see(PLACE, lang=lang), "what stands below the bars"
    assert {row["paid_within"] for row in sheet(owner, "waits")} > {"2 min", "> 1 d"}, "spreadsheets stay as they are"


def test_uptime_of_phones_is_told(owner: Owner) -> None:
    world = owner.world
    world.beat()
    for _ in range(6):
        world.clock.go(600)
        world.beat()
    (row,) = sheet(owner, "phones")
    assert (row["phone"], row["absences"], row["day_percent"]) == ("phone", "6", "0.0")
    for _ in range(60):
        world.clock.go(60)
        world.beat()
    (row,) = sheet(owner, "phones")
    assert (row["absences"], row["day_percent"]) == ("6", "50.0")
    assert "Uptime of phones" in owner.see(PLACE)
    assert "phone50%50%50%6" in owner.see(PLACE)
