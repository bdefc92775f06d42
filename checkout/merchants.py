"""Managing merchants: what the command line and the admin pages share. Every change is audited."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from checkout import audit, store
from checkout.errors import Code, Refusal
from checkout.http import client
from checkout.interfaces import NewId, Store, Value
from checkout.model.merchants import Merchant, Mode
from checkout.settings import Settings

KEY_OVERLAP_S = 86_400  # how long a replaced key stays valid

COMPAT_WARNING = (
    "Merchant {id} is in compat mode: buyers may see signed links that a shop can take for a notice of"
    " payment, so its shop must compare price and order with its own; prefer strict, or add --guard-param"
    " where the shop's param is never a plain number."
)

_HINTS: dict[client.Reason | None, str] = {
    client.Reason.ADDRESS: " (CHECKOUT_ALLOW_PRIVATE=1 allows it.)",
    client.Reason.PORT: (
        " (CHECKOUT_CALLBACK_PORTS names them; CHECKOUT_ALLOW_PRIVATE=1 is for shops on this machine.)"
    ),
}


class Wish(Struct, frozen=True):
    """What an owner wants to set; None leaves a field as it is."""

    name: str | None = None
    notify_url: str | None = None  # "": none
    return_url: str | None = None
    mode: Mode | None = None
    guard_param: bool | None = None
    reuse: bool | None = None
    add_hosts: tuple[str, ...] = ()
    remove_hosts: tuple[str, ...] = ()
    enabled: bool | None = None


class Reach(Struct, frozen=True):
    """Which addresses may be called, by the rules of `checkout.http.client.Client`."""

    allow_private: bool = False
    ports: frozenset[int] = frozenset({80, 443})

    @classmethod
    def of(cls, settings: Settings) -> Reach:
        return cls(settings.allow_private, frozenset(settings.callback_ports))


def check_url(url: str, what: str, reach: Reach) -> None:
    """Refused (BAD_URL): an address that could never be called (`what` is notify or webhook) or followed (return).

    Judged by its text alone; its name is resolved when it is called."""
    is_called = what != "return"
    try:
        client.check_url(
            url,
            allow_private=reach.allow_private or not is_called,
            ports=reach.ports if is_called and not reach.allow_private else None,
        )
    except client.Forbidden as error:
        raise Refusal(Code.BAD_URL, f"The {what} URL may not be used: {error.message}") from error


def add(db_store: Store, wish: Wish, reach: Reach, *, actor: str, new_id: NewId, now: int) -> Merchant:
    """A new merchant with the next free number and a key of 256 bits. Refused: BAD_REQUEST, BAD_URL."""
    with db_store.transaction() as db:
        fresh = Merchant(
            id=store.merchants.next_id(db), name="", key=secrets.token_hex(32), previous_key="",
            previous_key_until=0, mode=Mode.STRICT, guard_param=False, reuse=True, notify_url="",
            return_url="", allow_hosts=(), disabled_at=None, created_at=now,
        )  # fmt: skip
        merchant = _with(fresh, wish, reach, now)
        store.merchants.add(db, merchant)
        audit.note(db, actor, "merchant.add", str(merchant.id), _public(merchant), new_id, now)
        return merchant


def change(
    db_store: Store, merchant_id: int, wish: Wish, reach: Reach, *, actor: str, new_id: NewId, now: int
) -> Merchant:
    """Sets what the wish names. Refused: NOT_FOUND, BAD_REQUEST, BAD_URL."""
    with db_store.transaction() as db:
        before = store.merchants.get(db, merchant_id)
        if before is None:
            raise _unknown(merchant_id)
        after = _with(before, wish, reach, now)
        if after != before:
            store.merchants.update(db, after)
            audit.note(db, actor, "merchant.set", str(merchant_id), _difference(before, after), new_id, now)
        return after


def rotate_key(db_store: Store, merchant_id: int, *, actor: str, new_id: NewId, now: int) -> Merchant:
    """A new key; the one before stays valid for a day, older ones end now. Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        merchant = store.merchants.get(db, merchant_id)
        if merchant is None:
            raise _unknown(merchant_id)
        rotated = replace(
            merchant,
            key=secrets.token_hex(32),
            previous_key=merchant.key,
            previous_key_until=now + KEY_OVERLAP_S,
        )
        store.merchants.update(db, rotated)
        audit.note(db, actor, "merchant.rotate-key", str(merchant_id), {}, new_id, now)
        return rotated


