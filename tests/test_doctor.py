"""Each fault is found, and each finding says what to do."""

from __future__ import annotations

import os
import pwd
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.doctor import Finding, Patient, Status, examine
from checkout.errors import StoreError
from checkout.http.client import Answer, Outgoing, Reason, Unreachable
from checkout.interfaces import Store
from checkout.model.deliveries import DeliveryState
from checkout.model.merchants import Mode
from checkout.settings import Settings
from checkout.store.strangers import Stranger
from tests.channels.wechat import section
from tests.shop import Shop
from tests.world import START, account, device, merchant


class Net:
    """What is out there: asks are kept, answers are as told."""

    def __init__(self) -> None:
        self.asked: list[Outgoing] = []
        self.trouble: Unreachable | None = None
        self.status, self.body, self.now = 200, b'{"status":"ok"}\n', START

    def send(self, request: Outgoing) -> Answer:
        self.asked.append(request)
        if self.trouble:
            raise self.trouble
        return Answer(self.status, {"Date": formatdate(self.now, usegmt=True)}, self.body, 1)


class Clinic:
    """A well installation, to be made ill."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.store = store
        self.ours, self.theirs = Net(), Net()
        self.patient = Patient(
            replace(settings, base_url="https://pay.example"), store, "", self.ours.send, self.theirs.send, START
        )
        self.shop = Shop(store)
        with store.transaction() as db:
            stores.merchants.add(db, merchant())
            stores.accounts.add(db, account())
            stores.accounts.add(db, account(id="ali-main", method="alipay", code="https://qr.alipay.com/fkx"))
            stores.devices.add(db, device(beat_at=START - 30), ["wx-main", "ali-main"])

    def sees(self, **changes: Any) -> list[Finding]:
        return list(examine(replace(self.patient, **changes)))

    def complaints(self, **changes: Any) -> list[tuple[str, Status]]:
        found = [one for one in self.sees(**changes) if one.status is not Status.OK]
        assert all(one.fix for one in found), found
        return [(one.check, one.status) for one in found if one.check != "htmx"]

    def settings(self, **changes: Any) -> Settings:
        return replace(self.patient.settings, **changes)

    def pays(self) -> None:
        self.shop.confirm(self.shop.open(), 990)

    def run(self, sql: str) -> None:
        with self.store.transaction() as db:
            db.run(sql)


@pytest.fixture
def clinic(settings: Settings, store: Store) -> Clinic:
    return Clinic(settings, store)


FAIL, WARN = Status.FAIL, Status.WARN


def test_a_well_installation_has_no_complaints(clinic: Clinic) -> None:
    assert clinic.complaints() == []
    ours = set() if clinic.patient.settings.is_postgres else {"permissions", "sqlite", "disk"}
    assert {one.check for one in clinic.sees()} >= {
        "database", "clock", "htmx", "merchants", "accounts", "phones", "deliveries", "payments", "base URL",
        "callbacks", *ours,
    }  # fmt: skip


def test_faulty_reading_rules_fail_and_good_ones_are_counted(clinic: Clinic) -> None:
    file = clinic.patient.settings.data_dir / "reading_rules.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("version = ", encoding="utf-8")
    assert clinic.complaints() == [("reading rules", FAIL)]
    file.write_text('version = "7"', encoding="utf-8")
    assert clinic.complaints() == []
    told = {one.check: one.message for one in clinic.sees()}["reading rules"]
    assert told == "Notifications are read by version 1+7 of the rules, with 0 rules of your own."


def test_a_shop_is_asked_for_its_front_page_only(clinic: Clinic) -> None:
    clinic.sees()
    assert [(one.method, one.url, one.body) for one in clinic.theirs.asked] == [("HEAD", "https://shop.example/", b"")]
    assert [(one.method, one.url) for one in clinic.ours.asked] == [("GET", "https://pay.example/healthz")]


def test_a_database_that_cannot_be_used_fails_and_the_rest_is_still_looked_at(clinic: Clinic) -> None:
    found = clinic.sees(store=None, trouble="The database is locked.")
    assert [one.message for one in found if one.check == "database"] == ["The database is locked."]
    assert "base URL" in {one.check for one in found}


def test_a_database_of_another_user_is_told_with_whose_it_is(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "theirs.db"
    file.touch()
    name = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    trouble = "The database cannot be opened: Permission denied."
    found = clinic.sees(store=None, trouble=trouble, settings=clinic.settings(database=str(file)))
    assert [f"sudo -u {name} checkout" in one.fix for one in found if one.check == "database"] == [True]


def test_the_database_is_named_for_who_gives_commands_in_another_folder(clinic: Clinic) -> None:
    told = {one.check: one.message for one in clinic.sees()}["database"]
    assert (clinic.patient.settings.database in told) is not clinic.patient.settings.is_postgres


def test_a_database_that_cannot_be_written_fails(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    def transaction() -> None:
        raise StoreError("The database cannot be written.")

    monkeypatch.setattr(clinic.store, "transaction", transaction)
    assert ("database", FAIL) in clinic.complaints()


@pytest.mark.sqlite_only
@pytest.mark.parametrize("name", ["checkout.db", "secret"])
def test_files_that_others_can_read_fail(clinic: Clinic, name: str) -> None:
    path = Path(clinic.patient.settings.database).parent / name
    path.touch()
    path.chmod(0o640)
    assert clinic.complaints() == [("permissions", FAIL)]
    assert [f"chmod 600 {path}"] == [one.fix for one in clinic.sees() if one.check == "permissions"]


@pytest.mark.sqlite_only
def test_workers_that_write_side_by_side_warn_where_sqlite_has_its_fault(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = replace(clinic.patient.settings, workers=2)
    monkeypatch.setattr(stores.overview, "sqlite_version", lambda: (3, 51, 2))
    assert clinic.complaints() == []
    assert clinic.complaints(settings=two) == [("sqlite", Status.WARN)]
    monkeypatch.setattr(stores.overview, "sqlite_version", lambda: (3, 51, 3))
    assert clinic.complaints(settings=two) == []


@pytest.mark.sqlite_only
def test_a_full_disk_fails_and_a_filling_one_warns(clinic: Clinic) -> None:
    room = clinic.store.free_bytes() or 0
    assert clinic.complaints(settings=clinic.settings(min_free_disk=room * 2)) == [("disk", FAIL)]
    assert clinic.complaints(settings=clinic.settings(min_free_disk=room // 2)) == [("disk", WARN)]


def test_a_clock_that_was_never_set_fails(clinic: Clinic) -> None:
    assert ("clock", FAIL) in clinic.complaints(now=1_000_000_000)


def test_a_newest_order_ahead_of_the_clock_fails(clinic: Clinic) -> None:
    clinic.shop.open()
    assert ("clock", FAIL) in clinic.complaints(now=START - 61)
    clinic.ours.now = START - 60
    assert ("clock", FAIL) not in clinic.complaints(now=START - 60)


def test_a_clock_that_differs_from_the_one_at_the_base_url_fails(clinic: Clinic) -> None:
    for off, told in ((30, []), (-30, []), (31, [("clock", FAIL)]), (-86_400, [("clock", FAIL)])):
        clinic.ours.now = START + off
        assert clinic.complaints() == told


def test_without_a_merchant_nothing_can_be_sold(clinic: Clinic) -> None:
    clinic.run(f"UPDATE merchants SET disabled_at = {START}")
    assert clinic.complaints() == [("merchants", FAIL)]


def test_compat_and_a_missing_notify_url_warn(clinic: Clinic) -> None:
    with clinic.store.transaction() as db:
        stores.merchants.update(db, merchant(mode=Mode.COMPAT, notify_url=""))
    assert clinic.complaints() == [("merchants", WARN), ("merchants", WARN)]
    fixes = [one.fix for one in clinic.sees() if one.status is WARN and one.check == "merchants"]
    assert fixes == ["checkout merchant set 1001 --mode strict", "checkout merchant set 1001 --notify-url https://…"]


def test_without_an_account_nothing_can_be_received(clinic: Clinic) -> None:
    clinic.run(f"UPDATE accounts SET disabled_at = {START} WHERE id = 'ali-main'")
    assert clinic.complaints() == [("accounts", WARN)]
    clinic.run(f"UPDATE accounts SET disabled_at = {START}")
    assert clinic.complaints() == [("accounts", FAIL)]


def test_an_account_without_code_or_with_an_unknown_channel_fails(clinic: Clinic) -> None:
    clinic.run("UPDATE accounts SET code = '' WHERE id = 'wx-main'")
    clinic.run("UPDATE accounts SET channel = 'gone' WHERE id = 'ali-main'")
    assert clinic.complaints() == [("accounts", FAIL), ("accounts", FAIL)]


def test_a_code_that_may_be_no_payment_code_warns(clinic: Clinic) -> None:
    clinic.run("UPDATE accounts SET code = 'https://me.example.com/' WHERE id = 'wx-main'")
    assert clinic.complaints() == [("accounts", WARN)]


def test_a_phone_that_was_never_heard_of_or_fell_silent_leaves_its_accounts_unwatched(clinic: Clinic) -> None:
    for beat in ("NULL", str(START - 180)):
        clinic.run(f"UPDATE devices SET beat_at = {beat}")
        assert clinic.complaints() == [("phones", WARN), ("phones", FAIL), ("phones", FAIL)]


def test_a_second_silent_phone_only_warns(clinic: Clinic) -> None:
    with clinic.store.transaction() as db:
        stores.devices.add(db, device(id="two", name="two", key="2" * 64, token="2" * 32), ["wx-main"])
    assert clinic.complaints() == [("phones", WARN)]


def called(clinic: Clinic, whose: str, at: int = START - 10) -> None:
    with clinic.store.transaction() as db:
        stores.strangers.put(db, Stranger(whose, at, "10.0.0.9"))


@pytest.mark.parametrize("whose", ["vmq", "phone"])
def test_a_silent_phone_that_may_have_another_key_is_told_from_one_that_never_called(
    clinic: Clinic, whose: str
) -> None:
    clinic.run("UPDATE devices SET beat_at = NULL")
    called(clinic, whose)
    (found,) = [one for one in clinic.sees() if one.status is WARN and one.check == "phones"]
    assert "never heard of, but somebody called with a wrong key at 2026-" in found.message
    assert "from 10.0.0.9" in found.message
    assert "checkout device show phone, and scan" in found.fix


def test_a_phone_that_is_online_is_told_only_when_its_own_address_was_called(clinic: Clinic) -> None:
    called(clinic, "vmq")
    assert clinic.complaints() == []
    told = [one.message for one in clinic.sees() if one.check == "phones"]
    assert [text for text in told if "An app of the kind vmq called" in text and "a key that no phone has" in text]
    called(clinic, "phone")
    assert clinic.complaints() == [("phones", WARN)]


def test_calls_from_before_the_last_right_one_or_of_long_ago_are_not_told(clinic: Clinic) -> None:
    called(clinic, "phone", START - 40)
    called(clinic, "vmq", START - 86_400)
    assert not [one for one in clinic.sees() if "wrong key" in one.message or "no phone" in one.message]


def test_an_account_that_no_phone_watches_fails(clinic: Clinic) -> None:
    clinic.run("DELETE FROM device_accounts WHERE account = 'wx-main'")
    assert clinic.complaints() == [("phones", FAIL)]
    (fix,) = [one.fix for one in clinic.sees() if one.status is FAIL]
    assert "checkout device add NAME --account wx-main" in fix


@pytest.mark.parametrize(
    ("change", "told"),
    [(f"state = '{DeliveryState.FAILED}', done_at = {START - 86_400}", FAIL), ("attempts = 3", WARN),
     (f"state = '{DeliveryState.NONE}'", WARN)],
)  # fmt: skip
def test_messages_that_do_not_arrive_are_told(clinic: Clinic, change: str, told: Status) -> None:
    clinic.pays()
    assert clinic.complaints() == []
    clinic.run(f"UPDATE deliveries SET {change}")
    assert clinic.complaints() == [("deliveries", told)]


def test_failures_of_long_ago_are_not_told_for_ever(clinic: Clinic) -> None:
    clinic.pays()
    clinic.run(f"UPDATE deliveries SET state = 'failed', done_at = {START - 8 * 86_400}")
    assert clinic.complaints() == []


def test_refunds_that_failed_or_take_long_are_told(clinic: Clinic) -> None:
    clinic.pays()
    clinic.run(
        "INSERT INTO refunds (id, order_token, number, amount, reason, state, created_at, done_at, channel)"
        f" SELECT 'ref_1', token, 'ref_1', 100, 'r', 'failed', {START - 60}, {START - 50}, 'alipay' FROM orders"
    )
    assert clinic.complaints() == [("refunds", FAIL)]
    clinic.run(
        "INSERT INTO refunds (id, order_token, number, amount, reason, state, created_at, due_at, channel)"
        f" SELECT 'ref_2', token, 'ref_2', 100, 'r', 'asked', {START - 50}, {START}, 'alipay' FROM orders"
    )
    assert clinic.complaints() == []  # asked for again
    clinic.run(f"UPDATE refunds SET created_at = {START - 86_401} WHERE id = 'ref_2'")
    assert clinic.complaints() == [("refunds", FAIL), ("refunds", WARN)]


def test_money_that_waits_for_review_warns(clinic: Clinic) -> None:
    clinic.shop.push(7700)
    assert clinic.complaints() == [("payments", WARN)]


def test_a_broken_promise_of_the_database_is_named_with_what_breaks_it(clinic: Clinic) -> None:
    clinic.pays()
    clinic.run("DELETE FROM deliveries")
    assert clinic.complaints() == [("promises", FAIL)]


def test_a_base_url_that_only_this_machine_can_use_warns(clinic: Clinic) -> None:
    for base_url in ("http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000", "http://pay.example"):
        assert clinic.complaints(settings=clinic.settings(base_url=base_url)) == [("base URL", WARN)]


@pytest.mark.parametrize("reason", list(Reason))
def test_a_base_url_that_cannot_be_reached_fails_with_the_reason(clinic: Clinic, reason: Reason) -> None:
    clinic.ours.trouble = Unreachable(reason, "It is so.")
    assert clinic.complaints() == [("base URL", FAIL)]
    assert next(one.message for one in clinic.sees() if one.status is FAIL).endswith("It is so.")


@pytest.mark.parametrize(("status", "body"), [(503, b'{"status":"unavailable"}'), (404, b""), (200, b"hello")])
def test_a_base_url_where_something_else_answers_fails(clinic: Clinic, status: int, body: bytes) -> None:
    clinic.ours.status, clinic.ours.body = status, body
    assert clinic.complaints() == [("base URL", FAIL)]


def test_a_proxy_that_asks_the_server_by_another_name_fails_and_the_setting_is_named(clinic: Clinic) -> None:
    clinic.ours.status, clinic.ours.body = 421, b"This server does not answer"
    assert clinic.complaints() == [("base URL", FAIL)]
    (fix,) = [one.fix for one in clinic.sees() if one.status is FAIL]
    assert "trusted_hosts" in fix


def test_a_shop_that_cannot_be_reached_fails(clinic: Clinic) -> None:
    clinic.theirs.trouble = Unreachable(Reason.TLS, "The certificate does not hold.")
    assert clinic.complaints() == [("callbacks", FAIL)]
    clinic.theirs.trouble = Unreachable(Reason.CONNECT, "The connection was refused.")
    (fix,) = [one.fix for one in clinic.sees() if one.check == "callbacks"]
    assert "the shop running" in fix


def test_a_shop_that_answers_anything_can_be_reached(clinic: Clinic) -> None:
    clinic.theirs.status = 500
    assert clinic.complaints() == []


def test_a_missing_copy_of_htmx_fails_where_it_is_all_there_is(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("checkout.doctor.machine.resource_dir", lambda _: tmp_path)
    for htmx, status in (("cdn", WARN), ("local", FAIL)):
        found = clinic.sees(settings=clinic.settings(htmx=htmx))
        assert [one.status for one in found if one.check == "htmx"] == [status]


def test_nothing_secret_is_told(clinic: Clinic) -> None:
    clinic.pays()
    told = " ".join(one.message + one.fix for one in clinic.sees())
    for secret in (merchant().key, device().key, device().token):
        assert secret not in told


def test_an_order_that_its_gateway_could_not_be_asked_about_is_named(clinic: Clinic) -> None:
    order = clinic.shop.open()
    with clinic.store.transaction() as db:
        stores.gateways.watch(db, order.token, "alipay", stores.gateways.NEVER)
    assert clinic.complaints() == [("gateways", WARN)]
    [found] = [one for one in clinic.sees() if one.check == "gateways"]
    assert (order.token in found.message, f"checkout order ask {order.token}" in found.fix) == (True, True)


@pytest.mark.parametrize(("pause", "told"), [("gone", True), ("failing", True), ("hand", False)])
def test_an_endpoint_that_paused_itself_is_named_and_one_that_the_owner_paused_is_not(
    clinic: Clinic, pause: str, told: bool
) -> None:
    clinic.run(
        "INSERT INTO endpoints (id, merchant, url, secret, paused_at, pause, created_at)"
        f" VALUES ('whk_1', 1001, 'https://h.example', '{'s' * 40}', {START}, '{pause}', {START})"
    )
    assert clinic.complaints() == ([("webhooks", WARN)] if told else [])
    fixes = [one.fix for one in clinic.sees() if one.check == "webhooks"]
    assert fixes == (["Mend the receiver, then checkout webhook resume whk_1"] if told else [])


def test_a_section_that_cannot_work_fails_with_its_sentence(clinic: Clinic) -> None:
    sections = {"alipay": {"kind": "alipay"}}
    assert clinic.complaints(settings=clinic.settings(channels=sections)) == [("gateways", FAIL)]
    [found] = [one for one in clinic.sees(settings=clinic.settings(channels=sections)) if one.check == "gateways"]
    assert found.message == "app_id in [channels.alipay] is missing."


def test_gateways_that_cannot_reach_us_are_warned_of(clinic: Clinic, tmp_path: Path) -> None:
    sections = {"wechat": section(tmp_path)}
    settings = clinic.settings(channels=sections, base_url="http://10.0.0.5", allow_private=False)
    assert ("gateways", WARN) in clinic.complaints(settings=settings)
    assert clinic.complaints(settings=clinic.settings(channels=sections)) == []
