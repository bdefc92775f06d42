"""Scripts and styles: htmx from its CDN or from here, addresses that change with the content, the content policy.

A static file that is asked for with its version may be kept for a year; texts are compressed once.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, request
from msgspec import Struct
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from checkout.pages import brand
from checkout.resources import resource_dir
from checkout.settings import Settings
from checkout.web import parts

HTMX_VERSION = "2.0.11"
HTMX_INTEGRITY = "sha384-2OatzQy1H+Zd/IIrjr1TcuDGqLXeHhbooAyJY1KdQMKnr4LZ22k31GBLdYKHmVjg"
HTMX_CDN = f"https://cdn.jsdelivr.net/npm/htmx.org@{HTMX_VERSION}/dist/htmx.min.js"
HTMX_LOCAL = f"vendor/htmx-{HTMX_VERSION}.min.js"

# By the ending of the name. The machine's own list (mimetypes) differs from one to the next, and takes 0.3 MB.
_TEXTS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}
_PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
_STYLE = "checkout.css"
_PAY, _FRAME = "pay.js", "frame.js"  # in a frame the page needs both: together they are one request
_COLOUR = re.compile(r"[0-9a-f]{6}")
_DARK = b"(prefers-color-scheme: dark)"
_MEDIA = {"dark": b"all", "light": b"not all"}  # when the dark rules hold, where the address insists on a theme
_FOR_READERS = re.compile(rb"^\s+(?://.*\n)?|^//.*\n| // .*$", re.MULTILINE)  # indents and comments
_YEAR = "public, max-age=31536000, immutable"


class Asset(Struct, frozen=True):
    content: bytes
    zipped: bytes | None
    mimetype: str
    version: str  # 12 hex digits of its SHA-256


def install(app: Flask) -> None:
    """Takes over Flask's own /static and gives the templates `asset()` and what they need of htmx."""
    app.view_functions["static"] = serve
    app.jinja_env.globals.update(asset=address, htmx_cdn=HTMX_CDN, htmx_local=HTMX_LOCAL, htmx_integrity=HTMX_INTEGRITY)


def serve(filename: str) -> Response:
    """A file below static/, or 404."""
    colour = request.args.get("colour", "")
    beside = _FRAME if request.args.get("with") == _FRAME and filename == _PAY else ""
    theme = request.args.get("theme", "")
    asset = find(filename, f"#{colour}" if _COLOUR.fullmatch(colour) else "", theme, beside)
    if asset is None:
        raise NotFound
    zipped = asset.zipped is not None and request.accept_encodings.quality("gzip") > 0
    answer = Response(asset.zipped if zipped else asset.content, mimetype=asset.mimetype)
    if asset.zipped is not None:
        answer.headers["Vary"] = "Accept-Encoding"
    if zipped:
        answer.headers["Content-Encoding"] = "gzip"
    answer.set_etag(f"{asset.version}{'-gz' if zipped else ''}")
    answer.headers["Cache-Control"] = _YEAR if request.args.get("v") == asset.version else "no-cache"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.make_conditional(request)
    return answer


def address(filename: str, colour: str | None = None, theme: str = "", beside: str = "") -> str:
    """The path of a file below static/, with its version. For the style sheet: `colour` (#rrggbb) goes before the
    owner's own, `theme` (light or dark) before what the buyer's system prefers. `beside`: a script that follows it in
    the same file."""
    base = urlsplit(parts().settings.base_url).path.rstrip("/")
    asset = find(filename, colour or "", theme, beside)
    query = {"v": asset.version} if asset else {}
    query |= {"colour": colour.removeprefix("#")} if colour else {}
    query |= {"theme": theme} if theme else {}
    query |= {"with": beside} if beside else {}
    return f"{base}/static/{filename}" + (f"?{urlencode(query)}" if query else "")


def find(filename: str, colour: str = "", theme: str = "", beside: str = "") -> Asset | None:
    """A file below static/ as it is served; a change of it is seen within a second."""
    return _found(filename, colour or parts().settings.brand_color, theme, beside, int(time.monotonic()))


@lru_cache(maxsize=64)
def _found(filename: str, colour: str, theme: str, beside: str, _second: int) -> Asset | None:
    """A page asks for five of them: the disk was a fifth of its time."""
    place = safe_join(str(resource_dir("static")), filename)
    path = Path(place) if place else None
    if path is None or not os.path.isfile(path):  # false also for a name that no disk takes
        return None
    if beside:
        second = resource_dir("static") / beside
        return _read(path, path.stat().st_mtime_ns + second.stat().st_mtime_ns, second.read_text(encoding="utf-8"), b"")
    is_style = filename == _STYLE
    tail = brand.css(colour) if is_style else ""
    return _read(path, path.stat().st_mtime_ns, tail, _MEDIA.get(theme, b"") if is_style else b"")


def mimetype_of(path: Path) -> str:
    """Of a file below static/ or a logo."""
    return (_TEXTS | _PICTURES).get(path.suffix.lower(), "application/octet-stream")


def policy(settings: Settings) -> str:
    """The Content-Security-Policy of a page. The CDN is allowed one file: it carries everybody's packages."""
    scripts = "'self'" if settings.htmx == "local" else f"'self' {HTMX_CDN}"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, tail: str, media: bytes) -> Asset:
    content = path.read_bytes() + tail.encode()
    if media:
        content = content.replace(_DARK, media)
    if path.name in (_PAY, _STYLE):
        content = _FOR_READERS.sub(b"", content)  # buyers wait for these two
    zipped = gzip.compress(content, 9, mtime=0) if path.suffix in _TEXTS else None
    return Asset(content, zipped, mimetype_of(path), hashlib.sha256(content).hexdigest()[:12])
