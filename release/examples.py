"""The examples of the API's reference: what each asks for, by the operation's name, as a command and as Python.

A test runs each of them."""

from __future__ import annotations

import json
from typing import Any

BASE = "https://pay.example.com/api/v1"
BODIES: dict[str, dict[str, Any]] = {
    "create_order": {"number": "N1", "price": {"amount": 990, "currency": "CNY"}, "title": "E-book"},
    "close_order": {},
    "create_refund": {"reason": "returned", "amount": {"amount": 100, "currency": "CNY"}, "by_hand": True},
    "link_payment": {"order": "$ORDER", "reason": "the buyer showed the bill"},
}
QUERIES = {
    "list_orders": "?state=paid&limit=50",
    "list_products": "?limit=50",
    "list_payments": "?judgement=unmatched",
}
CLIENT = {  # what checkout.client says for it
    "create_order": 'order = shop.create("N1", amount=990, title="E-book")\nprint(order.pay_url)',
    "list_orders": 'for order in shop.orders(state="paid"):\n    print(order.number, order.price)',
    "get_order": "print(shop.get(ORDER).state)",
    "close_order": "print(shop.close(ORDER).state)",
    "create_refund": 'print(shop.refund(ORDER, "returned", amount=100, by_hand=True).state)',
}


def curl(method: str, place: str, name: str) -> str:
    """A command that does it, and whose words the shell expands."""
    words = [f'curl -s "{BASE}{_with_ids(place, "${}")}{QUERIES.get(name, "")}"']
    if name != "get_receipt":
        words.append('-H "Authorization: Bearer $KEY"')
    if method == "POST":
        words.append(f'-H "Idempotency-Key: example-{name}"')
        words += ['-H "Content-Type: application/json"', f"-d {_quoted(json.dumps(BODIES[name]))}"]
    return " \\\n  ".join(words)


def python(method: str, place: str, name: str) -> str:
    """With `checkout.client` where that can do it, else with the standard library."""
    if name in CLIENT:
        return (
            f'from checkout.client import Checkout\n\nshop = Checkout("https://pay.example.com", KEY)\n{CLIENT[name]}'
        )
    url = f'f"{BASE}{_with_ids(place, "{{{}}}")}{QUERIES.get(name, "")}"'
    if "{" not in url:
        url = url[1:]
    headers = [] if name == "get_receipt" else ['"Authorization": f"Bearer {KEY}"']
    lines = ["import json", "from urllib.request import Request, urlopen", ""]
    if method == "POST":
        headers += ['"Content-Type": "application/json"', '"Idempotency-Key": "example-1"']
        body = json.dumps(BODIES[name]).replace('"$ORDER"', "ORDER")
        lines.append(f"body = {body}")
    lines += [f"url = {url}", f"headers = {{{', '.join(headers)}}}"]
    data = ", json.dumps(body).encode()" if method == "POST" else ""
    lines += [f"with urlopen(Request(url{data}, headers=headers)) as answer:", "    print(json.load(answer))"]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """For the shell, which expands a variable between double quotes only."""
    if "$" not in text:
        return f"'{text}'"
    return '"' + text.replace('"', '\\"') + '"'


def _with_ids(place: str, form: str) -> str:
    for name in ("order", "payment", "receipt"):
        place = place.replace(f"{{{name}}}", form.format(name.upper()))
    return place.replace("{product}", "ebook")
