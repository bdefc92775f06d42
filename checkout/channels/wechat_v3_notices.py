"""What a signed notice of WeChat Pay's API v3 says once it is decrypted."""

from __future__ import annotations

from collections.abc import Mapping

from checkout.channel import Heard, Notice
from checkout.channels.wechat_v3_gateway import Config
from checkout.channels.wechat_v3_messages import (
    Malformed,
    decrypted,
    is_number,
    mismatch_of,
    object_of,
    paid_of,
    part,
    stored,
)

MAX_BODY = 65536


def notice_of(body: bytes, config: Config, now: int) -> Notice:
    """The notice of a body whose signature holds. Raises `Malformed`: the gateway shall send it again."""
    if len(body) > MAX_BODY:
        raise Malformed("The notice is longer than 64 KiB.")
    envelope = object_of(body)
    event, resource = str(envelope.get("event_type", "")), part(envelope, "resource")
    if event.startswith("TRANSACTION."):
        return _transaction(_opened(resource, "transaction", config), config, now)
    if event.startswith("REFUND."):
        return _refund(_opened(resource, "refund", config), config)
    raise Malformed("The notice is about nothing that is known.")


def _opened(resource: Mapping[str, object], about: str, config: Config) -> dict[str, object]:
    if resource.get("original_type", about) != about:
        raise Malformed("The notice contradicts itself.")
    return object_of(decrypted(resource, config.api_v3_key))


def _transaction(values: Mapping[str, object], config: Config, now: int) -> Notice:
    number = values.get("out_trade_no")
    token = str(number) if is_number(number) else ""
    if values.get("trade_state") != "SUCCESS":
        return Notice(Heard.NOTHING, token, stored(values))
    mismatch = mismatch_of(values, config.app_id, config.mch_id)
    return Notice(Heard.PAID, token, stored(values), paid_of(values, now), mismatch=mismatch)


def _refund(values: Mapping[str, object], config: Config) -> Notice:
    token, number = values.get("out_trade_no"), values.get("out_refund_no")
    if not (is_number(token) and is_number(number)):
        raise Malformed("The notice names no order or no refund.")
    if values.get("mchid") != config.mch_id:
        text = "The message is for another merchant."
        return Notice(Heard.NOTHING, str(token), stored(values), mismatch=text)
    return Notice(Heard.REFUND, str(token), stored(values), refund_number=str(number))
