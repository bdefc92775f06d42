"""RSA keys for tests, made on the spot so that none lies in the repository, and each only once a run."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

from Crypto.PublicKey import RSA
from Crypto.PublicKey.RSA import RsaKey


@cache
def key(owner: str, bits: int = 2048) -> RsaKey:
    """The key pair of `owner`: the same one for the same name."""
    return RSA.generate(bits)


def pem(key: RsaKey, *, pkcs: int = 8) -> str:
    return key.export_key(format="PEM", pkcs=pkcs).decode()


def bare(key: RsaKey, *, pkcs: int = 8) -> str:
    """As Alipay's key tool and pages show it: base64 in one line."""
    return base64.b64encode(key.export_key(format="DER", pkcs=pkcs)).decode()


def written(file: Path, text: str, mode: int = 0o600) -> str:
    """The file's name, after its text was written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return str(file)
