"""Whatever strangers write: an amount is the true one or none, and no receipt phrase means no money."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from checkout.monitors import reading_rules, reading_text
from checkout.monitors.reading import Verdict, explain, parse_rules, read, shipped_rules
from checkout.monitors.reading_text import MAX_TEXT, Template, fold

WECHAT, ALIPAY = "com.tencent.mm", "com.eg.android.AlipayGphone"
OWN = """
version = "own"
[[rule]]
id = "own-memo"
app = "alipay"
text = "收到来自{payer}的收款{amount}元,附言:{memo}。完毕"
[[rule]]
id = "own-memo-only"
app = "wechat"
text = "收款到账{amount}元(留言:{memo})"
tails = ["。点击查看"]
[[rule]]
id = "own-number"
app = "alipay"
text = "{payer}到账¥{amount},已存入"
"""
RULES = shipped_rules().extended_by(parse_rules(OWN))
SOURCE = tomllib.loads(resources.files("checkout.monitors").joinpath("reading_rules.toml").read_text("utf-8"))
APPS = {app.id: app for app in RULES.apps}
TITLES = sorted({title for app in RULES.apps for title in (*app.titles, *app.alone)})


def receipts() -> Iterator[tuple[dict[str, Any], str, str]]:
    """Every sentence of every receipt rule, the owner's too: the rule, the sentence, a title for it."""
    for rule in SOURCE["rule"] + tomllib.loads(OWN)["rule"]:
        if rule.get("verdict", "receipt") == "receipt":
            for tail in ("", *rule.get("tails", ())):
                sentence = rule.get("title", rule.get("text")) + tail
                yield rule, sentence, (rule.get("titles") or APPS[rule["app"]].titles)[0]


RECEIPTS = list(receipts())
amounts = st.one_of(st.integers(1, 999_999_999), st.integers(1, 2000))


@st.composite
def numbers(draw: st.DrawFn, fen: int) -> str:
    """An amount as the apps may write it: with commas or not, in full-width digits or not."""
    plain = f"{fen // 100:,}.{fen % 100:02d}" if draw(st.booleans()) else f"{fen // 100}.{fen % 100:02d}"
    wide = plain.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789.,"})
    return wide if draw(st.integers(0, 4)) == 0 else plain


