"""Rules for reading notifications as TOML: the shipped `reading_rules.toml`, and what an owner adds to it."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from checkout import toml
from checkout.errors import Code, Refusal
from checkout.monitors.reading_rules import App, Rule, Rules, Verdict, claim_of
from checkout.monitors.reading_text import Template, fold, template

METHODS = ("wechat", "alipay")
MAX_FILE = 65_536  # characters
MAX_ENTRIES = 100  # of any list
MAX_STRING = 200  # characters

_Kind = TypeVar("_Kind")


@cache
def shipped_rules() -> Rules:
    """The rules that come with the program."""
    text = resources.files("checkout.monitors").joinpath("reading_rules.toml").read_text("utf-8")
    return _rules(_toml(text), known=(), receipt=())


def parse_rules(text: str) -> Rules:
    """An owner's rules (TOML), to be given to `shipped_rules().extended_by`; they may name the shipped apps.

    A rule or an app with the id of a shipped one takes its place. Refused (BAD_REQUEST) with one sentence for
    the first mistake.
    """
    if len(text) > MAX_FILE:
        raise _mistake(f"The rules are longer than {MAX_FILE} characters.")
    shipped = shipped_rules()
    return _rules(_toml(text), shipped.apps, shipped.receipt)


def _toml(text: str) -> _Table:
    try:
        return _Table("The rules", toml.loads(text))
    except toml.Unreadable as error:
        raise _mistake(f"The rules are not valid TOML: {error}.") from error


def _rules(table: _Table, known: tuple[App, ...], receipt: tuple[str, ...]) -> Rules:
    version = table.string("version", "[0-9A-Za-z._-]{1,40}")
    phrases = _Table("[phrases]", table.take("phrases", dict, {}))
    own, outgoing, labels = (tuple(map(fold, phrases.strings(key))) for key in ("receipt", "outgoing", "labels"))
    phrases.end()
    receipt += own
    apps = tuple(map(_app, table.tables("app")))
    by_id = {app.id: app for app in known + apps}
    rules = tuple(_rule(entry, by_id, receipt) for entry in table.tables("rule"))
    table.end()
    _refuse_doubles([app.id for app in apps])
    _refuse_doubles([rule.id for rule in rules])
    return Rules(version, apps, rules, receipt, outgoing, labels)


def _app(table: _Table) -> App:
    name, method = table.id(), table.string("method", "|".join(METHODS))
    packages, titles, alone = (table.strings(key) for key in ("packages", "titles", "alone"))
    app = App(name, method, packages, titles, alone, table.take("chats", bool, False))
    table.end()
    return app


def _rule(table: _Table, apps: dict[str, App], receipt: tuple[str, ...]) -> Rule:
    name, app = table.id(), table.string("app")
    if app not in apps:
        raise table.mistake("names an app that is not in the rules")
    verdict = Verdict(table.string("verdict", "|".join(Verdict), "receipt"))
    title, text = table.string("title", default=""), table.string("text", default="")
    if bool(title) == bool(text):
        raise table.mistake("needs either a text or a title")
    if title and apps[app].chats:
        raise table.mistake("needs a text, since a title of this app may be the name of a contact")
    sentence = _sentence(table, title or text, table.strings("tails"))
    if verdict is Verdict.RECEIPT:
        _check_receipt(table, sentence, receipt)
    below = tuple(map(fold, table.strings("below")))
    rule = Rule(name, app, verdict, bool(title), sentence, table.strings("titles"), below)
    table.end()
    return rule


def _sentence(table: _Table, source: str, tails: tuple[str, ...]) -> Template:
    try:
        return template(source, tails)
    except ValueError as error:
        raise table.mistake(str(error)) from error


def _check_receipt(table: _Table, sentence: Template, receipt: tuple[str, ...]) -> None:
    if sentence.core is None:
        raise table.mistake("needs {amount} in its sentence to be a rule for receipts")
    if not sentence.before.endswith(receipt):
        raise table.mistake("needs a receipt phrase, such as 收款, right before {amount}")
    claim = claim_of(receipt)
    if any(claim.search(piece) for piece in (sentence.head, sentence.before, sentence.after, *sentence.ends)):
        raise table.mistake("may name an amount of money only at {amount}")


def _refuse_doubles(ids: list[str]) -> None:
    for name in ids:
        if ids.count(name) > 1:
            raise _mistake(f"The rules give the id {name} twice.")


def _mistake(sentence: str) -> Refusal:
    return Refusal(Code.BAD_REQUEST, sentence)


class _Table:
    """A TOML table from which each key is taken with its type; a key that is left at the end is a mistake."""

    def __init__(self, place: str, entries: dict[str, Any]) -> None:
        self.place = place
        self.entries = dict(entries)

    def mistake(self, clause: str) -> Refusal:
        return _mistake(f"{self.place}: it {clause}.")

    def take(self, key: str, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
        value = self.entries.pop(key, default)
        if value is None:
            raise self.mistake(f"needs the key {key}")
        if not isinstance(value, kind):
            raise self.mistake(f"has a {key} of the wrong type")
        return value

    def string(self, key: str, grammar: str = "(?s:.)+", default: str | None = None) -> str:
        value = self.take(key, str, default)
        if value != default and (len(value) > MAX_STRING or re.fullmatch(grammar, value) is None):
            raise self.mistake(f"has a {key} that is empty, too long or not of the allowed form")
        return value

    def id(self) -> str:
        name = self.string("id", "[a-z0-9-]{1,40}")
        self.place = f"{self.place} ({name})"
        return name

    def strings(self, key: str) -> tuple[str, ...]:
        values = self.take(key, list, [])
        if len(values) > MAX_ENTRIES or not all(isinstance(v, str) and 0 < len(v) <= MAX_STRING for v in values):
            raise self.mistake(f"has a {key} that is not a list of at most {MAX_ENTRIES} short texts")
        return tuple(values)

    def tables(self, key: str) -> list[_Table]:
        values = self.take(key, list, [])
        if len(values) > MAX_ENTRIES or not all(isinstance(value, dict) for value in values):
            raise self.mistake(f"has a {key} that is not a list of at most {MAX_ENTRIES} tables [[{key}]]")
        return [_Table(f"[[{key}]] number {number}", value) for number, value in enumerate(values, 1)]

    def end(self) -> None:
        if self.entries:
            raise self.mistake(f"has the unknown key {min(self.entries)!a}")
