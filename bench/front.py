"""The documented proxy in front: nginx or Caddy with the files of deploy/, only names, ports and paths changed."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import certificates, proxies

_CONNECTIONS = 16_384


@dataclass
class Front:
    process: subprocess.Popen[bytes]
    port: int
    tls: ssl.SSLContext

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)


@contextlib.contextmanager
def front(kind: str, port: int, backend: int, folder: Path) -> Iterator[Front]:
    """`kind`: nginx or caddy, which is installed."""
    folder.mkdir(exist_ok=True)
    authority = certificates.authority(folder)
    pair = authority.issue(folder, "127.0.0.1")
    place = f"http://127.0.0.1:{backend}"
    if kind == "nginx":
        site = proxies.nginx_site(folder, port, place, pair)
        running = proxies.nginx(folder, site, port, connections=_CONNECTIONS)
    else:
        running = proxies.caddy(folder, proxies.caddy_site(port, place, pair), port)
    with running as process:
        yield Front(process, port, ssl.create_default_context(cafile=str(authority.file)))
