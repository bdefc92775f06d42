"""The native API, `/api/v1`: JSON, described by the OpenAPI 3.1 document at `/api/v1/openapi.json`.

`Authorization: Bearer ck_live_…`; each key belongs to a merchant and has scopes. `Idempotency-Key` on every POST.
Errors are problem documents (RFC 9457), times RFC 3339, money `{"amount": 990, "currency": "CNY"}` in fen. Callback and
return of an order are the native ones: see `native`.
"""

from __future__ import annotations

from flask import Blueprint

from checkout.protocols.api import entry, openapi
from checkout.protocols.api.operations import OPERATIONS
from checkout.protocols.api.orders import NAME
from checkout.protocols.api.problems import PREFIX
from checkout.protocols.native import acknowledged, callback, return_params

__all__ = ["NAME", "acknowledged", "callback", "return_params", "routes"]


def routes() -> Blueprint:
    blueprint = Blueprint(NAME, __name__, url_prefix=PREFIX)
    for one in OPERATIONS:
        path = one.path.replace("{", "<").replace("}", ">")
        blueprint.add_url_rule(path, one.name, entry.view(one), methods=[one.method], provide_automatic_options=False)
    blueprint.add_url_rule("/openapi.json", "openapi", openapi.document, provide_automatic_options=False)
    return blueprint
