"""When a merchant's answer counts as an acknowledgement, in the dialects that have a word for it."""

from __future__ import annotations

from checkout.http import Answer

_SHORT = 256


def says(answer: Answer, word: str) -> bool:
    """2xx and a body that starts with `word` (either case, after BOM and white space), or contains it when the whole
    body is at most 256 bytes: an HTML error page that mentions it is no acknowledgement."""
    if not 200 <= answer.status < 300:
        return False
    text = answer.body.removeprefix(b"\xef\xbb\xbf").strip().lower()
    wanted = word.encode()
    return text.startswith(wanted) or (len(answer.body) <= _SHORT and wanted in text)
