"""What rules for reading notifications are made of; `reading_file` reads them.

A rule names an app, what its sentence looks like and the verdict. Only a rule makes money out of a text, and
the sentence of a receipt has a receipt phrase right before its amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from checkout.monitors.reading_text import NUMBER, Template


class Verdict(StrEnum):
    """What a notification says about money."""

    RECEIPT = "receipt"
    UNREADABLE = "unreadable"  # it looks like a receipt, but how much came is not certain
    OUTGOING = "outgoing"
    NOTHING = "nothing"


class App(Struct, frozen=True):
    """An app of a phone. `titles` are its own titles over notifications of money.

    `alone` are the titles that name the app where the phone gives no package.
    `chats`: other titles are names of contacts, so that most messages under them are private.
    """

    id: str
    method: str
    packages: tuple[str, ...]
    titles: tuple[str, ...]
    alone: tuple[str, ...]
    chats: bool


class Rule(Struct, frozen=True):
    """One sentence of an app.

    `titles`: the titles under which it counts, if not the app's. `in_title`: the sentence is itself the
    title, and `below` is how the text under it then begins or ends, if there is one.
    """

    id: str
    app: str
    verdict: Verdict
    in_title: bool
    template: Template
    titles: tuple[str, ...]
    below: tuple[str, ...]


class Rules(Struct, frozen=True):
    """A set of rules. The phrases judge what no rule fits, and what stands in a payer's or a memo's place.

    `labels` are words that apps write before a name or a memo.
    """

    version: str
    apps: tuple[App, ...]
    rules: tuple[Rule, ...]
    receipt: tuple[str, ...]
    outgoing: tuple[str, ...]
    labels: tuple[str, ...]

    def extended_by(self, other: Rules) -> Rules:
        """These and `other`'s; what has the same id in both is `other`'s."""
        return Rules(
            f"{self.version}+{other.version}",
            tuple({app.id: app for app in self.apps + other.apps}.values()),
            tuple({rule.id: rule for rule in self.rules + other.rules}.values()),
            tuple(dict.fromkeys(self.receipt + other.receipt)),
            tuple(dict.fromkeys(self.outgoing + other.outgoing)),
            tuple(dict.fromkeys(self.labels + other.labels)),
        )

    def app_of_package(self, package: str) -> App | None:
        return next((app for app in self.apps if package in app.packages), None)

    def app_of_title(self, title: str) -> App | None:
        return next((app for app in self.apps if title in app.alone), None)

    def of(self, app: App) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.app == app.id)

    def claims(self, text: str) -> Iterator[re.Match[str]]:
        """The numbers right behind receipt phrases, as matches for `amount_of`."""
        return claim_of(self.receipt).finditer(text)


@lru_cache(maxsize=8)
def claim_of(receipt: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(map(re.escape, receipt))}){NUMBER}")
