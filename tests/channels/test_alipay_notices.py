"""What Alipay tells, and every way in which it is not Alipay that tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkout.channel import Channel, Heard, Notice, NoticeRefused, Raw
from tests.channels.alipay_app import AWKWARD, channel_at, opened, posted
from tests.channels.orders import TOKEN, refund, start
from tests.fakes.alipay import FakeAlipay
from tests.world import START, FakeClock


@pytest.fixture
def alipay(clock: FakeClock) -> Iterator[FakeAlipay]:
    with opened(clock) as fake:
        yield fake


@pytest.fixture
def channel(alipay: FakeAlipay, tmp_path: Path) -> Channel:
    return channel_at(alipay, tmp_path)


@pytest.fixture
def told(channel: Channel, alipay: FakeAlipay) -> Callable[..., Notice]:
    """What the channel makes of the notice of a paid order, with changes that Alipay signs."""
    channel.start(start(title=AWKWARD))
    alipay.pay(TOKEN, at=START + 7)
    return lambda **changes: channel.read_notice(posted(alipay.notice(TOKEN, **changes)))


def test_a_notice_is_evidence_of_the_payment(told: Callable[..., Notice], alipay: FakeAlipay) -> None:
    notice = told()
    assert notice.paid is not None
    assert (notice.heard, notice.order_token, notice.mismatch) == (Heard.PAID, TOKEN, "")
    assert (notice.paid.amount, notice.paid.happened_at) == (990, START + 7)
    assert notice.paid.reference == alipay.trades[TOKEN].trade_no
    assert json.loads(notice.text)["trade_status"] == "TRADE_SUCCESS"
    assert "sign" not in json.loads(notice.text)


def test_notices_tell_of_closing_and_refunds(told: Callable[..., Notice], channel: Channel, alipay: FakeAlipay) -> None:
    channel.refund(refund(amount=90))
    part = told()
    assert (part.heard, part.refund_number) == (Heard.REFUND, "ref_1")
    assert part.paid is not None  # the same payment under the same number: no second one
    assert (part.paid.amount, part.paid.reference) == (990, alipay.trades[TOKEN].trade_no)
    channel.refund(refund(amount=900, number="ref_2"))
    whole = told()
    assert (whole.heard, whole.paid) == (Heard.CLOSED, None)


def test_another_app_or_seller_is_a_mismatch_that_is_never_booked(
    told: Callable[..., Notice], tmp_path: Path, alipay: FakeAlipay
) -> None:
    assert told(app_id="2021000000000002").mismatch == "The notice is for another app."
    assert told(app_id=None).mismatch == "The notice is for another app."
    assert told(trans_currency="USD").mismatch == "The notice is in another currency."
    assert told(seller_id="2088000000000009").mismatch == ""  # no seller is configured
    strict = channel_at(alipay, tmp_path, seller_id="2088102172939262")
    for seller, mismatch in (("2088102172939262", ""), ("2088000000000009", "x"), (None, "x"), ("", "x")):
        notice = strict.read_notice(posted(alipay.notice(TOKEN, seller_id=seller)))
        assert bool(notice.mismatch) == bool(mismatch)


@pytest.mark.parametrize(
    "changes",
    [
        {"total_amount": ""}, {"total_amount": "9.9e1"}, {"total_amount": None}, {"trade_no": ""},
        {"trade_no": None}, {"out_trade_no": None}, {"subject": "x&total_amount=9.90"},
    ],
)  # fmt: skip
def test_a_signed_notice_without_substance_is_refused(
    told: Callable[..., Notice], changes: dict[str, str | None]
) -> None:
    with pytest.raises(NoticeRefused):
        told(**changes)


def test_a_notice_that_is_not_alipays_is_refused(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start())
    alipay.pay(TOKEN)
    genuine = alipay.notice(TOKEN)
    unsigned = genuine[: genuine.index(b"&sign=")]
    alipay.mischief = "other_key"
    for body in (b"", unsigned, unsigned + b"&sign=", genuine.replace(b"9.90", b"0.01"), genuine + b"&extra=1",
                 genuine + b"&trade_no=1", genuine + b"x" * 70_000, alipay.notice(TOKEN)):  # fmt: skip
        with pytest.raises(NoticeRefused):
            channel.read_notice(posted(body))


def test_only_the_body_of_a_post_counts(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start())
    alipay.pay(TOKEN)
    with pytest.raises(NoticeRefused):
        channel.read_notice(Raw("GET", alipay.notice(TOKEN), b"", {}, START))
    with pytest.raises(NoticeRefused):
        channel.read_notice(Raw("POST", alipay.notice(TOKEN), b"", {}, START))


def test_a_notice_is_answered_to_the_letter(channel: Channel) -> None:
    accepted, refused = channel.reply_accepted(), channel.reply_refused()
    assert (accepted.body, accepted.mimetype, accepted.status) == (b"success", "text/plain", 200)
    assert (refused.body, refused.status) == (b"failure", 200)


def test_a_return_that_is_not_ours_is_refused(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start())
    query = alipay.returned(TOKEN)
    for wrong in ("", query.replace(TOKEN, "0" * 32), query + "&x=1", query[: query.index("&sign=")]):
        with pytest.raises(NoticeRefused):
            channel.read_return(Raw("GET", wrong.encode(), b"", {}, START))
    alipay.app_id = "2021000000000002"
    with pytest.raises(NoticeRefused):
        channel.read_return(Raw("GET", alipay.returned(TOKEN).encode(), b"", {}, START))
