"""Managing phones: what the command line and the admin pages share. Every change is audited."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from checkout import audit, store
from checkout.accounts import is_online
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store
from checkout.model.devices import Device

KINDS = ("vmq", "smsforwarder", "generic")
KEY_OVERLAP_S = 86_400  # how long a replaced key stays valid


class Watching(Struct, frozen=True):
    """A device and the accounts whose money it reports."""

    device: Device
    accounts: tuple[str, ...]


def add(
    db_store: Store, name: str, kind: str, accounts: Sequence[str], *,
    actor: str, new_id: NewId, now: int, signed: bool = False,
) -> Watching:  # fmt: skip
    """A new device with a key of its own. Without `accounts` it watches every account that no other device watches.

    A generic one that is `signed` must sign what it sends; the other kinds always do. Refused: BAD_REQUEST, DUPLICATE
    (a working device of that name), NOT_FOUND (an account).
    """
    name = name.strip()
    if kind not in KINDS:
        raise Refusal(Code.BAD_REQUEST, f"A device's kind is one of {', '.join(KINDS)}.")
    if signed and kind != "generic":
        raise Refusal(Code.BAD_REQUEST, f"Devices of the kind {kind} always sign; only generic ones may or may not.")
    if not name.isprintable() or not 1 <= len(name) <= 64:
        raise Refusal(Code.BAD_REQUEST, "A device's name has 1 to 64 printable characters.")
    device = Device(
        id=new_id("dev"), name=name, kind=kind, key=secrets.token_hex(32), previous_key="",
        previous_key_until=0, token=secrets.token_hex(16), beat_at=None, push_at=None,
        revoked_at=None, created_at=now, signed=signed,
    )  # fmt: skip
    with db_store.transaction() as db:
        if any(other.name == name and other.revoked_at is None for other in store.devices.all_of(db)):
            raise Refusal(Code.DUPLICATE, f"There is a device {name} already; revoke it first, or take another name.")
        watched = tuple(_known(db, accounts) or store.devices.unwatched_accounts(db))
        store.devices.add(db, device, watched)
        detail = {"name": name, "kind": kind, "accounts": " ".join(watched)}
        audit.note(db, actor, "device.add", device.id, detail, new_id, now)
        return _watching(db, device)


def all_of(db_store: Store) -> list[Watching]:
    with db_store.read() as db:
        return [_watching(db, device) for device in store.devices.all_of(db)]


def find(db_store: Store, wanted: str) -> Watching:
    """The device with that id, or the working one with that name. Refused: NOT_FOUND."""
    with db_store.read() as db:
        return _watching(db, _found(db, wanted))


def revoke(db_store: Store, wanted: str, *, actor: str, new_id: NewId, now: int) -> Watching:
    """Voids its key at once; a second call changes nothing. Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        device = _found(db, wanted)
        if store.devices.revoke(db, device.id, now):
            audit.note(db, actor, "device.revoke", device.id, {"name": device.name}, new_id, now)
        return _watching(db, _found(db, device.id))


def rotate_key(db_store: Store, wanted: str, *, actor: str, new_id: NewId, now: int) -> Watching:
    """A new key; the one before stays valid for a day. Refused: NOT_FOUND, NOT_ALLOWED (revoked)."""
    with db_store.transaction() as db:
        device = _found(db, wanted)
        if device.revoked_at is not None:
            raise Refusal(Code.NOT_ALLOWED, "A revoked device gets no new key: checkout device add.")
        rotated = replace(
            device, key=secrets.token_hex(32), previous_key=device.key, previous_key_until=now + KEY_OVERLAP_S
        )
        store.devices.set_key(db, rotated)
        audit.note(db, actor, "device.rotate-key", device.id, {"name": device.name}, new_id, now)
        return _watching(db, rotated)


def watch(db_store: Store, wanted: str, accounts: Sequence[str], *, actor: str, new_id: NewId, now: int) -> Watching:
    """Lets a device watch more accounts. Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        device = _found(db, wanted)
        for account in _known(db, accounts):
            store.devices.watch(db, device.id, account)
        audit.note(db, actor, "device.watch", device.id, {"accounts": " ".join(accounts)}, new_id, now)
        return _watching(db, device)


def unwatch(db_store: Store, wanted: str, account: str, *, actor: str, new_id: NewId, now: int) -> Watching:
    """Stops a device from watching an account; what it reports for its other accounts still counts.

    Refused: NOT_FOUND (the device; or it does not watch the account)."""
    with db_store.transaction() as db:
        device = _found(db, wanted)
        if not store.devices.unwatch(db, device.id, account):
            raise Refusal(Code.NOT_FOUND, f"The device {device.name} does not watch {account}.")
        audit.note(db, actor, "device.unwatch", device.id, {"account": account}, new_id, now)
        return _watching(db, device)


def state(device: Device, offline_after_s: int, now: int) -> str:
    """revoked, never (no sign of life yet), online or offline."""
    if device.revoked_at is not None:
        return "revoked"
    if device.beat_at is None:
        return "never"
    return "online" if is_online(device.beat_at, offline_after_s, now) else "offline"


def _known(db: Rows, accounts: Sequence[str]) -> Sequence[str]:
    for account in accounts:
        if store.accounts.get(db, account) is None:
            raise Refusal(Code.NOT_FOUND, f"There is no account {account}: checkout account list.")
    return tuple(dict.fromkeys(accounts))


def _found(db: Rows, wanted: str) -> Device:
    devices = store.devices.all_of(db)
    matching = [one for one in devices if one.id == wanted]
    matching += [one for one in devices if one.name == wanted and one.revoked_at is None]
    if not matching:
        raise Refusal(Code.NOT_FOUND, f"There is no working device {wanted}: checkout device list.")
    return matching[0]


def _watching(db: Rows, device: Device) -> Watching:
    return Watching(device, tuple(store.devices.accounts_of(db, device.id)))
