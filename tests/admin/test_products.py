"""Products made, changed and filled by browser; what to paste, and what buyers see."""

from __future__ import annotations

from io import BytesIO

import pytest

from checkout import store
from checkout.model.products import Product
from tests.admin.desk import Owner, reason, words
from tests.world import product

PLACE = "/admin/products/ebook"


def stored(owner: Owner, name: str = "ebook") -> Product:
    with owner.world.store.read() as db:
        found = store.products.get(db, name)
    assert found is not None
    return found


@pytest.fixture
def shop(owner: Owner) -> Owner:
    with owner.world.store.transaction() as db:
        store.products.add(db, product())
    return owner


def test_a_product_is_added_by_the_few_things_it_needs(owner: Owner) -> None:
    done = owner.send("/admin/products", "products", id="guide", title_en="Guide", price="12.50")
    assert "The product is added." in words(done.text)
    made = stored(owner, "guide")
    assert (made.price, made.title_en, made.deliver, made.origins) == (1250, "Guide", "return", ())


@pytest.mark.parametrize(
    ("field", "value"), [("price", "1e2"), ("price", ""), ("id", "Not So"), ("origins", "https://a.example/path")]
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(owner: Owner, field: str, value: str) -> None:
    given = {"id": "guide", "title_en": "My guide", "price": "9.90", "origins": ""} | {field: value}
    page = owner.send("/admin/products", "products", **given)
    assert page.status_code == 422
    assert "My guide" in page.text
    with owner.world.store.read() as db:
        assert store.products.all_of(db) == []
    if field != "id":
        assert reason(page.text, field)


def test_an_id_that_is_taken_is_refused_at_its_field(shop: Owner) -> None:
    page = shop.send("/admin/products", "products", id="ebook", title_en="Other", price="1.00")
    assert "ebook" in reason(page.text, "id")
    assert stored(shop).price == 990


def test_saving_without_a_change_changes_nothing(shop: Owner) -> None:
    before = stored(shop)
    shop.send(PLACE, "products/ebook/settings")
    assert stored(shop) == before


def test_every_setting_is_changed_and_empty_bounds_are_taken_away(shop: Owner) -> None:
    shop.send(
        PLACE, "products/ebook/settings", lowest="1.00", highest="20.00", stock="7", per_buyer="2", low_stock="3",
        origins="https://one.example\nhttps://two.example", lang="en", brand_color="#047F40", brand_name="Tea house",
    )  # fmt: skip
    after = stored(shop)
    assert (after.lowest, after.highest, after.stock, after.per_buyer, after.low_stock) == (100, 2000, 7, 2, 3)
    assert after.origins == ("https://one.example", "https://two.example")
    assert after.brand == '{"name": "Tea house", "color": "#047f40", "lang": "en"}'
    shop.send(PLACE, "products/ebook/settings", lowest="", highest="", stock="", per_buyer="", origins="")
    after = stored(shop)
    assert (after.lowest, after.highest, after.stock, after.per_buyer, after.origins) == (None, None, None, None, ())


def test_the_text_that_buyers_get_is_shown_clean(shop: Owner) -> None:
    text = "# Thanks\n\n<script>alert(1)</script> [x](javascript:alert(1))"
    shop.send(PLACE, "products/ebook/goods", deliver="text", text=text)
    page = shop.get(PLACE).text
    assert "<h1>Thanks</h1>" in page
    assert "<script>alert(1)" not in page
    assert 'href="javascript:' not in page


def test_what_buyers_get_must_be_there(shop: Owner) -> None:
    assert reason(shop.send(PLACE, "products/ebook/goods", deliver="link", link="").text, "link")
    assert reason(shop.send(PLACE, "products/ebook/goods", deliver="text", text="").text, "text")
    assert stored(shop).deliver == "text"


def test_only_files_of_the_owners_folder_are_handed_out(shop: Owner) -> None:
    place = shop.world.parts.settings.data_dir / "goods"
    place.mkdir(parents=True)
    (place / "book.pdf").write_bytes(b"%PDF")
    page = shop.client.post(
        "/admin/products/ebook/goods",
        data={**_hidden(shop, "products/ebook/goods"), "deliver": "file", "file": "/etc/passwd"},
    )
    assert page.status_code == 422
    assert stored(shop).deliver == "text"
    shop.send(PLACE, "products/ebook/goods", deliver="file", file=str(place / "book.pdf"))
    assert stored(shop).goods == str(place / "book.pdf")


def test_a_long_list_of_keys_is_taken_in_one_upload(shop: Owner) -> None:
    shop.send(PLACE, "products/ebook/goods", deliver="keys")
    fields = _hidden(shop, "products/ebook/keys")
    text = "\n".join(f"KEY-{number:06d}-{'x' * 20}" for number in range(15_000))  # 480 kB
    upload = {**fields, "keys": "", "list": (BytesIO(text.encode()), "keys.txt")}
    assert shop.client.post("/admin/products/ebook/keys?lang=en", data=upload).status_code == 303
    assert "Keys added: 15000 of 15000 lines." in shop.see(PLACE)


def test_keys_are_typed_or_uploaded_and_counted(shop: Owner) -> None:
    shop.send(PLACE, "products/ebook/goods", deliver="keys")
    done = shop.send(PLACE, "products/ebook/keys", keys="AAA\nBBB\nAAA")
    assert "Keys added: 2 of 3 lines." in words(done.text)
    fields = _hidden(shop, "products/ebook/keys")
    upload = {**fields, "keys": "", "list": (BytesIO("BBB\nCCC\n".encode("utf-8-sig")), "keys.txt")}
    shop.client.post("/admin/products/ebook/keys?lang=en", data=upload)
    assert "Keys added: 1 of 2 lines." in shop.see(PLACE)
    assert "3 left" in shop.see(PLACE)
    upload = {**fields, "keys": "", "list": (BytesIO(b"\xff\xfe\x00"), "keys.txt")}
    assert "no text" in reason(shop.client.post("/admin/products/ebook/keys?lang=en", data=upload).text, "keys")
    assert "AAA" not in shop.get(PLACE).text


def test_a_product_is_taken_off_sale_and_back(shop: Owner) -> None:
    shop.send(PLACE, "products/ebook/state")
    assert stored(shop).disabled_at is not None
    shop.send(PLACE, "products/ebook/state")
    assert stored(shop).disabled_at is None


def test_the_page_offers_what_to_paste_and_shows_the_buyers_page(shop: Owner) -> None:
    page = shop.get(PLACE)
    assert "data-checkout=&#34;ebook&#34;" in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    seen = shop.get(f"{PLACE}/preview")
    assert "Book" in seen.text
    assert "frame-ancestors 'self'" in seen.headers["Content-Security-Policy"]
    assert "form-action 'none'" in seen.headers["Content-Security-Policy"]
    assert shop.world.client.get(f"{PLACE}/preview").status_code == 303


def test_an_unknown_product_is_not_found(owner: Owner) -> None:
    for place in ("/admin/products/nothing", "/admin/products/nothing/preview"):
        assert owner.client.get(place).status_code == 404


def test_the_list_marks_what_runs_low(shop: Owner) -> None:
    shop.send(PLACE, "products/ebook/settings", stock="2", low_stock="5")
    assert "few left" in shop.see("/admin/products")


def _hidden(owner: Owner, action: str) -> dict[str, str]:
    return {name: value for name, value in owner.form(PLACE, action).form_values() if name == "csrf"}
