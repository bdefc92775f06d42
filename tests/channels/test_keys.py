from __future__ import annotations

import logging
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from Crypto.PublicKey import ECC
from Crypto.PublicKey.RSA import RsaKey

from checkout.channels.keys import are_a_pair, load_private, load_public, read_secret, rsa_sign, rsa_signed_by
from checkout.setting_values import SettingsError
from tests.channels.rsa import bare, key, pem, written

WHAT = "app_private_key in [channels.alipay]"


def spellings(private: RsaKey) -> Iterator[tuple[str, str]]:
    """A private key in every way in which people come by it."""
    for pkcs in (1, 8):
        yield f"PEM PKCS#{pkcs}", pem(private, pkcs=pkcs)
        yield f"base64 PKCS#{pkcs}", bare(private, pkcs=pkcs)
        yield f"base64 in lines PKCS#{pkcs}", textwrap.fill(bare(private, pkcs=pkcs), 64) + "\n"
        yield f"one line in a PEM frame PKCS#{pkcs}", framed("PRIVATE KEY", bare(private, pkcs=pkcs))
        yield f"the other's heading PKCS#{pkcs}", framed("RSA PRIVATE KEY", bare(private, pkcs=pkcs))
        yield (
            f"all in one line PKCS#{pkcs}",
            f"-----BEGIN PRIVATE KEY-----{bare(private, pkcs=pkcs)}-----END PRIVATE KEY-----",
        )
        yield f"from Windows PKCS#{pkcs}", pem(private, pkcs=pkcs).replace("\n", "\r\n") + "\r\n"
        yield f"in a variable PKCS#{pkcs}", pem(private, pkcs=pkcs).replace("\n", "\\n")


def framed(label: str, body: str) -> str:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def refused(call: object, *args: object, **options: object) -> str:
    assert callable(call)
    with pytest.raises(SettingsError) as outcome:
        call(*args, **options)
    return str(outcome.value)


@pytest.mark.parametrize("spelling", [name for name, _ in spellings(key("ours"))])
def test_a_private_key_is_read_in_every_format(spelling: str) -> None:
    text = dict(spellings(key("ours")))[spelling]
    assert load_private(text, WHAT).d == key("ours").d


def test_a_public_key_is_read_in_every_format() -> None:
    public = key("ours").public_key()
    for text in (pem(public), bare(public), framed("PUBLIC KEY", bare(public)), framed("RSA PUBLIC KEY", bare(public))):
        assert load_public(text, WHAT).n == public.n


def test_the_message_says_which_key_is_the_wrong_one() -> None:
    private, public = pem(key("ours")), pem(key("ours").public_key())
    assert refused(load_private, public, WHAT) == f"{WHAT} holds a public key; the private key is needed here."
    assert (
        refused(load_public, private, WHAT) == f"{WHAT} holds a private key; the gateway's public key is needed here."
    )


def test_a_weak_key_is_refused_but_where_the_gateway_has_no_better() -> None:
    weak = key("weak", 1024)
    assert refused(load_private, pem(weak), WHAT) == f"{WHAT} has 1024 bits; at least 2048 are needed."
    assert refused(load_public, pem(weak.public_key()), WHAT) == f"{WHAT} has 1024 bits; at least 2048 are needed."
    assert load_private(pem(weak), WHAT, min_bits=1024).n == weak.n


@pytest.mark.parametrize(
    "text",
    ["nothing", "MIIE", "中文", pem(key("ours"))[:400], framed("PRIVATE KEY", ""), "-----BEGIN PRIVATE KEY-----"],
)
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    for load in (load_private, load_public):
        assert refused(load, text, WHAT) == f"{WHAT} does not hold an RSA key in PEM (PKCS#1 or PKCS#8) or base64."


def test_a_key_of_another_kind_is_refused() -> None:
    other = ECC.generate(curve="P-256").export_key(format="PEM")
    assert "does not hold an RSA key" in refused(load_private, str(other), WHAT)


def test_a_key_with_a_password_is_refused() -> None:
    for pkcs in (1, 8):
        locked = key("ours").export_key(format="PEM", pkcs=pkcs, passphrase="secret").decode()
        assert refused(load_private, locked, WHAT) == f"{WHAT} holds a key with a password; take the password off."


