"""Whose word counts: addresses and schemes behind proxies, and the path that a client asks for."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from checkout.front import Front, Later, client_address
from checkout.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROXIES = ("127.0.0.1/32", "10.0.0.0/8", "fd00::/8")


def seen(
    environ: dict[str, Any], *, proxies: tuple[str, ...] = PROXIES, base_url: str = "https://pay.example"
) -> WSGIEnvironment:
    """What the application is given."""
    given: list[WSGIEnvironment] = []

    def application(inner: WSGIEnvironment, start_response: object) -> list[bytes]:
        given.append(inner)
        return []

    settings = Settings(database="x.db", folder=Path(), base_url=base_url, trusted_proxies=proxies)
    start = {"REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "http", "PATH_INFO": "/", "SCRIPT_NAME": ""}
    Front(application, settings)({**start, **environ}, lambda *_: lambda _: None)
    return given[0]


@pytest.mark.parametrize(
    ("peer", "chain", "expected"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", " 203.0.113.7 ", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.0.0.2, 127.0.0.1", "203.0.113.7"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),  # what stands before it the buyer wrote himself
        ("10.0.0.1", "10.9.9.9, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # an intranet: the farthest one
        ("fd00::1", "2001:DB8:0:0::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_proxy_of_ours_reports_the_address_before_it(peer: str, chain: str, expected: str) -> None:
    found = seen({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": chain})
    assert client_address(found) == expected


@pytest.mark.parametrize(
    "chain",
    ["", ",", "unknown", "localhost", "203.0.113", "203.0.113.7:1234", "[2001:db8::1]", "1.2.3.4 5.6.7.8", "０.0.0.0",
     "<script>", "203.0.113.7, garbage", "2130706433", "0x7f.0.0.1", "127.1", "203.0.113.007", "x" * 8000],
)  # fmt: skip
def test_after_garbage_the_last_address_that_is_known_for_sure_counts(chain: str) -> None:
    assert client_address(seen({"HTTP_X_FORWARDED_FOR": chain})) == "10.0.0.1"
    assert client_address(seen({"HTTP_X_FORWARDED_FOR": f"{chain}, 10.0.0.9"})) == "10.0.0.9"


@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "127.0.0.2", "", "garbage", "::1", "fe80::1%eth0"])
def test_a_stranger_is_not_believed(peer: str) -> None:
    environ = {
        "REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "1.1.1.1", "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_X_FORWARDED_PREFIX": "/evil", "HTTP_FORWARDED": "for=1.1.1.1",
        "HTTP_X_REAL_IP": "1.1.1.1",
    }  # fmt: skip
    found = seen(environ)
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == (peer, "http")
    assert (found["PATH_INFO"], found["SCRIPT_NAME"]) == ("/", "")


def test_without_configured_proxies_nobody_is_believed() -> None:
    environ = {"HTTP_X_FORWARDED_FOR": "1.1.1.1", "HTTP_X_FORWARDED_PROTO": "https", "REMOTE_ADDR": "127.0.0.1"}
    found = seen(environ, proxies=())
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        ("https", "https"), ("HTTPS", "https"), (" https ", "https"), ("http", "http"), ("http, https", "https"),
        ("https, http", "http"), ("", "http"), ("ftp", "http"), ("https;", "http"), ("javascript", "http"),
    ],
)  # fmt: skip
def test_the_nearest_proxy_says_the_scheme(said: str, scheme: str) -> None:
    assert seen({"HTTP_X_FORWARDED_PROTO": said})["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    ("path", "script", "rest"),
    [
        ("/pay", "/pay", "/"),
        ("/pay/", "/pay", "/"),
        ("/pay/createOrder", "/pay", "/createOrder"),
        ("//pay//createOrder", "/pay", "/createOrder"),
        ("/createOrder", "", "/createOrder"),  # the proxy has taken the prefix off already
        ("/payPage/pay.html", "", "/payPage/pay.html"),
        ("/pay/pay/0123", "/pay", "/pay/0123"),
    ],
)
def test_the_prefix_of_the_base_url_is_taken_off_once(path: str, script: str, rest: str) -> None:
    found = seen({"PATH_INFO": path}, base_url="https://shop.example/pay")
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (script, rest)


@pytest.mark.parametrize(
    ("path", "expected"), [("//createOrder", "/createOrder"), ("///a////b", "/a/b"), ("/a/", "/a/")]
)
def test_doubled_slashes_are_one(path: str, expected: str) -> None:
    assert seen({"PATH_INFO": path})["PATH_INFO"] == expected


def test_where_the_prefix_is_also_a_path_of_ours_only_what_makes_sense_is_taken_off(settings: Settings) -> None:
    below = replace(settings, base_url="https://shop.example/pay")
    for path, arrives in (("/pay/pay/abc", "/pay/abc"), ("/pay/abc", "/pay/abc"), ("/pay/static/x", "/static/x")):
        seen: list[str] = []

        def application(environ: dict[str, object], start: object, seen: list[str] = seen) -> list[bytes]:
            seen.append(str(environ["PATH_INFO"]))
            return []

        front = Front(application, below, lambda path: path in ("/pay/abc", "/static/x"))
        front({"PATH_INFO": path}, lambda *_: lambda _: None)
        assert seen == [arrives]


def test_twenty_who_come_at_once_make_the_owners_pages_once() -> None:
    made: list[int] = []

    def pages(environ: dict[str, object], start: object) -> list[bytes]:
        return [b"pages"]

    def make() -> Any:
        made.append(1)
        return pages

    door, together = Later(lambda *_: [b"shop"], "/admin", make), Barrier(20)

    def come(path: str) -> list[bytes]:
        together.wait()
        return list(door({"PATH_INFO": path}, lambda *_: lambda _: None))

    with ThreadPoolExecutor(20) as crowd:
        assert list(crowd.map(come, ["/admin", "/admin/orders"] * 10)) == [[b"pages"]] * 20
    assert len(made) == 1
    assert list(door({"PATH_INFO": "/administration"}, lambda *_: lambda _: None)) == [b"shop"]


def test_a_server_starts_without_the_owners_pages(tmp_path: Path) -> None:
    told = (
        "import sys, checkout.app; checkout.app.create_app(work=False);"
        "print([name for name in sys.modules if name.startswith('checkout.admin')])"
    )
    environ = {"CHECKOUT_DATABASE": str(tmp_path / "checkout.db"), "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", told], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
