"""What the known notifications say, and what strangers try to make them say."""

from __future__ import annotations

import pytest

from checkout.monitors import reading
from checkout.monitors.reading import Verdict, Why, explain, parse_rules, read, shipped_rules

WECHAT = "com.tencent.mm"
WEWORK = "com.tencent.wework"
ALIPAY = "com.eg.android.AlipayGphone"
RULES = shipped_rules()

RECEIPTS = [
    (WECHAT, "微信支付", "微信支付收款0.01元(朋友到店)", 1),
    (WECHAT, "微信支付", "[3条]微信支付: 微信支付收款1.17元(朋友到店)", 117),
    (WECHAT, "微信支付", "个人收款码到账¥0.03", 3),
    (WECHAT, "微信支付", "二维码赞赏到账1.00元", 100),
    (WECHAT, "微信收款助手", "微信支付收款1.00元(朋友到店)", 100),
    (WECHAT, "微信收款助手", "[店员消息]收款到账9.90元", 990),
    (WECHAT, "微信收款商业版", "收款1.00元", 100),
    (ALIPAY, "支付宝通知", "张三通过扫码向你付款9.99元", 999),
    (ALIPAY, "收钱码", "9向你付款1,160.00元", 116000),
    (ALIPAY, "支付宝通知", "支付宝成功收款1.00元。", 100),
    (ALIPAY, "店员通", "支付宝成功收款8.88元。收钱码收钱提现免费，赶紧推荐顾客使用", 888),
    (ALIPAY, "你已成功收款0.50元（新顾客消费）", "已转入余额 立即查看>>", 50),
    # Seen in public logs and issue threads of forwarders and book-keeping apps, 2018 to 2026.
    (WECHAT, "微信支付", "[37条]微信支付: 微信支付收款0.05元", 5),
    (WECHAT, "微信支付", "[3条]微信支付：个人收款码到账￥5.00", 500),
    (WECHAT, "微信支付", "微信支付: 微信支付收款0.01元（朋友到店）", 1),
    (WECHAT, "微信支付", "[2条]二维码赞赏到账0.30元", 30),
    (WECHAT, "微信支付", "二维码收款到账3.50元", 350),
    (WECHAT, "微信支付", "微信支付收款1500.00元(新顾客消费)", 150000),
    (WECHAT, "微信收款助手", "[8条]微信收款助手: 微信支付收款0.01元(朋友到店)", 1),
    (WECHAT, "微信收款助手", "微信支付收款9.00元(新顾客到店)", 900),
    (WECHAT, "微信收款助手", "收款单到账20.00元", 2000),
    (WECHAT, "微信收款商业版", "[2条]微信收款商业版: 收款1.00元", 100),
    (ALIPAY, "收款通知", "X通过扫码向你付款0.01元", 1),
    (ALIPAY, "支付宝通知", "mc123小前卫通过扫码向你付款1元", 100),
    (ALIPAY, "收钱码到账通知", "成功收款0.01元。享免费提现等更多专属服务，点击查看", 1),
    (ALIPAY, "店员通", "你已成功收款14.30元（老顾客消费）", 1430),
    (ALIPAY, "支付宝商家服务", " 收款金额￥11.00", 1100),
    (ALIPAY, "你已成功收款5.00元", "已转入余额 100积分兑收钱音箱，去兑换>>", 500),
    (ALIPAY, "你已成功收款0.02元.", "已转入余额 做生意收钱提现免费>>", 2),
    (ALIPAY, "你已成功收款0.01元（老顾客消费）", "已开通笔笔转入余额宝 经营码支持信用卡收钱>>", 1),
    (ALIPAY, "你已成功收款1,430.00元（老顾客消费）", "可兑1000收款免费额度>>", 143000),
    (ALIPAY, "你已成功收款0.06元", "立即查看今日收款金额>>", 6),
    (ALIPAY, "你已成功收款0.06元", "", 6),
]

