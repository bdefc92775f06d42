"""How the parameters of a request are read: in their raw spelling, or not at all."""

from __future__ import annotations

import io
import json

import pytest
from flask import Flask, Request
from werkzeug.test import EnvironBuilder

from checkout.errors import Refusal
from checkout.fields import BadField, fields

FORM = "application/x-www-form-urlencoded"


def asked(body: bytes = b"", kind: str = FORM, query: str = "", **environ: object) -> Request:
    overrides = {"QUERY_STRING": query, **environ}
    builder = EnvironBuilder("/", method="POST", input_stream=io.BytesIO(body), content_type=kind)
    builder.content_length = len(body)
    made = builder.get_environ()
    made.update({name: value for name, value in overrides.items() if value is not None})
    return Request(made)


def problem(request: Request) -> str:
    with pytest.raises(BadField) as caught:
        fields(request)
    return caught.value.problem


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"a=1", "1"), (b"a=", ""), (b"a", ""), (b"a=%20+%2B", "  +"), (b"a=b=c", "b=c"), (b"a=%e4%b8%ad", "中"),
        ("a=中".encode(), "中"), (b"&&a=1&", "1"), (b"a=1;b=2", "1;b=2"), (b"a=%", "%"), (b"a=%zz", "%zz"),
        (b"a=%25%32%35", "%25"), (b"a=" + b"x" * 2048, "x" * 2048), ("a=\U0001f4b0é ".encode(), "\U0001f4b0é "),
    ],
)  # fmt: skip
def test_a_form_is_decoded_once_and_not_touched(body: bytes, value: str) -> None:
    assert fields(asked(body))["a"] == value
    assert fields(asked(query=body.decode("latin-1"))) == fields(asked(body))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"1"', "1"), ("1", "1"), ("10", "10"), ("0.10", "0.10"), ("1.50e3", "1.50e3"), ("1E2", "1E2"), ("-0", "-0"),
        ("1.23456789E7", "1.23456789E7"), ("123456789012345678901234567890.10", "123456789012345678901234567890.10"),
        ("9" * 2000, "9" * 2000), ("NaN", "NaN"), ("-Infinity", "-Infinity"), ('"\\u4e2d"', "中"), ('"\\/"', "/"),
    ],
)  # fmt: skip
def test_json_keeps_the_spelling_of_numbers(text: str, value: str) -> None:
    assert fields(asked(f'{{"a": {text}}}'.encode(), "application/json")) == {"a": value}


@pytest.mark.parametrize("text", ["true", "false", "[]", "[1]", "{}", '{"b": 1}', "[[]]"])
def test_json_values_of_other_types_are_refused(text: str) -> None:
    assert problem(asked(f'{{"a": {text}}}'.encode(), "application/json")) == "type"


def test_null_in_json_is_as_if_it_were_not_there() -> None:
    assert fields(asked(b'{"a": null, "b": 1}', "application/json")) == {"b": "1"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a=1&a=1", "doubled"), (b"a=1&a=", "doubled"), (b"a=" + b"x" * 2049, "too_long"),
        (b"x" * 65 + b"=1", "too_long"),
        (b"a=%E9", "encoding"), (b"a=\xe9", "encoding"), (b"a=%C0%AF", "encoding"), (b"a=%ED%A0%80", "encoding"),
        (b"a=%EF%BF%BD", "encoding"), (b"%E9=1", "encoding"),
        (b"a=%00", "control"), (b"a=%1F", "control"), (b"a=%7F", "control"), (b"a=%C2%80", "control"),
        (b"a=%C2%9F", "control"), (b"a%0D%0A=1", "control"), (b"a=\n", "control"),
    ],
)  # fmt: skip
def test_what_two_readers_could_read_in_two_ways_is_refused(body: bytes, expected: str) -> None:
    assert problem(asked(body)) == expected


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"a": "\\u0000"}', '{"a": "\\u0085"}', '{"a\\n": 1}'])
def test_json_escapes_bring_no_control_characters_in(text: str) -> None:
    assert problem(asked(text.encode(), "application/json")) == "control"


def test_query_and_body_may_share_parameters_that_are_equal() -> None:
    assert fields(asked(b"a=1&b=2", query="a=1&c=3")) == {"a": "1", "b": "2", "c": "3"}
    assert problem(asked(b"a=1", query="a=2")) == "doubled"
    assert problem(asked(b'{"a": 1.0}', "application/json", query="a=1")) == "doubled"


def test_a_route_that_names_its_parameters_does_not_see_the_others() -> None:
    body = b"a=1&b=%00&b=2&c=" + b"x" * 3000
    assert fields(asked(body), known={"a"}) == {"a": "1"}
    text = json.dumps({"a": 1, "b": [1], "c": True}).encode()
    assert fields(asked(text, "application/json"), known={"a"}) == {"a": "1"}
    with pytest.raises(BadField):
        fields(asked(body), known={"a", "b"})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"&".join(b"a%d=1" % i for i in range(65)), FORM),
        (json.dumps({f"a{i}": 1 for i in range(65)}).encode(), "application/json"),
        (b"x" * 65_537, FORM), (b"[" * 60_000, "application/json"), (b'{"a":' * 10_000, "application/json"),
        (b"[]", "application/json"), (b"1", "application/json"), (b"{", "application/json"),
        ('{"a": "é"}'.encode("latin-1"), "application/json"), ('{"a": 1}'.encode("utf-16"), "application/json"),
    ],
)  # fmt: skip
def test_a_body_beyond_measure_or_form_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(Refusal):
        fields(asked(body, kind))


def test_a_part_of_a_body_without_a_name_is_refused_and_no_failure_of_ours() -> None:
    body = b"--b\r\nContent-Disposition: form-data\r\n\r\nv\r\n--b--\r\n"
    with pytest.raises(BadField, match="no name"):
        fields(asked(body, "multipart/form-data; boundary=b"))


def test_sixty_four_parameters_are_not_too_many() -> None:
    assert len(fields(asked(b"&".join(b"a%d=1" % i for i in range(64))))) == 64


@pytest.mark.parametrize(
    "kind", ["application/json", "APPLICATION/JSON; charset=utf-8", "text/json", "a/b+json", "text/plain", ""]
)
def test_json_is_found_by_its_type_or_by_its_first_letter(kind: str) -> None:
    assert fields(asked(b' {"a": 1}', kind)) == {"a": "1"}


def test_a_form_that_begins_like_json_is_a_form() -> None:
    assert fields(asked(b'{"a"=1')) == {'{"a"': "1"}


def test_a_body_that_comes_in_chunks_is_read_up_to_its_limit() -> None:
    def chunked(body: bytes) -> Request:
        headers = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        request = asked(body, FORM, "", **headers)
        del request.environ["CONTENT_LENGTH"]
        request.max_content_length = 1_000_000
        return request

    assert fields(chunked(b"a=1")) == {"a": "1"}
    for size in (70_000, 2_000_000):
        with pytest.raises(Refusal, match="too long"):
            fields(chunked(b"a=" + b"x" * size))


def test_a_body_that_ends_too_early_is_refused() -> None:
    request = asked(b"a=1")
    request.environ["CONTENT_LENGTH"] = "10"
    with pytest.raises(Refusal, match="too early"):
        fields(request)


def test_without_a_body_only_the_query_counts(app: Flask) -> None:
    with app.test_request_context("/?a=1"):
        assert fields() == {"a": "1"}
