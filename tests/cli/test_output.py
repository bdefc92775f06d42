from __future__ import annotations

from checkout.cli.output import when


def test_tables_show_beijing_time_whatever_the_zone_of_the_machine() -> None:
    assert when(0) == "1970-01-01 08:00:00"
    assert when(None) == ""