def test_a_certificate_is_not_taken_for_a_public_key() -> None:
    assert "holds a certificate" in refused(load_public, framed("CERTIFICATE", bare(key("ours"))), WHAT)


def test_our_own_public_half_is_known_as_such() -> None:
    assert are_a_pair(key("ours"), key("ours").public_key())
    assert not are_a_pair(key("ours"), key("theirs").public_key())


def test_a_signature_holds_for_its_message_key_and_algorithm_alone() -> None:
    sign = rsa_sign(key("ours"), "测试".encode())
    public = key("ours").public_key()
    assert rsa_signed_by(public, sign, "测试".encode())
    assert not rsa_signed_by(public, sign, b"other")
    assert not rsa_signed_by(public, sign, "测试".encode(), sha1=True)
    assert not rsa_signed_by(key("theirs").public_key(), sign, "测试".encode())
    assert rsa_signed_by(public, rsa_sign(key("ours"), b"x", sha1=True), b"x", sha1=True)


@pytest.mark.parametrize("given", ["", "=", "AAAA", "not base64!", "中文", "A" * 100_000])
def test_what_is_no_signature_never_holds(given: str) -> None:
    assert not rsa_signed_by(key("ours").public_key(), given, b"x")


def test_a_signature_with_letters_that_base64_has_not_is_refused() -> None:
    sign = rsa_sign(key("ours"), b"x")
    assert not rsa_signed_by(key("ours").public_key(), sign[:10] + "\n" + sign[10:], b"x")
    assert not rsa_signed_by(key("ours").public_key(), " " + sign, b"x")


def test_a_secret_is_read_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    written(tmp_path / "keys" / "api_key.txt", "\ufeff the secret \r\n")
    assert read_secret("keys/api_key.txt", tmp_path, WHAT) == "the secret"
    assert read_secret(str(tmp_path / "keys" / "api_key.txt"), Path("/"), WHAT) == "the secret"


def test_a_secret_is_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", " the secret\n")
    assert read_secret("env:SHOP_KEY", tmp_path, WHAT) == "the secret"
    assert refused(read_secret, "env:OTHER_KEY", tmp_path, WHAT) == f"{WHAT}: the variable OTHER_KEY is not set."
    assert refused(read_secret, "env:", tmp_path, WHAT) == f"{WHAT} must be the path of a file, or env:NAME."


def test_a_file_that_others_may_read_is_worth_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    name = written(tmp_path / "key.pem", "the secret", mode=0o644)
    assert read_secret(name, tmp_path, WHAT) == "the secret"
    assert f"{WHAT}: others may read the file {name}; protect it with chmod 600." in caplog.text
    assert "the secret" not in caplog.text
    caplog.clear()
    read_secret(name, tmp_path, WHAT, is_secret=False)
    Path(name).chmod(0o600)
    read_secret(name, tmp_path, WHAT)
    assert caplog.text == ""


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    assert refused(read_secret, "none.pem", tmp_path, WHAT) == (
        f"{WHAT}: the file {tmp_path / 'none.pem'} cannot be read: No such file or directory."
    )
    written(tmp_path / "empty.pem", " \n")
    assert refused(read_secret, "empty.pem", tmp_path, WHAT) == f"{WHAT}: the file {tmp_path / 'empty.pem'} is empty."
    written(tmp_path / "long.pem", "x" * 70_000)
    assert "too long" in refused(read_secret, "long.pem", tmp_path, WHAT)
    (tmp_path / "bytes.pem").write_bytes(b"\xff\xfe\x00")
    assert "is not a text" in refused(read_secret, "bytes.pem", tmp_path, WHAT)
    assert "cannot be read" in refused(read_secret, os.curdir, tmp_path, WHAT)


@pytest.mark.parametrize("value", [None, "", 5, ["key.pem"]])
def test_what_names_no_file_is_refused(tmp_path: Path, value: object) -> None:
    assert refused(read_secret, value, tmp_path, WHAT) == f"{WHAT} must be the path of a file, or env:NAME."


@pytest.mark.parametrize("secret", ["192006250b4c09247ec02edce69f6a2d", bare(key("ours")), pem(key("ours"))])
def test_a_secret_written_in_the_place_of_its_file_is_not_repeated(tmp_path: Path, secret: str) -> None:
    message = refused(read_secret, secret, tmp_path, WHAT)
    assert message.startswith(WHAT)
    assert secret[:40] not in message
