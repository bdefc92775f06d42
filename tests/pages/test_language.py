"""The language of a page, and money in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import render_template_string
from msgspec.structs import replace

from checkout.pages.language import of_tag
from tests.pages.shop import opened
from tests.world import World

CATALOGUES = Path(__file__).resolve().parents[2] / "translations"


@pytest.mark.parametrize(
    ("tag", "ours"),
    [
        ("zh", "zh-CN"), ("zh-CN", "zh-CN"), ("zh-SG", "zh-CN"), ("zh-Hans-CN", "zh-CN"), ("zh-TW", "zh-TW"),
        ("zh-HK", "zh-TW"), ("zh-Hant", "zh-TW"), ("zh_TW", "zh-TW"), ("en", "en"), ("en-GB", "en"), ("EN", "en"),
        ("fr", ""), ("", ""), ("*", ""), ("english", ""), ("zhx", ""),
    ],
)  # fmt: skip
def test_language_tags_lead_to_one_of_three_languages(tag: str, ours: str) -> None:
    assert of_tag(tag) == ours


@pytest.mark.parametrize(
    ("query", "header", "lang"),
    [
        ("", "en-US,en;q=0.9", "en"),
        ("", "zh-TW,zh;q=0.8,en;q=0.5", "zh-TW"),
        ("", "zh-CN,zh;q=0.9", "zh-CN"),
        ("", "fr-FR,fr;q=0.9,en;q=0.2", "en"),
        ("", "de", "zh-CN"),
        ("", "en;q=0, zh-TW;q=0.1", "zh-TW"),
        ("", "", "zh-CN"),
        ("", ";;;q=x,,", "zh-CN"),
        ("?lang=en", "zh-CN", "en"),
        ("?lang=zh-HK", "en", "zh-TW"),
        ("?lang=xx", "en", "en"),
    ],
)
def test_the_address_comes_before_the_browser_and_the_browser_before_the_setting(
    world: World, query: str, header: str, lang: str
) -> None:
    html = world.client.get(f"/pay/{opened(world).token}{query}", headers={"Accept-Language": header}).text
    assert f'<html lang="{lang}">' in html


def test_the_owners_language_serves_browsers_without_one(world: World) -> None:
    parts = world.parts
    world.app.extensions["checkout"] = replace(parts, settings=replace(parts.settings, language="en"))
    assert '<html lang="en">' in world.client.get("/").text


@pytest.mark.parametrize(
    ("lang", "texts"),
    [
        ("zh-CN", ["支付 ¥9.90 · Checkout", "<small>¥</small>9<b>.90</b>", "用微信扫一扫，输入 ¥9.90", "剩余时间"]),
        ("zh-TW", ["支付 ¥9.90 · Checkout", "用微信掃一掃，輸入 ¥9.90", "剩餘時間"]),
        ("en", ["Pay CN¥9.90 · Checkout", "<small>CN¥</small>9<b>.90</b>", "Scan with WeChat, enter CN¥9.90"]),
    ],
)
def test_texts_and_money_are_the_languages_own(world: World, lang: str, texts: list[str]) -> None:
    html = world.client.get(f"/pay/{opened(world).token}?lang={lang}").text
    for text in texts:
        assert text in html


def test_values_in_texts_are_escaped_and_percent_signs_are_written_twice(world: World) -> None:
    texts = """{{ _("<b>%(name)s</b> owes 5 %%", name=name) }} {{ _("5 %%") }} {{ _("Paid") }}"""
    with world.app.test_request_context("/?lang=zh-CN"):
        assert render_template_string(texts, name="<i>") == "<b>&lt;i&gt;</b> owes 5 % 5 % 已付款"
    with world.app.test_request_context("/?lang=en"):
        assert render_template_string(texts, name="%(x)s") == "<b>%(x)s</b> owes 5 % 5 % Paid"


@pytest.mark.parametrize("language", ["zh_CN", "zh_TW"])
def test_no_text_is_left_untranslated(language: str) -> None:
    with (CATALOGUES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file)
    empty = [message.id for message in catalogue if not message.string or not all(message.string)]
    assert empty == []


@pytest.mark.parametrize("language", ["zh_CN", "zh_TW"])
def test_translations_keep_the_placeholders(language: str) -> None:
    with (CATALOGUES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        faults = [(message.id, error) for message, errors in read_po(file).check() for error in errors]
    assert faults == []


@pytest.mark.parametrize("language", ["zh_CN", "zh_TW", "en"])
def test_translations_take_their_values(language: str) -> None:
    """A single `%` before a letter fails only on the page that shows the text."""
    with (CATALOGUES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        for message in read_po(file, locale=language):
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            for text in filter(None, texts if message.id and message.python_format else ()):
                assert str(text) % dict.fromkeys(re.findall(r"%\((\w+)\)", str(text)), 1)


def test_a_tree_that_nobody_has_compiled_speaks_chinese_all_the_same(tmp_path: Path) -> None:
    for name in ("checkout", "templates", "static", "translations"):
        ignored = shutil.ignore_patterns("*.mo", "__pycache__")
        shutil.copytree(CATALOGUES.parent / name, tmp_path / name, ignore=ignored)
    asked = "from checkout.pages.language import _catalogue; print(_catalogue('zh-CN').gettext('Paid'))"
    done = subprocess.run([sys.executable, "-P", "-c", asked], env={"PYTHONPATH": str(tmp_path)}, capture_output=True)
    assert done.stdout.decode().strip() == "已付款", done.stderr.decode()
