"""A section for WeChat Pay, its files, and the certificates of both sides."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import authority
from tests.channels.rsa import written

APP_ID, MCH_ID = "wx2421b1c4370ec43b", "1900000109"
API_KEY = "192006250b4c09247ec02edce69f6a2d"


@dataclass(frozen=True)
class Certificates:
    """Files in a folder, and what a gateway needs to speak TLS and to ask for ours."""

    ca: str
    cert: str
    cert_key: str
    tls: ssl.SSLContext


def certificates(folder: Path) -> Certificates:
    folder.mkdir(parents=True, exist_ok=True)
    trusted = authority(folder)
    ours, ours_key = trusted.issue(folder, "merchant")
    Path(ours_key).chmod(0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*trusted.issue(folder, "127.0.0.1"))
    context.load_verify_locations(str(trusted.file))
    context.verify_mode = ssl.CERT_OPTIONAL
    return Certificates(str(trusted.file), ours, ours_key, context)


def section(folder: Path, **changes: object) -> dict[str, object]:
    """The table of [channels.wechat]; a key is left out where its change is None."""
    written(folder / "keys" / "api_key.txt", API_KEY + "\n")
    table: dict[str, object] = {
        "kind": "wechat", "app_id": APP_ID, "mch_id": MCH_ID, "api_key": "keys/api_key.txt",
        "sign_type": "HMAC-SHA256",
    }  # fmt: skip
    return {name: value for name, value in {**table, **changes}.items() if value is not None}
