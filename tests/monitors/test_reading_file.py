"""The rules as a file: what an owner may write, and the sentence for each mistake."""

from __future__ import annotations

import pytest

from checkout.errors import Code, Refusal
from checkout.monitors.reading import parse_rules, shipped_rules

RULE = 'version = "1"\n[[rule]]\nid = "a"\napp = "alipay"\n'
APP = 'version = "1"\n[[app]]\nid = "a"\nmethod = "wechat"\n'

MISTAKES = [
    ("version = ", "The rules are not valid TOML: Invalid value (at end of document)."),
    ("version = " + "[" * 5000, "The rules are not valid TOML: "),
    ("version = " + "9" * 5000, "The rules are not valid TOML: "),
    ("x" * 65_537, "The rules are longer than 65536 characters."),
    ("", "The rules: it needs the key version."),
    ("version = 1", "The rules: it has a version of the wrong type."),
    ('version = ""', "The rules: it has a version that is empty, too long or not of the allowed form."),
    ('version = "1"\nvresion = 1', "The rules: it has the unknown key 'vresion'."),
    ('version = "1"\nrule = 1', "The rules: it has a rule of the wrong type."),
    (
        'version = "1"\nrule = [1]',
        "The rules: it has a rule that is not a list of at most 100 tables [[rule]].",
    ),
    ('version = "1"\nphrases = 1', "The rules: it has a phrases of the wrong type."),
    (
        'version = "1"\n[phrases]\nreceipt = [""]',
        "[phrases]: it has a receipt that is not a list of at most 100 short texts.",
    ),
    ('version = "1"\n[phrases]\nincome = []', "[phrases]: it has the unknown key 'income'."),
    ('version = "1"\n[[rule]]', "[[rule]] number 1: it needs the key id."),
    (
        'version = "1"\n[[rule]]\nid = "A b"',
        "[[rule]] number 1: it has a id that is empty, too long or not of the allowed form.",
    ),
    (RULE.replace("alipay", "x"), "[[rule]] number 1 (a): it names an app that is not in the rules."),
    (RULE, "[[rule]] number 1 (a): it needs either a text or a title."),
    (
        RULE + 'text = "收款{amount}元"\ntitle = "x"',
        "[[rule]] number 1 (a): it needs either a text or a title.",
    ),
    (
        RULE + 'text = "收款{amount}元"\nverdict = "paid"',
        "[[rule]] number 1 (a): it has a verdict that is empty, too long or not of the allowed form.",
    ),
    (
        RULE.replace("alipay", "wechat") + 'title = "收款{amount}元"',
        "[[rule]] number 1 (a): it needs a text, since a title of this app may be the name of a contact.",
    ),
    (
        RULE + 'text = "收款成功"',
        "[[rule]] number 1 (a): it needs {amount} in its sentence to be a rule for receipts.",
    ),
    (
        RULE + 'text = "{payer}给了{amount}元"',
        "[[rule]] number 1 (a): it needs a receipt phrase, such as 收款, right before {amount}.",
    ),
    (
        RULE + 'text = "{payer}{amount}元"',
        "[[rule]] number 1 (a): it needs words of the app before {amount} and between its holes.",
    ),
    (
        RULE + 'text = "{amount}元到账"',
        "[[rule]] number 1 (a): it needs words of the app before {amount} and between its holes.",
    ),
    (
        RULE + 'text = "收款{amount}元{memo}完"',
        "[[rule]] number 1 (a): it needs words of the app before {amount} and between its holes.",
    ),
    (
        RULE + 'text = "收款{amount}元,{memo}"',
        "[[rule]] number 1 (a): it needs words of the app after what strangers write.",
    ),
    (
        RULE + 'text = "收款{amount}元,{memo}。"',
        "[[rule]] number 1 (a): it needs words of the app after what strangers write.",
    ),
    (
        RULE + 'verdict = "nothing"\ntext = "来自{payer}。"',
        "[[rule]] number 1 (a): it needs words of the app after what strangers write.",
    ),
    *(
        (
            RULE + f'text = "{text}"',
            "[[rule]] number 1 (a): it may hold {amount} once, and {payer} or {memo} once on each side",
        )
        for text in (
            "{payer}收款{amount}元{amount}",
            "{payer}和{payer}收款{amount}元",
            "收款{sum}元",
            "收款{amount}元,{memo}和{memo}完",
            "收款{amount",
            "收款{}元",
        )
    ),
    (
        RULE + 'text = "收款¥{amount}"\ntails = ["5"]',
        "[[rule]] number 1 (a): it may not have a digit right after the amount.",
    ),
    (
        RULE + 'text = "收款¥{amount},5{memo}完"',
        "[[rule]] number 1 (a): it may not have a digit right after the amount.",
    ),
    (
        RULE + 'text = "收款{amount}元"\ntails = ["共收款9元"]',
        "[[rule]] number 1 (a): it may name an amount of money only at {amount}.",
    ),
    (
        RULE + 'text = "到账9元{payer}收款{amount}元"',
        "[[rule]] number 1 (a): it may name an amount of money only at {amount}.",
    ),
    (
        RULE + 'text = "收款{amount}元"\ntitels = []',
        "[[rule]] number 1 (a): it has the unknown key 'titels'.",
    ),
    (
        RULE + 'text = "收款{amount}元"\ntitles = [1]',
        "[[rule]] number 1 (a): it has a titles that is not a list of at most 100 short texts.",
    ),
    (
        RULE + f'text = "{"收" * 201}"',
        "[[rule]] number 1 (a): it has a text that is empty, too long or not of the allowed form.",
    ),
    (
        RULE + 'text = "收款{amount}元"\n[[rule]]\nid = "a"\napp = "alipay"\ntext = "到账{amount}元"',
        "The rules give the id a twice.",
    ),
    (
        APP.replace("wechat", "paypal"),
        "[[app]] number 1 (a): it has a method that is empty, too long or not of the allowed form.",
    ),
    (APP + "chats = 1", "[[app]] number 1 (a): it has a chats of the wrong type."),
    (APP + '[[app]]\nid = "a"\nmethod = "alipay"', "The rules give the id a twice."),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_each_mistake_has_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_rules(text)
    assert refused.value.code is Code.BAD_REQUEST
    assert refused.value.message.startswith(sentence)
    assert "\n" not in refused.value.message


def test_the_shipped_rules_have_a_version_and_are_read_once() -> None:
    rules = shipped_rules()
    assert rules.version == "1"
    assert rules is shipped_rules()
    assert {app.method for app in rules.apps} == {"wechat", "alipay"}
    assert {rule.app for rule in rules.rules} <= {app.id for app in rules.apps}


def test_an_owner_may_add_apps_and_phrases() -> None:
    rules = parse_rules(
        APP + 'packages = ["com.wosai.cashbar"]\ntitles = ["收钱吧"]\n'
        '[phrases]\nreceipt = ["进账"]\noutgoing = ["划走"]\nlabels = ["来自"]\n'
        '[[rule]]\nid = "own"\napp = "a"\ntext = "进账{amount}元,来自微信"\n'
        '[[rule]]\nid = "own-2"\napp = "a"\ntext = "成功收款{amount}元,来自微信"\n'
    )
    extended = shipped_rules().extended_by(rules)
    assert extended.receipt == (*shipped_rules().receipt, "进账")
    assert "划走" in extended.outgoing
    assert "来自" in extended.labels
    assert len(extended.rules) == len(shipped_rules().rules) + 2


def test_nothing_but_a_version_is_a_set_of_rules_too() -> None:
    extended = shipped_rules().extended_by(parse_rules('version = "2025-01"'))
    assert (extended.version, extended.rules) == ("1+2025-01", shipped_rules().rules)
