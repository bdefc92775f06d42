"""Refusals speak the owner's language: every template is a sentence that the rules really say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from flask import Flask

from checkout.admin import words
from checkout.admin.instead import INSTEAD
from checkout.pages import language

SOURCES = Path(words.__file__).resolve().parents[1]
OURS = ("instead.py", "words.py")
COMMAND = re.compile(r"[:(] ?checkout [a-z]+|--[a-z]|`")
# Nothing here is called by the owner's pages.
ELSEWHERE = {"backup", "install", "machine", "move", "process", "serve", "upgrade"}
# Put together from pieces where they are said.
COMPOSED = (
    "It must be ", "The notify URL", "The return URL", "This looks like a contact card", "A %(name)s code begins",
)  # fmt: skip


def refusals() -> list[str]:
    """What the rules that the pages call refuse with, as `said`."""
    found = []
    for path in SOURCES.glob("*.py"):
        if path.stem not in ELSEWHERE:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refusal":
                    found += [text(argument) for argument in node.args[1:2]]
    return found


def said() -> list[str]:
    """Every text in the sources, with x for what is filled in."""
    found = []
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.name not in OURS else ():
            if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                found.append(text(node))
    return found


def text(node: ast.AST) -> str:
    """A text or an f-string, with x for what is filled in; "" for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def test_every_template_is_still_said_somewhere() -> None:
    texts = said()
    wanted = [template for template in (*INSTEAD, *words.SENTENCES) if not template.startswith(COMPOSED)]
    lost = [
        template
        for template in wanted
        if not any(re.fullmatch(words._pattern(template), text, re.DOTALL) for text in texts)
    ]
    assert lost == []


def test_nothing_that_these_pages_say_names_a_command() -> None:
    assert [text for text in (*INSTEAD.values(), *words.SENTENCES) if COMMAND.search(text)] == []


def test_what_the_rules_say_with_a_command_is_said_here_without_it() -> None:
    patterns = [re.compile(words._pattern(template), re.DOTALL) for template in INSTEAD]
    named = [text for text in refusals() if COMMAND.search(text)]
    assert len(named) > 15
    whole = [text for text in named if not text.startswith("x:")]  # its beginnings stand in INSTEAD
    assert [text for text in whole if not any(pattern.fullmatch(text) for pattern in patterns)] == []


@pytest.mark.parametrize("lang", ["zh-CN", "zh-TW"])
def test_every_template_is_translated_with_the_same_gaps(app: Flask, lang: str) -> None:
    with app.test_request_context(f"/?lang={lang}"):
        for template in (*INSTEAD.values(), *words.SENTENCES):
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
