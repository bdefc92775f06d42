"""Rows of a database's export: a dump of MySQL or MariaDB (phpMyAdmin's too), a SCRIPT of H2, or CSV files.

Values are texts as they stand; what they mean is the reader's business. Nothing of a dump is ever run.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator

from checkout.errors import Code, Refusal

Table = list[dict[str, str | None]]

_NAME = r'(?:[`"]?\w+[`"]?\.)?[`"]?(\w+)[`"]?'
_INSERT = re.compile(
    rf"\s*(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\s+{_NAME}\s*(?:\(([^)]*)\))?\s*VALUES\s*", re.IGNORECASE
)
_CREATE = re.compile(
    rf"\s*CREATE\s+(?:CACHED\s+|MEMORY\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}\s*\(", re.IGNORECASE
)
_COLUMN = re.compile(
    r'(?m)^\s*[`"]?(\w+)[`"]?\s+(?:\w*INT\w*|DOUBLE|FLOAT|DECIMAL|VARCHAR|CHARACTER|CHAR|TEXT)', re.IGNORECASE
)
_SKIP = re.compile(r"(?:\s|--[^\n]*\n?|#[^\n]*\n?|/\*.*?\*/)++", re.DOTALL)  # possessive: no way back is kept
_PLAIN = re.compile(r"[^,()'\s]+")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "Z": "\x1a", "b": "\b"}


def read(text: str, known: dict[str, tuple[str, ...]]) -> dict[str, Table]:
    """The rows of the tables in `known` (name → columns, for dumps that name none). Refused: BAD_REQUEST."""
    text = text.removeprefix("\ufeff")
    if re.search(r"(?i)\b(INSERT|REPLACE)\s+(IGNORE\s+)?INTO\b|\bCREATE\s+\w*\s*TABLE\b", text):
        return _Dump(text, known).tables()
    return _csv(text, known)


def _csv(text: str, known: dict[str, tuple[str, ...]]) -> dict[str, Table]:
    rows = _csv_rows(text)
    heads = [head.strip().lower() for head in next(rows, [])]
    name = next((name for name, columns in known.items() if set(columns) <= set(heads)), None)
    if name is None:
        wanted = " or ".join(known)
        raise Refusal(Code.BAD_REQUEST, f"The file is no dump, and its first line is not that of a table {wanted}.")
    found: Table = []
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(heads):
            raise Refusal(Code.BAD_REQUEST, f"Row {number} of the CSV file has {len(row)} values, not {len(heads)}.")
        if row:
            found.append(dict(zip(heads, row, strict=True)))
    return {name: found}


def _csv_rows(text: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text), strict=True)
    except csv.Error as error:
        raise Refusal(Code.BAD_REQUEST, f"The file is neither a database dump nor CSV: {error}.") from error


class _Dump:
    def __init__(self, text: str, known: dict[str, tuple[str, ...]]) -> None:
        self._text, self._at = text, 0
        self._columns = dict(known)
        self._known: Collection[str] = known
        self._is_h2 = '"PUBLIC"' in text or re.search(r"\b(MEMORY|CACHED) TABLE\b", text) is not None

    def tables(self) -> dict[str, Table]:
        found: dict[str, Table] = {}
        for statement_at in self._statements():
            if create := _CREATE.match(self._text, statement_at):
                self._learn(create)
            elif (insert := _INSERT.match(self._text, statement_at)) and insert[1].lower() in self._known:
                found.setdefault(insert[1].lower(), []).extend(self._rows(insert))
        return found

    def _statements(self) -> Iterator[int]:
        """Where each begins. A semicolon inside quotes ends none."""
        while True:
            if skipped := _SKIP.match(self._text, self._at):
                self._at = skipped.end()
            if self._at >= len(self._text):
                return
            begun = self._at
            yield begun
            self._at = max(self._at, begun)
            self._to_the_end()

    def _to_the_end(self) -> None:
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign == "'":
                self._quoted()
            elif sign == ";":
                self._at += 1
                return
            else:
                self._at += 1

    def _learn(self, create: re.Match[str]) -> None:
        name = create[1].lower()
        end = self._text.find(";", create.end())
        columns = tuple(column.lower() for column in _COLUMN.findall(self._text[create.end() : end]))
        if name in self._known and columns:
            self._columns[name] = columns

    def _rows(self, insert: re.Match[str]) -> Iterator[dict[str, str | None]]:
        name = insert[1].lower()
        given = re.findall(r"\w+", insert[2]) if insert[2] else self._columns[name]
        columns = [column.lower() for column in given]
        self._at = insert.end()
        while True:
            values = self._values()
            if len(values) != len(columns):
                raise self._bad(f"{len(values)} values stand where {name} has {len(columns)} columns")
            yield dict(zip(columns, values, strict=True))
            self._skip()
            if self._peek() != ",":
                return
            self._at += 1

    def _values(self) -> list[str | None]:
        self._expect("(")
        values = [self._value()]
        while self._peek() == ",":
            self._at += 1
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> str | None:
        self._skip()
        if self._peek() == "'":
            value: str | None = self._quoted()
        elif plain := _PLAIN.match(self._text, self._at):
            self._at = plain.end()
            value = self._plain(plain[0])
        else:
            raise self._bad("a value is missing")
        self._skip()
        return value

    def _plain(self, word: str) -> str | None:
        if word.upper() == "NULL":
            return None
        if word.lower() in ("_binary", "_utf8", "_utf8mb4"):
            return self._value()
        if word.upper() == "STRINGDECODE":  # H2: a call with one text in Java's escapes
            self._expect("(")
            text = self._value() or ""
            self._expect(")")
            return re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
        return word

    def _quoted(self) -> str:
        """A text in single quotes: '' is one, and except in H2 a backslash escapes."""
        begun, pieces = self._at, []
        self._at += 1
        while self._at < len(self._text):
            sign = self._text[self._at]
            following = self._text[self._at + 1 : self._at + 2]
            if sign == "\\" and not self._is_h2 and following:
                pieces.append(_ESCAPES.get(following, following))
                self._at += 2
            elif sign == "'" and following == "'":
                pieces.append("'")
                self._at += 2
            elif sign == "'":
                self._at += 1
                return "".join(pieces)
            else:
                pieces.append(sign)
                self._at += 1
        self._at = begun
        raise self._bad("a text in quotes never ends; the file seems to be cut off")

    def _expect(self, sign: str) -> None:
        self._skip()
        if self._peek() != sign:
            raise self._bad(f"{sign} is missing")
        self._at += 1
        self._skip()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        if skipped := _SKIP.match(self._text, self._at):
            self._at = skipped.end()

    def _bad(self, what: str) -> Refusal:
        line = self._text.count("\n", 0, self._at) + 1
        return Refusal(Code.BAD_REQUEST, f"The dump cannot be read at line {line}: {what}.")
