"""Addresses of our own pages: paths without a host, so that a page works under every name by which it is reached."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

from flask import request

from checkout.pages import frames, language
from checkout.web import parts

_KEPT = ("method", "quantity", "amount", "ref", "return", "theme", "embed", "stay", "help", "lang")


def path(*segments: str, **query: str) -> str:
    """`path("pay", token, "poll", rev="3")` → `/pay/<token>/poll?rev=3`, below the base URL's own path, if it has one.

    A language and a theme that were chosen in the address stay chosen, and so does the page around (`embed`).
    """
    base = urlsplit(parts().settings.base_url).path.rstrip("/")
    if "lang" not in query and (chosen := language.chosen()):
        query["lang"] = chosen
    query |= {name: value for name, value in (("theme", theme()), ("embed", frames.asked())) if value}
    if "asked" not in query and segments[:1] == ("pay",) and asked_at():
        query["asked"] = str(asked_at())
    place = "/".join([base, *(quote(segment, safe="") for segment in segments)])
    return f"{place}?{urlencode(query)}" if query else place


def here(**query: str) -> str:
    """The address of this page with other parameters: what the buyer has chosen stays."""
    kept = {name: value for name, value in request.args.items() if name in _KEPT}
    return "?" + urlencode({**kept, **query})


def asked_at() -> int:
    """When the buyer said that the money is on its way (Unix seconds), 0 for never."""
    return moment(request.args.get("asked", ""))


def moment(asked: str) -> int:
    """The Unix seconds that an address carries; 0 where there are none."""
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 12 else 0


def theme() -> str:
    """light or dark, where the address insists (`?theme=`); "" where the buyer's own setting decides."""
    asked = request.args.get("theme", "")
    return asked if asked in ("light", "dark") else ""
