"""Alipay's answers to requests: `{"alipay_trade_query_response":{…},"sign":"…"}`.

The signature covers the member's text exactly as it came, so it is cut out of the answer, not put together again.
Braces and quotes occur inside its strings: the cut follows JSON's grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from checkout.channel import GatewayError

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BUSY = ("SYSTEM_ERROR", "unknow-error", "unknown-error", "call-limited", "isp.")

Holds = Callable[[str, bytes], bool]  # whether a base64 signature holds for a message


class Business(Exception):
    """A refusal by Alipay's rules (code 40004); `sub_code` such as `ACQ.TRADE_NOT_EXIST` says which."""

    def __init__(self, sub_code: str) -> None:
        super().__init__(sub_code)
        self.sub_code = sub_code


def answer_of(body: bytes, method: str, holds: Holds) -> Mapping[str, str]:
    """The members of a successful answer (code 10000), each as text; nothing is used before the signature held.

    Raises `Business` for code 40004, `GatewayError` for all else: passing where nobody knows what was done.
    """
    members = _members(body)
    raw = members.get(method.replace(".", "_") + "_response") or members.get("error_response")
    sign = _string(members.get("sign", '""'))
    if raw is None:
        raise GatewayError("Alipay's answer is not one to this request.", permanent=False)
    if not sign:
        raise GatewayError(f"Alipay's answer is not signed{_hint(raw)}.", permanent=False)
    values = _values(_signed(raw, sign, holds))
    code, sub_code = values.get("code", ""), _word(values.get("sub_code", ""))
    if code == "10000":
        return values
    if code == "20000" or any(word in sub_code for word in _BUSY):
        raise GatewayError(f"Alipay could not say what became of it: {sub_code or _word(code)}.", permanent=False)
    if code == "40004":
        raise Business(sub_code or "no reason")
    raise GatewayError(f"Alipay refused the request: {sub_code or _word(code) or 'no reason'}.", permanent=True)


def _signed(raw: str, sign: str, holds: Holds) -> str:
    """The text that the signature covers. Some answers are signed before their slashes were escaped, as Alipay's own
    libraries know; what is read is then what was signed."""
    for text in (raw, raw.replace("\\/", "/")):
        if holds(sign, text.encode()):
            return text
    raise GatewayError("The signature of Alipay's answer does not hold.", permanent=False)


def _members(body: bytes) -> dict[str, str]:
    """The members of the outer object in their raw spelling; a doubled one makes the answer useless."""
    try:
        return _cut(body.decode().strip())
    except (ValueError, RecursionError, IndexError):
        raise GatewayError("Alipay's answer is not JSON.", permanent=False) from None


def _cut(text: str) -> dict[str, str]:
    decoder, found = json.JSONDecoder(), dict[str, str]()
    at = _after(text, 0, "{")
    while True:
        name, end = decoder.raw_decode(text, at)
        start = _after(text, end, ":")
        _, end = decoder.raw_decode(text, start)
        if not isinstance(name, str) or name in found:
            raise ValueError(name)
        found[name] = text[start:end]
        if text[end:].strip(" \t\r\n") == "}":
            return found
        at = _after(text, end, ",")


def _after(text: str, at: int, mark: str) -> int:
    """The place of what follows a mark."""
    at = _end_of_space(text, at)
    if text[at] != mark:
        raise ValueError(mark)
    return _end_of_space(text, at + 1)


def _end_of_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _values(text: str) -> dict[str, str]:
    """The member's values as text: numbers in their own spelling, lists and objects left out."""
    try:
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise GatewayError("Alipay's answer is not an object with each name once.", permanent=False) from None
    if not isinstance(found, dict):
        raise GatewayError("Alipay's answer is not an object.", permanent=False)
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled")
    return found


def _string(raw: str) -> str:
    value = json.loads(raw)
    return value if isinstance(value, str) else ""


def _hint(raw: str) -> str:
    """The reason in an unsigned answer: for people to read, never to act on."""
    match = re.search(r'"sub_code"\s*:\s*"([A-Za-z0-9._-]{1,64})"', raw)
    return f"; it says {match[1]}" if match else ""


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else ""
