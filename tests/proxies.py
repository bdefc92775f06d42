"""nginx and Caddy before a server, with the files of deploy/ in which only names, ports and paths are changed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import skip_or_fail
from tests.servers import ROOT, free_port

DEPLOY = ROOT / "deploy"
PLACE = "127.0.0.1:8000"  # where the documentation has Checkout
KINDS = ("nginx", "caddy")
_WHERE = ":".join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/usr/local/bin"))
_START_S = 60

Pair = tuple[str, str]  # the files of a certificate and of its key


def program(kind: str) -> str | None:
    return shutil.which(kind, path=_WHERE)


def required(kind: str) -> str:
    """The program; without it the test is skipped, or fails where CHECKOUT_TEST_REQUIRE names it."""
    found = program(kind)
    if found is None:
        skip_or_fail(kind, f"there is no {kind} to stand before the server")
    return str(found)


@contextmanager
def before(kind: str, folder: Path, backend: str) -> Iterator[int]:
    """The documented site of nginx or Caddy over http, before the server at the address `backend`: its port."""
    port = free_port()
    if kind == "nginx":
        running = nginx(folder, nginx_site(folder, port, backend), port)
    else:
        running = caddy(folder, caddy_site(port, backend), port)
    with running:
        yield port


def nginx_site(folder: Path, port: int, backend: str, tls: Pair | None = None, plain: int | None = None) -> str:
    """deploy/nginx.conf over https with the files of `tls`, else over http; its server on port 80 is at `plain`."""
    text = (DEPLOY / "nginx.conf").read_text()
    if plain is None:
        text = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", text, flags=re.DOTALL)
    else:
        text = _changed(text, {"    listen [::]:80;\n": "", "listen 80;": f"listen 127.0.0.1:{plain};",
                               "/var/www/html": str(folder)})  # fmt: skip
    certificate, key = tls or ("", "")
    text = _changed(text, {
        "    listen [::]:443 ssl;\n": "", "listen 443 ssl;": f"listen 127.0.0.1:{port}{' ssl' if tls else ''};",
        "/etc/letsencrypt/live/pay.example.com/fullchain.pem": certificate,
        "/etc/letsencrypt/live/pay.example.com/privkey.pem": key,
        "pay.example.com;": "127.0.0.1;", "/var/log/nginx": str(folder), PLACE: _place(backend),
    })  # fmt: skip
    return text if tls else re.sub(r" *ssl_certificate.*\n", "", text)


def nginx_site_below(port: int, backend: str, tls: Pair, *, takes_off: bool) -> str:
    """deploy/nginx-subpath.conf in a site of its own; with `takes_off` nginx takes the prefix off."""
    inner = (DEPLOY / "nginx-subpath.conf").read_text()
    if takes_off:
        inner = inner.replace(f"proxy_pass http://{PLACE};", f"proxy_pass http://{PLACE}/;", 1)
    return (
        f"server {{ listen 127.0.0.1:{port} ssl; merge_slashes off;\n"
        f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};\n{_changed(inner, {PLACE: _place(backend)})}\n}}"
    )


def caddy_site(port: int, backend: str, tls: Pair | None = None) -> str:
    """deploy/Caddyfile over https with the files of `tls`, else over http."""
    address = f"127.0.0.1:{port} {{\n\ttls {tls[0]} {tls[1]}" if tls else f":{port} {{"
    return _changed((DEPLOY / "Caddyfile").read_text(), {"pay.example.com {": address, PLACE: _place(backend)})


@contextmanager
def nginx(folder: Path, site: str, port: int, connections: int = 4096) -> Iterator[subprocess.Popen[bytes]]:
    """nginx with `site`, which listens on `port`, for so many connections: 4,096 as the documentation says."""
    temp = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy"))
    user = "user root;" if os.geteuid() == 0 else ""  # who may enter the test's folder
    config = folder / "nginx.conf"
    config.write_text(
        f"{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes auto;\n"
        f"worker_rlimit_nofile {4 * connections}; events {{ worker_connections {connections}; }}\n"
        f"http {{ access_log off; {temp}\n{site}\n}}\n"
    )
    command = [required("nginx"), "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(config)]
    with _running(command, port, folder / "nginx.log") as process:
        yield process


@contextmanager
def caddy(folder: Path, site: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Caddy with `site`, which listens on `port`; it asks nobody for certificates."""
    config = folder / "Caddyfile"
    config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    environ = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [required("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
    with _running(command, port, folder / "caddy.log", environ) as process:
        yield process


@contextmanager
def _running(
    command: list[str], port: int, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environ)
    try:
        _wait_for(port, process, log)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port}: {log.read_text()}")


def _changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"the documented file says {old} no longer"
        text = text.replace(old, new)
    return text


def _place(backend: str) -> str:
    """Host and port of an address."""
    return backend.removeprefix("http://")
