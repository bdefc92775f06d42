"""Before every page: not more often than people look. The numbers stand in `checkout.rates`."""

from __future__ import annotations

from flask import Blueprint, request

from checkout.errors import Code, Refusal
from checkout.rates import PAGE, POLL, Crowd
from checkout.web import client_address, parts


def guard(*blueprints: Blueprint) -> None:
    """Puts one gate before all of them."""
    crowd = Crowd()

    def admit() -> None:
        """Refused: LIMITED, with `retry_after`."""
        cost = POLL if request.endpoint == "pay.poll" else PAGE
        wait = crowd.wait(client_address(request.environ), cost, parts().clock())
        if wait:
            message = f"Your address asks for too many pages at once; try again in {wait} s."
            raise Refusal(Code.LIMITED, message, retry_after=wait)

    for blueprint in blueprints:
        blueprint.before_request(admit)
