"""Keys and secrets of official accounts: found, read in every format that gateways hand out, and used.

A key is never kept in the database, logged or shown, not even in part: every message here names the setting and its
file, nothing else. RSA keys are accepted as PEM (PKCS#1 or PKCS#8, even under the wrong heading) or as the bare
base64 of either, which is how gateways' tools and pages show them.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from checkout.setting_values import SettingsError

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey

log = logging.getLogger(__name__)

RSA2_BITS = 2048
_MAX_FILE = 65536
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END [A-Z0-9 ]+-----", re.DOTALL)


def read_secret(value: object, folder: Path, what: str, *, is_secret: bool = True) -> str:
    """The text that a setting points to: the path of a file, relative to `folder`, or `env:NAME`; never empty.

    Others being able to read a secret's file is worth a warning in the log. Raises `SettingsError`, which begins
    with `what`, such as "api_key in [channels.wechat]".
    """
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{what} must be the path of a file, or env:NAME.")
    if value.startswith("env:"):
        return _from_variable(value[4:], what)
    if "-----" in value or "\n" in value or re.fullmatch(r"[A-Za-z0-9+/=]{100,}", value):
        raise SettingsError(f"{what} holds a key itself; put the key into a file and write the file's path here.")
    path = (folder / Path(value).expanduser()).absolute()
    # A secret that was written here by mistake must not be repeated as if it were a path.
    shown = "that it names" if re.fullmatch(r"[A-Za-z0-9+/=_-]{16,}", value) else str(path)
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE + 1).decode("utf-8-sig").strip()
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise SettingsError(f"{what}: the file {shown} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise SettingsError(f"{what}: the file {shown} is not a text in UTF-8.") from None
    if not text or len(text) > _MAX_FILE:
        raise SettingsError(f"{what}: the file {shown} is {'too long for a key' if text else 'empty'}.")
    if is_secret and mode & 0o077:
        log.warning("%s: others may read the file %s; protect it with chmod 600.", what, shown)
    return text


def load_private(text: str, what: str, *, min_bits: int = RSA2_BITS) -> RsaKey:
    """Our own RSA key. Raises `SettingsError`."""
    key = _rsa(text, what)
    if not key.has_private():
        raise SettingsError(f"{what} holds a public key; the private key is needed here.")
    return _strong(key, what, min_bits)


def load_public(text: str, what: str, *, min_bits: int = RSA2_BITS) -> RsaKey:
    """A gateway's RSA key. Raises `SettingsError`."""
    key = _rsa(text, what)
    if key.has_private():
        raise SettingsError(f"{what} holds a private key; the gateway's public key is needed here.")
    return _strong(key, what, min_bits)


def are_a_pair(private: RsaKey, public: RsaKey) -> bool:
    """Whether the public key is the public half of the private one."""
    return private.n == public.n


def rsa_sign(key: RsaKey, message: bytes, *, sha1: bool = False) -> str:
    """Base64 of the PKCS#1 v1.5 signature over SHA-256, or over SHA-1 where a gateway knows nothing better."""
    from Crypto.Signature import pkcs1_15

    return base64.b64encode(pkcs1_15.new(key).sign(_hash(sha1).new(message))).decode()


def rsa_signed_by(key: RsaKey, given: str, message: bytes, *, sha1: bool = False) -> bool:
    """Whether `given` is such a signature; the algorithm is the caller's, never the message's."""
    from Crypto.Signature import pkcs1_15

    try:
        pkcs1_15.new(key).verify(_hash(sha1).new(message), base64.b64decode(given, validate=True))
    except (ValueError, binascii.Error):
        return False
    return True


def _hash(sha1: bool) -> ModuleType:
    from Crypto.Hash import SHA1, SHA256

    return SHA1 if sha1 else SHA256


def _from_variable(variable: str, what: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise SettingsError(f"{what} must be the path of a file, or env:NAME.")
    text = os.environ.get(variable, "").strip()
    if not text:
        raise SettingsError(f"{what}: the variable {variable} is not set.")
    return text


def _rsa(text: str, what: str) -> RsaKey:
    from Crypto.PublicKey import RSA

    load: Callable[[bytes], RsaKey] = RSA.import_key
    try:
        return load(_der(text.replace("\\n", "\n"), what))
    except (ValueError, IndexError, TypeError):
        raise SettingsError(f"{what} does not hold an RSA key in PEM (PKCS#1 or PKCS#8) or base64.") from None


def _der(text: str, what: str) -> bytes:
    """The key's bytes; ValueError. A heading is taken off rather than believed: tutorials put the wrong one on."""
    block = _BLOCK.search(text)
    label, body = (block[1], block[2]) if block else ("", text)
    if "CERTIFICATE" in label:
        raise SettingsError(f"{what} holds a certificate; the public key itself is needed here.")
    if "ENCRYPTED" in label or "ENCRYPTED" in body:
        raise SettingsError(f"{what} holds a key with a password; take the password off.")
    return base64.b64decode("".join(body.split()), validate=True)


def _strong(key: RsaKey, what: str, min_bits: int) -> RsaKey:
    if key.size_in_bits() < min_bits:
        raise SettingsError(f"{what} has {key.size_in_bits()} bits; at least {min_bits} are needed.")
    return key