NO_RECEIPTS = [
    (WECHAT, "微信支付", "已支付¥25.00", Verdict.OUTGOING),
    (WECHAT, "微信支付", "[4条]微信支付: 已支付¥34.88", Verdict.OUTGOING),
    (WECHAT, "微信支付", "已扣费¥19.90", Verdict.OUTGOING),
    (WECHAT, "微信支付", "已转账¥50.00", Verdict.OUTGOING),
    (WECHAT, "微信支付", "你已成功向张三付款1.00元", Verdict.OUTGOING),
    (WECHAT, "微信支付", "退款到账¥12.00", Verdict.OUTGOING),
    (WECHAT, "微信支付", "退款到账通知", Verdict.OUTGOING),
    (ALIPAY, "支付宝通知", "你在滴滴出行有一笔13.00元的免密/自动扣款", Verdict.OUTGOING),
    (ALIPAY, "你在滴滴出行有一笔13.00元的免密/自动扣款", "点击领取6个支付宝积分。", Verdict.OUTGOING),
    (ALIPAY, "交易提醒", "你有一笔0.01元的支出，领2元小荷包支付红包。", Verdict.OUTGOING),
    (ALIPAY, "交易提醒", "你有一笔0.01元的退款", Verdict.OUTGOING),
    (ALIPAY, "支付宝", "付款成功￥3.00", Verdict.OUTGOING),
    (WECHAT, "微信支付", "收款到账通知", Verdict.UNREADABLE),
    (ALIPAY, "支付宝消息", "小黑已成功向你转了1笔钱", Verdict.UNREADABLE),
    (ALIPAY, "支付宝通知", "小黑已成功向你转了1笔钱", Verdict.UNREADABLE),
    (ALIPAY, "收款到账通知", "", Verdict.UNREADABLE),
    (ALIPAY, "交易提醒", "你有一笔88.00元的收入", Verdict.UNREADABLE),
    (WEWORK, "企业微信", "收款通知", Verdict.UNREADABLE),
    (WECHAT, "Weixin Pay", "You received 9.90 yuan", Verdict.UNREADABLE),
    # A stranger called 退款侠 may have paid, in words that are not known.
    (ALIPAY, "支付宝", "退款侠的9.00元已到账", Verdict.UNREADABLE),
    # It names the receipt before, which had a notification of its own.
    (ALIPAY, "收钱提醒助手正在为您服务", "上一笔播报：支付宝到账 1430.00 元。", Verdict.NOTHING),
    (ALIPAY, "上一笔播报：支付宝到账 1430.00 元。收钱提醒助手正在为您服务", "", Verdict.NOTHING),
    (ALIPAY, "收钱提醒助手正在为您服务", "美好的一天从收钱开始~", Verdict.NOTHING),
    (ALIPAY, "新消息", "你有一条新消息", Verdict.NOTHING),
    (WECHAT, "微信支付", "支付账户安全提醒", Verdict.NOTHING),
    (WECHAT, "张三", "微信支付收款了吗，我付了100.00元", Verdict.NOTHING),
    ("com.android.mms", "95588", "您尾号1234的账户收款100.00元", Verdict.NOTHING),
    ("com.tencent.mobileqq", "微信支付", "微信支付收款100.00元(朋友到店)", Verdict.NOTHING),
]


@pytest.mark.parametrize(("package", "title", "text", "amount"), RECEIPTS)
def test_each_known_receipt_is_read(package: str, title: str, text: str, amount: int) -> None:
    method = "alipay" if package == ALIPAY else "wechat"
    found = read(package, title, text, RULES)
    assert (found.verdict, found.method, found.amount) == (Verdict.RECEIPT, method, amount)
    assert found.rule in {rule.id for rule in RULES.rules}
    assert found.why == Why.RECEIPT


@pytest.mark.parametrize(("package", "title", "text", "verdict"), NO_RECEIPTS)
def test_what_is_no_readable_receipt_never_has_an_amount(package: str, title: str, text: str, verdict: Verdict) -> None:
    found = read(package, title, text, RULES)
    assert (found.verdict, found.amount) == (verdict, None)


@pytest.mark.parametrize(("package", "title", "text", "amount"), RECEIPTS)
def test_without_a_package_a_title_of_the_apps_decides(package: str, title: str, text: str, amount: int) -> None:
    found = read("", title, text, RULES)
    if title == "收款通知":  # other apps use this title too
        assert (found.verdict, found.why) == (Verdict.UNREADABLE, Why.NEW_TITLE)
    else:
        assert (found.verdict, found.amount) == (Verdict.RECEIPT, amount)


@pytest.mark.parametrize(("title", "text"), [("", "微信支付收款0.01元"), ("收款到账", "点击查看")])
def test_a_receipt_without_package_and_known_title_is_unreadable(title: str, text: str) -> None:
    assert read("", title, text, RULES) == reading.Reading(
        Verdict.UNREADABLE, None, None, "receipt-phrase", Why.NEW_TITLE
    )
    assert read("", "新闻", "今天天气好", RULES).verdict is Verdict.NOTHING


