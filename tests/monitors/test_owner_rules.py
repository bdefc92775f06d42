"""The owner's own reading rules: picked up while the server runs, and left out when they are faulty."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from checkout import ids
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.interfaces import Store
from checkout.model.orders import State
from checkout.model.owner import AuditEntry
from checkout.model.payments import Judgement
from checkout.monitors import owner_rules
from checkout.monitors.reading import Verdict, read, shipped_rules
from tests.clients.smsforwarder import Forwarder, Notification
from tests.clients.wire import to_app
from tests.monitors.phones import KEY, NOW_MS, TOKEN, add_device, only_payment
from tests.world import START, World

CASHBAR = "com.example.cashbar"
RULES = f"""
version = "2026-09"
[[app]]
id = "cashbar"
method = "wechat"
packages = ["{CASHBAR}"]
titles = ["收钱吧"]
[[rule]]
id = "cashbar-receipt"
app = "cashbar"
text = "微信收款{{amount}}元,来自顾客"
"""
TEXT = "微信收款9.90元，来自顾客"


def write(folder: Path, text: str | bytes) -> None:
    """As an editor does it: another file takes the place of the old one."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "draft"
    draft.write_bytes(text if isinstance(text, bytes) else text.encode())
    draft.replace(folder / owner_rules.NAME)


def verdict(folder: Path) -> Verdict:
    return read(CASHBAR, "收钱吧", TEXT, owner_rules.in_force(folder).rules).verdict


def audited(store: Store) -> list[AuditEntry]:
    with store.read() as db:
        return stores.audit.latest(db)


def test_rules_are_picked_up_changed_and_dropped_without_a_restart(world: World) -> None:
    folder = world.parts.settings.data_dir
    add_device(world, "smsforwarder")
    phone = Forwarder(to_app(world.app), f"https://pay.example/monitor/smsforwarder/{TOKEN}", KEY)
    order = world.create("N1")["data"]
    assert phone.forward(Notification(CASHBAR, "收钱吧", TEXT, NOW_MS))
    assert world.payments() == []
    write(folder, RULES)
    assert phone.forward(Notification(CASHBAR, "收钱吧", TEXT, NOW_MS + 1000))
    assert only_payment(world).judgement is Judgement.MATCHED
    assert world.order(order["orderId"]).state is State.PAID
    write(folder, RULES.replace("微信收款", "微信入账"))
    assert verdict(folder) is Verdict.UNREADABLE
    (folder / owner_rules.NAME).unlink()
    assert verdict(folder) is Verdict.NOTHING


def test_a_file_that_is_edited_in_place_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / owner_rules.NAME
    path.write_text(RULES)
    assert verdict(tmp_path) is Verdict.RECEIPT
    path.write_text(RULES.replace("微信收款", "微信到账"))  # the same length
    os.utime(path, ns=(1, 1))
    assert verdict(tmp_path) is Verdict.UNREADABLE


def test_without_a_file_the_shipped_rules_count(tmp_path: Path) -> None:
    assert owner_rules.in_force(tmp_path) == owner_rules.InForce(shipped_rules())
    assert owner_rules.in_force(tmp_path / "missing").problem == ""
    (tmp_path / "file").touch()
    assert owner_rules.in_force(tmp_path / "file").problem == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("version = ", "not valid TOML"), (b"\xff", "not UTF-8"), ("", "needs the key version"),
        (RULES.replace("微信收款", ""), "cashbar-receipt"), (RULES + "\nx = 1", "unknown key"),
        ("#" * 70_000, "longer than"), (b"#" * 300_000, "longer than"), ("微" * 100_000, "longer than"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_left_out_with_one_sentence_and_the_shipped_rules_stay(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    write(tmp_path, text)
    found = owner_rules.in_force(tmp_path)
    assert found.rules is shipped_rules()
    assert found.own is None
    assert why in found.problem
    assert str(tmp_path) in found.problem
    assert found.problem.endswith(".")
    assert not found.problem.endswith("..")


def test_a_folder_in_the_files_place_is_a_faulty_file(tmp_path: Path) -> None:
    (tmp_path / owner_rules.NAME).mkdir()
    assert "Is a directory" in owner_rules.in_force(tmp_path).problem


def test_a_faulty_file_is_logged_once_and_never_stops_the_server(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    write(world.parts.settings.data_dir, "version = ")
    add_device(world, "smsforwarder")
    phone = Forwarder(to_app(world.app), f"https://pay.example/monitor/smsforwarder/{TOKEN}", KEY)
    world.create("N1")
    with caplog.at_level(logging.WARNING):
        assert phone.forward(Notification("com.tencent.mm", "微信支付", "微信支付收款9.90元", NOW_MS))
        assert phone.forward(Notification("com.tencent.mm", "张三", "在吗", NOW_MS))
    assert only_payment(world).judgement is Judgement.MATCHED
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "The rules are not valid TOML: Invalid value (at end of document)."
    ]


def test_a_file_from_a_windows_editor_is_read(tmp_path: Path) -> None:
    write(tmp_path, b"\xef\xbb\xbf" + RULES.replace("\n", "\r\n").encode())
    assert verdict(tmp_path) is Verdict.RECEIPT


def add(store: Store, folder: Path, source: Path) -> None:
    owner_rules.add(store, folder, source, actor="owner", new_id=ids.new_id, now=START)


def test_adding_and_removing_are_audited(store: Store, tmp_path: Path) -> None:
    source, folder = tmp_path / "mine.toml", tmp_path / "data"
    source.write_text(RULES)
    add(store, folder, source)
    assert verdict(folder) is Verdict.RECEIPT
    assert (folder / owner_rules.NAME).stat().st_mode & 0o777 == 0o600
    add(store, folder, folder / owner_rules.NAME)  # once more, from its own place
    owner_rules.remove(store, folder, actor="owner", new_id=ids.new_id, now=START)
    assert verdict(folder) is Verdict.NOTHING
    assert [path.name for path in folder.iterdir() if "rules" in path.name] == []
    assert sorted(entry.action for entry in audited(store)) == [
        "device.rules-add", "device.rules-add", "device.rules-remove",
    ]  # fmt: skip
    assert '"2026-09"' in audited(store)[-1].detail


def test_faulty_rules_are_not_added_and_those_before_stay(store: Store, tmp_path: Path) -> None:
    source, folder = tmp_path / "mine.toml", tmp_path / "data"
    source.write_text(RULES)
    add(store, folder, source)
    for text in ("version = ", RULES + "x = 1"):
        source.write_text(text)
        with pytest.raises(Refusal) as refused:
            add(store, folder, source)
        assert refused.value.code is Code.BAD_REQUEST
    with pytest.raises(Refusal, match="cannot be read: No such file"):
        add(store, folder, tmp_path / "missing.toml")
    assert verdict(folder) is Verdict.RECEIPT
    assert len(audited(store)) == 1


def test_what_is_not_there_cannot_be_removed(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        owner_rules.remove(store, tmp_path, actor="owner", new_id=ids.new_id, now=START)
    assert refused.value.code is Code.NOT_FOUND
    (tmp_path / owner_rules.NAME).mkdir()
    with pytest.raises(Refusal, match="cannot be removed"):
        owner_rules.remove(store, tmp_path, actor="owner", new_id=ids.new_id, now=START)


def test_rules_that_cannot_be_written_are_refused(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "mine.toml"
    source.write_text(RULES)
    with pytest.raises(Refusal, match="cannot be written"):
        add(store, source, source)  # a file where the folder should be
