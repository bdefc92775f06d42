"""The day of a phone as plain SVG: a band where it was heard of, a notch where it was away."""

from __future__ import annotations

from msgspec import Struct

from checkout.admin.tables import lasting
from checkout.pages.language import N_, beijing
from checkout.presence import DAY_S, HOUR_S, WINDOWS, Presence
from checkout.store.silences import Silence

WIDTH, HEIGHT, FOOT = 720, 26, 20
_LABEL_HOURS = 6
_NAMES = (N_("24 hours"), N_("7 days"), N_("30 days"))  # of WINDOWS, in their order


class Span(Struct, frozen=True):
    """`title` says in words what the piece of the band stands for; `is_away` draws it as a notch."""

    x: int
    width: int
    is_away: bool
    title: str


class Day(Struct, frozen=True):
    """`labels`: where a time of day stands, in pixels."""

    spans: tuple[Span, ...]
    labels: tuple[tuple[int, str], ...]
    absences: tuple[Silence, ...]
    width: int = WIDTH
    height: int = HEIGHT
    foot: int = FOOT


def day(presence: Presence) -> Day:
    """The last 24 hours; nothing is drawn for the time in which the phone was not known."""
    start, away = presence.now - DAY_S, presence.within(DAY_S)
    known = max(start, presence.known_since) if presence.known_since is not None else presence.now
    pieces, at = [], known
    for one in away:
        pieces += [(at, one.since, False), (one.since, one.until, True)]
        at = one.until
    pieces.append((at, presence.now, False))
    spans = tuple(_span(start, *piece) for piece in pieces if piece[1] > piece[0])
    return Day(spans, tuple(_labels(start, presence.now)), tuple(reversed(away)))


def uptimes(presence: Presence) -> list[tuple[str, int | None]]:
    """Per mille by window, whose name is marked with `N_`."""
    return [(name, presence.uptime(seconds)) for name, seconds in zip(_NAMES, WINDOWS.values(), strict=True)]


def _span(start: int, since: int, until: int, is_away: bool) -> Span:
    x, end = _x(start, since), _x(start, until)
    title = f"{beijing(since)[11:16]}–{beijing(until)[11:16]} ({lasting(until - since)})"
    return Span(x, max(2 if is_away else 1, end - x), is_away, title)


def _labels(start: int, now: int) -> list[tuple[int, str]]:
    step = _LABEL_HOURS * HOUR_S
    first = -(-(start + 8 * HOUR_S) // step) * step - 8 * HOUR_S  # round hours in Beijing
    return [(_x(start, at), beijing(at)[11:16]) for at in range(first, now, step)]


def _x(start: int, at: int) -> int:
    return (at - start) * WIDTH // DAY_S
