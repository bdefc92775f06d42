"""An app at the strict Alipay, as tests of the channel have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from checkout.channel import Channel, GatewayError, Raw
from checkout.channels.alipay import make
from tests.channels.rsa import key, pem, written
from tests.fakes.alipay import FakeAlipay
from tests.world import START, FakeClock

APP_ID = "2021000000000001"
AWKWARD = '+ & = / % 中文 "quotes" {braces} \\ \n 100%25'


def opened(clock: FakeClock) -> FakeAlipay:
    return FakeAlipay(APP_ID, key("ours").public_key(), key("alipay"), clock=clock)


def table_in(folder: Path) -> dict[str, object]:
    """A section of checkout.toml, its keys written into `folder`."""
    written(folder / "keys" / "app_private.pem", pem(key("ours")))
    written(folder / "keys" / "alipay_public.pem", pem(key("alipay").public_key()))
    return {
        "kind": "alipay",
        "app_id": APP_ID,
        "app_private_key": "keys/app_private.pem",
        "alipay_public_key": "keys/alipay_public.pem",
    }


def channel_at(alipay: FakeAlipay, folder: Path, **changes: str) -> Channel:
    return make("alipay", {**table_in(folder), "gateway": alipay.gateway, **changes}, folder, True)


def posted(body: bytes) -> Raw:
    return Raw("POST", b"", body, {}, START)


def fault(call: Callable[[], object]) -> GatewayError:
    with pytest.raises(GatewayError) as outcome:
        call()
    return outcome.value
