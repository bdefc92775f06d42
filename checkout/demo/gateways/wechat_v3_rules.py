"""What WeChat Pay's API v3 requires of the content of requests, written from its documentation."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

CREATE = {"appid", "mchid", "description", "out_trade_no", "time_expire", "notify_url", "amount"}
MORE = {"native": set[str](), "app": set[str](), "jsapi": {"payer"}, "h5": {"scene_info"}}


class Refuse(Exception):
    """What WeChat Pay says instead of doing it."""

    def __init__(self, status: int, code: str, message: str = "拒绝") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


def check_order(kind: str, content: dict[str, Any], now: int) -> None:
    amount = content.get("amount")
    if set(content) != CREATE | MORE[kind] or not isinstance(amount, dict) or set(amount) != {"total", "currency"}:
        raise Refuse(400, "PARAM_ERROR")
    if type(amount["total"]) is not int or amount["total"] < 1 or amount["currency"] != "CNY":
        raise Refuse(400, "PARAM_ERROR")
    wrong = not re.fullmatch(r"[0-9A-Za-z_*|-]{6,32}", content["out_trade_no"])
    wrong |= not 1 <= len(content["description"].encode()) <= 127
    wrong |= not re.fullmatch(r"https?://[!-~]{3,248}", content["notify_url"]) or "?" in content["notify_url"]
    wrong |= kind == "jsapi" and not re.fullmatch(r"[0-9A-Za-z_-]{1,128}", content["payer"].get("openid", ""))
    if kind == "h5":
        scene = content["scene_info"]
        wrong |= not re.fullmatch(r"[0-9A-Fa-f.:]{3,45}", scene.get("payer_client_ip", ""))
        wrong |= scene.get("h5_info", {}).get("type") not in ("iOS", "Android", "Wap")
    if wrong or not _is_ahead(content["time_expire"], now):
        raise Refuse(400, "PARAM_ERROR")


def _is_ahead(text: str, now: int) -> bool:
    """More than a minute and at most seven days ahead, in Beijing's time."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+08:00", text):
        return False
    return 60 < datetime.fromisoformat(text).timestamp() - now <= 7 * 86400


def check_refund(content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    number, amount = content.get("out_refund_no"), content.get("amount")
    known = {"transaction_id", "out_trade_no", "out_refund_no", "reason", "notify_url", "amount"}
    if not isinstance(number, str) or not re.fullmatch(r"[0-9A-Za-z_*|@-]{1,64}", number) or set(content) - known:
        raise Refuse(400, "PARAM_ERROR")
    if not isinstance(amount, dict) or set(amount) != {"refund", "total", "currency"} or amount["currency"] != "CNY":
        raise Refuse(400, "PARAM_ERROR")
    if any(type(amount[name]) is not int or amount[name] < 1 for name in ("refund", "total")):
        raise Refuse(400, "PARAM_ERROR")
    if not 0 < len(content.get("reason", "x").encode()) <= 80:
        raise Refuse(400, "PARAM_ERROR")
    return number, amount
