"""The certificates in a section of a WeChat channel, and the two ways out: without and with ours."""

from __future__ import annotations

from pathlib import Path

from checkout.channels.sections import Section
from checkout.http.client import Client
from checkout.interfaces import Send

DEADLINE_S = 10


def clients(section: Section, folder: Path, allow_private: bool) -> tuple[Send, Send | None]:
    """What sends to the gateway, and what does so with our certificate: None where `cert` is not set.

    Reads `ca`, `cert` and `cert_key`. Raises `SettingsError`.
    """
    ca, cert, key = (_file(section, folder, name) for name in ("ca", "cert", "cert_key"))
    if bool(cert) != bool(key):
        raise section.bad("cert_key" if cert else "cert", "is missing: cert and cert_key belong together")
    if key:
        section.secret("cert_key")  # can it be read, may others read it
    plain = _client(section, "ca", allow_private, ca, None)
    return plain, _client(section, "cert", allow_private, ca, (cert, key)) if cert else None


def _client(section: Section, key: str, allow_private: bool, ca: str, certificate: tuple[str, str] | None) -> Send:
    try:
        return Client(
            allow_private=allow_private, ports=None, deadline_s=DEADLINE_S, ca_file=ca or None,
            client_cert=certificate,
        ).send  # fmt: skip
    except ValueError:
        files = "certificate and key (PEM, without a password)" if certificate else "certificates (PEM)"
        raise section.bad(key, f"does not name files that can be used as {files}") from None


def _file(section: Section, folder: Path, key: str) -> str:
    # These files are read by OpenSSL, by their names; a variable cannot stand for one.
    text = section.text(key, r"(?!env:)[^\n\0]+", "the path of a file", default="")
    return str((folder / Path(text).expanduser()).absolute()) if text else ""
