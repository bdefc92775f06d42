"""Tables that say what a plot shows: on the page, and as a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from flask import Response

from checkout import exports
from checkout.admin import layout
from checkout.interfaces import Value
from checkout.money import yuan
from checkout.pages.language import beijing, money

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Column:
    """`key` heads it in the spreadsheet, `label` (marked with `N_`) on the page. `kind`: text | day (Unix seconds) |
    number | money (fen) | share (per mille) | wait (seconds). None is an empty cell."""

    key: str
    label: str
    kind: str = "number"

    def shown(self, value: Value) -> str:
        """A cell as people read it."""
        if not isinstance(value, int):
            return value or "–"
        kinds = {"day": lambda: beijing(value)[:10], "money": lambda: money(value), "share": lambda: percent(value)}
        return kinds.get(self.kind, lambda: duration(value) if self.kind == "wait" else f"{value:,}")()

    def plain(self, value: Value) -> Value:
        """A cell as a spreadsheet reads it."""
        if not isinstance(value, int):
            return value
        kinds = {"day": lambda: beijing(value)[:10], "money": lambda: yuan(value), "share": lambda: _tenths(value)}
        return kinds.get(self.kind, lambda: str(value))()


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is its place below the page and in the name of the file; the oldest row first."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]


def csv(table: Table, period: str) -> Response:
    """Streamed, with a byte order mark, safe to open in a spreadsheet."""
    answer = Response((piece.encode() for piece in _pieces(table)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{table.name}-{period}.csv"'
    return layout.sealed(answer)


def share(part: int, whole: int) -> int | None:
    """Per mille, None of nothing."""
    return part * 1000 // whole if whole else None


def percent(per_mille: int) -> str:
    """`12.3 %`, and `100 %` without a useless nought."""
    return f"{_tenths(per_mille).removesuffix('.0')} %"


def duration(seconds: int) -> str:
    """`45 s`, `1 min 30 s`, `2 h`, `3 d 4 h`: two units at the most, in signs that every language reads."""
    for (sign, size), (smaller, piece) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // piece
            return f"{seconds // size} {sign}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def _pieces(table: Table) -> Iterator[str]:
    yield exports.BOM + exports.lines([[column.key for column in table.columns]])
    for row in table.rows:
        yield exports.lines([_plain(table.columns, row)])


def _plain(columns: Iterable[Column], row: Iterable[Value]) -> list[Value]:
    return [column.plain(value) for column, value in zip(columns, row, strict=True)]


def _tenths(per_mille: int) -> str:
    return f"{per_mille // 10}.{per_mille % 10}"
