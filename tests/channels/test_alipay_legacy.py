"""The old interface for apps: the order string, the notice and the second check, against vectors and a strict fake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from checkout.channel import (
    Channel,
    GatewayError,
    Heard,
    NoticeRefused,
    PromptKind,
    Raw,
    RefundStanding,
    Scene,
    Standing,
)  # fmt: skip
from checkout.channels.alipay_forms import fields_of, signed_text
from checkout.channels.alipay_legacy import make
from checkout.channels.keys import load_private, rsa_sign
from checkout.http.client import Client
from checkout.setting_values import SettingsError
from tests.channels.orders import TOKEN, order, refund, start
from tests.channels.rsa import key, pem, written
from tests.channels.vectors import vector
from tests.fakes.alipay_legacy import FakeMapi, Refused
from tests.world import START, FakeClock

PARTNER, SELLER = "2088501624816263", "xxx@alipay.com"
AWKWARD = '+ & = % 中文 "quotes" {braces} \\ \n &total_fee="0.01'
SOON = 0.5


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def mapi(clock: FakeClock) -> Iterator[FakeMapi]:
    with FakeMapi(PARTNER, SELLER, key("legacy", 1024).public_key(), key("mapi", 1024), clock=clock) as fake:
        yield fake


@pytest.fixture
def table(tmp_path: Path) -> dict[str, object]:
    written(tmp_path / "legacy_private.pem", pem(key("legacy", 1024)))
    written(tmp_path / "mapi_public.pem", pem(key("mapi", 1024).public_key()))
    return {
        "kind": "alipay_legacy", "partner": PARTNER, "seller_id": SELLER, "private_key": "legacy_private.pem",
        "alipay_public_key": "mapi_public.pem",
    }  # fmt: skip


@pytest.fixture
def channel(mapi: FakeMapi, table: dict[str, object], tmp_path: Path) -> Channel:
    return make("old", {**table, "gateway": mapi.gateway}, tmp_path, True)


def posted(body: bytes) -> Raw:
    return Raw("POST", b"", body, {}, START)


def refused(channel: Channel, body: bytes) -> str:
    with pytest.raises(NoticeRefused) as outcome:
        channel.read_notice(posted(body))
    return str(outcome.value)


def test_an_order_string_is_signed_as_the_published_one() -> None:
    seed = vector("seed004_securitypay_rsa_sha1")
    private = load_private(seed["key"], "key", min_bits=1024)
    assert rsa_sign(private, seed["inputs"]["string"].encode(), sha1=True) == seed["expected"]


def test_an_app_is_given_the_signed_order_string(channel: Channel, mapi: FakeMapi) -> None:
    assert channel.scenes() == {Scene.APP}
    prompt = channel.start(start(Scene.APP, title="测试"))
    assert prompt.kind is PromptKind.CLIENT
    assert prompt.params == {"order_string": prompt.text}
    taken = mapi.accept(prompt.text)
    assert (taken.number, taken.total_fee, taken.subject) == (TOKEN, "9.90", "测试")
    assert '&it_b_pay="5m"&sign="' in prompt.text
    assert "测试" in prompt.text  # raw, not encoded
    assert "+" not in prompt.text.partition('&sign="')[2]  # the sign is


def test_a_title_ends_no_value_and_begins_no_other(channel: Channel, mapi: FakeMapi) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP, title=AWKWARD)).text)
    assert taken.total_fee == "9.90"
    assert taken.subject == "+ ＆ = % 中文 ＂quotes＂ {braces} ＼   ＆total_fee=＂0.01"
    assert mapi.accept(channel.start(start(Scene.APP, title="茶" * 200)).text).subject == "茶" * 128
    assert mapi.accept(channel.start(start(Scene.APP, title="\n")).text).subject == TOKEN


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "1m"), (119, "1m"), (300, "5m"), (86_400, "1440m"), (10**8, "21600m")]
)
def test_the_order_ends_at_alipay_after_whole_minutes_one_at_least(channel: Channel, seconds: int, text: str) -> None:
    prompt = channel.start(start(Scene.APP, order={"expires_at": START + seconds}))
    assert f'it_b_pay="{text}"' in prompt.text


def test_the_fake_refuses_what_was_changed_after_signing(channel: Channel, mapi: FakeMapi) -> None:
    text = channel.start(start(Scene.APP)).text
    for changed in (text.replace("9.90", "0.01"), text.replace("&sign_type", "&x"), unquote(text)[:-40]):
        with pytest.raises(Refused):
            mapi.accept(changed)


def test_only_apps_are_served_and_nobody_can_be_asked(channel: Channel) -> None:
    for scene in set(Scene) - {Scene.APP}:
        with pytest.raises(GatewayError) as outcome:
            channel.start(start(scene))
        assert outcome.value.permanent
    assert channel.query(order(), START).standing is Standing.UNPAID
    channel.close(order(), START)
    for answer in (channel.refund(refund()), channel.refund_standing(refund())):
        assert answer.standing is RefundStanding.FAILED
        assert "merchant pages" in answer.reason
    with pytest.raises(NoticeRefused):
        channel.read_return(Raw("GET", b"", b"", {}, START))


def test_a_notice_is_believed_once_alipay_says_that_it_sent_it(channel: Channel, mapi: FakeMapi) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP, title=AWKWARD)).text)
    notice = channel.read_notice(posted(mapi.notice(taken)))
    assert notice.paid is not None
    assert (notice.heard, notice.order_token, notice.mismatch) == (Heard.PAID, TOKEN, "")
    assert (notice.paid.amount, notice.paid.reference) == (990, "2013082244524842")
    assert notice.paid.happened_at == START
    assert "sign" not in json.loads(notice.text)
    assert mapi.verified == ["RqPnCoPT3K9%2Fvwbh3I%2B0"]  # encoded once more on the way


def test_blank_fields_are_not_signed(channel: Channel, mapi: FakeMapi) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    assert channel.read_notice(posted(mapi.notice(taken, body="", extra_of_next_year="x"))).paid is not None


@pytest.mark.parametrize(
    ("status", "heard"),
    [
        ("TRADE_FINISHED", Heard.PAID),
        ("WAIT_BUYER_PAY", Heard.NOTHING),
        ("TRADE_CLOSED", Heard.CLOSED),
        ("TRADE_PENDING", Heard.NOTHING),
    ],
)
def test_what_a_status_means(channel: Channel, mapi: FakeMapi, status: str, heard: Heard) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    assert channel.read_notice(posted(mapi.notice(taken, trade_status=status))).heard is heard


@pytest.mark.parametrize(
    ("changes", "mismatch"),
    [
        ({"seller_id": "2088000000000000"}, "The notice is for another partner."),
        ({"seller_id": None}, "The notice is for another partner."),
        ({"seller_email": "yyy@alipay.com"}, "The notice is for another seller."),
        ({"seller_email": "XXX@alipay.com"}, ""),
        ({"seller_email": None}, ""),
    ],
)
def test_somebody_elses_notice_is_a_mismatch(
    channel: Channel, mapi: FakeMapi, changes: dict[str, str | None], mismatch: str
) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    assert channel.read_notice(posted(mapi.notice(taken, **changes))).mismatch == mismatch


def test_the_amount_is_the_notices_own(channel: Channel, mapi: FakeMapi) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    notice = channel.read_notice(posted(mapi.notice(taken, total_fee="0.01", price="9.90")))
    assert notice.paid is not None
    assert notice.paid.amount == 1
    assert "amount" in refused(channel, mapi.notice(taken, total_fee="1e3"))


def test_a_wrong_signature_is_refused_before_alipay_is_asked(channel: Channel, mapi: FakeMapi) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    genuine = mapi.notice(taken)
    unsigned = genuine[: genuine.index(b"&sign=")]
    text = signed_text(fields_of(genuine), blanks=False)
    sha256 = unsigned + b"&sign=" + rsa_sign(key("mapi", 1024), text).encode().replace(b"+", b"%2B")
    for body in (genuine.replace(b"9.90", b"0.01"), unsigned, unsigned + b"&sign=", sha256, genuine + b"&price=9.90"):
        refused(channel, body)
    with pytest.raises(NoticeRefused):
        channel.read_notice(Raw("GET", genuine, b"", {}, START))
    assert mapi.verified == []


def test_a_notice_that_alipay_does_not_know_is_refused(channel: Channel, mapi: FakeMapi, clock: FakeClock) -> None:
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    old = mapi.notice(taken)
    clock.go(61)
    assert refused(channel, old) == "Alipay does not say that it sent the notice."
    assert refused(channel, mapi.notice(taken, notify_id="")) == "The notice has no notify_id."
    mapi.partner = "2088000000000000"
    assert refused(channel, mapi.notice(taken, seller_id=PARTNER)) == "Alipay does not say that it sent the notice."
    mapi.mischief = "status"
    assert refused(channel, mapi.notice(taken)) == "Alipay does not say that it sent the notice."


def test_a_forged_cut_of_a_genuine_notice_is_refused(channel: Channel, mapi: FakeMapi) -> None:
    """One key signs for all partners, so anybody can have a text of his own signed by it."""
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    mapi.mischief = "true_for_all"
    body = f"x&out_trade_no={TOKEN}&seller_id={PARTNER}&total_fee=9.90&trade_no=1&trade_status=TRADE_SUCCESS&zz=1"
    assert refused(channel, mapi.notice(taken, body=body)) == "The message could be read in two ways."


def test_when_alipay_cannot_be_asked_the_notice_is_to_come_again(
    table: dict[str, object], tmp_path: Path, mapi: FakeMapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(*, allow_private: bool, ports: None, deadline_s: int) -> Client:
        assert 3 <= deadline_s <= 5
        return Client(allow_private=allow_private, ports=ports, deadline_s=SOON)

    monkeypatch.setattr("checkout.channels.alipay_legacy.Client", impatient)
    channel = make("old", {**table, "gateway": mapi.gateway}, tmp_path, True)
    taken = mapi.accept(channel.start(start(Scene.APP)).text)
    mapi.mischief = "silent"
    assert "could not be asked" in refused(channel, mapi.notice(taken))
    assert channel.reply_refused().body == b"failure"
    mapi.mischief = ""
    assert channel.read_notice(posted(mapi.notice(taken))).paid is not None
    assert channel.reply_accepted().body == b"success"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partner", None), ("partner", "1900000109"), ("seller_id", None), ("seller_id", 'a"&b'), ("private_key", None),
        ("alipay_public_key", "legacy_private.pem"), ("gateway", "http://127.0.0.1/"), ("sign_type", "MD5"),
    ],
)  # fmt: skip
def test_a_section_that_cannot_be_used_is_refused_in_one_sentence(
    table: dict[str, object], tmp_path: Path, name: str, value: str | None
) -> None:
    changed = {**table, name: value}
    if value is None:
        del changed[name]
    with pytest.raises(SettingsError) as outcome:
        make("old", changed, tmp_path, False)
    assert str(outcome.value).startswith(f"{name} in [channels.old] ")
    assert "PRIVATE" not in str(outcome.value)


def test_our_own_public_key_is_not_taken_for_alipays(table: dict[str, object], tmp_path: Path) -> None:
    written(tmp_path / "mapi_public.pem", pem(key("legacy", 1024).public_key()))
    with pytest.raises(SettingsError, match="our own public key"):
        make("old", table, tmp_path, False)
