"""The command line in this process, on a database of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checkout.cli import main
from checkout.cli.desk import Desk
from tests.world import FakeClock


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """All of stdout as one JSON value."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass
class Console:
    """Calls commands one after the other, as a person would; each opens the database anew."""

    folder: Path
    database: str
    clock: FakeClock
    read: Callable[[], tuple[str, str]]
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str) -> Result:
        desk = Desk({"CHECKOUT_DATABASE": self.database, **self.environ}, self.folder, self.clock)
        code = 0
        try:
            main(list(arguments), desk)
        except SystemExit as end:
            code = int(end.code or 0)
        return Result(code, *self.read())

    def json(self, *arguments: str) -> Any:
        return self(*arguments, "--json").json

    def refused(self, *arguments: str) -> str:
        """The one sentence of a command that is refused."""
        result = self(*arguments)
        assert result.code == 1, result
        assert result.out == ""
        assert result.err.startswith("checkout: ")
        assert result.err.count("\n") == 1
        return result.err.removeprefix("checkout: ").strip()


@pytest.fixture
def co(tmp_path: Path, database: str, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> Console:
    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    environ = {"CHECKOUT_SECRET": "s" * 64} if "://" in database else {}
    return Console(tmp_path, database, clock, read, environ)


@pytest.fixture
def shop(co: Console) -> Console:
    """One merchant, one account for each method, one phone."""
    co("merchant", "add", "Shop", "--notify-url", "https://shop.example/notify")
    co("account", "add", "wx-main", "--method", "wechat", "--code", "wxp://f2f0wechat")
    co("account", "add", "ali-main", "--method", "alipay", "--code", "https://qr.alipay.com/fkx")
    co("device", "add", "phone")
    return co
