"""The phone app of V免签, as the published apps behave."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from tests.clients.wire import Wire


@dataclass(frozen=True)
class Phone:
    """Paired by one text, `host[:port]/key`, of which it splits off the key at the only slash."""

    wire: Wire
    pairing: str

    @property
    def key(self) -> str:
        host, key = self.pairing.split("/")
        assert host
        assert "://" not in self.pairing
        return key

    def heart(self, t: int) -> dict[str, Any]:
        sign = hashlib.md5(f"{t}{self.key}".encode()).hexdigest()
        return self._get("/appHeart", {"t": str(t), "sign": sign})

    def push(self, kind: int, price: str, t: int, **more: str) -> dict[str, Any]:
        """`price` as the app spells it; `force_push="true"` is what one app adds to a repeat."""
        sign = hashlib.md5(f"{kind}{price}{t}{self.key}".encode()).hexdigest()
        return self._get("/appPush", {"t": str(t), "type": str(kind), "price": price, "sign": sign, **more})

    def _get(self, path: str, values: dict[str, str]) -> dict[str, Any]:
        reply = self.wire("GET", f"{path}?{urlencode(values)}", {"User-Agent": "okhttp/3.14.9"}, b"")
        assert reply.status == 200, reply.body
        found = reply.json()
        assert isinstance(found, dict)
        return found


def java_double(amount: int) -> str:
    """Fen as Java's `Double.toString` writes the yuan: at least one decimal, an exponent from ten million on."""
    yuan = Decimal(amount) / 100
    if yuan < 10**7:
        text = f"{yuan:f}"
        return text if "." in text else text + ".0"
    exponent = yuan.adjusted()
    mantissa = f"{(yuan / Decimal(10) ** exponent).normalize():f}"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{exponent}"
