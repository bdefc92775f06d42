"""ARCHITECTURE.md and CONTRIBUTING.md lead to what is there: each file, and each function that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Where short names are at home: `messages.beat` in the recipe for monitors, `dispatcher.at_once` of `Dispatcher`.
PACKAGES = ("checkout", "checkout.monitors", "checkout.channels", "checkout.outbox")
EXAMPLES = {"dialect.callback", "name.en.md", "name.zh.md", "translations/fr/LC_MESSAGES/messages.po"}
BUILT = {"dist/notes.md", "dist/site"}  # by commands, perhaps never here
PATH = re.compile(r"(?:[a-z_]+/)+[\w.-]+|[a-z_]+\.(?:py|toml|md|html)")
NAME = re.compile(r"[a-z_0-9]+(?:\.\w+)+")


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_and_function_that_the_map_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`([^`\n]+)`", text)) - EXAMPLES - BUILT
    paths = {name for name in named if PATH.fullmatch(name)}
    functions = {name.removeprefix("checkout.") for name in named - paths if NAME.fullmatch(name)}
    assert len(paths) > 10
    assert len(functions) > 5
    assert sorted(name for name in paths if not any(exists(name))) == []
    assert sorted(name for name in functions if not any(resolves(name))) == []


def exists(path: str) -> Iterator[bool]:
    for folder in ("", "checkout", "checkout/protocols", "checkout/monitors", "docs", "templates"):
        yield (ROOT / folder / path).exists()


def resolves(name: str) -> Iterator[bool]:
    module, *rest = name.split(".")
    for package in PACKAGES:
        if find_spec(f"{package}.{module}"):
            yield from leads_on(import_module(f"{package}.{module}"), module, rest)


def leads_on(module: Any, name: str, rest: list[str]) -> Iterator[bool]:
    for start in (module, getattr(module, name.title(), None)):
        yield reduce(lambda place, step: place and within(place, step), rest, start) is not None


def within(place: Any, step: str) -> Any:
    if hasattr(place, "__path__") and find_spec(f"{place.__name__}.{step}"):
        return import_module(f"{place.__name__}.{step}")
    return getattr(place, step, None)
