"""What an owner wants to know before anything else: the status strip at the top of every page."""

from __future__ import annotations

from msgspec import Struct

from checkout import store
from checkout.accounts import is_online
from checkout.web import parts

_DAY_S = 86_400
_MANY_TRIES = 3


class Strip(Struct, frozen=True):
    phones: int
    online: int
    failing: int  # messages to merchants: given up in the last seven days, or tried in vain three times
    review: int  # payments and buyers' messages that wait for a person
    waiting: int  # orders that wait for their payment, each with an amount of its own


def strip() -> Strip:
    now, offline_after = parts().clock(), parts().rules.offline_after_s
    with parts().store.read() as db:
        phones = [device for device in store.devices.all_of(db) if device.revoked_at is None]
        failed = store.overview.failed_deliveries(db, now - 7 * _DAY_S)
        return Strip(
            phones=len(phones),
            online=sum(is_online(device.beat_at, offline_after, now) for device in phones),
            failing=failed + store.overview.struggling_deliveries(db, _MANY_TRIES),
            review=store.overview.to_review(db) + store.overview.claims_waiting(db),
            waiting=store.overview.waiting_orders(db, now),
        )