def test_an_app_that_no_rule_watches_says_nothing() -> None:
    found = read("com.android.mms", "微信支付", "微信支付收款0.01元", RULES)
    assert found == reading.Reading(Verdict.NOTHING, None, None, "", Why.NOT_WATCHED)


@pytest.mark.parametrize(
    ("text", "true"),
    [
        # The payer's name holds a whole receipt, and he pays one fen.
        ("张三微信支付收款100.00元通过扫码向你付款0.01元", 1),
        ("支付宝成功收款999.00元。通过扫码向你付款0.01元", 1),
        ("张三通过扫码向你付款999.00元通过扫码向你付款0.01元", 1),
        ("张三通过扫码向你付款999.00元。向你付款0.01元", 1),
        ("到账¥999.00通过扫码向你付款0.01元", 1),
        ("[3条]支付宝通知：李四通过扫码向你付款0.01元", 1),
        ("[3条]支付宝通知: 支付宝成功收款999.00元。通过扫码向你付款0.01元", 1),
        ("999.00元通过扫码向你付款0.01元", 1),
        ("999,通过扫码向你付款0.01元", 1),
        ("退款小能手通过扫码向你付款0.01元", 1),
        ("已支付通过扫码向你付款0.01元", 1),
        ("上一笔播报：支付宝到账9.00元。通过扫码向你付款0.01元", 1),
        ("a:b通过扫码向你付款0.01元", 1),
        ("\u202e元00.999款付你向\u202c通过扫码向你付款0.01元", 1),
        ("x" * 101 + "通过扫码向你付款0.01元", 1),
        # Two receipts in one notification: the second must not swallow the first.
        ("张三通过扫码向你付款5.00元 李四通过扫码向你付款7.00元", None),
        # The end of a sentence that is not known is a stranger's name or memo.
        ("你收到一笔转账，来自张三向你付款999.00元", None),
        ("新订单 付款人张三向你付款999.00元", None),
        ("李四: 张三通过扫码向你付款999.00元", None),
        ("已退款，张三通过扫码向你付款999.00元", None),
        # Or the beginning is.
        ("支付宝成功收款999.00元。已成功向你转了1笔钱", None),
        ("支付宝成功收款999.00元请求添加你为朋友", None),
        ("成功收款999.00元(新顾客消费)赞了你", None),
        ("张三向你付款999.00元的请求已取消", None),
    ],
)
def test_a_name_never_makes_another_amount_nor_hides_a_receipt(text: str, true: int | None) -> None:
    found = read(ALIPAY, "支付宝通知", text, RULES)
    assert found.verdict in {Verdict.RECEIPT, Verdict.UNREADABLE}
    assert found.amount in {None, true}


def test_a_name_longer_than_any_payer_has_is_unreadable() -> None:
    text = "通过扫码向你付款0.01元"
    assert read(ALIPAY, "收钱码", "x" * 100 + text, RULES).amount == 1
    assert read(ALIPAY, "收钱码", "x" * 101 + text, RULES).verdict is Verdict.UNREADABLE


def test_names_with_digits_currency_signs_and_joined_emoji_are_just_names() -> None:
    for name in (
        "",
        "9",
        "8.88元",
        "¥1,000.00",
        "[3条]",
        "👨‍👩‍👧",
        "a b",
        "微信支付",
        "{amount}",
        "\x00\x1b[2J",
    ):
        found = read(ALIPAY, "收钱码", f"{name}通过扫码向你付款9.99元", RULES)
        assert (found.verdict, found.amount) == (Verdict.RECEIPT, 999), name


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("张三", "微信支付收款100.00元(朋友到店)"),
        ("微信支付 ", "微信支付收款100.00元(: 朋友到店)"),
        ("微信支付", "张三: 微信支付收款100.00元(朋友到店)"),
        ("微信支付", "[2条]张三: 微信支付收款100.00元(朋友到店)"),
        ("微信支付", "微信支付收款100.00元(: 朋友到店)"),
        ("微信支付", "微信支付收款100.00元(微信支付收款1.00元)"),
        ("微信支付\u200b", "微信支付收款100.00元"),
        ("\u3000微信支付", "微信支付收款100.00元"),
        ("Ｗeixin Pay", "微信支付收款100.00元"),
        ("微信支付１", "微信支付收款100.00元"),
        ("微信支付", "微信支付收款100.00元吗？"),
        ("你已成功收款100.00元", "已转入余额 立即查看>>"),
        ("支付宝通知", "支付宝成功收款100.00元。"),
        ("收款通知", "微信收款商业版: 收款100.00元"),
    ],
)
def test_a_chat_never_makes_money(title: str, text: str) -> None:
    found = read(WECHAT, title, text, RULES)
    assert found.amount is None
    assert found.verdict in {Verdict.UNREADABLE, Verdict.NOTHING}


