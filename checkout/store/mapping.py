"""Rows to records and back: the columns of a table are the fields of its class, in the same order."""

from __future__ import annotations

from enum import Enum
from functools import cache

from msgspec import Struct

from checkout.interfaces import Value


def columns(cls: type[Struct], table: str = "") -> str:
    """`a, b, "offset"` for a SELECT, each with the table's name in front where one is given."""
    prefix = f"{table}." if table else ""
    return ", ".join(f'{prefix}"{name}"' for name in cls.__struct_fields__)


@cache
def insert(cls: type[Struct], table: str) -> str:
    """`INSERT INTO table (…) VALUES (:…)` for every field."""
    names = cls.__struct_fields__
    listed = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({listed}) VALUES ({', '.join(':' + name for name in names)})"


def values(thing: Struct) -> dict[str, Value]:
    """The fields by name as the database takes them."""
    return {name: _plain(getattr(thing, name)) for name in thing.__struct_fields__}


def _plain(value: object) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Enum):
        return str(value.value)
    assert value is None or isinstance(value, int | str)
    return value
