"""How far a request has come, judged from its bytes alone: where its head and its body end (RFC 9112, 6 and 7).

The parser reads to the same ends afterwards, in a thread; what it would refuse in the middle of a body, when an answer
of its own is too late, is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from checkout.places import OWNERS

_MOST_HEAD = 32 * 1024
_MOST_BODY = 1024 * 1024 + 64 * 1024
_MOST_UPLOAD = 13 * 1024 * 1024  # what the owner's pages take
_MOST_CHUNK_LINE = 256

_OWNERS = re.compile(rb"[A-Z]+ [^ ?]*" + OWNERS.encode() + b"/")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:;" + _TOKEN + rb"(?:=" + _TOKEN + rb")?)*")
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)


class Verdict(Enum):
    WAIT = 1
    WHOLE = 2  # or so wrong that the parser will refuse it without reading on
    TOO_LONG = 3
    BROKEN = 4


@dataclass(slots=True)
class Place:
    """How far a body in chunks has been looked at: where its next chunk begins; 0: nowhere yet."""

    at: int = 0


def judge(received: bytes | bytearray, place: Place | None = None) -> Verdict:
    """How far a request has come; what follows it does not matter. `place` remembers, from one part to the next."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return Verdict.TOO_LONG if len(received) > _MOST_HEAD else Verdict.WAIT
    if head > _MOST_HEAD:
        return Verdict.TOO_LONG
    body = len(received) - head - 4
    if _CHUNKED.search(received, 0, head + 2):
        place = place or Place()
        place.at = place.at or head + 4
        verdict = _judge_chunks(received, place)
        return Verdict.TOO_LONG if verdict is Verdict.WAIT and body > _most_body(received) else verdict
    lengths = _LENGTH.findall(received, 0, head + 2)
    if not lengths or len(lengths) > 1 or not lengths[0].isdigit():
        return Verdict.WHOLE
    length = int(lengths[0]) if len(lengths[0]) < 10 else _MOST_UPLOAD + 1
    if length > _most_body(received):
        return Verdict.TOO_LONG
    return Verdict.WHOLE if body >= length else Verdict.WAIT


def is_for_owner(received: bytes | bytearray) -> bool:
    """Whether a request is for the owner's pages, which take photos and files."""
    return _OWNERS.match(received) is not None


def expectation(received: bytes | bytearray) -> re.Match[bytes] | None:
    """The header by which a client asks to be told to go on, once all of the head is here (RFC 9110, 10.1.1)."""
    return _EXPECT.search(received, 0, received.find(b"\r\n\r\n") + 2)


def _most_body(received: bytes | bytearray) -> int:
    return _MOST_UPLOAD if is_for_owner(received) else _MOST_BODY


def _judge_chunks(received: bytes | bytearray, place: Place) -> Verdict:
    """From chunk to chunk, as the parser reads: the bytes of a last chunk may also stand inside another one, and who
    believed them there would have a thread wait for the rest."""
    while place.at < len(received):
        line = received.find(b"\r\n", place.at, place.at + _MOST_CHUNK_LINE)
        if line < 0:
            return Verdict.WAIT if len(received) < place.at + _MOST_CHUNK_LINE else Verdict.TOO_LONG
        found = _CHUNK.fullmatch(received, place.at, line)
        if found is None or received[place.at - 2 : place.at] != b"\r\n":
            return Verdict.BROKEN  # the parser would find it when the application reads, too late for a 400
        size = int(found[1], 16)
        if size == 0:  # no client of ours sends trailers, which the parser would judge too late as well
            end = bytes(received[line : line + 4])
            if end == b"\r\n\r\n":
                return Verdict.WHOLE
            return Verdict.WAIT if b"\r\n\r\n".startswith(end) else Verdict.BROKEN
        if size > _most_body(received):
            return Verdict.TOO_LONG
        place.at = line + 2 + size + 2
    return Verdict.WAIT
