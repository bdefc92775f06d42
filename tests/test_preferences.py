"""What the owner edits while the server runs goes before checkout.toml, and nothing unfit gets in."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from checkout import ids, preferences
from checkout import store as stores
from checkout.interfaces import Store
from checkout.preferences import Unfit
from checkout.settings import Settings


def change(store: Store, settings: Settings, **wanted: str) -> None:
    preferences.change(store, settings, wanted, actor="test", new_id=ids.new_id, now=1)


def test_what_was_edited_goes_first_and_can_be_taken_back(store: Store, settings: Settings) -> None:
    change(store, settings, shop_name="茶铺", order_ttl="600", brand_color="#aa0000")
    edited = preferences.applied(store, settings)
    assert (edited.shop_name, edited.order_ttl, edited.brand_color) == ("茶铺", 600, "#aa0000")
    change(store, settings, shop_name="", order_ttl="", brand_color="")
    assert preferences.applied(store, settings) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order_ttl", "0"), ("order_ttl", "1e3"), ("order_ttl", "-5"), ("grace", "x"), ("brand_color", "red"),
        ("brand_color", "#12345g"), ("shop_name", " "), ("shop_name", "x" * 65), ("language", "fr"),
        ("device_offline_after", "1"), ("contact", "x" * 101), ("contact", "a\nb"), ("brand_logo", "/etc/passwd"),
    ],
)  # fmt: skip
def test_an_unfit_value_is_refused_at_its_field_and_nothing_is_kept(
    store: Store, settings: Settings, name: str, value: str
) -> None:
    with pytest.raises(Unfit) as refused:
        change(store, settings, **{"contact": "kept?", "language": "en", name: value})
    assert refused.value.field == name
    assert preferences.applied(store, settings) == settings


@pytest.mark.parametrize("name", ["database", "secret", "base_url", "allow_private", "trusted_proxies", "nonsense"])
def test_what_decides_who_may_reach_what_is_not_edited_by_browser(store: Store, settings: Settings, name: str) -> None:
    with pytest.raises(Unfit):
        change(store, settings, **{name: "1"})


def test_a_value_that_this_version_cannot_read_is_left_out(store: Store, settings: Settings) -> None:
    with store.transaction() as db:
        stores.preferences.put(db, "order_ttl", "for ever", 1)
        stores.preferences.put(db, "of_the_future", "1", 1)
        stores.preferences.put(db, "shop_name", "Tea", 1)
    assert preferences.applied(store, settings) == preferences.with_edits(settings, {"shop_name": "Tea"})


def test_the_rest_is_never_shorter_than_the_grace(store: Store, settings: Settings) -> None:
    change(store, settings, grace="20000")
    assert preferences.applied(store, settings).rest == 20_000


def test_each_change_is_in_the_audit_log_once(store: Store, settings: Settings) -> None:
    for _ in range(2):
        change(store, settings, shop_name="Tea", contact="")
    with store.read() as db:
        assert [(one.action, one.subject) for one in stores.audit.latest(db)] == [("settings.change", "shop_name")]


def test_a_logo_is_drawn_anew_and_small(settings: Settings) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 1000), "red").save(buffer, "JPEG", comment=b"<script>")
    path = preferences.keep_logo(settings, buffer.getvalue())
    with Image.open(path) as logo:
        assert (logo.format, logo.size) == ("PNG", (256, 128))
    for junk in (b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n broken", buffer.getvalue()[:500]):
        with pytest.raises(Unfit):
            preferences.keep_logo(settings, junk)
