"""Rows to records and back: the columns of a table are the fields of its class, in the same order."""

from __future__ import annotations

from enum import Enum
from functools import cache

from msgspec import Struct
from msgspec.structs import asdict

from checkout.interfaces import Value

_PLAIN = frozenset({str, int, type(None)})


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
    return {name: value if type(value) in _PLAIN else _plain(value) for name, value in asdict(thing).items()}


def _plain(value: object) -> Value:
    if isinstance(value, bool):
        return int(value)
    assert isinstance(value, Enum)
    return str(value.value)
