"""Before the pages that buyers look at: not more often than people look. The numbers stand in `checkout.rates`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, after_this_request, request

from checkout.errors import Code, Refusal
from checkout.rates import PAGE, POLL
from checkout.web import client_address, parts

_PLACES = {"buy", "pay", "receipt"}

View = Callable[..., Any]


def guard(app: Flask) -> None:
    """Puts one gate before all of them: around the views, as a hook of Flask's costs the polls four times as much."""
    for name, view in app.view_functions.items():
        if name.partition(".")[0] in _PLACES:
            app.view_functions[name] = _behind(POLL if name == "pay.poll" else PAGE, view)


def _behind(cost: int, view: View) -> View:
    @wraps(view)
    def admitted(**values: str) -> Any:
        shop = parts()
        wait = shop.pace.buyers.wait(client_address(request.environ), cost, shop.clock())
        if wait:
            after_this_request(_readable)
            message = f"Your address asks for too many pages at once; try again in {wait} s."
            raise Refusal(Code.LIMITED, message, retry_after=wait)
        return view(**values)

    return admitted


def _readable(answer: Response) -> Response:
    """A page of another site that asks for a receipt may know why it gets none."""
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
