"""Everything that goes wrong under `/api/v1`, as RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from flask import Response

from checkout.errors import Code, Refusal
from checkout.protocols.api.models import Fault, Problem
from checkout.web import STATUS

PREFIX = "/api/v1"
MIMETYPE = "application/problem+json"

_CODES = {
    401: "unauthorized",
    403: Code.FORBIDDEN.value,
    404: Code.NOT_FOUND.value,
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: Code.LIMITED.value,
    500: "internal",
    502: "gateway",
    503: "unavailable",
}


class Wrong(Exception):
    """A request that is turned down before any rule is asked."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        errors: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code = status, detail, code
        self.errors, self.headers = list(errors), headers or {}


def is_ours(path: str) -> bool:
    """Whether a request for `path` is answered in the words of the native API."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def problem(status: int, detail: str, *, code: str = "", errors: Sequence[Fault] = ()) -> Response:
    """`code` never changes; without one it is that of the status. Uses no database: that may be what failed."""
    found = Problem(
        type="about:blank", title=_title(status), status=status, detail=detail, errors=list(errors) or msgspec.UNSET,
        code=code or _CODES.get(status, Code.BAD_REQUEST.value if status < 500 else "internal"),
    )  # fmt: skip
    return Response(msgspec.json.encode(found), status, mimetype=MIMETYPE)


def of_refusal(refusal: Refusal) -> Response:
    answer = problem(STATUS[refusal.code], refusal.message, code=refusal.code.value)
    if refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def of_wrong(wrong: Wrong) -> Response:
    answer = problem(wrong.status, wrong.detail, code=wrong.code, errors=wrong.errors)
    answer.headers.update(wrong.headers)
    return answer


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
