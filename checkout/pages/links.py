"""Addresses of our own pages: paths without a host, so that a page works under every name it is reached by."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

from checkout.pages import language
from checkout.web import parts


def path(*segments: str, **query: str) -> str:
    """`path("pay", token, "poll", rev="3")` → `/pay/<token>/poll?rev=3`, below the base URL's own path, if it has one.

    A language that was chosen in the address stays chosen.
    """
    base = urlsplit(parts().settings.base_url).path.rstrip("/")
    if "lang" not in query and (chosen := language.chosen()):
        query["lang"] = chosen
    place = "/".join([base, *(quote(segment, safe="") for segment in segments)])
    return f"{place}?{urlencode(query)}" if query else place
