"""The road to a first payment: which of its commands has not been given yet."""

from __future__ import annotations

from checkout import store
from checkout.interfaces import Store

ACCOUNT = "checkout account add NAME --method wechat|alipay --code TEXT-or-IMAGE"
DEVICE = "checkout device add NAME    (pairs the phone that watches it)"
MERCHANT = "checkout merchant add NAME --notify-url URL    (who is told; a product needs one too)"
DOCTOR = "checkout doctor    (says what is still missing)"


def next_step(db_store: Store) -> str:
    """The first command on the road that is missing; at its end the doctor."""
    with db_store.read() as db:
        for command, found in (
            (ACCOUNT, store.accounts.all_of(db)),
            (DEVICE, store.devices.all_of(db)),
            (MERCHANT, store.merchants.all_of(db)),
        ):
            if not found:
                return command
    return DOCTOR
