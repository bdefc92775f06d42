from __future__ import annotations

import json

import pytest

from checkout.channel import GatewayError
from checkout.channels.alipay_answers import Business, answer_of
from checkout.channels.keys import rsa_sign, rsa_signed_by
from tests.channels.rsa import key

METHOD = "alipay.trade.query"
OK = '{"code":"10000","msg":"Success","out_trade_no":"t1"}'


def holds(sign: str, message: bytes) -> bool:
    return rsa_signed_by(key("alipay").public_key(), sign, message)


def answer(raw: str, *, sign: str | None = None, member: str = "alipay_trade_query_response") -> bytes:
    sign = rsa_sign(key("alipay"), raw.encode()) if sign is None else sign
    return f'{{"{member}":{raw},"sign":"{sign}"}}'.encode()


def fault(body: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as outcome:
        answer_of(body, METHOD, holds)
    return outcome.value


def test_a_signed_answer_is_read() -> None:
    assert answer_of(answer(OK), METHOD, holds)["out_trade_no"] == "t1"


@pytest.mark.parametrize(
    "raw",
    [
        '{"code":"10000","subject":"a } b { c \\" d"}',
        '{"code":"10000","subject":"\\\\"}',
        '{"code":"10000","subject":"\\",\\"sign\\":\\"x"}',
        '{"code":"10000","subject":"alipay_trade_query_response\\":{"}',
        '{"code":"10000","fund_bill_list":[{"amount":"1.00"}],"nested":{"a":{"b":"}"}}}',
        '{ "code" : "10000" ,\n "subject":"中文 \\u4e2d" }',
        '{"code":"10000","url":"https:\\/\\/qr.alipay.com\\/x"}',
    ],
)
def test_the_text_is_cut_out_by_the_grammar_and_not_by_counting_braces(raw: str) -> None:
    assert answer_of(answer(raw), METHOD, holds) == {
        name: value for name, value in json.loads(raw).items() if isinstance(value, str)
    }


def test_the_sign_may_come_first_and_others_with_it() -> None:
    sign = rsa_sign(key("alipay"), OK.encode())
    body = f' {{ "sign" : "{sign}" , "alipay_cert_sn":"x", "alipay_trade_query_response" : {OK} }} \n'.encode()
    assert answer_of(body, METHOD, holds)["out_trade_no"] == "t1"


def test_an_answer_signed_before_its_slashes_were_escaped_is_read() -> None:
    sign = rsa_sign(key("alipay"), b'{"code":"10000","url":"https://x/"}')
    body = answer('{"code":"10000","url":"https:\\/\\/x\\/"}', sign=sign)
    assert answer_of(body, METHOD, holds)["url"] == "https://x/"


def test_numbers_keep_their_spelling() -> None:
    assert answer_of(answer('{"code":10000,"total_amount":0.10}'), METHOD, holds)["total_amount"] == "0.10"


@pytest.mark.parametrize("sign", ["", "AAAA", "x", rsa_sign(key("ours"), OK.encode())])
def test_an_answer_without_alipays_signature_is_not_used(sign: str) -> None:
    assert not fault(answer(OK, sign=sign)).permanent


def test_sha1_is_no_signature() -> None:
    assert "does not hold" in fault(answer(OK, sign=rsa_sign(key("alipay"), OK.encode(), sha1=True))).message


def test_any_changed_letter_makes_the_answer_useless() -> None:
    body = answer(OK)
    for at in range(len(body)):
        for letter in (b"x", b" ", b'"'):
            changed = body[:at] + letter + body[at + 1 :]
            if changed != body:
                try:
                    assert answer_of(changed, METHOD, holds)["out_trade_no"] == "t1"
                except GatewayError:
                    continue


def test_an_unsigned_refusal_says_why_without_being_believed() -> None:
    raw = '{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-app-id","sub_msg":"x"}'
    problem = fault(f'{{"alipay_trade_query_response":{raw}}}'.encode())
    assert problem.message == "Alipay's answer is not signed; it says isv.invalid-app-id."
    assert not problem.permanent


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"<html>", b"{", b'{"a":1', b'{"a":1}x', b'{"a" 1}', b'{1:2}', b"\xff\xfe",
        b'{"alipay_trade_query_response":' + b"[" * 60_000, b'{"sign":"x"}', b"9" * 5000, b'{"a":' + b"9" * 5000 + b"}",
        answer(OK, member="alipay_trade_close_response"), answer(OK)[:-1],
        answer(OK)[:-1] + b',"alipay_trade_query_response":{}}', answer(OK)[:-1] + b',"sign":"x"}',
        answer('{"code":"10000","code":"10000"}'), answer("[]"), answer('"10000"'), answer("{}"),
        b'{"alipay_trade_query_response":{"code":"10000"},"sign":{"a":1}}',
        b'{"alipay_trade_query_response":{"code":"10000"},"sign":null}',
    ],
)  # fmt: skip
def test_what_is_no_proper_answer_is_a_fault_of_the_gateway(body: bytes) -> None:
    assert fault(body).message.endswith(".")


@pytest.mark.parametrize(
    ("code", "sub_code", "permanent"),
    [
        ("20000", "isp.unknow-error", False),
        ("20000", "aop.unknow-error", False),
        ("40004", "ACQ.SYSTEM_ERROR", False),
        ("40004", "aop.ACQ.SYSTEM_ERROR", False),
        ("40005", "isv.call-limited", False),
        ("40002", "isv.invalid-signature", True),
        ("40006", "isv.insufficient-isv-permissions", True),
        ("20001", "aop.invalid-auth-token", True),
    ],
)
def test_a_code_says_whether_trying_again_helps(code: str, sub_code: str, permanent: bool) -> None:
    problem = fault(answer(json.dumps({"code": code, "sub_code": sub_code})))
    assert (problem.permanent, sub_code in problem.message) == (permanent, True)


def test_a_refusal_by_the_rules_is_told_apart() -> None:
    with pytest.raises(Business) as outcome:
        answer_of(answer('{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}'), METHOD, holds)
    assert outcome.value.sub_code == "ACQ.TRADE_NOT_EXIST"


def test_what_stands_in_an_answer_cannot_forge_a_line_of_the_log() -> None:
    problem = fault(answer('{"code":"4\\n0","sub_code":"x\\nERROR all is lost"}'))
    assert "\n" not in problem.message
