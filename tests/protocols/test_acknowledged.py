"""Which answers of merchants end a delivery."""

from __future__ import annotations

import pytest

from checkout.http.client import Answer
from checkout.protocols.acknowledged import says

BOM = b"\xef\xbb\xbf"
YES = {
    "the word": b"success",
    "upper case": b"SUCCESS",
    "white space around it": b" \r\n\tsuccess \n",
    "a byte order mark": BOM + b"success",
    "marks and white space in turn": BOM + b"\r\n" + BOM + b" success",
    "more after it": b"success" + b"<!-- a trace of the framework -->" * 100,
    "within a short text": b'{"code":0,"msg":"success"}',
    "within exactly 256 bytes": b"x" * 249 + b"success",
}
NO = {
    "nothing": b"",
    "another word": b"ok",
    "a part of the word": b"succes",
    "letters apart": b"s u c c e s s",
    "within 257 bytes": b"x" * 250 + b"success",
    "an error page that mentions it": b"<html><title>Error</title>" + b" " * 300 + b"no success</html>",
    "UTF-16": "success".encode("utf-16"),
}


@pytest.mark.parametrize("name", YES)
def test_this_is_an_acknowledgement(name: str) -> None:
    assert says(Answer(200, {}, YES[name], 1), "success")


@pytest.mark.parametrize("name", NO)
def test_this_is_no_acknowledgement(name: str) -> None:
    assert not says(Answer(200, {}, NO[name], 1), "success")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_counts(status: int) -> None:
    assert says(Answer(status, {}, b"success", 1), "success")


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 400, 404, 500, 503])
def test_no_other_status_counts_whatever_it_says(status: int) -> None:
    assert not says(Answer(status, {}, b"success", 1), "success")


def test_the_word_of_another_dialect_is_found_in_either_case() -> None:
    assert says(Answer(200, {}, b"OK", 1), "ok")
    assert not says(Answer(200, {}, b"success", 1), "ok")
