"""The text of a notification: one spelling for its many forms, and templates that find the amount in it.

A template is the app's own sentence with holes: `{payer}通过扫码向你付款{amount}元`. It has to fit the whole
text, so what a payer types into his name or memo can fill a hole and nothing else. There is at most one such
free hole on each side of the amount; every way to fit is found, and the caller refuses a text that fits in
two ways. No pattern here can backtrack far: literals, and repetitions with a small bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from checkout import money
from checkout.errors import Refusal

MAX_TEXT = 500  # characters; the longest known notification of money has 60
MAX_FREE = 100  # characters of a payer's name or memo
MAX_AMOUNT = 999_999_999  # fen: 9 999 999.99 yuan

# One character for one: NFKC would turn some into many, and would make digits of ① and ².
_FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0xFFE5: 0xA5, 0xFF61: 0x3002}
_COUNT = re.compile(r"\[\+?[0-9]{1,4}\+?条\] ?")
_GROUPED = re.compile(r"(?:[0-9]{1,12}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,3})(?:\.[0-9]{1,2})?")
_FULL_STOPS = "。.! "
# The number ends at a digit and is taken whole (an atomic group): a comma or point after it is punctuation.
NUMBER = r" ?(?P<yen>¥?) ?(?P<number>(?>[0-9](?:[0-9.,]{0,22}[0-9])?))(?![0-9]) ?(?P<yuan>元?) ?"


def fold(text: str) -> str:
    """`text` with ASCII for full-width digits and punctuation, `¥` for `￥`, single spaces between words."""
    return " ".join(text.translate(_FOLD).split())


def body(text: str, title: str) -> str:
    """A folded text without what phones put before it (`[3条]`, the app's name) and its last full stop."""
    text = text.removeprefix(count[0] if (count := _COUNT.match(text)) else "")
    if title and text.startswith(f"{title}:"):
        text = text[len(title) + 1 :].lstrip()
    return text.rstrip(_FULL_STOPS)


def amount_of(match: re.Match[str]) -> int | None:
    """The fen of a NUMBER, None if it is no amount of money between 0.01 and 9 999 999.99 yuan.

    A number without 元 may be the beginning of one that the phone cut off: it needs `¥` and two decimals.
    """
    number = match["number"]
    if _GROUPED.fullmatch(number) is None:
        return None
    if not match["yuan"] and not (match["yen"] and number[-3:-2] == "."):
        return None
    try:
        amount = money.fen(number.replace(",", ""))
    except Refusal:
        return None
    return amount if amount <= MAX_AMOUNT else None


class Fit(Struct, frozen=True):
    """One way in which a template fits: the amount in fen, None if it is no money, and the free holes."""

    amount: int | None
    free: tuple[str, ...]


class Template(Struct, frozen=True):
    """`head {free} before {amount} after {free} ends`, all folded; the holes may be missing.

    `core` is `before` with the amount, as a lookahead, so that overlapping places are all found.
    `after` is empty where no free hole follows the amount: then the text closes with one of the `ends`.
    """

    head: str
    free_left: bool
    before: str
    core: re.Pattern[str] | None
    after: str
    free_right: bool
    ends: frozenset[str]

    def fits(self, text: str) -> list[Fit]:
        """Every way in which it fits a text from `fold` and `body`; none if that is longer than MAX_TEXT."""
        if len(text) > MAX_TEXT or not text.startswith(self.head):
            return []
        return list(self._around(self.core, text) if self.core else self._without_amount(text))

    def _without_amount(self, text: str) -> Iterator[Fit]:
        for left in _between(text, self.head, self.ends):
            if self._allows(left):
                yield Fit(None, (left,))

    def _around(self, core: re.Pattern[str], text: str) -> Iterator[Fit]:
        for match in core.finditer(text, len(self.head)):
            left, rest = text[len(self.head) : match.start()], text[match.end("all") :]
            for right in _between(rest, self.after, self.ends) if self._allows(left) else ():
                if len(right) <= (MAX_FREE if self.free_right else 0):
                    yield Fit(amount_of(match), (left, right))

    def _allows(self, left: str) -> bool:
        # Chats arrive as `name: message`; a payer whose name holds a colon costs the owner a look, no more.
        return len(left) <= MAX_FREE and ":" not in left if self.free_left else not left


def _between(text: str, start: str, ends: frozenset[str]) -> Iterator[str]:
    """What stands between `start` and each of `ends` that closes the text."""
    for end in ends:
        if len(start) + len(end) <= len(text) and text.startswith(start) and text.endswith(end):
            yield text[len(start) : len(text) - len(end)]


_FREE = r"\{(?:payer|memo)\}"
_SHAPE = re.compile(
    rf"(?:(?P<head>[^{{}}]*)(?P<left>{_FREE}))?(?P<before>[^{{}}]*)"
    rf"(?:(?P<amount>\{{amount\}})(?P<after>[^{{}}]*)(?:(?P<right>{_FREE})(?P<end>[^{{}}]*))?)?"
)


def template(source: str, tails: tuple[str, ...]) -> Template:
    """Compile a template whose sentence may also close with one of `tails`.

    ValueError with the end of a sentence that begins with "it": "needs …", "may hold …".
    """
    shape = _SHAPE.fullmatch(fold(source))
    if shape is None:
        raise ValueError("may hold {amount} once, and {payer} or {memo} once on each side of it")
    head, before, after, end = ((shape[part] or "").strip() for part in ("head", "before", "after", "end"))
    left, right = bool(shape["left"]), bool(shape["right"])
    if not shape["amount"]:
        return _checked(Template(head, left, before, None, "", False, _ends(before, tails)))
    # NUMBER itself looks for the signs of the currency.
    before, after = before.rstrip("¥ "), after.removeprefix("元").lstrip()
    core = re.compile(f"(?=(?P<all>{re.escape(before)}{NUMBER}))")
    ends = _ends(end if right else after, tails)
    return _checked(Template(head, left, before, core, after if right else "", right, ends))


def _ends(last: str, tails: tuple[str, ...]) -> frozenset[str]:
    return frozenset((last + fold(tail)).rstrip(_FULL_STOPS) for tail in ("", *tails))


def _checked(made: Template) -> Template:
    if not made.before or (made.free_right and not made.after):
        raise ValueError("needs words of the app before {amount} and between its holes")
    if (made.free_right or made.core is None) and not all(made.ends):
        raise ValueError("needs words of the app after what strangers write")
    behind = [made.after] if made.free_right else made.ends
    if made.core and any(re.match(r"[.,]?[0-9]", piece) for piece in behind):
        raise ValueError("may not have a digit right after the amount")
    return made
