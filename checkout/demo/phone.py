"""The simulated phone: sends what the V免签 app on the owner's phone sends, by HTTP."""

from __future__ import annotations

import hashlib
import time
from urllib.parse import urlencode

from checkout.http.client import Client, Outgoing, Unreachable
from checkout.interfaces import Send

BEAT_S = 30
_TYPES = {"wechat": "1", "alipay": "2"}


class Phone:
    """A phone that was paired with `base_url` and `key`."""

    def __init__(self, base_url: str, key: str, send: Send | None = None) -> None:
        self._base_url, self._key = base_url, key
        self._send = send or Client(allow_private=True).send

    def beat(self) -> bool:
        """Says that it is there; False when the server did not agree."""
        t = _milliseconds()
        return self._told("/appHeart", {"t": t, "sign": self._sign(t)})

    def received(self, method: str, amount: str) -> bool:
        """Reports that `amount` (yuan) came by wechat or alipay; False when the server did not take it."""
        kind, t = _TYPES[method], _milliseconds()
        return self._told("/appPush", {"t": t, "type": kind, "price": amount, "sign": self._sign(kind, amount, t)})

    def beat_for_ever(self) -> None:
        while True:
            time.sleep(BEAT_S if self.beat() else 0.5)

    def _told(self, path: str, values: dict[str, str]) -> bool:
        try:
            answer = self._send(Outgoing("GET", f"{self._base_url}{path}?{urlencode(values)}"))
        except Unreachable:
            return False
        return answer.status == 200 and b'"code": 1' in answer.body.replace(b'"code":1', b'"code": 1')

    def _sign(self, *parts: str) -> str:
        return hashlib.md5("".join((*parts, self._key)).encode(), usedforsecurity=False).hexdigest()


def _milliseconds() -> str:
    return str(time.time_ns() // 1_000_000)