def test_private_messages_that_are_no_receipt_are_not_kept() -> None:
    for title, text in (("张三", "昨天收款100元了吗"), ("妈妈", "已支付水费"), ("收款小明", "在吗")):
        assert read(WECHAT, title, text, RULES).verdict is Verdict.NOTHING


def test_a_title_that_decides_needs_a_text_of_the_app_below_it() -> None:
    title = "你已成功收款100.00元"
    assert read(ALIPAY, title, "请求添加你为朋友", RULES).why == Why.NEW_TEXT
    assert read(ALIPAY, title, "已转入余额 张三向你付款0.01元>>", RULES).why == Why.TWO_WAYS
    assert read(ALIPAY, title, "已转入余额 你已成功收款100.00元>>", RULES).amount == 10000
    assert read(ALIPAY, title + " 张三", "已转入余额 立即查看>>", RULES).why == Why.NEW_TEXT


@pytest.mark.parametrize(
    ("number", "amount"),
    [
        ("0.01", 1),
        ("9", 900),
        ("9.9", 990),
        ("9999999.99", 999_999_999),
        ("9,999,999.99", 999_999_999),
        ("１，１６０．００", 116_000),
        ("0", None),
        ("0.00", None),
        ("10000000", None),
        ("10000000.00", None),
        ("999999999999999999999999", None),
        ("1" * 40, None),
        ("1.234", None),
        ("1.2.3", None),
        ("1,16.00", None),
        ("1160,000", None),
        ("01.00", None),
        ("1e2", None),
        ("+1.00", None),
        ("-1.00", None),
        ("1_000", None),
        ("1 000", None),
        ("١.٠٠", None),
        ("①", None),
        ("1.2万", None),
        ("", None),
        (".5", None),
        ("5.", None),
    ],
)
def test_an_amount_has_a_strict_grammar(number: str, amount: int | None) -> None:
    found = read(WECHAT, "微信支付", f"微信支付收款{number}元(朋友到店)", RULES)
    assert found.amount == amount
    assert found.verdict is (Verdict.UNREADABLE if amount is None else Verdict.RECEIPT)


def test_an_amount_that_the_phone_may_have_cut_off_is_unreadable() -> None:
    for text in (
        "微信支付收款10",
        "微信支付收款10.0",
        "个人收款码到账¥1",
        "个人收款码到账¥12.3",
        "个人收款码到账12.34",
    ):
        assert read(WECHAT, "微信支付", text, RULES).verdict is Verdict.UNREADABLE, text
    assert read(WECHAT, "微信支付", "微信支付收款¥10.00", RULES).amount == 1000
    assert read(WECHAT, "微信支付", "个人收款码到账10元", RULES).amount == 1000


def test_spaces_full_width_forms_and_counts_change_nothing() -> None:
    for text in (
        "  微信支付收款 ￥ 3.00 元 （朋友到店） ",
        "微信支付收款３．００元（朋友到店）。",
        "[+99条]微信支付收款3.00元(朋友到店)",
        "［12条］微信支付：微信支付收款3.00元(朋友到店)",
        "\n微信支付收款\u00a03.00\u3000元\n",
    ):
        assert read(f" {WECHAT}\n", " 微信支付\n", text, RULES).amount == 300, text


def test_an_unreadable_receipt_says_why() -> None:
    def why(text: str) -> str:
        return read(WECHAT, "微信支付", text, RULES).why

    assert why("收款到账通知") == Why.NO_AMOUNT
    assert why("微信支付收款0.00元") == Why.BAD_AMOUNT
    assert why("微信支付收款1.00元(新的话)") == Why.NEW_TEXT
    assert read(ALIPAY, "交易提醒", "支付宝成功收款1.00元。", RULES).why == Why.NEW_TITLE
    assert read(ALIPAY, "支付宝", "到账1元向你付款2.00元", RULES).why == Why.TWO_WAYS


