"""WeChat Pay v2: what a refund request holds, and what refundquery and the unsigned notice say about its state."""

from __future__ import annotations

from collections.abc import Mapping

from checkout.channel import GatewayError, Heard, Notice, NoticeRefused, RefundAsk, Refunded, RefundStanding
from checkout.channels import wechat_messages as messages
from checkout.channels.wechat_messages import Merchant

STANDINGS = {
    "SUCCESS": Refunded(RefundStanding.DONE),
    "PROCESSING": Refunded(RefundStanding.PROCESSING),
    "REFUNDCLOSE": Refunded(RefundStanding.FAILED, "WeChat Pay closed the refund."),
    "CHANGE": Refunded(
        RefundStanding.FAILED, "The buyer's card does not take the refund; finish it in the merchant platform."
    ),
}
_REASON_CHARS = 26  # 80 bytes


def refund_of(ask: RefundAsk) -> dict[str, str]:
    return {
        "out_trade_no": ask.order.token, "out_refund_no": ask.number, "total_fee": str(ask.paid),
        "refund_fee": str(ask.amount), "refund_desc": messages.title(ask.reason)[:_REASON_CHARS] if ask.reason else "",
        "notify_url": ask.notify_url,
    }  # fmt: skip


def is_taken(answer: Mapping[str, str], ask: RefundAsk) -> bool:
    """Whether the answer is about this refund and its whole amount."""
    return answer.get("out_refund_no") == ask.number and answer.get("refund_fee") == str(ask.amount)


def standing_of(answer: Mapping[str, str], ask: RefundAsk) -> Refunded:
    """What refundquery says about our refund, which it numbers among others of the order. Raises `GatewayError`."""
    places = [name.removeprefix("out_refund_no_") for name, value in answer.items() if value == ask.number]
    place = next((place for place in places if place.isdigit()), "")
    if not place or answer.get("out_trade_no") != ask.order.token:
        raise GatewayError("WeChat Pay's answer is about another refund.", permanent=False)
    if answer.get(f"refund_fee_{place}") != str(ask.amount):
        raise GatewayError("WeChat Pay reports a refund of another amount.", permanent=False)
    outcome = STANDINGS.get(answer.get(f"refund_status_{place}", ""))
    if outcome is None:
        raise GatewayError("WeChat Pay's answer names no state of the refund that is known.", permanent=False)
    return outcome


def notice_of(values: Mapping[str, str], merchant: Merchant) -> Notice:
    """A refund notice, which nobody signed: whoever hears it asks refundquery before he believes it.

    Raises `NoticeRefused`.
    """
    if problem := messages.mismatch(values, merchant):
        raise NoticeRefused(problem)
    inner = messages.opened(values["req_info"], merchant.api_key)
    token, number = inner.get("out_trade_no", ""), inner.get("out_refund_no", "")
    if not token or not number:
        raise NoticeRefused("The refund notice names no refund.")
    return Notice(Heard.REFUND, token, messages.kept(inner), refund_number=number)
