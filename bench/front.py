"""The documented proxy in front: nginx or Caddy with the files of deploy/, only names, ports and paths changed."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.servers import ROOT
from tests import certificates

_CONNECTIONS = 16_384


@dataclass
class Front:
    process: subprocess.Popen[bytes]
    port: int
    tls: ssl.SSLContext

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)


def proxy(kind: str) -> str | None:
    return shutil.which(kind, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextlib.contextmanager
def front(kind: str, port: int, backend: int, folder: Path) -> Iterator[Front]:
    """`kind`: nginx or caddy, which is installed."""
    folder.mkdir(exist_ok=True)
    authority = certificates.authority(folder)
    pair = authority.issue(folder, "127.0.0.1")
    write = {"nginx": _nginx, "caddy": _caddy}[kind]
    command = [str(proxy(kind)), *write(folder, port, backend, pair)]
    environ = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "front.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
    try:
        _wait(port, process, folder / "front.log")
        yield Front(process, port, ssl.create_default_context(cafile=str(authority.file)))
    finally:
        process.terminate()
        process.wait(20)


def _nginx(folder: Path, port: int, backend: int, pair: tuple[str, str]) -> list[str]:
    site = (ROOT / "deploy" / "nginx.conf").read_text()
    site = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", site, flags=re.DOTALL)
    site = site.replace("    listen [::]:443 ssl;\n", "").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    site = re.sub(r"ssl_certificate .*", f"ssl_certificate {pair[0]};", site)
    site = re.sub(r"ssl_certificate_key .*", f"ssl_certificate_key {pair[1]};", site)
    site = site.replace("/var/log/nginx/checkout.log", f"{folder}/access.log")
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{backend}")
    temp = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy"))
    config = folder / "nginx.conf"
    config.write_text(
        f"pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes auto; worker_rlimit_nofile 40000;\n"
        f"events {{ worker_connections {_CONNECTIONS}; }}\nhttp {{ access_log off; {temp}\n{site}\n}}\n"
    )
    return ["-p", str(folder), "-c", str(config), "-g", "daemon off;"]


def _caddy(folder: Path, port: int, backend: int, pair: tuple[str, str]) -> list[str]:
    site = (ROOT / "deploy" / "Caddyfile").read_text()
    site = site.replace("pay.example.com {", f"127.0.0.1:{port} {{\n\ttls {pair[0]} {pair[1]}")
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{backend}")
    config = folder / "Caddyfile"
    config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    return ["run", "--config", str(config), "--adapter", "caddyfile"]


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(500):
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError("The proxy did not listen within 10 s.")
