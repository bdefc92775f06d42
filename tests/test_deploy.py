"""What deploy/ holds for servers: the unit, and Caddy in front."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from checkout import install
from tests import certificates
from tests.clients.wire import to_server
from tests.conftest import skip_or_fail
from tests.journeys.server import serving
from tests.servers import ROOT, ask, free_port

DEPLOY = ROOT / "deploy"


def test_the_unit_is_valid_and_exposes_little(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        skip_or_fail("systemd", "there is no systemd-analyze")
    assert analyze
    unit = tmp_path / "checkout.service"
    unit.write_text(install.unit_text(8000))
    done = subprocess.run([analyze, "security", "--offline=true", unit], capture_output=True, text=True)
    match = re.search(r"exposure level for checkout\.service: ([0-9.]+)", done.stdout)
    assert match, done.stdout + done.stderr
    assert int(match[1].replace(".", "")) <= 15, done.stdout  # 1.5 of 10


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_documentation_shows_the_files_of_deploy(language: str) -> None:
    page = (ROOT / "docs" / f"deploy.{language}.md").read_text(encoding="utf-8")
    assert "deploy/checkout.service" in page
    assert "deploy/Caddyfile" in page
    assert f"```\n{(DEPLOY / 'Caddyfile').read_text()}```" in page
    for name in ("nginx.conf", "nginx-subpath.conf"):  # without the words on where to put them
        _, _, rest = (DEPLOY / name).read_text().partition("\n\n" if name == "nginx.conf" else "or not.\n")
        assert f"```nginx\n{rest}```" in page


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-subpath.conf"])
def test_behind_nginx_a_download_that_is_taken_slowly_fills_no_disk(name: str) -> None:
    """nginx's default keeps up to 1 GB of each answer in a file: of one bought file, asked for again and again, too."""
    assert "    proxy_max_temp_file_size 0;\n" in (DEPLOY / name).read_text()


def test_nginx_lets_certbot_renew_takes_the_new_certificate_and_closes_the_figures(tmp_path: Path) -> None:
    """The whole file, with its server on port 80. Checkout itself is down."""
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if nginx is None:
        skip_or_fail("nginx", "there is no nginx to stand behind")
    assert nginx
    authority, plain, secure = certificates.authority(tmp_path), free_port(), free_port()
    certificate, key = (Path(file) for file in authority.issue(tmp_path, "127.0.0.1"))
    (tmp_path / ".well-known" / "acme-challenge").mkdir(parents=True)
    (tmp_path / ".well-known" / "acme-challenge" / "token").write_text("proof")
    config = _nginx_here(tmp_path, plain, secure, certificate, key)
    with (tmp_path / "nginx.log").open("wb") as log:
        command = [nginx, "-p", str(tmp_path), "-c", str(config), "-g", "daemon off;"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(secure, process, tmp_path / "nginx.log")
        assert ask(f"http://127.0.0.1:{plain}/.well-known/acme-challenge/token").text == "proof"
        moved = ask(f"http://127.0.0.1:{plain}/appHeart?t=1")
        assert (moved.status, moved.headers["Location"]) == (301, "https://127.0.0.1/appHeart?t=1")
        wire = to_server(f"https://127.0.0.1:{secure}", trust=str(authority.file))
        for spelling in ("/metrics", "/%6detrics", "/./metrics", "/pay/../metrics"):
            assert wire("GET", spelling, {}, b"").status == 404, spelling
        assert wire("GET", "/healthz", {}, b"").status == 502
        renewed, renewed_key = (Path(file) for file in authority.issue(tmp_path, "127.0.0.1"))
        renewed.replace(certificate)
        renewed_key.replace(key)
        process.send_signal(signal.SIGHUP)  # what systemctl reload nginx does
        _wait_for_certificate(secure, certificate.read_text())
    finally:
        process.terminate()
        process.wait(timeout=60)


def _nginx_here(folder: Path, plain: int, secure: int, certificate: Path, key: Path) -> Path:
    """A configuration with deploy/nginx.conf in it, in which only names, ports and paths are changed."""
    text = (DEPLOY / "nginx.conf").read_text()
    changes = {
        "    listen [::]:80;\n": "", "    listen [::]:443 ssl;\n": "", "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;", "pay.example.com;": "127.0.0.1;",
        "/var/www/html": str(folder), "/var/log/nginx": str(folder), "127.0.0.1:8000": f"127.0.0.1:{free_port()}",
        "/etc/letsencrypt/live/pay.example.com/fullchain.pem": str(certificate),
        "/etc/letsencrypt/live/pay.example.com/privkey.pem": str(key),
    }  # fmt: skip
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    temp = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy"))
    user = "user root;" if os.geteuid() == 0 else ""  # who may read the test's folder
    config = folder / "nginx.conf"
    config.write_text(
        f"{user} pid {folder}/pid; error_log {folder}/error.log; events {{}}\nhttp {{ {temp}\n{text}\n}}\n"
    )
    return config


def _wait_for_certificate(port: int, expected: str) -> None:
    for _ in range(1000):
        with suppress(OSError):
            if ssl.get_server_certificate(("127.0.0.1", port), timeout=10).strip() == expected.strip():
                return
        time.sleep(0.05)
    raise AssertionError("the certificate from before is served still")


def test_caddy_serves_https_forwards_the_buyer_and_closes_the_figures(tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        skip_or_fail("caddy", "there is no caddy to stand behind (apt install caddy)")
    assert caddy
    authority, port = certificates.authority(tmp_path), free_port()
    certificate, key = authority.issue(tmp_path, "127.0.0.1")
    public = f"https://127.0.0.1:{port}"
    with serving(tmp_path, base_url=public, trusted_proxies="127.0.0.1") as backend:
        text = (
            (DEPLOY / "Caddyfile")
            .read_text()
            .replace("pay.example.com {", f"127.0.0.1:{port} {{\n\ttls {certificate} {key}")
        )
        text = text.replace("127.0.0.1:8000", backend.removeprefix("http://"))
        config = tmp_path / "Caddyfile"
        config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
        environ = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = [caddy, "run", "--config", str(config), "--adapter", "caddyfile"]
        with (tmp_path / "caddy.log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log, env=environ)
        try:
            wire = to_server(public, trust=str(authority.file))
            _wait_for(port, process, tmp_path / "caddy.log")
            assert wire("GET", "/healthz", {}, b"").status == 200
            assert wire("GET", "/metrics", {}, b"").status == 404
            with suppress(OSError, HTTPException):  # it may hang up before it has heard all
                reply = wire("POST", "/createOrder", {"Content-Type": "text/plain"}, b"x" * 2_000_000)
                assert reply.status in (400, 413, 502)  # 502: Checkout hung up first
            reply = wire("POST", "/admin/sign-in?lang=en", {"Content-Type": "text/plain"}, b"x" * 2_000_000)
            assert "What was sent is too large" in reply.body.decode()  # says the page itself
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:

    for _ in range(500):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(log.read_text())
