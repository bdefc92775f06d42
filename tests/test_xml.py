from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.xml import MAX_BYTES, XmlError, build, fit, parse

AWKWARD = "+ & = % 中文 \"quotes\" {braces} <b> ]]> 'x' 😀"


def refused(body: bytes | str, root: str = "xml") -> str:
    with pytest.raises(XmlError) as outcome:
        parse(body.encode() if isinstance(body, str) else body, root)
    return str(outcome.value)


def test_elements_are_read_as_texts_with_cdata_and_references_resolved() -> None:
    body = "<xml>\n<a><![CDATA[1<2]]></a>\n <b>&lt;&#65;&amp;</b><c/><d></d><e> x </e></xml>\n"
    assert parse(body.encode()) == {"a": "1<2", "b": "<A&", "c": "", "d": "", "e": " x "}


@pytest.mark.parametrize(
    "prolog",
    [
        '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-8"?>\n', "<?xml version='1.0' encoding='utf-8' ?>",
        '\ufeff<?xml version="1.0" encoding="utf-8" standalone="yes"?>', " \n", "\ufeff",
        ' \n<?xml version="1.0"?>',
    ],
)  # fmt: skip
def test_a_declaration_of_utf_8_may_stand_before_the_root(prolog: str) -> None:
    assert parse(f"{prolog}<xml><a>中</a></xml>".encode()) == {"a": "中"}


def test_what_was_built_is_read_back_unchanged() -> None:
    values = {"body": AWKWARD, "total_fee": "0", "empty": "", "line": "a\nb"}
    for cdata in (False, True):
        assert parse(build(values, cdata=cdata)) == values
    assert build({"a": "<x>"}, "root") == b"<root><a>&lt;x&gt;</a></root>"
    assert build({"return_code": "SUCCESS"}, cdata=True) == (
        b"<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>"
    )


@given(st.text())
def test_any_text_survives_once_it_fits(text: str) -> None:
    text = fit(text).replace("\r", "")  # a parser reads every line's end as \n
    assert parse(build({"a": text})) == {"a": text}


@pytest.mark.parametrize("text", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_what_xml_cannot_carry_is_not_built(text: str) -> None:
    with pytest.raises(XmlError, match="The value of a cannot be written"):
        build({"a": text})
    assert fit(f"x{text}y") == "xy"


def test_a_comment_or_an_instruction_anywhere_is_refused() -> None:
    for odd in ("<!--x-->", "<?x y?>"):
        refused(f"{odd}<xml><a>1</a></xml>")
        refused(f"<xml>{odd}<a>1</a></xml>")
        assert refused(f"<xml><a>1{odd}00</a></xml>") == "An element holds more than a text."
        refused(f"<xml><a>1</a>{odd}</xml>")
        refused(f"<xml><a>1</a></xml>{odd}")


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE xml>", '<!DOCTYPE xml SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE xml [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>', '<!DOCTYPE xml [<!ATTLIST a b CDATA "c">]>',
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", '<?xml version="1.0"?>', "\ufeff", "\n"])
def test_a_doctype_is_refused_before_anything_is_read(doctype: str, before: str) -> None:
    assert refused(f"{before}{doctype}<xml><a>&b;</a></xml>") == "The message does not begin with <xml>."


def test_unknown_entities_are_refused_and_known_ones_are_letters() -> None:
    assert refused("<xml><a>&nbsp;</a></xml>") == "The message is not well-formed XML."
    refused("<xml><a>&#0;</a></xml>")
    assert parse(b"<xml><a>&quot;&apos;</a></xml>") == {"a": "\"'"}


def test_an_element_that_is_nested_or_repeated_is_refused() -> None:
    assert refused("<xml><a>1<b>2</b></a></xml>") == "An element holds more than a text."
    assert refused("<xml><a>1</a><a>1</a></xml>") == "An element stands there twice."
    assert parse(b"<xml><a>1</a><A>2</A></xml>") == {"a": "1", "A": "2"}


def test_text_between_the_elements_is_refused() -> None:
    for body in ("<xml>x<a>1</a></xml>", "<xml><a>1</a>x</xml>", "<xml><![CDATA[x]]><a>1</a></xml>"):
        refused(body)


def test_attributes_and_namespaces_are_refused() -> None:
    for body in (
        '<xml a="1"><a>1</a></xml>', '<xml><a b="1">1</a></xml>', '<xml xmlns="u"><a>1</a></xml>',
        '<xml><p:a xmlns:p="u">1</p:a></xml>', '<xml><a xml:space="preserve">1</a></xml>',
    ):  # fmt: skip
        refused(body)


@pytest.mark.parametrize("body", ["", "x", "<root><a>1</a></root>", "<XML><a>1</a></XML>", "<xml/>", "<xmlx></xmlx>"])
def test_another_root_is_refused(body: str) -> None:
    assert refused(body) == "The message does not begin with <xml>."


def test_another_root_is_read_where_it_is_expected() -> None:
    assert parse(b"<root><a>1</a></root>", "root") == {"a": "1"}
    assert refused("<xml><a>1</a></xml>", "root") == "The message does not begin with <root>."


@pytest.mark.parametrize(
    "body", ["<xml>", "<xml><a>1</xml>", "<xml></xml><xml></xml>", "<xml></xml>x", "<xml><1>1</1>"]
)
def test_what_is_not_well_formed_is_refused(body: str) -> None:
    assert refused(body) == "The message is not well-formed XML."


def test_only_utf_8_is_read() -> None:
    assert refused("<xml><a>中</a></xml>".encode("gbk")) == "The message is not UTF-8."
    refused('<?xml version="1.0" encoding="GBK"?><xml><a>中</a></xml>'.encode("gbk"))
    refused('<?xml version="1.0" encoding="GBK"?><xml><a>1</a></xml>')
    refused('<?xml version="1.0" encoding="UTF-7"?><xml><a>+AGE-</a></xml>')
    for encoding in ("utf-16", "utf-32"):
        refused("<xml><a>1</a></xml>".encode(encoding))


def test_a_long_message_is_refused_unread() -> None:
    body = b"<xml><a>" + b"x" * (MAX_BYTES - 19) + b"</a></xml>"
    assert len(body) == MAX_BYTES - 1
    assert len(parse(body)["a"]) == MAX_BYTES - 19
    assert refused(b"<xml><a>" + b"x" * 1_000_000 + b"</a></xml>") == "The message is longer than 64 KiB."


def test_a_deep_message_is_refused() -> None:
    assert refused("<xml>" + "<a>" * 9000) == "The message is not well-formed XML."
    refused("<xml>" + "<a>" * 4000 + "</a>" * 4000 + "</xml>")


@given(st.binary(max_size=200) | st.text(alphabet="<>/xmla!-[]?&;CDAT \"'=1\n").map(str.encode))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    for attempt in (body, b"<xml>" + body, b"<xml><a>" + body + b"</a></xml>"):
        with suppress(XmlError):
            parse(attempt)


def test_a_refusal_repeats_nothing_of_the_message() -> None:
    assert "canary" not in refused("<xml><canary>canary<canary/></canary></xml>")
    assert "canary" not in refused("<xml><canary>&canary;</canary></xml>")
