"""The commands of README and docs/ do what the pages say: each page's are typed in order, on a database of its own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout import qr
from tests.cli.conftest import Console, co
from tests.test_docs import commands_said, until_the_shell

__all__ = ["co"]

ROAD = (
    "account add wx-main --method wechat --code wxp://f2f0abcdefghijklmnopqrstuvwxyz",
    'merchant add "My shop" --notify-url https://shop.example.com/notify',
    "device add phone-1",
)
SAMPLES = {"/tmp/wechat.png": "wechat.png", "/var/lib/checkout/": ""}  # noqa: S108 - words of the pages
# What a reader has to have beside Checkout: gateways, other servers, files and ids of their own. The doctor would call
# the shops of the examples.
ELSEWHERE = re.compile(
    r"doctor|official|routing|postgresql|(alert|webhook) test|--channel|rules remove|my-rules|shop_public|checkout-2026"
)
PLACEHOLDER = re.compile(r"\b(TOKEN|PAYMENT|CLAIM|ID|FILE)\b|…")


def pages() -> dict[str, list[str]]:
    """The commands of each page that can be typed as they stand."""
    said = ((one.page, one.line) for one in commands_said() if one.whole)
    found: dict[str, list[str]] = {}
    for page, line in said:
        if can_be_typed(page, line):
            found.setdefault(page, []).append(line)
    return found


def can_be_typed(page: str, line: str) -> bool:
    return not ELSEWHERE.search(f"{page} {line}") and not PLACEHOLDER.search(line)


@pytest.mark.parametrize("page", pages())
def test_the_commands_of_a_page_work_in_the_order_in_which_they_stand(
    page: str, co: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wechat.png").write_bytes(qr.png("wxp://f2f0abcdefghijklmnopqrstuvwxyz"))
    lines = pages()[page]
    for line in before(lines):
        assert co(*shlex.split(line)).code == 0
    for line in lines:
        result = co(*words(line))
        assert result.code == 0, (line, result.err)


def before(lines: list[str]) -> Iterator[str]:
    """The road so far, but for what the page itself adds."""
    added = {tuple(line.split()[1:4]) for line in lines}
    return (line for line in ROAD if tuple(line.split()[:3]) not in added)


def words(line: str) -> list[str]:
    for example, own in SAMPLES.items():
        line = line.replace(example, own)
    return list(until_the_shell(shlex.split(line, comments=True)))[1:]


def test_the_roads_are_there() -> None:
    found = pages()
    for page in ("README.md", "docs/deploy.zh.md", "docs/static-sites.en.md", "docs/dialects/epay.zh.md"):
        assert page in found
