"""What the owner has set up: merchants, accounts, phones; and what waits for him."""

from __future__ import annotations

from collections.abc import Iterator

from checkout import channels, devices, merchants, receiving, store
from checkout.beijing import in_beijing
from checkout.doctor.finding import Finding, Patient, fail, ok, warn
from checkout.interfaces import Rows, Store
from checkout.model.accounts import PERSONAL, Account, Method
from checkout.model.devices import Device
from checkout.monitors import pairing
from checkout.setting_values import SettingsError
from checkout.store.strangers import Stranger
from checkout.strangers import Seen

_DAY_S, _WEEK_S = 86_400, 7 * 86_400
_MANY_TRIES = 3


def examine(patient: Patient, db_store: Store) -> Iterator[Finding]:
    yield from _channels(patient)
    with db_store.read() as db:
        yield from _merchants(db)
        yield from _accounts(patient, db)
        yield from _phones(patient, db)
        yield from _waiting(patient, db)
        yield from _webhooks(db)
        yield from _unasked(db)


def _merchants(db: Rows) -> Iterator[Finding]:
    active = [one for one in store.merchants.all_of(db) if one.disabled_at is None]
    if not active:
        yield fail("merchants", "There is no merchant that could create orders.", "checkout merchant add NAME")
        return
    yield ok("merchants", f"{_count(len(active), 'merchant')}.")
    for one in active:
        for sentence, command in merchants.warnings(one):
            yield warn("merchants", sentence, command)


def _accounts(patient: Patient, db: Rows) -> Iterator[Finding]:
    enabled = [one for one in store.accounts.all_of(db) if one.disabled_at is None]
    add = "checkout account add NAME --method wechat|alipay --code TEXT-or-IMAGE"
    if not enabled:
        yield fail("accounts", "There is no account that could receive money.", add)
        return
    yield ok("accounts", f"{_count(len(enabled), 'account')}: {', '.join(one.id for one in enabled)}.")
    for method in Method:
        if not any(one.method is method for one in enabled):
            yield warn("accounts", f"No account receives {method.value} payments; such orders are refused.", add)
    for one in enabled:
        yield from _account(patient, one)


def _account(patient: Patient, one: Account) -> Iterator[Finding]:
    change = f"checkout account set {one.id}"
    if one.channel != PERSONAL and one.channel not in patient.settings.channels:
        yield fail("accounts", f"The account {one.id} names the channel {one.channel}, which checkout.toml has not.",
                   f"Add [channels.{one.channel}] to checkout.toml, or {change} --channel {PERSONAL}")  # fmt: skip
    elif one.channel == PERSONAL and not one.code:
        yield fail("accounts", f"The account {one.id} has no QR code.", f"{change} --code TEXT-or-IMAGE")
    elif one.channel == PERSONAL:
        doubts = " ".join(receiving.doubts(one.method, one.code))
        if doubts:
            yield warn("accounts", f"Doubts about the code of {one.id}: {doubts}", f"{change} --code TEXT-or-IMAGE")


