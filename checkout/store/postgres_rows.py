"""Statements on a line to PostgreSQL: `:name` is written as psycopg wants it, what fails is said in our words."""

from __future__ import annotations

import re
from functools import cache

import psycopg

from checkout.errors import StoreError
from checkout.interfaces import Row, Value
from checkout.store.lines import Line, Lines
from checkout.store.postgres_errors import Silent, in_our_words

_TOKENS = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|::|:([a-z_][a-z0-9_]*)|%")


class LineRows:
    """`Rows` over one line."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def all(self, sql: str, /, **values: Value) -> list[Row]:
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, /, **values: Value) -> Row | None:
        return self._execute(sql, values).fetchone()

    def run(self, sql: str, /, **values: Value) -> int:
        return self._execute(sql, values).rowcount

    def _execute(self, sql: str, values: dict[str, Value]) -> psycopg.Cursor[Row]:
        with in_our_words():
            return self._line.execute(placed(sql), values)


class ReadingRows(LineRows):
    """Each statement stands alone, so one whose connection was lost (a restart of the server) is asked once more."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines.reading.take())
        self._lines = lines

    def give_back(self) -> None:
        self._lines.reading.give(self._line)

    def _execute(self, sql: str, values: dict[str, Value]) -> psycopg.Cursor[Row]:
        try:
            return super()._execute(sql, values)
        except StoreError as error:
            if not self._line.closed or isinstance(error.__cause__, Silent):
                raise
        self._line = self._lines.to_read()
        return super()._execute(sql, values)


@cache
def placed(sql: str) -> bytes:
    """`:name` as psycopg writes it; texts, names in quotes and casts stay as they are."""
    return _TOKENS.sub(_place, sql).encode()


def _place(found: re.Match[str]) -> str:
    name = found[1]
    return f"%({name})s" if name else found[0].replace("%", "%%")
