"""A strict merchant's client of GOGO支付, written from its documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from tests.clients.vmq import FORM, PAID, Forged, VmqClient, checked_order, md5, query_of
from tests.clients.wire import Reply

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"


@dataclass(frozen=True)
class GogoClient(VmqClient):
    app_id: str = ""
    names_itself: str = "header"  # or "field"
    path: str = "/createOrder"  # or /shop/api/createOrder
    failure: int = 0

    def signature(self, number: str, param: str, kind: str, price: str) -> str:
        return md5(self.app_id, number, param, kind, price, self.key)

    def create(
        self, number: str, price: str, kind: str = "1", *, method: str = "POST", body: str = "form", **more: str
    ) -> dict[str, Any]:
        sign = self.signature(number, more.get("param", ""), kind, price)
        values = {"payId": number, "type": kind, "price": price, "sign": sign, **more}
        reply = self.send(self.path, values, method if body == "form" else body)
        return checked_order(self.envelope(reply), number, kind, price)

    def send(self, path: str, values: Mapping[str, str], method: str = "POST") -> Reply:
        """`method`: GET, POST (a form), multipart or json."""
        headers = {"App-Id": self.app_id, "App-Secret": self.key} if self.names_itself == "header" else {}
        sent = dict(values) if headers else {"appId": self.app_id, **values}
        if method == "GET":
            return self.wire("GET", f"{path}?{urlencode(sent, quote_via=quote)}", headers, b"")
        kind, body = _BODIES[method](sent)
        return self.wire("POST", path, {**headers, "Content-Type": kind}, body)

    def callback(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """What a notify page reads, the values in the query or in the form: both say the same."""
        if method != "POST":
            raise Forged("not a POST")
        form = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"))
        query = {name: value for name, value in query_of(url).items() if name in PAID}
        if form != query:
            raise Forged("query and form differ")
        return self.paid(form)

    def paid_signature(self, values: Mapping[str, str]) -> str:
        return md5(self.app_id, *(values[name] for name in PAID[:-1]), self.key)


def _form(values: Mapping[str, str]) -> tuple[str, bytes]:
    return FORM, urlencode(values, quote_via=quote).encode()


def _multipart(values: Mapping[str, str]) -> tuple[str, bytes]:
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in values.items()
    )
    return f"multipart/form-data; boundary={BOUNDARY}", f"{''.join(parts)}--{BOUNDARY}--\r\n".encode()


def _json(values: Mapping[str, str]) -> tuple[str, bytes]:
    """Numbers stand there as numbers, in the spelling that was signed."""
    members = (
        f"{json.dumps(name)}: {value if name in ('price', 'type') else json.dumps(value)}"
        for name, value in values.items()
    )
    return "application/json", ("{" + ", ".join(members) + "}").encode()


_BODIES = {"POST": _form, "multipart": _multipart, "json": _json}