def test_an_owners_rule_reads_what_the_shipped_ones_do_not() -> None:
    text = "收到来自{payer}的收款{amount}元,附{memo}完毕"
    own = parse_rules(
        'version = "mine"\n[[rule]]\nid = "own"\napp = "alipay"\n'
        f'text = "{text}"\ntitles = ["到账提醒"]\ntails = ["，谢谢"]\n'
    )
    rules = RULES.extended_by(own)
    say = "收到来自张三的收款8.00元，附两个苹果完毕，谢谢。"
    assert read(ALIPAY, "到账提醒", say, RULES).verdict is Verdict.UNREADABLE
    assert read(ALIPAY, "到账提醒", say, rules).amount == 800
    assert read(ALIPAY, "支付宝", say, rules).verdict is Verdict.UNREADABLE
    twice = "收到来自张三的收款8.00元,附x的收款9.00元,附苹果完毕"
    assert read(ALIPAY, "到账提醒", twice, rules).why == Why.TWO_WAYS
    assert [fit.amount for fit in own.rules[0].template.fits(twice)] == [800, 900]
    assert read(WECHAT, "微信支付", "微信支付收款0.01元", rules).amount == 1
    assert rules.version == "1+mine"


def test_a_rule_without_an_amount_may_hold_a_name_too() -> None:
    own = parse_rules(
        'version = "2"\n[[rule]]\nid = "gift"\napp = "alipay"\nverdict = "nothing"\n'
        'text = "今天{payer}的到账提醒已关闭"\n'
    )
    rules = RULES.extended_by(own)
    assert read(ALIPAY, "支付宝", "今天张三的到账提醒已关闭", rules).rule == "gift"
    assert read(ALIPAY, "支付宝", "今天退款的到账提醒已关闭", rules).why == Why.TWO_WAYS
    for other in (
        "今天张三:的到账提醒已关闭",
        "昨天张三的到账提醒已关闭",
        "今天的到账提醒",
        "今天张三的到账提醒已关闭了",
    ):
        assert read(ALIPAY, "支付宝", other, rules).verdict is Verdict.UNREADABLE, other


def test_rules_that_disagree_make_a_text_unreadable() -> None:
    own = parse_rules(
        'version = "2"\n[[rule]]\nid = "no"\napp = "wechat"\nverdict = "nothing"\ntext = "收款单到账{amount}元"\n'
    )
    found = read(WECHAT, "微信支付", "收款单到账1.00元", RULES.extended_by(own))
    assert (found.verdict, found.why) == (Verdict.UNREADABLE, Why.TWO_WAYS)


def test_an_owner_can_replace_a_shipped_rule_and_app() -> None:
    own = parse_rules(
        'version = "2"\n[[app]]\nid = "wework"\nmethod = "wechat"\npackages = ["a.b"]\ntitles = ["T"]\n'
        '[[rule]]\nid = "wework-receipt"\napp = "wework"\nverdict = "unreadable"\ntext = "收款完成"\n'
    )
    rules = RULES.extended_by(own)
    assert read("a.b", "T", "收款完成", rules).why == Why.KNOWN
    assert read(WEWORK, "对外收款", "成功收款1.00元", RULES).amount == 100
    assert read(WEWORK, "对外收款", "成功收款1.00元", rules).why == Why.NOT_WATCHED


def test_explain_names_the_rules_and_the_reason() -> None:
    lines = explain(ALIPAY, "收钱码", "9向你付款1,160.00元", RULES)
    assert lines[0] == "Rules: version 1."
    assert "App: alipay, by its package." in lines
    assert "Rule alipay-payer (text): fits, 1160.00." in lines
    assert "Rule alipay-scan (text): does not fit." in lines
    assert lines[-2:] == ["Verdict: receipt, alipay, 1160.00 yuan, by alipay-payer.", f"Why: {Why.RECEIPT}"]


def test_explain_warns_that_a_title_alone_proves_little_and_shows_control_characters() -> None:
    lines = explain("", "微信支付", "微信支付收款1.00元\x1b[2J" + "长" * 300, RULES)
    assert "App: wechat, by its title alone. Let the phone send the package too: anyone may use a title." in lines
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 300
    assert explain("", "新闻", "", RULES)[1] == "App: unknown; there is no package, and the title names none."
    assert explain("com.x", "新闻", "", RULES)[1] == "App: not watched."
    other = explain(WECHAT, "微信支付", "收款1.00元", RULES)
    assert "Rule wechat-business-code (text, but it does not count under this title): fits, 1.00." in other