@st.composite
def pieces(draw: st.DrawFn) -> str:
    """A part of a nasty name: a phrase, a sentence of the rules with another amount, or punctuation."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(st.sampled_from([*RULES.receipt, *RULES.outgoing, *RULES.labels, *TITLES]))
    if kind == 1:
        sentence: str = draw(st.sampled_from(RECEIPTS))[1]
        for hole in ("{payer}", "{memo}"):
            sentence = sentence.replace(hole, draw(st.sampled_from(["", "x", "张三"])))
        return sentence.replace("{amount}", draw(numbers(draw(amounts))))
    if kind == 2:
        return draw(st.sampled_from(["元", "¥", "￥", "。", "(", ")", ",", ".", " ", "\n", "[3条]", "："]))
    if kind == 3:
        return draw(numbers(draw(amounts)))
    return draw(st.text(max_size=8))


names = st.one_of(st.text(max_size=30), st.lists(pieces(), max_size=6).map("".join))


@settings(max_examples=600, deadline=None)
@given(st.data(), st.sampled_from(RECEIPTS), amounts, names, names)
def test_no_name_and_no_memo_changes_the_amount(
    data: st.DataObject, receipt: tuple[dict[str, Any], str, str], amount: int, payer: str, memo: str
) -> None:
    rule, sentence, title = receipt
    number = data.draw(numbers(amount))
    text = sentence.replace("{amount}", number).replace("{payer}", payer, 1).replace("{memo}", memo, 1)
    if "title" in rule:
        found = read(ALIPAY, text, "已转入余额 立即查看>>", RULES)
    else:
        found = read(APPS[rule["app"]].packages[0], title, text, RULES)
    assert found.verdict in {Verdict.RECEIPT, Verdict.UNREADABLE}
    assert found.amount in {None, amount}
    if "{payer}" not in sentence and "{memo}" not in sentence:
        assert found.amount == amount


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40), amounts, st.data())
def test_an_innocent_name_hides_no_receipt(name: str, amount: int, data: st.DataObject) -> None:
    assume(":" not in fold(name))
    assume(not any(phrase in fold(name) for phrase in RULES.receipt + RULES.outgoing + RULES.labels))
    text = f"{name}通过扫码向你付款{data.draw(numbers(amount))}元"
    assert read(ALIPAY, "收钱码", text, RULES).amount == amount


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(["", WECHAT, ALIPAY, "com.tencent.wework", "com.example"]),
    st.one_of(st.sampled_from(TITLES), names),
    st.one_of(names, st.lists(pieces(), max_size=9).map("".join)),
)
def test_money_only_comes_from_a_receipt_phrase_with_a_number_behind_it(package: str, title: str, text: str) -> None:
    found = read(package, title, text, RULES)
    assert (found.amount is not None) == (found.verdict is Verdict.RECEIPT)
    if found.amount is not None:
        behind = "|".join(map(re.escape, RULES.receipt))
        assert re.search(f"(?:{behind})[ ¥]*[0-9]", fold(f"{title}\n{text}"))
        assert 0 < found.amount <= 999_999_999
    assert all(line.isprintable() for line in explain(package, title, text, RULES))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(TITLES),
    names,
    st.sampled_from(["请求添加你为朋友", "给你发来一个红包", "已成功向你转了1笔钱", "赞了你", "的订单已取消"]),
    st.sampled_from(["", WECHAT, ALIPAY]),
)
def test_a_sentence_that_is_not_known_and_begins_with_a_name_makes_no_money(
    title: str, name: str, rest: str, package: str
) -> None:
    assert read(package, title, name + rest, RULES).amount is None


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(TITLES),
    names,
    st.sampled_from(["张三：", "你收到一笔转账，来自", "退款成功，对方", "付款人", "你已成功向", "今日收入来自"]),
    st.sampled_from(["", WECHAT, ALIPAY]),
)
def test_a_sentence_that_is_not_known_and_ends_with_a_name_makes_no_money(
    title: str, name: str, start: str, package: str
) -> None:
    assert read(package, title, start + name, RULES).amount is None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RECEIPTS), amounts, st.integers(1, 9999), st.sampled_from([" ", "\n", "\u3000", "\u00a0"]))
def test_spaces_and_counts_keep_the_amount(
    receipt: tuple[dict[str, Any], str, str], amount: int, count: int, space: str
) -> None:
    rule, sentence, title = receipt
    assume("text" in rule)
    spaced = f"{space}{amount // 100:,}.{amount % 100:02d}{space * 2}"
    text = sentence.replace("{amount}", spaced).replace("{payer}", "张三").replace("{memo}", "两件")
    package = APPS[rule["app"]].packages[0]
    for start in ("", f"[{count}条]", f"[{count}条]{title}: ", f"{space}[{count}条]{space}{title}："):
        assert read(package, title, f"{start}{text}{space}", RULES).amount == amount


# Time


def patterns() -> Iterator[str]:
    for rule in RULES.rules:
        if rule.template.core:
            yield rule.template.core.pattern
    yield reading_rules.claim_of(RULES.receipt).pattern
    for value in vars(reading_text).values():
        if isinstance(value, re.Pattern) and value is not reading_text._SHAPE:  # that one reads rules only
            yield value.pattern


def test_no_pattern_repeats_without_a_small_bound() -> None:
    for pattern in patterns():
        bare = re.sub(r"\\.", "", pattern)
        bare = re.sub(r"\[[^]]*\]", "x", bare)
        assert not re.search(r"[*+]|\{[0-9]*,\}", bare), pattern
        assert all(int(most) <= 24 for most in re.findall(r"\{[0-9]+,([0-9]+)\}", bare)), pattern


@pytest.mark.parametrize("size", [MAX_TEXT, 10_000, 100_000])
@pytest.mark.parametrize(
    "unit",
    [
        "收款",
        "收款1",
        "收款1.00元",
        "向你付款0.01元",
        "通过扫码向你付款",
        "1",
        "1,",
        " ",
        "[3条]",
        "付",
        "\x00",
        "(",
    ],
)
def test_only_the_length_of_a_notification_is_searched_for_amounts(
    size: int, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    around, claims = Template._around, reading_rules.Rules.claims

    def counted(self: Template, core: re.Pattern[str], text: str) -> Iterator[reading_text.Fit]:
        seen.append(len(text))
        return around(self, core, text)

    def counted_claims(self: reading_rules.Rules, text: str) -> Iterator[re.Match[str]]:
        seen.append(len(text))
        return claims(self, text)

    monkeypatch.setattr(Template, "_around", counted)
    monkeypatch.setattr(reading_rules.Rules, "claims", counted_claims)
    text = unit * (size // len(unit))
    assert read(ALIPAY, "收钱码", text, RULES).amount is None
    assert read("", text, text, RULES).amount is None
    assert read(WECHAT, "微信支付", text + "微信支付收款1.00元", RULES).amount is None or not text.strip()
    assert read(ALIPAY, "你已成功收款1.00元", text + ">>", RULES).amount in {None, 100}
    assert 0 < len(seen) < 200
    assert max(seen) <= MAX_TEXT


@pytest.mark.parametrize("unit", ["收款1", "向你付款1", "向你付款1.00元", "到账¥1.00"])
def test_the_longest_text_that_is_searched_fits_in_few_ways(unit: str) -> None:
    text = (unit * MAX_TEXT)[:MAX_TEXT]
    ways = sum(len(rule.template.fits(text)) for rule in RULES.rules)
    assert ways <= MAX_TEXT
