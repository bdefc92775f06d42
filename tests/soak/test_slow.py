"""A crowd of clients that keep their connections and say little stops nobody else."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import skip_or_fail
from tests.servers import CHECKOUT, ROOT, ask, free_port, serving
from tests.soak import slow

EACH, SECONDS = 150, 4


def test_the_bare_server_answers_among_slow_clients(tmp_path: Path) -> None:
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (_, url):
        report = slow.run(urlsplit(url).port or 0, each=EACH, seconds=SECONDS)
    assert report.answered == report.probes
    assert report.held > EACH


def test_the_server_behind_the_documented_proxy_answers_too(tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if nginx is None:
        skip_or_fail("nginx", "there is no nginx to stand before the server")
        return
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (_, url):
        front = free_port()
        process = subprocess.Popen(
            [nginx, "-e", str(tmp_path / "error.log"), "-c", nginx_configuration(tmp_path, front, url)]
        )
        try:
            wait_for_proxy(front)
            report = slow.run(front, each=EACH, seconds=SECONDS)
        finally:
            process.terminate()
            process.wait()
    assert report.answered == report.probes
    assert report.held > EACH


def test_the_server_behind_the_documented_caddy_answers_too(tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        skip_or_fail("caddy", "there is no caddy to stand before the server")
        return
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (_, url):
        front = free_port()
        text = (ROOT / "deploy" / "Caddyfile").read_text().replace("pay.example.com {", f":{front} {{")
        (tmp_path / "Caddyfile").write_text(
            "{\n\tadmin off\n\tauto_https off\n}\n" + text.replace("127.0.0.1:8000", url.removeprefix("http://"))
        )
        environ = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = [caddy, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
        with (tmp_path / "caddy.log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log, env=environ)
        try:
            wait_for_proxy(front)
            report = slow.run(front, each=EACH, seconds=SECONDS)
        finally:
            process.terminate()
            process.wait()
    assert report.answered == report.probes
    assert report.held > EACH


def nginx_configuration(folder: Path, port: int, backend: str) -> str:
    """deploy/nginx.conf without https, in an nginx that takes 4,096 connections as its documentation says."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    text = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", text, flags=re.DOTALL)
    text = re.sub(r" *(ssl_certificate|access_log|listen \[).*\n", "", text)
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};").replace("http://127.0.0.1:8000", backend)
    temp = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder}/nginx.pid; worker_rlimit_nofile 16384; events {{ worker_connections 4096; }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; {temp}\n{text}\n}}\n"
    )
    return str(path)


def wait_for_proxy(port: int) -> None:
    for _ in range(200):
        with suppress(OSError):
            if ask(f"http://127.0.0.1:{port}/healthz").status == 200:
                return
        time.sleep(0.05)
    pytest.fail("the proxy did not start")
