"""The section [channels.NAME] of kind wechat_v3: each mistake is one sentence that names section and key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from checkout.channels.wechat_v3 import make
from checkout.channels.wechat_v3_messages import decrypted
from checkout.setting_values import SettingsError
from tests.channels.rsa import bare, key, pem, written
from tests.channels.vectors import vector
from tests.channels.wechat_v3 import API_KEY, SERIAL, section


def refused(folder: Path, **changes: Any) -> str:
    with pytest.raises(SettingsError) as outcome:
        make("wx", section(folder, **changes), folder, False)
    return str(outcome.value)


def test_the_section_of_the_documentation_makes_a_channel(tmp_path: Path) -> None:
    assert make("wx", section(tmp_path), tmp_path, False).name == "wx"
    without = section(tmp_path)
    del without["gateway"]
    assert make("wx", without, tmp_path, False).method == "wechat"


@pytest.mark.parametrize(
    "name",
    ["app_id", "mch_id", "api_v3_key", "private_key", "serial_no", "wechat_public_key", "public_key_id"],
)
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, **{name: None}) == f"{name} in [channels.wx] is missing."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app_id", "2021000000000001"), ("app_id", 5), ("mch_id", "wx1"), ("mch_id", 1900000109), ("serial_no", "zz"),
        ("serial_no", "PUB_KEY_ID_0119"), ("public_key_id", SERIAL), ("public_key_id", "PUB_KEY_ID_\n"),
        ("gateway", "http://api.mch.weixin.qq.com"), ("gateway", "ftp://x"), ("gateway", "https://x/?a"),
        ("gateway", 5), ("api_v3_key", "keys/none.txt"),
        ("private_key", 5), ("wechat_public_key", "env:NOT_SET_AT_ALL"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, name: str, value: object) -> None:
    assert f"{name} in [channels.wx]" in refused(tmp_path, **{name: value})


def test_a_key_that_nobody_knows_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, cert="x").startswith("cert in [channels.wx] is not a setting; there are kind, ")
    assert "did you mean" in refused(tmp_path, serial_number="x")


def test_plain_http_is_for_this_machine_and_only_where_it_is_allowed(tmp_path: Path) -> None:
    make("wx", section(tmp_path, "http://127.0.0.1:9"), tmp_path, True)
    assert "must begin with https://" in refused(tmp_path, gateway="http://127.0.0.1:9")


@pytest.mark.parametrize("text", ["short", "k" * 31, "k" * 33, "密" * 32, "k" * 16 + " " + "k" * 15])
def test_an_api_key_of_another_length_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    table = section(tmp_path)
    written(tmp_path / "keys" / "api_v3_key.txt", text)
    with pytest.raises(SettingsError) as outcome:
        make("wx", table, tmp_path, False)
    assert str(outcome.value) == "api_v3_key in [channels.wx] must hold the APIv3 key: 32 characters."


@pytest.mark.parametrize(
    "text", [pem(key("ours"), pkcs=1), pem(key("ours")), bare(key("ours")), bare(key("ours"), pkcs=1)]
)
def test_our_key_is_read_in_every_format(tmp_path: Path, text: str) -> None:
    table = section(tmp_path)
    written(tmp_path / "keys" / "apiclient_key.pem", text)
    assert make("wx", table, tmp_path, False).name == "wx"


def test_the_wrong_key_in_a_place_is_told_apart(tmp_path: Path) -> None:
    table = section(tmp_path)
    for file, text, said in (
        (
            "wechat_public.pem",
            pem(key("ours").public_key()),
            "wechat_public_key in [channels.wx] is our own public key",
        ),
        ("wechat_public.pem", pem(key("wechat")), "wechat_public_key in [channels.wx] holds a private key"),
        ("wechat_public.pem", pem(key("weak", 1024).public_key()), "wechat_public_key in [channels.wx] has 1024 bits"),
        ("apiclient_key.pem", pem(key("wechat").public_key()), "private_key in [channels.wx] holds a public key"),
    ):
        section(tmp_path)
        written(tmp_path / "keys" / file, text)
        with pytest.raises(SettingsError) as outcome:
            make("wx", table, tmp_path, False)
        assert said in str(outcome.value)


def test_no_secret_shows_in_what_the_channel_looks_like(tmp_path: Path) -> None:
    made = make("wx", section(tmp_path), tmp_path, False)
    shown = (
        repr(made)
        + repr(vars(made))
        + repr([vars(value) for value in vars(made).values() if hasattr(value, "__dict__")])
    )
    assert API_KEY not in shown
    assert str(key("ours").d) not in shown


def test_the_published_vector_of_aes_256_gcm_opens() -> None:
    published = vector("wechat_v3_aes_256_gcm")
    plain = decrypted({**published["inputs"], "algorithm": "AEAD_AES_256_GCM"}, published["key"])
    assert f"sha256(plaintext)={hashlib.sha256(plain).hexdigest()}" == published["expected"]
