"""Scripts and styles: where they come from, how long they are kept, what they weigh."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

import hatch_build
from checkout.pages import assets
from tests.conftest import skip_or_fail
from tests.pages.shop import opened
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 24_900  # of 25,000; two thirds are htmx


def local_htmx() -> bytes:
    path = ROOT / "static" / assets.HTMX_LOCAL
    if not path.is_file():
        skip_or_fail("browser", "the local copy of htmx is missing (./dev fetches it)")
    return path.read_bytes()


def use(world: World, **changes: object) -> None:
    parts = world.parts
    world.app.extensions["checkout"] = replace(parts, settings=replace(parts.settings, **changes))


def test_the_hash_that_pages_name_is_the_packages() -> None:
    digest = base64.b64encode(hashlib.sha384(local_htmx()).digest()).decode()
    assert f"sha384-{digest}" == assets.HTMX_INTEGRITY
    assert (assets.HTMX_VERSION, assets.HTMX_INTEGRITY) == (hatch_build.HTMX_VERSION, hatch_build.HTMX_INTEGRITY)
    assert f"vendor/htmx-{hatch_build.HTMX_VERSION}.min.js" == assets.HTMX_LOCAL


def test_htmx_comes_from_its_cdn_with_its_hash_and_the_way_to_our_copy(world: World) -> None:
    html = world.client.get(f"/pay/{opened(world).token}").text
    tag = re.search(r"<script src=\"https://[^>]+>", html)
    assert tag is not None
    assert f'src="{assets.HTMX_CDN}" integrity="{assets.HTMX_INTEGRITY}" crossorigin="anonymous"' in tag[0]
    assert 'data-own="/static/vendor/htmx-2.0.11.min.js' in tag[0]
    assert "async" in tag[0]


def test_with_the_setting_local_nothing_comes_from_elsewhere(world: World) -> None:
    use(world, htmx="local")
    answer = world.client.get(f"/pay/{opened(world).token}")
    assert "jsdelivr" not in answer.text
    assert "jsdelivr" not in answer.headers["Content-Security-Policy"]
    assert '<script src="/static/vendor/htmx-2.0.11.min.js' in answer.text


def test_a_file_asked_for_by_its_version_is_kept_for_a_year(world: World) -> None:
    html = world.client.get(f"/pay/{opened(world).token}").text
    for name in ("checkout.css", "pay.js"):
        found = re.search(rf"/static/{name}\?v=[0-9a-f]{{12}}", html)
        assert found is not None
        answer = world.client.get(found[0])
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert world.client.get(f"/static/{name}?v=000000000000").headers["Cache-Control"] == "no-cache"
        again = world.client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


def test_texts_are_compressed_for_those_who_take_it(client: FlaskClient) -> None:
    plain = client.get("/static/pay.js", headers={"Accept-Encoding": "identity"})
    packed = client.get("/static/pay.js", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_every_file_has_the_kind_that_its_name_says_whatever_the_machine_believes(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimetypes.guess_type", lambda *_: ("text/plain", None))
    kinds = {".css": "text/css", ".js": "text/javascript"}
    files = [path for path in (ROOT / "static").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == set(kinds)
    for path in files:
        answer = client.get(f"/static/{path.relative_to(ROOT / 'static')}")
        assert (answer.status_code, answer.mimetype) == (200, kinds[path.suffix]), path


@pytest.mark.parametrize("name", ["nothing.js", "../dev", "..%2fdev", "vendor", "", "%00", "vendor/../../dev"])
def test_other_files_are_not_there(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code in (404, 308)


def test_a_page_is_compressed_too(world: World) -> None:
    order = opened(world)
    packed = world.client.get(f"/pay/{order.token}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert b'id="state"' in gzip.decompress(packed.data)


@pytest.mark.parametrize("lang", ["zh-CN", "zh-TW", "en"])
@pytest.mark.parametrize("method", ["wechat", "alipay"])
@pytest.mark.parametrize("embed", ["", "&embed=https://shop.example"])
def test_the_page_weighs_at_most_25_kb_in_five_requests(world: World, lang: str, method: str, embed: str) -> None:
    agent = "Mozilla/5.0 (Linux; Android 14) Mobile"
    headers = {"Accept-Encoding": "gzip", "User-Agent": agent}
    opened(world, "A", method=method)
    order = opened(world, "B", method=method, title="电子书《把事情做对》", content="一份")
    page = world.client.get(f"/pay/{order.token}?lang={lang}{embed}", headers=headers)
    html = gzip.decompress(page.data).decode()
    own = re.findall(r'<(?:script|img|link)[^>]* (?:src|href)="(/[^"]+)"', html)
    parts = [len(world.client.get(address.replace("&amp;", "&"), headers=headers).data) for address in own]
    assert len(own) == 3, "style, script and code"
    assert ("with=frame.js" in html) == bool(embed)
    assert len(own) + 2 <= 5, "with the page and htmx"
    assert len(page.data) + sum(parts) + len(gzip.compress(local_htmx(), 9)) <= LIMIT


def test_the_owners_colour_ends_the_style_sheet(world: World) -> None:
    before = world.client.get(f"/pay/{opened(world).token}").text
    use(world, brand_color="#ffd400")
    after = world.client.get(f"/pay/{opened(world, 'B').token}").text
    addresses = [re.search(r"/static/checkout\.css\?v=\w+", html) for html in (before, after)]
    assert addresses[0] is not None
    assert addresses[1] is not None
    assert addresses[0][0] != addresses[1][0]
    assert b"--checkout-brand:#ffd400;--on-brand:#000000" in world.client.get(addresses[1][0]).data
