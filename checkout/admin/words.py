"""The sentences of refusals in the owner's language.

Rules speak English, with values in their sentences. Each sentence that an owner can meet stands here once more as a
template for translators; what is not here stays English, which beats silence.
"""

from __future__ import annotations

import re
from functools import cache

from checkout.pages.language import N_, translated

SENTENCES = (
    N_("The password is wrong."),
    N_("Too many wrong passwords; try again in %(minutes)s min."),
    N_("The password must have %(shortest)s to %(longest)s characters."),
    N_("The two passwords differ."),
    N_("This link was used or is over; restart the server for a new one."),
    N_("This form is out of date; load its page again."),
    N_("The amount must look like 9.90: digits, and at most two after the point."),
    N_("The amount must be greater than 0."),
    N_("There is no such order."),
    N_("There is no such payment."),
)


def sentence(message: str) -> str:
    """`message` of a refusal, translated where it is known."""
    for pattern, template in _patterns():
        if match := pattern.fullmatch(message):
            return translated(template) % match.groupdict() if match.groupdict() else translated(template)
    return message


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_pattern(template), re.DOTALL), template) for template in SENTENCES)


def _pattern(template: str) -> str:
    pieces = re.split(r"%\((\w+)\)s", template)
    return "".join(re.escape(piece) if at % 2 == 0 else f"(?P<{piece}>.+?)" for at, piece in enumerate(pieces))
