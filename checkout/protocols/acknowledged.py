"""When a merchant's answer counts as an acknowledgement, in the dialects that have a word for it."""

from __future__ import annotations

import re

from checkout.http.client import Answer

_SHORT = 256
# Each file that a PHP shop includes may bring a byte order mark of its own, among white space.
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf|\s)*")


def says(answer: Answer, word: str) -> bool:
    """2xx and a body that starts with `word` (either case, after byte order marks and white space), or contains
    it when the whole body is at most 256 bytes: an HTML error page that mentions it is no acknowledgement."""
    if not 200 <= answer.status < 300:
        return False
    wanted = word.lower().encode()
    start = _BEFORE.match(answer.body)
    text = answer.body[start.end() if start else 0 :].lower()
    return text.startswith(wanted) or (len(answer.body) <= _SHORT and wanted in text)
