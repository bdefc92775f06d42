"""Bars by day as plain SVG: drawn by the server, in whole pixels, readable without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, FOOT, TOP = 720, 160, 20, 14


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle and what it stands for; `label` stands below it, "" for most."""

    x: int
    y: int
    width: int
    height: int
    title: str
    label: str


@dataclass(frozen=True, slots=True)
class Bars:
    bars: tuple[Bar, ...]
    most: int  # what the line at the top stands for
    width: int = WIDTH
    height: int = HEIGHT + FOOT
    foot: int = HEIGHT
    top: int = TOP


def bars(values: Sequence[int], titles: Sequence[str], labels: Sequence[str]) -> Bars:
    """One bar for each value, none negative; the highest reaches a round number at the top."""
    most = _round_up(max(values, default=0))
    step = WIDTH // max(1, len(values))
    room = HEIGHT - TOP
    drawn = []
    for at, (value, title, label) in enumerate(zip(values, titles, labels, strict=True)):
        height = -(-value * room // most) if value else 0
        drawn.append(Bar(at * step + 2, HEIGHT - height, step - 4, height, title, label))
    return Bars(tuple(drawn), most)


def _round_up(value: int) -> int:
    """The next 1, 2 or 5 with zeros; at least 100 (one yuan)."""
    size = 100
    while True:
        for factor in (1, 2, 5):
            if value <= factor * size:
                return factor * size
        size *= 10
