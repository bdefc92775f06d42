"""What leads money, goods or messages elsewhere needs the password again; what does not is saved without it."""

from __future__ import annotations

import pytest

from checkout import catalogue, store
from checkout.admin.session import By
from checkout.catalogue import Draft, Goods
from checkout.devices import find
from checkout.merchants import Reach
from checkout.outbox import endpoints
from tests.admin.desk import PASSWORD, Owner, words

ASKED = "Please type your password again."
MERCHANT, BOOK, PHONE = "merchants/1001", "products/book", "devices/phone"


@pytest.fixture
def hook(owner: Owner) -> str:
    """The page of a webhook endpoint; beside it there is a product, and the password was typed too long ago."""
    parts = owner.world.parts
    by = By(actor="test", new_id=parts.new_id, now=parts.clock())
    reach = Reach.of(parts.settings)
    goods = Goods("text", "Thank you")
    catalogue.add(parts.store, "book", Draft(title_en="Book", price=990, goods=goods), reach, **by)
    wish = endpoints.Wish(url="https://shop.example/hook", events=(), description="")
    made = endpoints.add(parts.store, 1001, wish, reach, **by)
    owner.later(301)
    return f"webhooks/{made.id}"


DANGEROUS = [
    (MERCHANT, "settings", {"notify_url": "https://thief.example/n"}),
    (MERCHANT, "settings", {"return_url": "https://thief.example/r"}),
    (MERCHANT, "settings", {"mode": "compat"}),
    (MERCHANT, "settings", {"hosts": "thief.example"}),
    (BOOK, "settings", {"return_url": "https://thief.example/r"}),
    (BOOK, "settings", {"origins": "https://thief.example"}),
    (BOOK, "settings", {"price": "0.01"}),
    (BOOK, "settings", {"lowest": "0.01", "highest": "9.90"}),
    (BOOK, "goods", {"text": "Send the money to …"}),
    (BOOK, "goods", {"deliver": "return"}),
    ("hook", "settings", {"url": "https://thief.example/hook"}),
    ("settings", "brand", {"contact": "thief@example.com"}),
    (PHONE, "revocation", {}),
    (PHONE, "accounts", {"accounts": "ali-main"}),
    (PHONE, "accounts/removal", {"account": "wx-main"}),
]


@pytest.mark.parametrize(("page", "form", "typed"), DANGEROUS)
def test_what_a_thief_would_change_needs_the_password(
    owner: Owner, hook: str, page: str, form: str, typed: dict[str, str]
) -> None:
    page = hook if page == "hook" else page
    if form == "accounts":
        with owner.world.store.transaction() as db:
            store.devices.unwatch(db, "phone", "ali-main")
    before = state(owner, hook)
    refused = owner.send(f"/admin/{page}", f"{page}/{form}", **typed)
    assert refused.status_code == 422
    assert ASKED in words(refused.text)
    assert state(owner, hook) == before
    wrong = owner.send(f"/admin/{page}", f"{page}/{form}", **typed, password="something else")
    assert wrong.status_code == 422
    assert state(owner, hook) == before
    done = owner.send(f"/admin/{page}", f"{page}/{form}", **typed, password=PASSWORD)
    assert done.status_code == 200, words(done.text)
    assert state(owner, hook) != before


@pytest.mark.parametrize(
    ("page", "form", "typed"),
    [
        (MERCHANT, "settings", {"name": "Tea"}),
        (BOOK, "settings", {"price": "19.90"}),
        (BOOK, "goods", {}),
        ("hook", "settings", {"description": "my till"}),
        ("settings", "brand", {"shop_name": "Tea", "brand_color": "#aa0000"}),
    ],
)
def test_the_rest_is_saved_without_it(owner: Owner, hook: str, page: str, form: str, typed: dict[str, str]) -> None:
    page = hook if page == "hook" else page
    assert "Saved." in words(owner.send(f"/admin/{page}", f"{page}/{form}", **typed).text)


def test_what_was_typed_is_still_there_when_the_password_is_asked_for(owner: Owner, hook: str) -> None:
    refused = owner.send(f"/admin/{BOOK}", f"{BOOK}/goods", text="A new text")
    assert "A new text" in refused.text
    assert 'id="goods-password"' in refused.text


def state(owner: Owner, hook: str) -> list[object]:
    with owner.world.store.read() as db:
        return [
            store.merchants.get(db, 1001), store.products.get(db, "book"),
            store.endpoints.get(db, hook.removeprefix("webhooks/")), find(owner.world.store, "phone").accounts,
            store.devices.get(db, "phone"), store.preferences.all_of(db),
        ]  # fmt: skip
