"""Routes that stand behind any prefix and any number of slashes, and never redirect.

Shops add the path to an address that somebody typed, with or without a slash at its end or a folder of an earlier
gateway in it, and many of their HTTP clients do not follow a redirect of a POST.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter


class _Anywhere(BaseConverter):
    regex = r"(?:.*/)?"
    part_isolating = False


class _Digits(BaseConverter):
    """As they were sent; `int` would take full-width digits too."""

    regex = r"[0-9]{1,16}"


def blueprint(name: str, views: dict[str, Callable[..., Response]]) -> Blueprint:
    """A blueprint with each view at its path (`submit.php`, `api/pay/<digits:aid>`), for GET and POST."""
    made = Blueprint(name, __name__)
    made.record(_register_converters)
    for path, view in views.items():
        made.add_url_rule(
            "/<anywhere:_>" + path,
            view.__name__,
            _without_prefix(view),
            methods=["GET", "POST"],
            merge_slashes=False,
            strict_slashes=False,
        )
    return made


def _register_converters(state: BlueprintSetupState) -> None:
    state.app.url_map.converters.update(anywhere=_Anywhere, digits=_Digits)


def _without_prefix(view: Callable[..., Response]) -> Callable[..., Response]:
    def viewing(_: str, **values: str) -> Response:
        return view(**values)

    return viewing
