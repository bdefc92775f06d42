"""What a phone's notification says about money.

Names and memos are written by strangers and may hold a whole receipt. So a notification counts only when
one of the app's own sentences fits all of it, under a title that is the app's own, in exactly one way, and
when nothing that a stranger could have written speaks of money. Whatever else looks like a receipt is
`unreadable`: kept and shown, never a guess. What no text can show is a contact who calls himself exactly
like the app's title.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from checkout import money
from checkout.monitors.reading_file import parse_rules, shipped_rules
from checkout.monitors.reading_rules import App, Rule, Rules, Verdict
from checkout.monitors.reading_text import MAX_TEXT, Fit, amount_of, body, fold

__all__ = ["Reading", "Rules", "Verdict", "Why", "explain", "parse_rules", "read", "shipped_rules"]


class Why(StrEnum):
    """The reason of a reading, one sentence for the owner; pages translate it."""

    RECEIPT = "It says that this money came in."
    NO_AMOUNT = "It says that money came in, but not how much."
    BAD_AMOUNT = "It says that money came in, but its amount is zero, too large, cut off or oddly written."
    TWO_WAYS = "It can be read in more than one way, or a name or memo in it speaks of money."
    NEW_TEXT = "It looks like a receipt, but its wording is not among the rules."
    NEW_TITLE = "It looks like a receipt, but its title is not one that the payment apps are known to use."
    KNOWN = "A rule says that money came in without saying how much."
    OUTGOING = "It is about money that was paid out or given back."
    REPEAT = "A rule says that this is no new payment."
    NOTHING = "It says nothing about money received."
    NOT_WATCHED = "It is from an app that no rule watches."


_WHY_OF = {Verdict.UNREADABLE: Why.KNOWN, Verdict.OUTGOING: Why.OUTGOING, Verdict.NOTHING: Why.REPEAT}


class Reading(Struct, frozen=True):
    """`amount` is in fen, only for a receipt; `rule` is the id of what decided, "" if nothing did."""

    verdict: Verdict
    method: str | None
    amount: int | None
    rule: str
    why: str


class _Notice(Struct, frozen=True):
    name: str  # the title as it came: one that only looks like the app's is not the app's
    title: str
    text: str

    def is_under(self, app: App) -> bool:
        """Whether its title is the app's own."""
        return self.name in app.titles


class _Found(Struct, frozen=True):
    rule: Rule
    fit: Fit


def read(package: str, title: str, text: str, rules: Rules) -> Reading:
    """Read a notification. `package` may be empty; then a title of the payment apps has to tell the app.

    Never raises; takes time in proportion to the length of its texts.
    """
    notice, package = _notice(title, text), package.strip()
    app = _app(package, notice, rules)
    if app is None:
        return _reading(Verdict.NOTHING, None, "", Why.NOT_WATCHED) if package else _foreign(notice, rules)
    if found := _in_title(notice, app, rules):
        return _under_title(found, notice, app, rules)
    if found := _in_text(notice, app, rules):
        return _settled(found, app, rules)
    return _unmatched(notice, app, rules)


def explain(package: str, title: str, text: str, rules: Rules) -> list[str]:
    """What `read` makes of a notification and why, with the rules that it tried, in lines for a terminal."""
    notice, reading = _notice(title, text), read(package, title, text, rules)
    app = _app(package.strip(), notice, rules)
    amount = "" if reading.amount is None else f", {money.yuan(reading.amount)} yuan"
    method = "" if reading.method is None else f", {reading.method}"
    return [
        f"Rules: version {rules.version}.",
        _explained_app(package.strip(), app),
        f"Title as compared: {_printable(notice.title)}",
        f"Text as compared: {_printable(notice.text)}",
        *([] if app is None else (_explained_rule(rule, notice, app) for rule in rules.of(app))),
        f"Verdict: {reading.verdict}{method}{amount}" + (f", by {reading.rule}." if reading.rule else "."),
        f"Why: {reading.why}",
    ]


def _notice(title: str, text: str) -> _Notice:
    folded = fold(title)
    return _Notice(title.strip(" \t\r\n"), body(folded, ""), body(fold(text), folded))


def _app(package: str, notice: _Notice, rules: Rules) -> App | None:
    if package:
        return rules.app_of_package(package)
    by_sentence = {r.app for r in rules.rules if r.in_title and r.template.fits(notice.title)}
    return rules.app_of_title(notice.name) or next((a for a in rules.apps if a.id in by_sentence), None)


def _in_title(notice: _Notice, app: App, rules: Rules) -> list[_Found]:
    return [_Found(r, fit) for r in rules.of(app) if r.in_title for fit in r.template.fits(notice.title)]


def _in_text(notice: _Notice, app: App, rules: Rules) -> list[_Found]:
    return [_Found(r, fit) for r in _for_text(notice, app, rules) for fit in r.template.fits(notice.text)]


