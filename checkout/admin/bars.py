"""Bars as plain SVG: drawn by the server, in whole pixels, readable without colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from checkout.pages.language import money

WIDTH, HEIGHT, FOOT, TOP = 720, 160, 20, 14
_LABELS = 6


class Bar(Struct, frozen=True):
    """A rectangle and what it stands for; `part` is the height of its darker part, None where it is all one; `label`
    stands below it, "" for most."""

    x: int
    y: int
    width: int
    height: int
    title: str
    label: str
    part: int | None = None


class Bars(Struct, frozen=True):
    """`top_label` is what the line at the top stands for."""

    bars: tuple[Bar, ...]
    most: int
    top_label: str
    width: int = WIDTH
    height: int = HEIGHT + FOOT
    foot: int = HEIGHT
    top: int = TOP


def bars(
    values: Sequence[int], titles: Sequence[str], labels: Sequence[str], *, parts: Sequence[int] | None = None,
    least: int = 100, unit: Callable[[int], str] = money,
) -> Bars:  # fmt: skip
    """One bar for each value, none negative; the highest reaches a round number of `least` or more at the top.

    `parts`: how much of each value is drawn darker; `unit` writes a value as people read it."""
    most = _round_up(max(values, default=0), least)
    count = max(1, len(values))
    gap = 4 if count <= 90 else 2 if count <= 180 else 0
    drawn = []
    for at, (value, title, label) in enumerate(zip(values, titles, labels, strict=True)):
        x, following = at * WIDTH // count, (at + 1) * WIDTH // count
        height, part = _height(value, most), _height(parts[at], most) if parts is not None else None
        drawn.append(Bar(x + gap // 2, HEIGHT - height, max(1, following - x - gap), height, title, label, part))
    return Bars(tuple(drawn), most, unit(most))


def thinned(labels: Sequence[str]) -> list[str]:
    """Some of them, at even distances up to the last, "" for the others: all would not fit below the bars."""
    every = -(-len(labels) // _LABELS)
    last = len(labels) - 1
    return [label if (last - at) % every == 0 and (at or last < _LABELS) else "" for at, label in enumerate(labels)]


def _height(value: int, most: int) -> int:
    return -(-value * (HEIGHT - TOP) // most) if value else 0


def _round_up(value: int, least: int) -> int:
    """The next 1, 2 or 5 with zeros, in units of `least`."""
    size = least
    while True:
        for factor in (1, 2, 5):
            if value <= factor * size:
                return factor * size
        size *= 10
