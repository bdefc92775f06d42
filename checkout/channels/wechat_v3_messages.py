"""What WeChat Pay's API v3 signs, encrypts and says, as pure functions.

Specification: WeChat Pay API v3, public-key mode: requests with WECHATPAY2-SHA256-RSA2048, answers and notices
signed over `timestamp\\nnonce\\nbody\\n`, notices encrypted with AES-256-GCM.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from checkout.beijing import BEIJING
from checkout.channel import Paid
from checkout.channels import keys
from checkout.money import MAX_FEN

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey

WINDOW_S = 300  # how far a signature's time may be from ours
PROBE = "WECHATPAY/SIGNTEST/"  # WeChat Pay tries whether wrong signatures are noticed
ALGORITHM = "AEAD_AES_256_GCM"

_TAG = 16
_NUMBER = re.compile(r"[0-9A-Za-z_*|-]{1,64}")
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})")


class Unsigned(Exception):
    """A message whose signature does not hold; the text goes on after "The message …"."""


class Malformed(Exception):
    """A message that is not what the specification says; the text is a sentence."""


def authorization(private: RsaKey, mch_id: str, serial_no: str, nonce: str, now: int, *signed: bytes) -> str:
    """The Authorization header of a request; `signed` is its method, its path with the query, and its body."""
    method, target, body = signed
    message = b"\n".join((method, target, str(now).encode(), nonce.encode(), body, b""))
    signature = keys.rsa_sign(private, message)
    return (
        f'WECHATPAY2-SHA256-RSA2048 mchid="{mch_id}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{now}",serial_no="{serial_no}"'
    )


def client_signature(private: RsaKey, *lines: str) -> str:
    """What an app or a page inside WeChat shows the client's SDK: each line ended by a line feed."""
    return keys.rsa_sign(private, "".join(f"{line}\n" for line in lines).encode())


def check_signature(headers: Mapping[str, str], body: bytes, public: RsaKey, key_id: str, now: int) -> None:
    """Raises `Unsigned`. `headers` finds names in lower case; the window is five minutes to either side of `now`."""
    timestamp, nonce, signature, serial = (
        headers.get(f"wechatpay-{name}", "") for name in ("timestamp", "nonce", "signature", "serial")
    )
    if not (timestamp and nonce and signature and serial):
        raise Unsigned("is not signed")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not re.fullmatch(r"[!-~]{1,128}", nonce):
        raise Unsigned("has a malformed signature")
    if abs(int(timestamp) - now) > WINDOW_S:
        raise Unsigned("was signed more than five minutes from now; is the clock right?")
    if signature.startswith(PROBE):
        raise Unsigned("carries a probe instead of a signature")
    if serial != key_id:
        raise Unsigned("is signed by another key than public_key_id names")
    message = b"\n".join((timestamp.encode(), nonce.encode(), body, b""))
    if not keys.rsa_signed_by(public, signature, message):
        raise Unsigned("has a signature that does not hold")


def object_of(data: bytes) -> dict[str, object]:
    """A JSON object in which no name is doubled; numbers with a point stay texts. Raises `Malformed`."""
    try:
        found = json.loads(data.decode(), parse_float=str, parse_constant=str, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Malformed("The message is not JSON in which each name occurs once.") from None
    if not isinstance(found, dict):
        raise Malformed("The message is not a JSON object.")
    return found


def part(values: Mapping[str, object], name: str) -> dict[str, object]:
    """An object inside; empty when it is none."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def decrypted(resource: Mapping[str, object], api_v3_key: str) -> bytes:
    """What a notice carries encrypted; the tag is the last 16 bytes. Raises `Malformed`."""
    from Crypto.Cipher import AES

    texts = [resource.get(name) or "" for name in ("nonce", "associated_data", "ciphertext")]
    nonce, associated, ciphertext = (str(text).encode("utf-8", "replace") for text in texts)
    try:
        sealed = base64.b64decode(ciphertext, validate=True)
        if resource.get("algorithm") != ALGORITHM or len(nonce) != 12 or len(sealed) <= _TAG:
            raise ValueError
        cipher = AES.new(api_v3_key.encode(), AES.MODE_GCM, nonce=nonce).update(associated)
        return cipher.decrypt_and_verify(sealed[:-_TAG], sealed[-_TAG:])
    except (ValueError, binascii.Error):
        raise Malformed("The notice could not be decrypted; is api_v3_key right?") from None


def paid_of(values: Mapping[str, object], now: int) -> Paid:
    """The evidence of a transaction that succeeded. Raises `Malformed`."""
    token, reference = values.get("out_trade_no"), values.get("transaction_id")
    total = part(values, "amount").get("total")
    if not (is_number(token) and is_number(reference)):
        raise Malformed("The message names no order or no transaction.")
    if type(total) is not int or not 0 < total <= MAX_FEN:  # type(): True is an int too
        raise Malformed("The message holds no proper amount.")
    return Paid(str(token), str(reference), total, moment(values.get("success_time"), now))


def mismatch_of(values: Mapping[str, object], app_id: str, mch_id: str) -> str:
    """Why a transaction is not one of ours, "" when it is."""
    if values.get("mchid") != mch_id:
        return "The message is for another merchant."
    if values.get("appid") != app_id:
        return "The message is for another app."
    if part(values, "amount").get("currency", "CNY") != "CNY":
        return "The message is in another currency."
    return ""


def is_number(value: object) -> bool:
    """Whether it looks like a number of an order, a transaction or a refund."""
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def stored(values: Mapping[str, object]) -> str:
    """The message as it is kept; what UTF-8 cannot spell becomes a question mark."""
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "replace").decode()


def moment(text: object, otherwise: int) -> int:
    """Unix seconds of `2018-06-08T10:34:56+08:00`; `otherwise` for anything else."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return otherwise
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return otherwise


def beijing(moment: int) -> str:
    return datetime.fromtimestamp(moment, BEIJING).isoformat()


def shortened(text: str, length: int) -> str:
    """A text of at most `length` bytes in UTF-8, no character cut, without control marks."""
    plain = "".join(char if char.isprintable() else " " for char in text).strip()
    return plain.encode("utf-8", "replace")[:length].decode("utf-8", "ignore").strip()


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled")
    return found
