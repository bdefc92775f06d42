from __future__ import annotations

from checkout.cli.output import when
from tests.cli.conftest import Console


def test_tables_show_beijing_time_whatever_the_zone_of_the_machine() -> None:
    assert when(0) == "1970-01-01 08:00:00"
    assert when(None) == ""


def test_the_commands_of_a_group_stand_in_the_order_of_use_and_none_is_cut_off(co: Console) -> None:
    listed = co("account", "--help").out.partition("Commands:")[2]
    assert [line.split()[0] for line in listed.strip().splitlines()] == ["add", "set", "disable", "enable", "list"]
    assert "..." not in co("device", "--help").out.partition("Commands:")[2]
