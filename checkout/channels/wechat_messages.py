"""WeChat Pay v2: signatures, times, amounts and notices as pure functions.

Specification: the v2 merchant documentation, "签名算法", "支付结果通知" and "退款结果通知".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from checkout import xml
from checkout.beijing import BEIJING
from checkout.channel import NoticeRefused, Paid
from checkout.records import Discreet
from checkout.signing import equal, hmac_sha256, md5_of, sorted_pairs

MD5, HMAC = "MD5", "HMAC-SHA256"
TITLE_BYTES = 127

_HEX = {MD5: 32, HMAC: 64}


class Merchant(Discreet, frozen=True):
    """Who we are at the gateway."""

    SECRET: ClassVar = ("api_key",)

    app_id: str
    mch_id: str
    api_key: str
    sign_type: str  # MD5 | HMAC-SHA256


def sign(values: Mapping[str, str], key: str, sign_type: str) -> str:
    """Upper-case hex over the non-empty values but `sign`, sorted by name, with `&key=` at the end."""
    text = f"{sorted_pairs(values, without=('sign',))}&key={key}"
    return (hmac_sha256(key, text.encode()).hex() if sign_type == HMAC else md5_of(text)).upper()


def is_signed(values: Mapping[str, str], key: str, sign_type: str) -> bool:
    """Whether a message carries our key's signature; where HMAC-SHA256 is configured, MD5 is none.

    Messages need not say which of the two they use, and would not be believed: the length tells. The stronger one
    is accepted where MD5 is configured, so that the setting can be changed while orders wait.
    """
    given = values.get("sign", "")
    if sign_type == MD5 and len(given) == _HEX[HMAC]:
        sign_type = HMAC
    return len(given) == _HEX[sign_type] and equal(given, sign(values, key, sign_type))


def signed(values: Mapping[str, str], merchant: Merchant) -> dict[str, str]:
    """The values that are not empty, and their signature."""
    kept = {name: value for name, value in values.items() if value}
    return kept | {"sign": sign(kept, merchant.api_key, merchant.sign_type)}


def believed(body: bytes, merchant: Merchant) -> dict[str, str]:
    """The elements of a message that WeChat sent us and signed. Raises `NoticeRefused`."""
    values = read(body)
    if values.get("return_code") == "FAIL":
        raise NoticeRefused("The message says that it failed; such a message is not signed.")
    if not is_signed(values, merchant.api_key, merchant.sign_type):
        raise NoticeRefused("The message is not signed with our key.")
    return values


def read(body: bytes) -> dict[str, str]:
    """The elements of a message, believed or not. Raises `NoticeRefused`."""
    try:
        return xml.parse(body)
    except xml.XmlError as error:
        raise NoticeRefused(str(error)) from None


def paid_by(values: Mapping[str, str]) -> Paid:
    """The payment that a notice or the answer to a query tells of. Raises `NoticeRefused`."""
    token, reference = values.get("out_trade_no", ""), values.get("transaction_id", "")
    if not re.fullmatch(r"[0-9A-Za-z_|*-]{1,32}", token) or not re.fullmatch(r"[0-9A-Za-z]{1,32}", reference):
        raise NoticeRefused("The message does not name the order and its transaction.")
    return Paid(token, reference, fen(values.get("total_fee", "")), moment(values.get("time_end", "")))


def mismatch(values: Mapping[str, str], merchant: Merchant) -> str:
    """Why money can never be booked for us, "" when it can: the key is ours, but not every app or currency."""
    if values.get("appid") != merchant.app_id:
        return "The notice is for another app."
    if values.get("mch_id") != merchant.mch_id:
        return "The notice is for another merchant."
    if values.get("fee_type", "CNY") not in ("", "CNY"):
        return "The notice is in another currency."
    return ""


def opened(req_info: str, api_key: str) -> dict[str, str]:
    """What a refund notice carries locked: AES-256-ECB with the key's MD5, as 32 letters. Raises `NoticeRefused`."""
    from Crypto.Cipher import AES
    from Crypto.Util.Padding import unpad

    try:
        locked = base64.b64decode(req_info, validate=True)
        # The gateway's choice: ECB hides nothing and proves nothing, so that the caller asks before it books.
        body = unpad(AES.new(md5_of(api_key).encode(), AES.MODE_ECB).decrypt(locked), AES.block_size)
        return xml.parse(body, "root")
    except ValueError:
        raise NoticeRefused("The refund notice cannot be unlocked with our key.") from None


def kept(values: Mapping[str, str]) -> str:
    """A message as it is stored: without its signature."""
    return json.dumps({name: value for name, value in values.items() if name != "sign"}, ensure_ascii=False)


def fen(text: str) -> int:
    """An amount as WeChat writes it. Raises `NoticeRefused`."""
    if not re.fullmatch("[1-9][0-9]{0,10}", text):
        raise NoticeRefused("The message holds no amount in fen.")
    return int(text)


def beijing(moment: int) -> str:
    """Unix seconds as `yyyyMMddHHmmss` in Beijing."""
    return datetime.fromtimestamp(moment, BEIJING).strftime("%Y%m%d%H%M%S")


def moment(text: str) -> int:
    """`yyyyMMddHHmmss` in Beijing as Unix seconds. Raises `NoticeRefused`."""
    try:
        if not re.fullmatch("[0-9]{14}", text):
            raise ValueError("It is not 14 digits.")
        at = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        raise NoticeRefused("The message holds no time.") from None
    return int(at.astimezone(UTC).timestamp())


def title(text: str) -> str:
    """A title that fits: one line, at most 127 bytes of UTF-8, cut between two letters; never empty."""
    line = " ".join(xml.fit("".join(char if char.isprintable() else " " for char in text)).split())
    return line.encode()[:TITLE_BYTES].decode("utf-8", "ignore").rstrip() or "-"
