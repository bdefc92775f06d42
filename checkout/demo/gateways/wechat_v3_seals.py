"""How WeChat Pay signs, checks and encrypts in API v3, written from its documentation and apart from our code."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from secrets import token_hex

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.PublicKey.RSA import RsaKey
from Crypto.Signature import pkcs1_15

_FIELD = re.compile(r'([a-z_]+)="([^"]*)"')
_FIELDS = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}


def signature(key: RsaKey, *lines: bytes) -> str:
    message = b"".join(line + b"\n" for line in lines)
    return base64.b64encode(pkcs1_15.new(key).sign(SHA256.new(message))).decode()


def holds(key: RsaKey, given: str, *lines: bytes) -> bool:
    message = b"".join(line + b"\n" for line in lines)
    try:
        pkcs1_15.new(key).verify(SHA256.new(message), base64.b64decode(given, validate=True))
    except ValueError:
        return False
    return True


def signed_headers(key: RsaKey, serial: str, now: int, body: bytes) -> dict[str, str]:
    """What stands above an answer or a notice."""
    nonce = token_hex(16)
    return {
        "Wechatpay-Timestamp": str(now), "Wechatpay-Nonce": nonce, "Wechatpay-Serial": serial,
        "Wechatpay-Signature": signature(key, str(now).encode(), nonce.encode(), body),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048", "Request-ID": token_hex(8),
    }  # fmt: skip


def authorization(header: str) -> dict[str, str] | None:
    """The parts of an Authorization header; None when it is not one of this scheme with exactly its parts."""
    scheme, _, rest = header.partition(" ")
    pairs = _FIELD.findall(rest)
    found = dict(pairs)
    if scheme != "WECHATPAY2-SHA256-RSA2048" or set(found) != _FIELDS or len(pairs) != len(_FIELDS):
        return None
    return found if ",".join(f'{name}="{value}"' for name, value in pairs) == rest else None


def sealed(api_v3_key: str, values: Mapping[str, object], about: str) -> dict[str, str]:
    """The `resource` of a notice."""
    nonce = token_hex(6)
    cipher = AES.new(api_v3_key.encode(), AES.MODE_GCM, nonce=nonce.encode()).update(about.encode())
    text, tag = cipher.encrypt_and_digest(json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return {
        "original_type": about, "algorithm": "AEAD_AES_256_GCM", "associated_data": about, "nonce": nonce,
        "ciphertext": base64.b64encode(text + tag).decode(),
    }  # fmt: skip