def existing(db_store: Store, merchant_id: int) -> Merchant:
    """Refused: NOT_FOUND."""
    with db_store.read() as db:
        merchant = store.merchants.get(db, merchant_id)
    if merchant is None:
        raise _unknown(merchant_id)
    return merchant


def warnings(merchant: Merchant) -> list[tuple[str, str]]:
    """What an owner should know about the merchant's settings: one sentence each, with the command that helps."""
    change = f"checkout merchant set {merchant.id}"
    found = []
    if merchant.mode is Mode.COMPAT:
        found.append((COMPAT_WARNING.format(id=merchant.id), f"{change} --mode strict"))
    if not merchant.notify_url:
        told = f"Merchant {merchant.id} has no notify URL, so only orders that bring their own are reported."
        found.append((told, f"{change} --notify-url https://…"))
    return found


def _with(merchant: Merchant, wish: Wish, reach: Reach, now: int) -> Merchant:
    given = {name: getattr(wish, name) for name in ("notify_url", "return_url", "mode", "guard_param", "reuse")}
    changes = {name: value for name, value in given.items() if value is not None}
    if wish.name is not None:
        changes["name"] = _name(wish.name)
    for what in ("notify", "return"):
        if changes.get(f"{what}_url"):
            check_own_url(changes[f"{what}_url"], what, reach)
    added, removed = map(_host, wish.add_hosts), {_host(host) for host in wish.remove_hosts}
    hosts = dict.fromkeys((*merchant.allow_hosts, *added))
    changes["allow_hosts"] = tuple(host for host in hosts if host not in removed)
    if wish.enabled is not None:
        changes["disabled_at"] = None if wish.enabled else merchant.disabled_at or now
    return replace(merchant, **changes)


def check_own_url(url: str, what: str, reach: Reach) -> None:
    """As `check_url`, but names the setting that would allow the address: the owner is asking here, not a merchant."""
    try:
        check_url(url, what, reach)
    except Refusal as refusal:
        hint = _HINTS.get(getattr(refusal.__cause__, "reason", None), "")
        raise Refusal(refusal.code, refusal.message + hint) from refusal


def _name(name: str) -> str:
    name = name.strip()
    if not name.isprintable() or not 1 <= len(name) <= 64:
        raise Refusal(Code.BAD_REQUEST, "A merchant's name has 1 to 64 printable characters.")
    return name


def _host(host: str) -> str:
    """A host in the form in which hosts are compared: lower case; no scheme, port, path or wildcard."""
    wanted = host.strip().lower()
    url = f"http://{wanted}/"
    try:
        client.check_url(url, allow_private=True, ports=None)
    except client.Forbidden as error:
        raise Refusal(Code.BAD_URL, f"A host looks like shop.example.com, not {host!r}.") from error
    parts = urlsplit(url)
    if parts.netloc != wanted or parts.path != "/" or parts.query or parts.port:
        raise Refusal(Code.BAD_URL, f"A host looks like shop.example.com, without port and path, not {host!r}.")
    return wanted


def _public(merchant: Merchant) -> dict[str, Value]:
    """What may go into the audit log: no key."""
    return {
        "name": merchant.name, "mode": merchant.mode.value, "guard_param": int(merchant.guard_param),
        "reuse": int(merchant.reuse), "notify_url": merchant.notify_url, "return_url": merchant.return_url,
        "allow_hosts": " ".join(merchant.allow_hosts), "disabled_at": merchant.disabled_at,
    }  # fmt: skip


def _difference(before: Merchant, after: Merchant) -> dict[str, Value]:
    old, new = _public(before), _public(after)
    return {name: value for name, value in new.items() if old[name] != value}


def _unknown(merchant_id: int) -> Refusal:
    return Refusal(Code.NOT_FOUND, f"There is no merchant {merchant_id}: checkout merchant list.")
