"""What docs/phones/ tells people to paste works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checkout.monitors import smsforwarder
from checkout.monitors.reading import Verdict, parse_rules, read, shipped_rules
from tests.clients.smsforwarder import ALIPAY

DOCS = Path(__file__).parents[2] / "docs" / "phones"
FENCE = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")


def blocks(name: str, kind: str) -> list[str]:
    return [text for found, text in FENCE.findall((DOCS / name).read_text(encoding="utf-8")) if found == kind]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_template_is_the_one_that_is_printed(language: str) -> None:
    assert [text.strip() for text in blocks(f"smsforwarder.{language}.md", "json")] == [smsforwarder.TEMPLATE]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_examples_of_rules_are_read(language: str) -> None:
    scanned, cashier = (
        shipped_rules().extended_by(parse_rules(text)) for text in blocks(f"reading.{language}.md", "toml")
    )
    assert read(ALIPAY, "收钱码", "张三扫了你的收钱码，到账9.90元", scanned).amount == 990
    assert read(ALIPAY, "收钱码", "张三扫了你的收钱码，到账9.90元", cashier).verdict is not Verdict.RECEIPT
    found = read("com.example.cashier", "收款通知", "微信收款9.90元", cashier)
    assert (found.amount, found.method) == (990, "wechat")


@pytest.mark.parametrize("name", ["smsforwarder", "generic", "vmq-app"])
def test_both_languages_show_the_same_to_paste(name: str) -> None:
    for kind in ("json", "text", "sh"):
        assert blocks(f"{name}.en.md", kind) == blocks(f"{name}.zh.md", kind)
