"""What our records promise: nobody changes one that somebody else holds."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from msgspec import Struct

import checkout

# Filled in while a form, or another program's database, is read.
GROWING = {"checkout.admin.forms.Form", "checkout.importing.report.Report"}


def records(kind: type[Struct] = Struct) -> Iterator[type[Struct]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("checkout."):
            yield one
        yield from records(one)


def test_no_record_can_be_changed_but_what_grows_while_something_is_read() -> None:
    for module in pkgutil.walk_packages(checkout.__path__, "checkout."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    changeable = {f"{one.__module__}.{one.__name__}" for one in records() if not one.__struct_config__.frozen}
    assert changeable == GROWING
