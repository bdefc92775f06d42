"""Refusals speak the owner's language: every template is a sentence that the rules really say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from flask import Flask

from checkout.admin import words
from checkout.pages import language

SOURCES = Path(words.__file__).resolve().parents[1]
# Put together from pieces where they are said.
COMPOSED = (
    "It must be ", "The notify URL", "The return URL", "This looks like a contact card", "A %(name)s code begins",
)  # fmt: skip


def said() -> list[str]:
    """Every text in the sources, with x for what is filled in."""
    found = []
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.name != "words.py" else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("".join(str(getattr(part, "value", "x")) if isinstance(part, ast.Constant) else "x"
                                     for part in node.values))  # fmt: skip
    return found


def test_every_template_is_still_said_somewhere() -> None:
    texts = said()
    wanted = [template for template in words.SENTENCES if not template.startswith(COMPOSED)]
    lost = [
        template
        for template in wanted
        if not any(re.fullmatch(words._pattern(template), text, re.DOTALL) for text in texts)
    ]
    assert lost == []


@pytest.mark.parametrize("lang", ["zh-CN", "zh-TW"])
def test_every_template_is_translated_with_the_same_gaps(app: Flask, lang: str) -> None:
    with app.test_request_context(f"/?lang={lang}"):
        for template in words.SENTENCES:
            translation = language.translated(template)
            assert translation != template, template
            assert set(re.findall(r"%\(\w+\)s", translation)) <= set(re.findall(r"%\(\w+\)s", template)), template


def test_a_sentence_is_recognised_with_what_is_filled_in(app: Flask) -> None:
    with app.test_request_context("/?lang=zh-CN"):
        found = words.sentence("At most 9.90 of this order can still be refunded.")
        assert found == "这笔订单最多还能退 9.90。"
        assert words.sentence("The two passwords differ.") == "两次输入的密码不一致。"
        assert words.sentence("Something that nobody has translated, 100 %.") == (
            "Something that nobody has translated, 100 %."
        )
        assert words.sentence("A host looks like shop.example.com, not '%(x)s %s'.").endswith("'%(x)s %s'。")
