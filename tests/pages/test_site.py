"""The front door, the icon, the keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from checkout import returns
from tests.world import World


def test_the_front_door_leads_back_to_the_shop(world: World) -> None:
    answer = world.client.get("/", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "go back to the shop" in answer.text
    assert 'href="https://shop.example/"' in answer.text
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"


def test_the_front_door_stands_before_there_is_a_merchant(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "Go to the shop" not in answer.text


def test_there_is_an_icon(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico")
    assert answer.mimetype == "image/svg+xml"
    assert "max-age" in answer.headers["Cache-Control"]


def test_crawlers_are_sent_away(client: FlaskClient) -> None:
    assert "Disallow: /pay/" in client.get("/robots.txt").text


def test_anybody_may_read_the_keys_that_sign_returns(world: World) -> None:
    answer = world.client.get("/.well-known/checkout-keys.json", headers={"Origin": "https://shop.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.mimetype == "application/json"
    (key,) = answer.get_json()["keys"]
    assert key["kid"] == returns.signing_key(world.store, world.clock())[0]
    assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")
    assert "d" not in key


def test_the_owners_logo_stands_beside_the_name(world: World, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    parts = world.parts
    assert world.client.get("/brand-logo").status_code == 404
    world.app.extensions["checkout"] = replace(
        parts, settings=replace(parts.settings, brand_logo=str(logo), shop_name="茶 & 花")
    )
    html = world.client.get("/").text
    assert '<img src="/brand-logo" alt="" height="28">' in html
    assert "<bdi>茶 &amp; 花</bdi>" in html
    answer = world.client.get("/brand-logo")
    assert answer.mimetype == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert world.client.get("/brand-logo", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    logo.unlink()
    assert world.client.get("/brand-logo").status_code == 404


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.PNG", "image/png"), ("a.jpg", "image/jpeg"), ("a.jpeg", "image/jpeg"), ("a.webp", "image/webp")],
)
def test_a_logo_is_sent_as_the_kind_of_picture_that_it_is(world: World, tmp_path: Path, name: str, kind: str) -> None:
    logo = tmp_path / name
    logo.write_bytes(b"a picture")
    parts = world.parts
    world.app.extensions["checkout"] = replace(parts, settings=replace(parts.settings, brand_logo=str(logo)))
    assert world.client.get("/brand-logo").mimetype == kind
