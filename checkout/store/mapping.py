"""Rows to dataclasses and back: the columns of a table are the fields of its class, in the same order."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from checkout.interfaces import Value

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def columns(cls: type[DataclassInstance], table: str = "") -> str:
    """`a, b, "offset"` for a SELECT, each with the table's name in front where one is given."""
    prefix = f"{table}." if table else ""
    return ", ".join(f'{prefix}"{field.name}"' for field in fields(cls))


@cache
def insert(cls: type[DataclassInstance], table: str) -> str:
    """`INSERT INTO table (…) VALUES (:…)` for every field."""
    names = [field.name for field in fields(cls)]
    listed = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({listed}) VALUES ({', '.join(':' + name for name in names)})"


def values(thing: DataclassInstance) -> dict[str, Value]:
    """The fields by name as the database takes them."""
    return {name: _plain(getattr(thing, name)) for name in _names(type(thing))}


@cache
def _names(cls: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def _plain(value: object) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Enum):
        return str(value.value)
    assert value is None or isinstance(value, int | str)
    return value
