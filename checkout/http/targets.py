"""Where a request goes: a URL as it is written, and which IP addresses are public. Nothing is resolved here.

Public means global unicast and reserved for nothing else. `ipaddress.is_global` and `is_private` answer another
question: they let through NAT64, 6to4, multicast and the metadata services of clouds, behind which a private host can
hide. So the ranges are written out, after the IANA special-purpose address registries (RFC 6890 and its updates);
whatever is doubtful is not public.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from msgspec import Struct


class Target(Struct, frozen=True):
    """A URL taken apart. `host` is in lower case and without brackets; `path` has the query, no fragment."""

    tls: bool
    host: str
    is_address: bool
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header: the port only where it is not the scheme's own (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.tls) else f"{host}:{self.port}"

    @property
    def is_public(self) -> bool:
        """False where the host shows, without being resolved, that it is not public."""
        if self.is_address:
            return is_public(self.host)
        return self.host != "localhost" and not self.host.endswith(".localhost")


# After the host: printable ASCII but for the backslash, which browsers read as a slash.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>[/?][!\"$-\[\]-~]*)?(?:#[!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def parsed(url: str) -> Target:
    """An absolute http or https URL in its plain form; ValueError with one sentence for any other."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(_what_is_wrong(url))
    tls = match["scheme"].lower() == "https"
    host, is_address = _host(match["host"].lower())
    port = int(match["port"] or _default_port(tls))
    if port > 65535:
        raise ValueError("The address has a port above 65535.")
    path = match["path"] or "/"
    return Target(tls, host, is_address, port, path if path.startswith("/") else "/" + path)


def _default_port(tls: bool) -> int:
    return 443 if tls else 80


def _host(written: str) -> tuple[str, bool]:
    """The host as it is resolved and compared, and whether it is an IP address.

    To the C library and to browsers a host whose last label is a number is an IPv4 address, in many spellings
    (`2130706433`, `0x7f.1`, `0177.0.0.1`); only four plain decimal numbers are let through.
    """
    try:
        if written.startswith("["):
            return str(IPv6Address(written[1:-1])), True
        if _NUMBER.fullmatch(written.rpartition(".")[2]):
            return str(IPv4Address(written)), True
    except ValueError as error:
        raise ValueError("The address has an IP address that is not in its usual spelling.") from error
    if len(written) > 253 or not all(map(_LABEL.fullmatch, written.split("."))):
        raise ValueError("The address has a host that is not a plain name, or one with a dot at its end.")
    return written, False


def _what_is_wrong(url: str) -> str:
    if not re.fullmatch(r"[!-\[\]-~]*", url):
        return "The address may hold ASCII only, without spaces, control characters and backslashes."
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return "The address must begin with http:// or https://."
    if "@" in re.split("[/?#]", rest, maxsplit=1)[0]:
        return "The address may not hold a user name or password."
    return "The address has no host, or a host or port that cannot be read."


_NOT_PUBLIC_4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches the own host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, reachable from each of its guests
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# All that is routed lies in here. Loopback, IPv4-mapped and -compatible, NAT64, unique local, link-local,
# site-local and multicast addresses lie outside.
_GLOBAL_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # the former 6bone
        "3fff::/20",  # documentation
    )
)


def is_public(address: str) -> bool:
    """Whether the text is a public IP address; False for text that is no IP address, or has a zone."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in net for net in _NOT_PUBLIC_4)
    return found.scope_id is None and found in _GLOBAL_6 and not any(found in net for net in _NOT_PUBLIC_6)
