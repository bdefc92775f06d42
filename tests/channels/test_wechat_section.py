"""[channels.wechat] in checkout.toml: what is missing, unknown or contradictory stops the start with one sentence."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from checkout.channel import Scene
from checkout.channels.wechat import WeChat, make
from checkout.setting_values import SettingsError
from tests.channels.rsa import written
from tests.channels.wechat import API_KEY, certificates, section


def made(folder: Path, allow_private: bool = False, **changes: object) -> WeChat:
    channel = make("wechat", section(folder, **changes), folder, allow_private)
    assert isinstance(channel, WeChat)
    return channel


def refused(folder: Path, **changes: object) -> str:
    with pytest.raises(SettingsError) as outcome:
        make("wechat", section(folder, **changes), folder, False)
    message = str(outcome.value)
    assert API_KEY not in message
    assert message.endswith(".")
    assert "[channels.wechat]" in message
    return message


def test_a_whole_section_makes_a_channel_that_shows_no_secret(tmp_path: Path) -> None:
    channel = make("main", section(tmp_path), tmp_path, False)
    assert (channel.name, channel.method) == ("main", "wechat")
    assert channel.scenes() == {Scene.QR, Scene.H5, Scene.APP, Scene.JSAPI}
    assert isinstance(channel, WeChat)
    assert API_KEY not in repr(channel) + repr(vars(channel)) + repr(channel._merchant)


def test_what_the_documentation_shows_as_empty_may_be_empty(tmp_path: Path) -> None:
    made(tmp_path, ca="", cert="", cert_key="", sign_type="MD5")


@pytest.mark.parametrize("name", ["app_id", "mch_id", "api_key"])
def test_a_missing_key_is_named(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, **{name: None}) == f"{name} in [channels.wechat] is missing."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app_id", "2021000000000001"), ("app_id", 5), ("mch_id", "shop"), ("mch_id", 1900000109),
        ("sign_type", "SHA1"), ("sign_type", "md5"), ("gateway", "api.mch.weixin.qq.com"),
        ("gateway", "http://127.0.0.1:8080"), ("gateway", "https://api.mch.weixin.qq.com/?x=1"), ("cert", 7),
        ("ca", "env:CA"), ("api_key", 5), ("api_key", "keys/none.txt"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named(tmp_path: Path, name: str, value: object) -> None:
    assert refused(tmp_path, **{name: value}).startswith(f"{name} in [channels.wechat]")


def test_an_unknown_key_is_named_and_the_right_one_suggested(tmp_path: Path) -> None:
    assert "did you mean sign_type?" in refused_unknown(tmp_path, sign_typ="MD5")
    assert "other in [channels.wechat] is not a setting; there are kind, " in refused_unknown(tmp_path, other=1)


def refused_unknown(folder: Path, **changes: object) -> str:
    with pytest.raises(SettingsError) as outcome:
        make("wechat", section(folder, **changes), folder, False)
    return str(outcome.value)


def test_a_key_of_another_length_is_refused_without_being_shown(tmp_path: Path) -> None:
    written(tmp_path / "short.txt", "canary" * 3)
    assert refused(tmp_path, api_key="short.txt") == (
        "api_key in [channels.wechat] must name a text of 32 letters and digits."
    )


def test_the_key_itself_in_the_file_of_settings_is_not_repeated(tmp_path: Path) -> None:
    assert refused(tmp_path, api_key=API_KEY)


def test_a_key_may_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_WECHAT_KEY", API_KEY)
    made(tmp_path, api_key="env:CHECKOUT_WECHAT_KEY")
    monkeypatch.delenv("CHECKOUT_WECHAT_KEY")
    assert "CHECKOUT_WECHAT_KEY is not set" in refused(tmp_path, api_key="env:CHECKOUT_WECHAT_KEY")


def test_a_certificate_and_its_key_belong_together(tmp_path: Path) -> None:
    files = certificates(tmp_path / "certificates")
    made(tmp_path, cert=files.cert, cert_key=files.cert_key)
    for half in ("cert", "cert_key"):
        assert "belong together" in refused(tmp_path, **{half: getattr(files, half)})


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    files, others = certificates(tmp_path / "ours"), certificates(tmp_path / "others")
    broken = written(tmp_path / "broken.pem", "canary")
    assert refused(tmp_path, ca=broken).startswith("ca in [channels.wechat] does not name files")
    assert refused(tmp_path, ca=str(tmp_path / "none.pem")).startswith("ca in [channels.wechat]")
    assert refused(tmp_path, cert=broken, cert_key=files.cert_key).startswith("cert in [channels.wechat]")
    assert refused(tmp_path, cert=files.cert, cert_key=others.cert_key).startswith("cert in [channels.wechat]")
    assert refused(tmp_path, cert=files.cert, cert_key="none.pem").startswith("cert_key in [channels.wechat]")


def test_paths_are_relative_to_the_file_of_settings(tmp_path: Path) -> None:
    files = certificates(tmp_path / "keys")
    table = section(tmp_path, cert=f"keys/{Path(files.cert).name}", cert_key=f"keys/{Path(files.cert_key).name}")
    make("wechat", table, tmp_path, False)


def test_a_key_that_others_may_read_is_worth_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = section(tmp_path)
    (tmp_path / "keys" / "api_key.txt").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        make("wechat", table, tmp_path, False)
    assert "chmod 600" in caplog.text
    assert API_KEY not in caplog.text


def test_a_gateway_on_this_machine_may_be_plain_http_with_allow_private(tmp_path: Path) -> None:
    made(tmp_path, allow_private=True, gateway="http://127.0.0.1:8080")
    with pytest.raises(SettingsError, match=r"gateway in \[channels.wechat\]"):
        made(tmp_path, allow_private=True, gateway="http://203.0.113.5")