def _channels(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    if not settings.channels:
        return
    try:
        gates = channels.make_channels(settings)
    except SettingsError as error:
        yield fail("gateways", str(error), "See docs/official/ for what each key means.")
        return
    yield ok("gateways", f"{_count(len(gates), 'channel')}: {', '.join(sorted(gates))}.")
    if not settings.base_url.startswith("https://") and not settings.allow_private:
        yield warn("gateways", f"Gateways cannot send notices to {settings.base_url}.",
                   "Set base_url to the https:// address that buyers use.")  # fmt: skip


def _phones(patient: Patient, db: Rows) -> Iterator[Finding]:
    working = [one for one in store.devices.all_of(db) if one.revoked_at is None]
    states = {one.id: devices.state(one, patient.settings.device_offline_after, patient.now) for one in working}
    online = [one for one in working if states[one.id] == "online"]
    if online:
        yield ok("phones", f"{_count(len(online), 'phone')} online: {', '.join(one.name for one in online)}.")
    seen = Seen.by(db, patient.now)
    for one in working:
        if states[one.id] != "online":
            yield _silent(one, seen.perhaps(one))
        elif call := seen.instead_of(one):
            yield warn("phones", f"Phone {one.name} was called for with a wrong key {_when(call)}.", _pair_again(one))
    yield from _strangers(working, states, seen)
    watched = {account for one in online for account in store.devices.accounts_of(db, one.id)}
    for account in store.accounts.all_of(db):
        if account.disabled_at is None and account.channel == PERSONAL and account.id not in watched:
            yield _unwatched(account, db)


def _unasked(db: Rows) -> Iterator[Finding]:
    """Orders that may have been paid at their gateway without our knowing."""
    for watch in store.gateways.given_up(db, 20):
        yield warn("gateways", f"{watch.channel} could not be asked how the order {watch.order_token} ended.",
                   f"Look for it on its merchant pages, then: checkout order ask {watch.order_token}")  # fmt: skip


def _strangers(working: list[Device], states: dict[str, str], seen: Seen) -> Iterator[Finding]:
    """Calls that no silent phone explains."""
    for kind in devices.KINDS:
        silent = any(one.kind == kind and states[one.id] != "online" for one in working)
        if not silent and (call := seen.lately(kind)):
            yield ok("phones", f"An app of the kind {kind} called {_when(call)} with a key that no phone has: a phone"
                     " that was revoked or paired elsewhere, or a stranger. What it said does not count.")  # fmt: skip


def _silent(one: Device, call: Stranger | None) -> Finding:
    if call is not None:
        heard = "was never heard of" if one.beat_at is None else f"is offline since {in_beijing(one.beat_at)}"
        return warn("phones", f"Phone {one.name} {heard}, but somebody called with a wrong key {_when(call)}.",
                    _pair_again(one))  # fmt: skip
    if one.beat_at is None:
        return warn("phones", f"Phone {one.name} was never heard of.",
                    f"Scan its pairing code, checkout device show {one.name}, and start the app;"
                    " where the app says 签名校验不通过 it has another key: scan again.")  # fmt: skip
    return warn("phones", f"Phone {one.name} is offline since {in_beijing(one.beat_at)} (Beijing time).",
                "Open its app, keep it from being put to sleep, and look at its network.")  # fmt: skip


def _when(call: Stranger) -> str:
    return f"at {in_beijing(call.at)} (Beijing time) from {call.address or 'an unknown address'}"


def _pair_again(one: Device) -> str:
    do = "scan what it prints" if one.kind in pairing.SCANNED else "enter anew what it prints"
    return f"If that is this phone: checkout device show {one.name}, and {do}. If not, nothing that it said counts."


def _unwatched(account: Account, db: Rows) -> Finding:
    outcome = {
        "block": "orders for it are refused",
        "warn": "payments are not seen until a phone is back",
        "sell": "payments are not seen until a phone is back, and buyers are not told",
    }[account.offline]
    has_none = account.id in store.devices.unwatched_accounts(db)
    join = f"checkout device add NAME --account {account.id}, or checkout device watch NAME {account.id}"
    fix = join if has_none else "Bring its phone online; checkout device list shows when it was last heard."
    return fail("phones", f"No phone that is online watches the account {account.id}: {outcome}.", fix)


def _waiting(patient: Patient, db: Rows) -> Iterator[Finding]:
    since = patient.now - _WEEK_S
    failed = store.overview.failed_deliveries(db, since)
    struggling = store.overview.struggling_deliveries(db, _MANY_TRIES)
    untold = store.overview.unaddressed_deliveries(db, since)
    if failed:
        yield fail("deliveries", f"Failed for good in the last seven days: {_count(failed, 'delivery')}.",
                   "checkout delivery list --state failed, then checkout delivery resend ID")  # fmt: skip
    if struggling:
        yield warn("deliveries", f"Tried in vain at least {_MANY_TRIES} times: {_count(struggling, 'delivery')}.",
                   "checkout delivery list --state waiting, then checkout delivery show ID")  # fmt: skip
    if untold:
        yield warn("deliveries", f"Without anybody to tell in the last seven days: {_count(untold, 'paid order')}.",
                   "checkout merchant set ID --notify-url U, then checkout delivery resend ID")  # fmt: skip
    if not failed + struggling + untold:
        yield ok("deliveries", "Every shop was told about its payments.")
    yield from _refunds(patient, db)
    review = store.overview.to_review(db)
    if review:
        yield warn("payments", f"Waiting for your word on what they are for: {_count(review, 'payment')}.",
                   "checkout payment list --review")  # fmt: skip
    else:
        yield ok("payments", "No payment waits for review.")


def _refunds(patient: Patient, db: Rows) -> Iterator[Finding]:
    failed = store.overview.failed_refunds(db, patient.now - _WEEK_S)
    slow = store.overview.slow_refunds(db, patient.now - _DAY_S)
    if failed:
        yield fail("refunds", f"Failed in the last seven days, and not asked for again: {_count(failed, 'refund')}.",
                   "checkout refund list --state failed, then checkout order refund TOKEN")  # fmt: skip
    if slow:
        yield warn("refunds", f"On their way for more than a day: {_count(slow, 'refund')}.",
                   "checkout refund list --state asked; a bank may take days")  # fmt: skip


def _webhooks(db: Rows) -> Iterator[Finding]:
    for one in store.endpoints.all_of(db):
        if one.pause in ("gone", "failing"):
            why = "it answered 410 (gone)" if one.pause == "gone" else "every try failed for three days"
            waiting = _count(store.deliveries.open_of(db, one.id), "message")
            yield warn("webhooks", f"The endpoint {one.id} was paused because {why}; {waiting} kept for it.",
                       f"Mend the receiver, then checkout webhook resume {one.id}")  # fmt: skip


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1] + 'ies' if noun.endswith('ry') else noun + 's'}"
