"""The pages that belong to no order: the front door, the icon, the public keys of returns."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Blueprint, Response, json, request

from checkout import returns, store
from checkout.errors import Code, Refusal
from checkout.pages import answers, assets
from checkout.pages.view import front_door
from checkout.web import parts

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#047F40"/>'
    '<path d="m8 17 6 6 11-14" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round"'
    ' stroke-linejoin="round"/></svg>'
)


def routes() -> Blueprint:
    blueprint = Blueprint("site", __name__)
    blueprint.add_url_rule("/", "landing", landing)
    blueprint.add_url_rule("/favicon.ico", "icon", icon)
    blueprint.add_url_rule("/brand-logo", "logo", logo)
    blueprint.add_url_rule("/robots.txt", "robots", robots)
    blueprint.add_url_rule("/.well-known/checkout-keys.json", "keys", keys)
    return blueprint


def landing() -> Response:
    """Says what this is and where the shop is: people come here by cutting off a payment address."""
    with parts().store.read() as db:
        merchant = store.merchants.default(db)
    return answers.page("landing.html", shop_url=front_door(merchant.return_url if merchant else ""))


def icon() -> Response:
    return Response(_ICON, mimetype="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


def logo() -> Response:
    """The owner's logo, as named in the settings."""
    try:
        path = Path(parts().settings.brand_logo or "-")
        content = path.read_bytes()
    except OSError as error:
        raise Refusal(Code.NOT_FOUND, "There is no logo.") from error
    answer = Response(content, mimetype=assets.mimetype_of(path), headers={"Cache-Control": "public, max-age=86400"})
    answer.set_etag(hashlib.sha256(content).hexdigest()[:16])
    answer.make_conditional(request)
    return answer


def robots() -> Response:
    """Pages may be fetched, so that a crawler meets their noindex; payment addresses are of no use to it."""
    return Response("User-agent: *\nDisallow: /pay/\n", mimetype="text/plain")


def keys() -> Response:
    """A JSON Web Key Set (RFC 7517) for pages that check the signature of a return, from any origin."""
    body = json.dumps(returns.public_keys(parts().store, parts().clock()))
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
    return Response(body, mimetype="application/json", headers=headers)
