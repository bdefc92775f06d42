"""Receives the payment events of your checkout (Standard Webhooks); Python's standard library only.

checkout merchant set 1001 --notify-url https://www.example.com/checkout
CHECKOUT_KEY=… python3 receiver.py 8080        the merchant's key: checkout merchant show 1001
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_S = 300
MAX_BODY = 65536
seen: set[str] = set()  # use a table with a unique id instead


def is_signed(headers: Mapping[str, str], body: bytes, key: str, now: int) -> bool:
    """Whether the event comes from your checkout and is fresh."""
    message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", at) or abs(now - int(at)) > TOLERANCE_S:
        return False
    digest = hmac.digest(key.encode(), f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    expected = b"v1," + base64.b64encode(digest)
    given = headers.get("webhook-signature", "").encode().split()
    return any([hmac.compare_digest(one, expected) for one in given])


def paid(order: dict[str, Any], event_id: str) -> None:
    """Hand over what was bought, once. Compare product and price with your own first.

    The buyer's page is https://pay.example.com/receipt/ + order["receipt"]."""
    if event_id in seen:
        return
    seen.add(event_id)
    print("paid", order["number"], order["product"], order["ref"], order["price"]["amount"], flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MAX_BODY))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not is_signed(headers, body, os.environ["CHECKOUT_KEY"], int(time.time())):
            self.answer(401)
            return
        event = json.loads(body)
        if event["type"] == "order.paid":
            paid(event["data"], self.headers["webhook-id"])
        self.answer(204)  # any 2xx; everything else is tried again for three days

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Receiver).serve_forever()
