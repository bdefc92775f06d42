"""WeChat Pay v2's messages as its documentation puts them, for what stands in for it; nothing here is Checkout's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.sax.saxutils import escape

from Crypto.Cipher import AES


def string_to_sign(values: Mapping[str, str], key: str) -> bytes:
    pairs = [f"{name}={values[name]}" for name in sorted(values) if name != "sign" and values[name] != ""]
    return "&".join([*pairs, f"key={key}"]).encode()


def sign_of(values: Mapping[str, str], key: str, sign_type: str = "MD5") -> str:
    text = string_to_sign(values, key)
    if sign_type == "HMAC-SHA256":
        return hmac.new(key.encode(), text, hashlib.sha256).hexdigest().upper()
    return hashlib.md5(text).hexdigest().upper()


def written(values: Mapping[str, str], root: str = "xml") -> bytes:
    """Numbers bare, texts in CDATA, as the gateway writes them."""
    inside = "".join(f"<{name}>{_text(value)}</{name}>\n" for name, value in values.items())
    return f"<{root}>{inside}</{root}>".encode()


def read(body: bytes, root: str = "xml") -> dict[str, str]:
    """ValueError where it is no such message."""
    try:
        top = ET.fromstring(body.decode("utf-8"))
    except ET.ParseError as error:
        raise ValueError("XML_FORMAT_ERROR") from error
    names = [element.tag for element in top]
    if top.tag != root or len(set(names)) != len(names):
        raise ValueError("XML_FORMAT_ERROR")
    return {element.tag: element.text or "" for element in top}


def locked(values: Mapping[str, str], api_key: str) -> str:
    """The req_info of a refund notice."""
    body = written(values, "root")
    filled = body + bytes([16 - len(body) % 16]) * (16 - len(body) % 16)
    key = hashlib.md5(api_key.encode()).hexdigest().encode()
    return base64.b64encode(AES.new(key, AES.MODE_ECB).encrypt(filled)).decode()


def _text(value: str) -> str:
    return value if value.isdigit() else f"<![CDATA[{value}]]>" if "]]>" not in value else escape(value)
