"""epay's refunds: of orders that were paid through an official account; nobody can send back from a personal code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkout import store
from checkout.errors import Code, Refusal
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.model.refunds import Refund, RefundState
from checkout.money import fen, yuan
from checkout.protocols._epay_answer import OTHER, Spoken, beijing
from checkout.refunds import calls, ledger, money_back
from checkout.web import parts

_REASON = "退款"

Values = Mapping[str, str]


def refunded(order: Order, values: Values, merchant: Merchant, repeat_s: int = ledger.REPEAT_S) -> dict[str, Any]:
    """Sends money back, and says within a few seconds what became of it; without a number the same amount once more
    within `repeat_s` is the same refund. Refused: `Spoken`."""
    amount, now = fen(values.get("money", "")), parts().clock()
    _check(order)
    try:
        refund = ledger.ask(
            parts().store, order.token, parts().channels, amount=amount, reason=_REASON,
            number=values.get("out_refund_no", ""), repeat_s=repeat_s,
            actor=f"merchant:{merchant.id}", new_id=parts().new_id, now=now,
        )  # fmt: skip
    except Refusal as refusal:
        raise _spoken(refusal, order) from refusal
    parts().wake()
    return _told(calls.watch(parts().store, refund.id), order)


def standing(values: Values, merchant: Merchant) -> dict[str, Any]:
    """The state of the refund that `refund_no` or `out_refund_no` names; `status` 1: the money went back, 0: it
    failed."""
    refund_no, number = values.get("refund_no", ""), values.get("out_refund_no", "")
    with parts().store.read() as db:
        refund = store.refunds.of_merchant(db, merchant.id, refund_id=refund_no, number=number)
        order = store.orders.get(db, refund.order_token) if refund else None
    if refund is None or order is None:
        raise Spoken(OTHER, "退款单不存在")
    if refund.state is RefundState.ASKED:
        raise Spoken(OTHER, "退款处理中，请稍后查询")
    went = refund.state is not RefundState.FAILED
    times = {"addtime": beijing(refund.created_at), "endtime": beijing(refund.done_at) if went else ""}
    return {**_members(refund, order), **times, "status": int(went), "msg": "退款成功" if went else _failed(refund)}


def _check(order: Order) -> None:
    if order.state is not State.PAID:
        raise Spoken(OTHER, "订单未支付，无法退款")
    with parts().store.read() as db:
        is_by_hand = money_back.is_by_hand(money_back.channel_of(db, order))
    if is_by_hand:
        raise Spoken(OTHER, "个人收款码无法自动退款，请在微信或支付宝中向买家手动退款")


def _told(refund: Refund, order: Order) -> dict[str, Any]:
    if refund.state is RefundState.FAILED:
        raise Spoken(OTHER, _failed(refund))
    went = refund.state is not RefundState.ASKED
    return {**_members(refund, order), "msg": "退款成功" if went else "退款已受理，正在处理"}


def _members(refund: Refund, order: Order) -> dict[str, Any]:
    return {
        "refund_no": refund.id, "out_refund_no": refund.number, "trade_no": order.token, "out_trade_no": order.number,
        "money": yuan(refund.amount), "reducemoney": yuan(refund.amount),
    }  # fmt: skip


def _failed(refund: Refund) -> str:
    return f"退款失败：{refund.error}"


def _spoken(refusal: Refusal, order: Order) -> Refusal:
    if refusal.code is Code.BAD_AMOUNT:
        with parts().store.read() as db:
            return Spoken(OTHER, f"退款金额超过可退金额，最多{yuan(money_back.of(db, order).left)}元")
    sentences = {
        Code.DUPLICATE: "商户退款单号(out_refund_no)已用于其他金额",
        Code.BAD_REQUEST: "商户退款单号(out_refund_no)最长64位，只能含字母、数字和符号",
        Code.NOT_ALLOWED: "该订单的收款通道已停用，无法退款",
    }
    return Spoken(OTHER, sentences[refusal.code]) if refusal.code in sentences else refusal
