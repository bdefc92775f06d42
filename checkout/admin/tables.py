"""Tables that say what a plot shows: on the page, and as a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from flask import Response
from msgspec import Struct

from checkout import exports
from checkout.admin import layout
from checkout.interfaces import Value
from checkout.money import yuan
from checkout.pages.language import N_, beijing, money, translated

_UNITS = ((N_("d"), 86_400), (N_("h"), 3600), (N_("min"), 60), (N_("s"), 1))


class Column(Struct, frozen=True):
    """`key` heads it in the spreadsheet, `label` (marked with `N_`) on the page. `kind`: text | day (Unix seconds) |
    number | money (fen) | share (per mille) | time (as `duration` writes it). None is an empty cell."""

    key: str
    label: str
    kind: str = "number"

    def shown(self, value: Value) -> str:
        """A cell as people read it."""
        if not isinstance(value, int):
            return (localised(value) if self.kind == "time" else value) if value else "–"
        if self.kind == "number":
            return f"{value:,}"
        if self.kind == "money":
            return money(value)
        if self.kind == "share":
            return percent(value)
        return beijing(value)[:10]

    def plain(self, value: Value) -> Value:
        """A cell as a spreadsheet reads it."""
        if not isinstance(value, int):
            return value
        if self.kind == "money":
            return yuan(value)
        if self.kind == "share":
            return _tenths(value)
        return beijing(value)[:10] if self.kind == "day" else str(value)


class Table(Struct, frozen=True):
    """`name` is its place below the page and in the name of the file; the oldest row first."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def lines(self) -> list[list[tuple[str, str, str]]]:
        """(label, class, text) of each cell, as people read them."""
        heads = [(*self.head(column), column.shown) for column in self.columns]
        return [
            [(label, style, shown(value)) for (label, style, shown), value in zip(heads, row, strict=True)]
            for row in self.rows
        ]

    def head(self, column: Column) -> tuple[str, str]:
        """(label, class) of a column."""
        style = {"text": "", "time": "", "day": "number"}.get(column.kind, "end number")
        return translated(column.label) if column.label else "", style


def csv(table: Table, period: str) -> Response:
    """Streamed, with a byte order mark, safe to open in a spreadsheet."""
    answer = Response((piece.encode() for piece in _pieces(table)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{table.name}-{period}.csv"'
    return layout.sealed(answer)


def share(part: int, whole: int) -> int | None:
    """Per mille, None of nothing."""
    return part * 1000 // whole if whole else None


def percent(per_mille: int) -> str:
    """`12.3%`, and `100%` without a useless nought."""
    return f"{_tenths(per_mille).removesuffix('.0')}%"


def duration(seconds: int) -> str:
    """`45 s`, `1 min 30 s`, `2 h`, `3 d 4 h`: two units at the most, as spreadsheets have it in every language."""
    for (sign, size), (smaller, piece) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // piece
            return f"{seconds // size} {sign}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def lasting(seconds: int) -> str:
    """The same in the owner's words: `1 分 30 秒`."""
    return localised(duration(seconds))


def localised(duration: str) -> str:
    signs = {sign for sign, _ in _UNITS}
    return " ".join(translated(word) if word in signs else word for word in duration.split(" "))


def _pieces(table: Table) -> Iterator[str]:
    yield exports.BOM + exports.lines([[column.key for column in table.columns]])
    for row in table.rows:
        yield exports.lines([_plain(table.columns, row)])


def _plain(columns: Iterable[Column], row: Iterable[Value]) -> list[Value]:
    return [column.plain(value) for column, value in zip(columns, row, strict=True)]


def _tenths(per_mille: int) -> str:
    return f"{per_mille // 10}.{per_mille % 10}"
