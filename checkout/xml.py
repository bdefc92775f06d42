"""XML as WeChat and Tenpay speak it: one root, and below it elements with one text each. Nothing else is read.

Comments, processing instructions, entities, attributes and nested or repeated elements mean different things to
different parsers, and a signature is only worth what both sides read; so a message that contains one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

MAX_BYTES = 65536

_S = r"[ \t\r\n]*"
# Whatever may stand before the root: a DOCTYPE, a comment or another encoding cannot.
_PROLOG = re.compile(
    rf"\ufeff?{_S}(?:<\?xml[ \t\r\n]+version=(['\"])1\.0\1(?:[ \t\r\n]+encoding=(['\"])utf-?8\2)?"
    rf"(?:[ \t\r\n]+standalone=(['\"])(?:yes|no)\3)?{_S}\?>)?{_S}<([a-z]+){_S}>",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlError(ValueError):
    """A body that is refused; one sentence, without anything from the body."""


def parse(body: bytes, root: str = "xml") -> dict[str, str]:
    """The elements below `root` and their texts, which are left as they are. Raises `XmlError`.

    The body is UTF-8 and at most 64 KiB long.
    """
    text = _text(body)
    prolog = _PROLOG.match(text)
    if prolog is None or prolog[4] != root:
        raise XmlError(f"The message does not begin with <{root}>.")
    top = _tree(text[prolog.start(4) - 1 :])
    if top.getnext() is not None or _has_words(top.text):
        raise XmlError("The message holds more than elements.")
    values: dict[str, str] = {}
    for name, value in _elements(top):
        if name in values:
            raise XmlError("An element stands there twice.")
        values[name] = value
    return values


def build(values: Mapping[str, str], root: str = "xml", *, cdata: bool = False) -> bytes:
    """The message with the given elements in their order, in UTF-8, without a declaration.

    Characters that XML cannot carry raise `XmlError`; `fit` takes them out.
    """
    from lxml import etree

    top = etree.Element(root)
    for name, value in values.items():
        if _UNFIT.search(value):
            raise XmlError(f"The value of {name} cannot be written in XML.")
        etree.SubElement(top, name).text = etree.CDATA(value) if cdata else value
    return etree.tostring(top, encoding="utf-8", xml_declaration=False)


def fit(text: str) -> str:
    """The text without the characters that XML cannot carry."""
    return _UNFIT.sub("", text)


def _text(body: bytes) -> str:
    if len(body) > MAX_BYTES:
        raise XmlError("The message is longer than 64 KiB.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise XmlError("The message is not UTF-8.") from None


def _tree(text: str) -> _Element:
    from lxml import etree

    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        raise XmlError("The message is not well-formed XML.") from None


def _elements(top: _Element) -> Iterator[tuple[str, str]]:
    for element in top:
        name = str(element.tag)  # of a comment or an instruction it is a function
        if _NAME.fullmatch(name) is None:
            raise XmlError("The message holds more than elements.")
        if len(element) or element.attrib or _has_words(element.tail):
            raise XmlError("An element holds more than a text.")
        yield name, element.text or ""


def _has_words(text: str | None) -> bool:
    return bool(text and text.strip(" \t\r\n"))
