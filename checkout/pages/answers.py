"""Pages and fragments as responses: strict headers, compressed where the browser takes it."""

from __future__ import annotations

import gzip
from typing import Any

from flask import Response, redirect, render_template, request

from checkout.pages import assets, frames, links
from checkout.web import parts

_NOT_WORTH_IT = 1024


def page(template: str, /, status: int = 200, **values: Any) -> Response:
    """A whole page: never stored, indexed or framed."""
    answer = fragment(template, **values)
    answer.status_code = status
    answer.headers["Content-Security-Policy"] = assets.policy(parts().settings)
    return _compressed(answer)


def fragment(template: str, **values: Any) -> Response:
    """Part of a page, for htmx."""
    shared = {"path": links.path, "here": links.here, "theme": links.theme(), "settings": parts().settings}
    answer = Response(render_template(template, **shared, **values))
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def see(place: str) -> Response:
    """303: the browser goes on to `place`, by GET."""
    answer = redirect(place, 303)
    assert isinstance(answer, Response)
    return frames.isolated(answer) if frames.asked() else answer


def _compressed(answer: Response) -> Response:
    answer.headers["Vary"] = "Accept-Encoding"
    body = answer.get_data()
    if request.accept_encodings.quality("gzip") > 0 and len(body) > _NOT_WORTH_IT:
        answer.set_data(gzip.compress(body, 6, mtime=0))
        answer.headers["Content-Encoding"] = "gzip"
    return answer
