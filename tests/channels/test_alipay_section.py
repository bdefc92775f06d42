"""The section of checkout.toml: what it may say, and one sentence for each way to be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkout.channel import Scene
from checkout.channels.alipay import make
from checkout.setting_values import SettingsError
from tests.channels.alipay_app import table_in
from tests.channels.orders import start
from tests.channels.rsa import bare, key, pem, written


@pytest.fixture
def table(tmp_path: Path) -> dict[str, object]:
    return table_in(tmp_path)


def refused(table: dict[str, object], folder: Path, *, allow_private: bool = False) -> str:
    with pytest.raises(SettingsError) as outcome:
        make("shop", table, folder, allow_private)
    return str(outcome.value)


def test_the_live_gateway_and_the_qr_code_are_what_is_meant_when_nothing_is_said(
    table: dict[str, object], tmp_path: Path
) -> None:
    channel = make("shop", {**table, "seller_id": ""}, tmp_path, False)
    assert (channel.name, channel.method) == ("shop", "alipay")
    link = channel.start(start(Scene.PAGE)).text
    assert link.startswith("https://openapi.alipay.com/gateway.do?app_id=2021000000000001&")


def test_keys_are_read_in_every_format(
    table: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "keys" / "alipay_public.pem", bare(key("alipay").public_key()))
    for text in (pem(key("ours"), pkcs=1), bare(key("ours"), pkcs=1), bare(key("ours"))):
        monkeypatch.setenv("CHECKOUT_ALIPAY_KEY", text)
        make("shop", {**table, "app_private_key": "env:CHECKOUT_ALIPAY_KEY"}, tmp_path, False)


@pytest.mark.parametrize(
    ("key_", "value", "message"),
    [
        ("app_id", None, "app_id in [channels.shop] is missing."),
        ("app_id", "", "app_id in [channels.shop] is missing."),
        ("app_id", 2021, "app_id in [channels.shop] must be the app's number (not a seller's 2088…)."),
        ("app_id", "2088102172939262", "app_id in [channels.shop] must be the app's number (not a seller's 2088…)."),
        ("app_private_key", None, "app_private_key in [channels.shop] is missing."),
        ("alipay_public_key", "", "alipay_public_key in [channels.shop] is missing."),
        ("seller_id", "me@example.com", "seller_id in [channels.shop] must be a seller's number, 2088 and 12 digits."),
        ("product", "cancel", "product in [channels.shop] must be precreate or page or wap or page+wap."),
        ("gateway", "ftp://x", None),
        ("gateway", "https://openapi.alipay.com/gateway.do?x=1", None),
        ("gateway", "http://openapi.alipay.com/gateway.do", None),
        ("gateway", "http://127.0.0.1:9/gateway.do", None),
        ("gateway", 5, None),
        ("app_privat_key", "x", "app_privat_key in [channels.shop] is not a setting; did you mean app_private_key?"),
    ],
)
def test_a_section_that_cannot_be_used_is_refused_in_one_sentence(
    table: dict[str, object], tmp_path: Path, key_: str, value: object, message: str | None
) -> None:
    changed = {**table, key_: value}
    if value is None:
        del changed[key_]
    said = refused(changed, tmp_path)
    assert said == message if message else said.startswith(f"{key_} in [channels.shop] must ")


def test_an_unknown_key_hears_which_there_are(table: dict[str, object], tmp_path: Path) -> None:
    assert refused({**table, "cert": "x"}, tmp_path) == (
        "cert in [channels.shop] is not a setting; there are kind, app_id, app_private_key, alipay_public_key,"
        " seller_id, gateway, product."
    )


def test_of_a_misspelt_key_that_must_be_there_the_section_says_which_it_is(
    table: dict[str, object], tmp_path: Path
) -> None:
    table["app_privat_key"] = table.pop("app_private_key")
    assert refused(table, tmp_path) == "app_private_key in [channels.shop] is missing; is app_privat_key to be it?"


def test_plain_http_is_for_this_machine_and_for_tests(table: dict[str, object], tmp_path: Path) -> None:
    make("shop", {**table, "gateway": "http://127.0.0.1:9/gateway.do"}, tmp_path, True)
    make("shop", {**table, "gateway": "http://localhost:9/gateway.do"}, tmp_path, True)
    assert "https://" in refused({**table, "gateway": "http://10.0.0.1/gateway.do"}, tmp_path, allow_private=True)


def test_our_own_public_key_is_not_taken_for_alipays(table: dict[str, object], tmp_path: Path) -> None:
    written(tmp_path / "keys" / "alipay_public.pem", pem(key("ours").public_key()))
    assert refused(table, tmp_path).startswith("alipay_public_key in [channels.shop] is our own public key;")


def test_the_wrong_key_is_named(table: dict[str, object], tmp_path: Path) -> None:
    written(tmp_path / "keys" / "alipay_public.pem", pem(key("ours")))
    assert refused(table, tmp_path).startswith("alipay_public_key in [channels.shop] holds a private key;")
    written(tmp_path / "keys" / "app_private.pem", pem(key("weak", 1024)))
    assert refused(table, tmp_path).startswith("app_private_key in [channels.shop] has 1024 bits;")
