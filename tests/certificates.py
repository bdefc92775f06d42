"""X.509 certificates for tests (RFC 5280), made on the spot so that no key lies in the repository."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from Crypto.Hash import SHA1, SHA256
from Crypto.IO import PEM
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from Crypto.Util.asn1 import (
    DerBitString,
    DerBoolean,
    DerInteger,
    DerObject,
    DerObjectId,
    DerOctetString,
    DerSequence,
    DerSetOf,
)

_DAY = 86400
_ECDSA_SHA256 = DerSequence([DerObjectId("1.2.840.10045.4.3.2")])


@dataclass(frozen=True)
class Authority:
    """A certificate authority; `file` is what a client trusts."""

    name: str
    key: ECC.EccKey
    file: Path

    def issue(self, folder: Path, *names: str, until: int | None = None) -> tuple[str, str]:
        """The files of a certificate for names and IP addresses, and of its key; `until` in Unix seconds."""
        key = ECC.generate(curve="P-256")
        alternatives = DerSequence([_general_name(name) for name in names]).encode()
        extensions = [
            _extension("2.5.29.17", alternatives),
            _extension("2.5.29.35", DerSequence([DerOctetString(_key_id(self.key), implicit=0)]).encode()),
        ]
        certificate = _signed(names[0], key, self.name, self.key, extensions, until)
        stem = f"{names[0]}-{_key_id(key).hex()[:8]}"
        return _written(folder / f"{stem}.crt", certificate), _written(folder / f"{stem}.key", _private(key))

    def locked(self, key_file: str) -> str:
        """A copy of a key's file that asks for a password."""
        key = ECC.import_key(Path(key_file).read_text())
        text = key.export_key(
            format="PEM", passphrase="secret", use_pkcs8=True, protection="PBKDF2WithHMAC-SHA1AndAES128-CBC"
        )
        assert isinstance(text, str)
        return _written(Path(key_file).with_suffix(".locked"), text)


def authority(folder: Path, name: str = "test authority") -> Authority:
    key = ECC.generate(curve="P-256")
    extensions = [
        _extension("2.5.29.19", DerSequence([DerBoolean(True)]).encode(), critical=True),
        _extension("2.5.29.15", DerObject(3, b"\x02\x04").encode(), critical=True),  # signs certificates
        _extension("2.5.29.14", DerOctetString(_key_id(key)).encode()),
    ]
    file = folder / f"{name}.pem"
    _written(file, _signed(name, key, name, key, extensions, None))
    return Authority(name, key, file)


def _signed(
    subject: str,
    key: ECC.EccKey,
    issuer: str,
    issuer_key: ECC.EccKey,
    extensions: list[DerSequence],
    until: int | None,
) -> str:
    now = int(time.time())
    validity = DerSequence([_utc(now - 30 * _DAY), _utc(until or now + 30 * _DAY)])
    body = DerSequence(
        [
            DerInteger(2, explicit=0),
            DerInteger(int.from_bytes(_key_id(key)[:8], "big") | 1),
            _ECDSA_SHA256,
            _name(issuer),
            validity,
            _name(subject),
            _raw(_public(key)),
            DerSequence(extensions, explicit=3),
        ]
    )
    signature = DSS.new(issuer_key, "fips-186-3", encoding="der").sign(SHA256.new(body.encode()))
    return PEM.encode(DerSequence([body, _ECDSA_SHA256, DerBitString(signature)]).encode(), "CERTIFICATE")


def _extension(oid: str, value: bytes, *, critical: bool = False) -> DerSequence:
    return DerSequence([DerObjectId(oid), *([DerBoolean(True)] if critical else []), DerOctetString(value)])


def _general_name(name: str) -> DerOctetString:
    try:
        return DerOctetString(ip_address(name).packed, implicit=7)
    except ValueError:
        return DerOctetString(name.encode(), implicit=2)


def _name(common: str) -> DerSequence:
    attribute = DerSequence([DerObjectId("2.5.4.3"), DerObject(0x0C, common.encode())])
    return DerSequence([DerSetOf([attribute.encode()])])


def _utc(moment: int) -> DerObject:
    return DerObject(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(moment)).encode())


def _raw(der: bytes) -> DerSequence:
    sequence = DerSequence()
    sequence.decode(der)
    return sequence


def _public(key: ECC.EccKey) -> bytes:
    exported = key.public_key().export_key(format="DER")
    assert isinstance(exported, bytes)
    return exported


def _private(key: ECC.EccKey) -> str:
    exported = key.export_key(format="PEM")
    assert isinstance(exported, str)
    return exported


def _key_id(key: ECC.EccKey) -> bytes:
    return SHA1.new(_public(key)).digest()


def _written(file: Path, text: str) -> str:
    file.write_text(text)
    return str(file)
