"""Refunds of WeChat Pay's 2014 form, which Tenpay does: answered at once, with a number for how they stand."""

from __future__ import annotations

from typing import ClassVar

from checkout.channel import GatewayError, RefundAsk, Refunded, RefundStanding
from checkout.channels.wechat_2014_gateway import Refused, Tenpay
from checkout.records import Discreet

BY_HAND = "The buyer's card does not take the refund and the money came back to you; send it by hand."
STANDINGS = {
    **dict.fromkeys(("4", "10"), Refunded(RefundStanding.DONE)),
    **dict.fromkeys(("3", "5", "6"), Refunded(RefundStanding.FAILED, "Tenpay says that the refund failed.")),
    **dict.fromkeys(("8", "9", "11"), Refunded(RefundStanding.PROCESSING)),
    **dict.fromkeys(("1", "2"), Refunded(RefundStanding.REPEAT)),
    "7": Refunded(RefundStanding.FAILED, BY_HAND),
}


class Operator(Discreet, frozen=True):
    """Who may refund at Tenpay."""

    SECRET: ClassVar = ("password_md5",)

    user: str
    password_md5: str


class Refunds:
    """What goes back through Tenpay."""

    def __init__(self, tenpay: Tenpay, operator: Operator) -> None:
        self._tenpay = tenpay
        self._operator = operator
        self._refund_ids: dict[str, str] = {}  # Tenpay's numbers of refunds under way, by ours

    def refund(self, ask: RefundAsk) -> Refunded:
        """Answered at once; the same number never moves money twice."""
        values = {
            "service_version": "1.1", "out_trade_no": ask.order.token, "transaction_id": ask.reference,
            "out_refund_no": ask.number, "total_fee": str(ask.paid), "refund_fee": str(ask.amount),
            "op_user_id": self._operator.user, "op_user_passwd": self._operator.password_md5,
        }  # fmt: skip
        try:
            answer = self._tenpay.ask_certified("/refundapi/gateway/refund.xml", values)
        except Refused as refusal:
            raise GatewayError(refusal.sentence, permanent=False) from None
        if answer.get("out_refund_no") != ask.number or answer.get("refund_fee") != str(ask.amount):
            raise GatewayError("Tenpay's answer is about another refund.", permanent=False)
        return self._stands(ask, answer.get("refund_status", ""), answer.get("refund_id", ""))

    def standing(self, ask: RefundAsk) -> Refunded:
        """Asked by Tenpay's own number where it is known, and by that alone: with both it looks at the wrong one."""
        known = self._refund_ids.get(ask.number, "")
        asked = {"refund_id": known} if known else {"out_refund_no": ask.number}
        try:
            answer = self._tenpay.ask("/gateway/normalrefundquery.xml", asked)
        except Refused:
            return Refunded(RefundStanding.REPEAT)
        places = [name.removeprefix("out_refund_no_") for name, value in answer.items() if value == ask.number]
        place = next((place for place in places if place.isdigit()), "")
        if not place or answer.get(f"refund_fee_{place}") != str(ask.amount):
            raise GatewayError("Tenpay's answer is about another refund.", permanent=False)
        state = answer.get(f"refund_state_{place}") or answer.get(f"refund_status_{place}", "")
        return self._stands(ask, state, answer.get(f"refund_id_{place}", ""))

    def _stands(self, ask: RefundAsk, status: str, refund_id: str) -> Refunded:
        outcome = STANDINGS.get(status)
        if outcome is None:
            raise GatewayError("Tenpay's answer names no state of the refund that is known.", permanent=False)
        if outcome.standing is RefundStanding.PROCESSING and refund_id:
            self._refund_ids[ask.number] = refund_id
        else:
            self._refund_ids.pop(ask.number, None)
        return outcome
