"""What the demo's database holds: one merchant, two accounts, one phone. Kept from one demo to the next."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from checkout import api_keys, devices, ids, merchants, receiving, store
from checkout.interfaces import Store
from checkout.merchants import Reach, Wish
from checkout.model.accounts import Method
from checkout.model.merchants import Merchant
from checkout.settings import Settings

_PHONE, _KEY = "demo-phone", "demo shop"
_CODES = {  # the accounts' names and QR codes; no wallet stands behind them
    Method.WECHAT: ("wx-demo", "wxp://demo-no-money-moves"),
    Method.ALIPAY: ("ali-demo", "https://qr.alipay.com/demo-no-money-moves"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What the players know of each other."""

    base_url: str
    shop_url: str
    merchant_key: str
    api_key: str
    device_key: str
    database: str


def set_up(settings: Settings, shop_url: str) -> Stage:
    """Makes what is missing; the shop's address may have changed since the last time."""
    with closing(store.open_store(settings.database)) as db_store:
        merchant = _merchant(db_store, Reach.of(settings), shop_url)
        _official_accounts(db_store, settings) if settings.channels else _accounts(db_store)
        keys = merchant.key, _api_key(db_store, merchant.id), _device(db_store)
        return Stage(settings.base_url, shop_url, *keys, settings.database)


def _merchant(db_store: Store, reach: Reach, shop_url: str) -> Merchant:
    wish = Wish(name="Tea House", notify_url=f"{shop_url}/notify", return_url=f"{shop_url}/")
    with db_store.read() as db:
        known = store.merchants.default(db)
    if known is None:
        return merchants.add(db_store, wish, reach, actor="demo", new_id=ids.new_id, now=ids.now())
    return merchants.change(db_store, known.id, wish, reach, actor="demo", new_id=ids.new_id, now=ids.now())


def _api_key(db_store: Store, merchant_id: int) -> str:
    """A new one at each start, as nobody can read the last one again; that one ends."""
    with db_store.read() as db:
        known = [key for key in store.api_keys.all_of(db, merchant_id) if key.name == _KEY and key.revoked_at is None]
    for key in known:
        api_keys.revoke(db_store, key.id, actor="demo", new_id=ids.new_id, now=ids.now())
    fresh = api_keys.add(db_store, merchant_id, _KEY, api_keys.USUAL, actor="demo", new_id=ids.new_id, now=ids.now())
    return fresh.secret


def _accounts(db_store: Store) -> None:
    with db_store.read() as db:
        known = {account.id for account in store.accounts.all_of(db)}
    for method, (name, code) in _CODES.items():
        if name not in known:
            wish = receiving.Wish(code=code)
            receiving.add(db_store, name, method, wish, frozenset(), actor="demo", new_id=ids.new_id, now=ids.now())


def _official_accounts(db_store: Store, settings: Settings) -> None:
    """One at each gateway that has a code for a page; the shop's orders go to them in turn."""
    with db_store.read() as db:
        known = {account.id for account in store.accounts.all_of(db)}
    names = frozenset(settings.channels)
    for channel in sorted(names - {"alipay_legacy"}):
        method = Method.ALIPAY if channel.startswith("alipay") else Method.WECHAT
        if channel not in known:
            wish = receiving.Wish(channel=channel)
            receiving.add(db_store, channel, method, wish, names, actor="demo", new_id=ids.new_id, now=ids.now())


def _device(db_store: Store) -> str:
    for known in devices.all_of(db_store):
        if known.device.name == _PHONE and known.device.revoked_at is None:
            return known.device.key
    with db_store.read() as db:
        names = [account.id for account in store.accounts.all_of(db)]
    added = devices.add(db_store, _PHONE, "vmq", names, actor="demo", new_id=ids.new_id, now=ids.now())
    return added.device.key
