"""The rules of the house, read from the sources: imports point down only, and each tool has one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ON_BOTH

ROOT = Path(__file__).resolve().parent.parent
# From the ground up; a module imports from its own layer and those above it in this list. A package has one place,
# but for those of its modules that are named.
LAYERS = [
    {"beijing", "client", "errors", "inline", "locks", "log_files", "logs", "money", "places", "records", "toml"}
    | {"server.cpus", "server.crews", "server.process", "server.supervisor"},
    {"grants", "ids", "model", "outbox.events", "qr", "rates", "signing", "xml"},
    {"http", "resources", "server.buffered_socket", "server.framing", "setting_values", "settings"},
    {"channel", "interfaces"},
    {"store"},
    {"api_keys", "idempotency"}
    | {"accounts", "amounts", "audit", "backup", "devices", "exports", "merchants", "orders", "payments"}
    | {"alerts", "outbox"}
    | {"candidates", "checklist", "code_kinds", "importing", "move", "opening", "order_search", "owner"}
    | {"payment_search", "preferences", "presence", "sales", "sessions"}
    | {"catalogue", "claims", "gateways", "merchant_keys", "products", "prompts", "receiving", "refunds"}
    | {"rested", "returns", "scans", "statistics"}
    | {"selling", "settlement", "sharing", "snippets", "strangers", "switching", "tallies"},
    {"chores", "inquiries", "inspection", "worker"}
    | {"outbox.courier", "outbox.dispatcher", "outbox.lanes", "outbox.owing"},
    {"access", "fields", "front", "hosts", "live", "plain", "web"},  # Flask from here on
    {"protocols", "channels", "monitors"},
    {"pages", "admin", "health", "metrics"},
    {"app", "failures"},
    {"doctor", "install", "machine", "server", "upgrade"},
    {"demo"},
    {"cli", "wsgi", "__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FLASK = {"flask", "flask_limiter", "flask_wtf", "werkzeug"}
DATABASE = {"psycopg", "psycopg_pool", "sqlite3", "sqlite_utils"}
NETWORK = {"http.client", "requests", "socket", "urllib.request", "urllib3"}
PURE = {"__future__", "collections", "dataclasses", "enum", "functools", "importlib", "msgspec", "re"}
PURE |= {"tomllib", "typing"}
PURE_OURS = (
    "checkout.errors.", "checkout.money.", "checkout.model.", "checkout.monitors.reading", "checkout.records.",
    "checkout.toml",
)  # fmt: skip
SQL = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|PRAGMA|VACUUM|BEGIN)\s"
    r"|\b(SELECT\s.+\sFROM|(INSERT|REPLACE)\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|ON\s+CONFLICT|RETURNING)\s",
    re.DOTALL,
)


@dataclass(frozen=True)
class Module:
    """A module of ours: `name` without the package in front, such as store.orders."""

    name: str
    source: str

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.source)))

    @cached_property
    def typing_only(self) -> set[int]:
        """Nodes that only a type checker sees."""
        guards = [node for node in self.nodes if isinstance(node, ast.If)]
        guards = [node for node in guards if ast.unparse(node.test).endswith("TYPE_CHECKING")]
        return {id(node) for guard in guards for line in guard.body for node in ast.walk(line)}

    @cached_property
    def docstrings(self) -> set[int]:
        return {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}

    def imports(self, *, types_too: bool = False) -> set[str]:
        """Dotted names of what is imported; those for type checkers only on request."""
        names: set[str] = set()
        for node in self.nodes:
            if id(node) in self.typing_only and not types_too:
                continue
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{self.name}: write imports in full, as `from checkout…`"
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        return names

    def uses(self, tools: set[str]) -> bool:
        return any(name == tool or name.startswith(f"{tool}.") for name in self.imports() for tool in tools)


def modules() -> Iterator[Module]:
    for path in [ROOT / "wsgi.py", *(ROOT / "checkout").rglob("*.py")]:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        name = name.removeprefix("checkout.").removesuffix(".__init__")
        if path.exists() and name != "__init__":
            yield Module(name, path.read_text(encoding="utf-8"))


def ours(module: Module, known: set[str], *, types_too: bool = False) -> set[str]:
    """The modules of ours that it imports: `from checkout.store import orders` is store.orders."""
    names = {name.partition("checkout.")[2] for name in module.imports(types_too=types_too)}
    return {name if name in known else name.rpartition(".")[0] for name in names} - {"", module.name}


def rank(name: str) -> int:
    """Of the module itself where it has a place of its own, else of its package."""
    return RANK.get(".".join(name.split(".")[:2]), RANK.get(name.split(".")[0], len(LAYERS)))


def upward_imports(tree: list[Module]) -> list[str]:
    known = {module.name for module in tree}
    return [
        f"{module.name} imports {name}"
        for module in tree
        for name in sorted(ours(module, known, types_too=True))
        if rank(name) > rank(module.name)
    ]


def cycle(tree: list[Module]) -> list[str]:
    known = {module.name for module in tree}
    try:
        TopologicalSorter({module.name: ours(module, known) for module in tree}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def users(tree: list[Module], tools: set[str], homes: set[str]) -> list[str]:
    return [module.name for module in tree if module.layer not in homes and module.uses(tools)]


def float_calls(tree: list[Module]) -> list[str]:
    return [
        f"{module.name}:{node.lineno}"
        for module in tree
        for node in module.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]


def sql_texts(tree: list[Module]) -> list[str]:
    return sorted(
        f"{module.name}:{node.lineno}"
        for module in tree
        if module.layer != "store"
        for node in module.nodes
        if isinstance(node, ast.Constant) and id(node) not in module.docstrings
        if SQL.search(str(node.value))
    )


def owners_places(tree: list[Module]) -> list[str]:
    """Where the path of the owner's pages is written instead of imported."""
    return sorted(
        f"{module.name}:{node.lineno}"
        for module in tree
        if module.name != "places"
        for node in module.nodes
        if isinstance(node, ast.Constant) and id(node) not in module.docstrings
        if re.search(r"(?<!\w)/admin\b", str(node.value))
    )


