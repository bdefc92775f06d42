"""RSA signatures against OpenSSL, so that our reading of "SHA256withRSA" is not only our own."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from Crypto.PublicKey import RSA

from checkout.signing import rsa_sign, rsa_signed_by
from tests.conftest import skip_or_fail

MESSAGE = "money=1.00&name=VIP会员&pid=1001".encode()


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    key = RSA.generate(2048)
    return key.export_key().decode(), key.public_key().export_key().decode()


def test_a_signature_holds_for_its_message_and_key(pair: tuple[str, str]) -> None:
    private, public = pair
    assert rsa_signed_by(rsa_sign(private, MESSAGE), public, MESSAGE)


def test_another_message_key_or_signature_does_not_hold(pair: tuple[str, str]) -> None:
    private, public = pair
    good = rsa_sign(private, MESSAGE)
    stranger = RSA.generate(2048).public_key().export_key().decode()
    assert not rsa_signed_by(good, public, MESSAGE + b"0")
    assert not rsa_signed_by(good, stranger, MESSAGE)
    assert not rsa_signed_by(good, "", MESSAGE)
    for bad in (
        "",
        "=",
        "not base64!",
        "中文",
        good[:-4],
        good + "AAAA",
        good.lower(),
        base64.b64encode(b"x" * 256).decode(),
    ):
        assert not rsa_signed_by(bad, public, MESSAGE)


def test_openssl_verifies_what_we_sign_and_we_verify_what_it_signs(pair: tuple[str, str], tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        skip_or_fail("openssl", "there is no openssl (apt install openssl)")
    private, public = pair
    for name, text in (("private.pem", private), ("public.pem", public)):
        (tmp_path / name).write_text(text, encoding="ascii")
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(base64.b64decode(rsa_sign(private, MESSAGE)))
    digest = ["openssl", "dgst", "-sha256"]
    verify = [*digest, "-verify", "public.pem", "-signature", "signature", "message"]
    assert subprocess.run(verify, cwd=tmp_path, check=True, capture_output=True).stdout.strip() == b"Verified OK"
    theirs = subprocess.run([*digest, "-sign", "private.pem", "message"], cwd=tmp_path, check=True, capture_output=True)
    assert rsa_signed_by(base64.b64encode(theirs.stdout).decode(), public, MESSAGE)
