"""The owner downloads a backup and sees how far it is."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from checkout import backup
from checkout.interfaces import Store
from tests.browser.site import Site, Watch
from tests.browser.test_admin import accessible, signed_in

pytestmark = pytest.mark.browser


def test_a_backup_says_how_far_it_is_while_it_is_made(
    site: Site, page: Page, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, create = threading.Event(), backup.create

    def slowly(store: Store, target: Path) -> int:
        draft = target.with_name(f".{target.name}.1.part")
        draft.write_bytes(b"x" * 1000)
        seen.wait(20)
        draft.unlink()
        return create(store, target)

    monkeypatch.setattr("checkout.backup.create", slowly)
    signed_in(site, page, "settings")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download a backup").click()
        expect(page.get_by_text("The copy is being made")).to_be_visible()
        accessible(page)
        seen.set()
    assert download.value.suggested_filename.endswith(".db")
    expect(page.get_by_text("your browser is saving it")).to_be_visible()
    assert watch.faults == []
