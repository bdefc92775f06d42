"""A photo of a payment code, as large as phones make them, through everything that stands before the page."""

from __future__ import annotations

import io
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from checkout import ids, owner, qr
from checkout import store as stores
from checkout.store import open_store
from tests import proxies
from tests.admin.desk import PASSWORD
from tests.journeys.server import Place, serving
from tests.world import START, account

CODE = "wxp://f2f0another"


@pytest.fixture
def photo() -> bytes:
    noise = Image.effect_noise((3000, 4000), 90)
    noise.paste(Image.open(io.BytesIO(qr.png(CODE))).resize((1200, 1200)), (800, 1200))
    taken = io.BytesIO()
    noise.save(taken, "JPEG", quality=60)
    assert taken.tell() > 2_000_000
    return taken.getvalue()


@pytest.fixture
def shop(tmp_path: Path, database: str) -> Place:
    """A shop with an owner and an account."""
    store = open_store(database)
    with store.transaction() as db:
        stores.accounts.add(db, account())
    owner.set_password(store, PASSWORD, actor="test", new_id=ids.new_id, now=START)
    store.close()
    return Place(tmp_path, database)


@contextmanager
def behind(front: str, place: Place) -> Iterator[str]:
    if front != "nothing":
        proxies.required(front)
    with serving(place) as url:
        if front == "nothing":
            yield url
            return
        with proxies.before(front, place.folder, url) as port:
            yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("front", ["nothing", *proxies.KINDS])
def test_a_photo_of_a_payment_code_arrives_and_is_read(shop: Place, photo: bytes, front: str) -> None:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with behind(front, shop) as url:
        browser.open(f"{url}/admin/sign-in", f"password={PASSWORD.replace(' ', '+')}".encode()).read()
        page = browser.open(f"{url}/admin/accounts/wx-main?lang=en").read().decode()
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert token
        picture = FileStorage(io.BytesIO(photo), "photo.jpg")
        boundary, body = encode_multipart({"csrf": token[1], "price": "9.90", "password": PASSWORD, "picture": picture})
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = urllib.request.Request(f"{url}/admin/accounts/wx-main/codes", body, headers)
        assert browser.open(request).status == 200
    store = open_store(shop.database)
    with store.read() as db:
        assert [code.code for code in stores.accounts.codes(db, "wx-main")] == [CODE]
    store.close()