def _for_text(notice: _Notice, app: App, rules: Rules) -> Iterator[Rule]:
    for rule in rules.of(app):
        if not rule.in_title and (notice.name in rule.titles if rule.titles else notice.is_under(app)):
            yield rule


def _settled(found: list[_Found], app: App, rules: Rules) -> Reading:
    """One reading from all the ways in which rules fit."""
    rule, amount = found[0].rule, found[0].fit.amount
    ways = {(way.rule.verdict, way.fit.amount) for way in found}
    if len(ways) > 1 or any(_speaks_of_money(free, rules) for way in found for free in way.fit.free):
        return _reading(Verdict.UNREADABLE, app, rule.id, Why.TWO_WAYS)
    if rule.verdict is not Verdict.RECEIPT:
        return _reading(rule.verdict, app, rule.id, _WHY_OF[rule.verdict])
    if amount is None:
        return _reading(Verdict.UNREADABLE, app, rule.id, Why.BAD_AMOUNT)
    return Reading(Verdict.RECEIPT, app.method, amount, rule.id, Why.RECEIPT.value)


def _under_title(found: list[_Found], notice: _Notice, app: App, rules: Rules) -> Reading:
    """The title decides, unless the text under it is not the app's own or names another amount of money."""
    rule, reading = found[0].rule, _settled(found, app, rules)
    if reading.verdict is not Verdict.RECEIPT or not notice.text:
        return reading
    if rule.below and not notice.text.startswith(rule.below) and not notice.text.endswith(rule.below):
        return _reading(Verdict.UNREADABLE, app, rule.id, Why.NEW_TEXT)
    claims = (m for m in rules.claims(notice.text[:MAX_TEXT]) if m["yen"] or m["yuan"])
    if any(amount_of(claim) != reading.amount for claim in claims):
        return _reading(Verdict.UNREADABLE, app, rule.id, Why.TWO_WAYS)
    return reading


def _unmatched(notice: _Notice, app: App, rules: Rules) -> Reading:
    """No rule fits: the phrases say whether it is shown to the owner."""
    if not notice.is_under(app):
        if _would_fit(notice, rules.of(app)):
            return _reading(Verdict.UNREADABLE, app, "receipt-phrase", Why.NEW_TITLE)
        if app.chats and not _has(notice.title, rules.receipt):
            return _reading(Verdict.NOTHING, app, "", Why.NOTHING)
    whole = notice.text if notice.is_under(app) or app.chats else f"{notice.title} {notice.text}"
    if _has(whole, rules.receipt):
        why = Why.NEW_TEXT if _has(whole, "0123456789") else Why.NO_AMOUNT
        return _reading(Verdict.UNREADABLE, app, "receipt-phrase", why)
    if _has(whole, rules.outgoing):
        return _reading(Verdict.OUTGOING, app, "outgoing-phrase", Why.OUTGOING)
    return _reading(Verdict.NOTHING, app, "", Why.NOTHING)


def _foreign(notice: _Notice, rules: Rules) -> Reading:
    """Neither package nor title tell the app; it may still be a receipt whose title was not sent."""
    if _would_fit(notice, rules.rules) or _has(notice.title, rules.receipt):
        return _reading(Verdict.UNREADABLE, None, "receipt-phrase", Why.NEW_TITLE)
    return _reading(Verdict.NOTHING, None, "", Why.NOTHING)


def _would_fit(notice: _Notice, rules: Iterable[Rule]) -> bool:
    return any(r.template.fits(notice.text) for r in rules if r.verdict is Verdict.RECEIPT)


def _speaks_of_money(free: str, rules: Rules) -> bool:
    # Then it may be no name at all, but the app's words in a sentence that is not known and ends with a name.
    return _has(free, rules.receipt + rules.outgoing + rules.labels)


def _has(text: str, phrases: Iterable[str]) -> bool:
    return any(phrase in text for phrase in phrases)


def _reading(verdict: Verdict, app: App | None, rule: str, why: Why) -> Reading:
    return Reading(verdict, app.method if app else None, None, rule, why.value)


def _explained_app(package: str, app: App | None) -> str:
    if app is None:
        return "App: not watched." if package else "App: unknown; there is no package, and the title names none."
    if package:
        return f"App: {app.id}, by its package."
    return f"App: {app.id}, by its title alone. Let the phone send the package too: anyone may use a title."


def _explained_rule(rule: Rule, notice: _Notice, app: App) -> str:
    fits = rule.template.fits(notice.title if rule.in_title else notice.text)
    here = rule.in_title or (notice.name in rule.titles if rule.titles else notice.is_under(app))
    amounts = " and ".join("no amount" if fit.amount is None else money.yuan(fit.amount) for fit in fits)
    where = "title" if rule.in_title else "text" if here else "text, but it does not count under this title"
    return f"Rule {rule.id} ({where}): {f'fits, {amounts}' if fits else 'does not fit'}."


def _printable(text: str) -> str:
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:200])
    return shown + ("…" if len(text) > 200 else "")
