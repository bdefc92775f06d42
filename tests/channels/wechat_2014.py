"""A section for WeChat Pay's 2014 form, and its files."""

from __future__ import annotations

from pathlib import Path

from checkout.channels.wechat_2014 import WeChat2014, make
from tests.channels.rsa import written
from tests.fakes.wechat_2014 import Secrets

SECRETS = Secrets(
    app_id="wxd930ea5d5a258f4f", partner="1900000109", app_secret="5" * 32, pay_sign_key="Pay1" * 32,
    partner_key="8934e7d15453e97507ef794cf7b0519d", op_user_passwd="111111",
)  # fmt: skip


def section(folder: Path, **changes: object) -> dict[str, object]:
    for name in ("app_secret", "pay_sign_key", "partner_key", "op_user_passwd"):
        written(folder / "keys" / f"{name}.txt", f"{getattr(SECRETS, name)}\n")
    table: dict[str, object] = {
        "kind": "wechat_2014", "app_id": SECRETS.app_id, "partner": SECRETS.partner,
        "app_secret": "keys/app_secret.txt", "pay_sign_key": "keys/pay_sign_key.txt",
        "partner_key": "keys/partner_key.txt",
    }  # fmt: skip
    return {name: value for name, value in {**table, **changes}.items() if value is not None}


def made(folder: Path, **changes: object) -> WeChat2014:
    channel = make("wechat_2014", section(folder, **changes), folder, True)
    assert isinstance(channel, WeChat2014)
    return channel


def at(url: str) -> dict[str, object]:
    return {"gateway": url, "query_gateway": url, "api": url}