def impure(tree: list[Module]) -> list[str]:
    """Modules that read notifications and import more than turning text into an amount needs."""
    return [
        f"{module.name} imports {name}"
        for module in tree
        if module.name.startswith("monitors.reading")
        for name in module.imports()
        if name.split(".")[0] not in PURE and not f"{name}.".startswith(PURE_OURS)
    ]


@pytest.fixture(scope="module")
def tree() -> list[Module]:
    return list(modules())


def test_every_module_has_a_layer(tree: list[Module]) -> None:
    homeless = {module.layer for module in tree} - set(RANK)
    assert not homeless, "give them a place in LAYERS"


def test_imports_point_down(tree: list[Module]) -> None:
    assert upward_imports(tree) == []


def test_no_module_imports_itself_through_others(tree: list[Module]) -> None:
    assert cycle(tree) == []


def test_flask_ends_at_web(tree: list[Module]) -> None:
    below = {name for name, rank in RANK.items() if rank < RANK["web"]}
    assert users([module for module in tree if module.layer in below], FLASK, set()) == []


def test_only_the_store_knows_databases(tree: list[Module]) -> None:
    assert users(tree, DATABASE, {"store"}) == []
    assert sql_texts(tree) == []


def test_only_http_talks_to_the_network(tree: list[Module]) -> None:
    assert users(tree, NETWORK, {"client", "http", "server"}) == []


def test_nothing_becomes_a_float(tree: list[Module]) -> None:
    assert float_calls(tree) == []


def test_reading_notifications_is_pure(tree: list[Module]) -> None:
    assert impure(tree) == []


def test_the_owners_place_is_written_once(tree: list[Module]) -> None:
    assert owners_places(tree) == []


# The rules themselves: each must find its fault.


def test_each_module_that_is_to_be_tested_on_both_databases_is_there() -> None:
    assert [name for name in sorted(ON_BOTH) if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []


def test_an_upward_import_is_found_in_every_spelling() -> None:
    web = Module("web", "")
    for line in ("import checkout.web", "from checkout import web", "from checkout.web import parts"):
        assert upward_imports([Module("orders", f"def f():\n    {line}"), web]) == ["orders imports web"]
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from checkout.web import parts"
    assert upward_imports([Module("orders", guarded), web]) == ["orders imports web"]
    assert upward_imports([Module("web", "from checkout import orders"), Module("orders", "")]) == []


def test_a_circle_is_found() -> None:
    orders = Module("orders", "from checkout import payments")
    assert cycle([orders, Module("payments", "from checkout.orders import close")])
    assert not cycle([orders, Module("payments", "")])


def test_a_tool_outside_its_place_is_found() -> None:
    for line in ("import sqlite3", "from sqlite3 import Row", "import sqlite_utils.db"):
        assert users([Module("orders", line)], DATABASE, {"store"}) == ["orders"]
        assert users([Module("store.orders", line)], DATABASE, {"store"}) == []
    assert users([Module("orders", "from urllib import request")], NETWORK, set()) == ["orders"]
    assert users([Module("orders", "from urllib.parse import quote")], NETWORK, set()) == []


def test_sql_and_floats_are_found() -> None:
    lines = ["x = f'SELECT {y} FROM orders'", "z = 'a UPDATE orders SET b = 1'", "'''DELETE FROM x'''"]
    assert sql_texts([Module("orders", "\n".join(lines))]) == ["orders:1", "orders:2"]
    assert sql_texts([Module("orders", "x = 'Select one from the list, then delete it.'")]) == []
    assert float_calls([Module("orders", "x: float = 1\ny = float('1e3')")]) == ["orders:2"]


def test_an_impure_reader_is_found() -> None:
    assert impure([Module("monitors.reading", "import time")])
    assert impure([Module("monitors.reading_text", "from checkout import store")])
    assert impure([Module("monitors.reading", "from checkout.monitors import vmq_app")])
    assert not impure([Module("monitors.reading", "import re\nfrom checkout.monitors.reading_text import fold")])


def test_a_second_owners_place_is_found() -> None:
    lines = ["x = f'{base}/admin/first'", "y = rb'[^ ]*/admin/'", "'''below /admin'''", "z = 'admin/order.html'"]
    assert owners_places([Module("orders", "\n".join(lines))]) == ["orders:1", "orders:2"]
