from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.http import targets
from checkout.http.client import Forbidden, Reason, check_url

PORTS = frozenset({80, 443})

# Hosts behind which something private stands, in the spelling of a resolver.
_NOT_PUBLIC = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3
    127.255.255.255 168.63.129.16 169.254.0.23 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255
    192.0.0.1 192.0.0.9 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1
    192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
    239.255.255.255 240.0.0.1 255.255.255.254 255.255.255.255
    :: ::1 ::2 ::7f00:1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1
    64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::a00:1 64:ff9b:1:ffff::1 100::1 100:0:0:1::1 200::1 400::1
    1fff::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1
    2001:10::1 2001:20::1 2001:30::1 2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1 2002::1 2002:7f00:1::
    2002:a00:1::1 2002:808:808::1 2620:4f:8000::1 3ffe::1 3fff::1 3fff:fff::1 4000::1 5f00::1 8000::1
    fc00::1 fd00:ec2::254 fdff::1 fe00::1 fe80::1 fe80::1%eth0 2606:4700:4700::1111%eth0 febf::1 fec0::1
    feff::1 ff02::1 ff0e::1 ff05::1:3
"""

# Real ones, and the neighbours of each range above.
_PUBLIC = """
    1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0
    114.114.114.114 126.255.255.255 128.0.0.0 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0
    172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.31.195.255 192.31.197.0
    192.52.192.255 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 192.175.47.255 198.17.255.255
    198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
    2000::1 2001:200::1 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9::1 2003::1 2400:3200::1
    2606:4700:4700::1111 2620:4f:7fff::1 2620:4f:8001::1 2a00:1450:4001:830::200e 3ffd::1 3fff:1000::1
