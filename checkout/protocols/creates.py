"""Plain createOrder requests of V免签 (`checkout.plain`): not those of GOGO, nor those that a browser brings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from checkout import inline, opening
from checkout.errors import Refusal
from checkout.fields import of_form
from checkout.plain import Plain, Steps
from checkout.protocols import family, vmq, words
from checkout.web import Parts, client_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def answer(shop: Parts, environ: WSGIEnvironment, encoded: bytes, merchant: str | None = None) -> Steps:
    """Gives the body of the answer to a createOrder; None: the route has to answer. As in the route, the order counts
    from when it was asked for: an amount that is free by then is free when it is written."""
    if "HTTP_APP_ID" in environ:
        return None
    if shop.channels:  # a gateway may have to be asked
        inline.need_thread()
    values = of_form(encoded, family.CREATE_FIELDS)  # refused: by the route, it may be GOGO that cannot be read
    try:
        if "appId" in values or values.get("isHtml") == "1":
            return None
        asked, now = family.read_create(values), shop.clock()
        ask = vmq.ask_of(shop, asked, int(merchant) if merchant else None, now)
        yield
        opened = opening.open_with_code(shop.store, ask, shop.rules, now)
        data = family.data_of(shop, opened.order, client_address(environ), now, code=opened.code)
        return words.said_of_success(data)
    except Refusal as refusal:
        return words.said_of_refusal(refusal, vmq.FAILURE)


PLAIN = (
    Plain(re.compile("/createOrder"), "/createOrder", answer, words.CONTENT_TYPE),
    Plain(re.compile("/vmq/([1-9][0-9]{0,15})/createOrder"), "/vmq/<merchant>/createOrder", answer, words.CONTENT_TYPE),
)