"""

NOT_PUBLIC = _NOT_PUBLIC.split()
PUBLIC = _PUBLIC.split()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_with_a_special_meaning_is_not_public(address: str) -> None:
    assert not targets.is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_global_unicast_address_is_public(address: str) -> None:
    assert targets.is_public(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "8.8.8.8.", "8.8.8.08", "[::1]"]
)
def test_text_that_is_no_address_is_not_public(text: str) -> None:
    assert not targets.is_public(text)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_holds_to_be_special(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if targets.is_public(str(address)):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_link_local))


@pytest.mark.parametrize("address", [a for a in NOT_PUBLIC if "%" not in a])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_url_with_an_address_that_is_not_public_is_refused(scheme: str, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert refused(f"{scheme}://{host}/notify") == Reason.ADDRESS


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "Localhost:80", "shop.localhost", "a.b.LocalHost"])
def test_a_url_with_the_own_host_by_name_is_refused(host: str) -> None:
    assert refused(f"http://{host}/") == Reason.ADDRESS


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "017700000001", "0x7f000001", "0x7F000001", "0X7f000001", "0x", "0", "127.1", "127.0.1",
        "0x7f.1", "0177.1", "0177.0.0.1", "0177.0.0.01", "0x7f.0x0.0x0.0x1", "127.0.0.0x1", "127.0.0.01",
        "00127.0.0.1", "127.0.0.1.", "127.0.0.1..", "127.0.0.256", "127.0.0.1.1", "1.1.1.1.1", "a.b.1",
        "shop.0x7f", "4294967295", "4294967296", "08.8.8.8", "8.8.8.010", "8.8.2056", "134744072",
        "169.254.43518", "0xa9fea9fe", "２130706433", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1%00",
        "127%2e0%2e0%2e1", "%31%32%37.0.0.1", "[::1%lo]", "[fe80::1%25eth0]", "[::1", "::1", "::1]", "[]",
        "[127.0.0.1]", "[v1.a]", "[::ffff:127.1]", "[::1].example", "[[::1]]", "[0:0:0:0:0:0:0:0:1]",
        "[::1::]", "[12345::]", "", ".", "..", ".example", "shop..example", "shop.example.", "shop.example..",
        "-shop.example", "shop-.example", "a" * 64 + ".example", "a." * 127 + "example", "shöp.example",
        "shop.example\u3002", "sho\u017f.example", "lo\u212aal", "shop example", "shop+.example",
        "shop,example", "shop!example", "shop.example:0", "shop.example:", "shop.example:080",
        "shop.example:65536", "shop.example:99999", "shop.example:123456", "shop.example:8O",
        "shop.example:-1", "shop.example:+80", "shop.example:８0", "shop.example:80:80",
    ],
)  # fmt: skip
@pytest.mark.parametrize("allow_private", [False, True])
def test_a_host_in_an_unusual_spelling_is_refused_even_where_private_ones_are_allowed(
    host: str, allow_private: bool
) -> None:
    assert refused(f"http://{host}/", allow_private=allow_private) == Reason.URL


@pytest.mark.parametrize(
    "url",
    [
        "", "/", "notify", "//shop.example/", "http:", "http:/", "http://", "http:///path",
        "http:shop.example", "http:/shop.example", "http:\\\\shop.example",
        "http://shop.example\\@127.0.0.1/", "http:////shop.example", "file:///etc/passwd",
        "ftp://shop.example/", "gopher://shop.example/", "javascript:alert(1)", "data:,x",
        "dict://shop.example/", "unix:///run/x", "ws://shop.example/", "httpss://shop.example/",
        "HTTPX://a.b/", "http://user@shop.example/", "http://user:pw@shop.example/", "http://@shop.example/",
        "http://:@a.example/", "http://shop.example@127.0.0.1/", "http://127.0.0.1#@shop.example\\",
        "http://shop.example:80@a.example/", " http://shop.example/", "http://shop.example/ ",
        "http://shop.example/a b", "http://shop.example/\t", "http://shop.example/\r\nX: y",
        "http://shop.example\n/", "http://shop.example/\x00", "\x01http://a.example/",
        "http://shop.example/\x7f", "http://shop.example/a\\b", "http://shop.example/#\\",
        "http://shop.example/#\n", "http://shop.example/é", "http://shop.example/?q=支付",
        "http://shop.example/#支付", "ht\ttp://shop.example/", "http\u017f://shop.example/",
        "http://shop.example/\u00a0", "http://shop.example/\u2028", "h\u0000ttp://a.b/",
        "http://shop.example/\udcff",
    ],
)  # fmt: skip
def test_what_is_not_a_plain_http_url_is_refused(url: str) -> None:
    assert refused(url) == Reason.URL
    assert refused(url, allow_private=True) == Reason.URL


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://shop.example", "shop.example", 80, "/"),
        ("https://shop.example", "shop.example", 443, "/"),
        ("HTTPS://Shop.Example:443/A/b", "shop.example", 443, "/A/b"),
        ("http://shop.example?a=1", "shop.example", 80, "/?a=1"),
        ("http://shop.example#x", "shop.example", 80, "/"),
        ("http://shop.example/a?b=c&d=%0A#frag?x", "shop.example", 80, "/a?b=c&d=%0A"),
        ("http://shop.example/#/order/N?pid=1", "shop.example", 80, "/"),
        ("http://shop.example/a@b:c//d", "shop.example", 80, "/a@b:c//d"),
        ("http://shop.example/?u=http://127.0.0.1/", "shop.example", 80, "/?u=http://127.0.0.1/"),
        ("http://xn--fiq228c.example/", "xn--fiq228c.example", 80, "/"),
        ("http://my_shop-1.example:80/", "my_shop-1.example", 80, "/"),
        ("http://8.8.8.8.example/", "8.8.8.8.example", 80, "/"),
        ("http://127.0.0.1.nip.io/", "127.0.0.1.nip.io", 80, "/"),
        ("http://8.8.8.8/x", "8.8.8.8", 80, "/x"),
        ("http://[2606:4700:4700:0:0:0:0:1111]/x", "2606:4700:4700::1111", 80, "/x"),
        ("http://[2A00::1]:443/x", "2a00::1", 443, "/x"),
    ],
)
def test_a_plain_url_is_taken_apart(url: str, host: str, port: int, path: str) -> None:
    check_url(url, allow_private=False, ports=PORTS)
    target = targets.parsed(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://Shop.example:80/", "shop.example"),
        ("https://shop.example:443/", "shop.example"),
        ("https://shop.example:80/", "shop.example:80"),
        ("http://[2a00::1]/", "[2a00::1]"),
        ("https://[2a00::1]:8443/", "[2a00::1]:8443"),
    ],
)
def test_the_host_header_has_the_port_only_where_it_is_not_the_schemes_own(url: str, authority: str) -> None:
    assert targets.parsed(url).authority == authority


@pytest.mark.parametrize("port", [1, 22, 25, 79, 81, 442, 6379, 8080, 65535])
def test_a_port_that_is_not_listed_is_refused(port: int) -> None:
    assert refused(f"http://shop.example:{port}/") == Reason.PORT


def test_the_list_of_ports_can_be_set_and_dropped() -> None:
    check_url("https://shop.example:8443/", allow_private=False, ports=frozenset({8443}))
    check_url("https://shop.example:6379/", allow_private=False, ports=None)
    with pytest.raises(Forbidden):
        check_url("https://shop.example/", allow_private=False, ports=frozenset({8443}))


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:1", "[::1]:8000", "10.0.0.1", "[fe80::1]"])
def test_allowing_private_addresses_lifts_the_rules_on_addresses_and_ports(host: str) -> None:
    check_url(f"http://{host}/", allow_private=True, ports=PORTS)


def test_a_refusal_is_one_sentence_without_the_query() -> None:
    for url in (
        "http://10.0.0.1/?sign=c0ffee",
        "http://a.example:81/?sign=c0ffee",
        "http://u@a.example/?sign=c0ffee",
    ):
        with pytest.raises(Forbidden) as refusal:
            check_url(url, allow_private=False, ports=PORTS)
        assert refusal.value.message == str(refusal.value)
        assert refusal.value.message.endswith(".")
        assert "c0ffee" not in refusal.value.message


def refused(url: str, *, allow_private: bool = False) -> Reason:
    with pytest.raises(Forbidden) as refusal:
        check_url(url, allow_private=allow_private, ports=PORTS)
    return refusal.value.reason
