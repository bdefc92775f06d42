"""What deploy/ holds for servers: the unit, and Caddy in front."""

from __future__ import annotations

import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from checkout import install
from checkout.server import serve
from tests import certificates, proxies
from tests.clients.wire import to_server
from tests.conftest import skip_or_fail
from tests.journeys.server import placed, serving
from tests.proxies import DEPLOY
from tests.servers import ROOT, ask, free_port


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
    proxies.required("nginx")
    authority, plain, secure = certificates.authority(tmp_path), free_port(), free_port()
    certificate, key = (Path(file) for file in authority.issue(tmp_path, "127.0.0.1"))
    (tmp_path / ".well-known" / "acme-challenge").mkdir(parents=True)
    (tmp_path / ".well-known" / "acme-challenge" / "token").write_text("proof")
    down, tls = f"http://127.0.0.1:{free_port()}", (str(certificate), str(key))
    site = proxies.nginx_site(tmp_path, secure, down, tls, plain)
    with proxies.nginx(tmp_path, site, secure) as process:
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


def _wait_for_certificate(port: int, expected: str) -> None:
    for _ in range(1000):
        with suppress(OSError):
            if ssl.get_server_certificate(("127.0.0.1", port), timeout=10).strip() == expected.strip():
                return
        time.sleep(0.05)
    raise AssertionError("the certificate from before is served still")


@pytest.mark.parametrize("kind", proxies.KINDS)
def test_the_documented_proxies_keep_their_connections(tmp_path: Path, kind: str) -> None:
    proxies.required(kind)
    clients: set[tuple[str, int]] = set()

    class Backend(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            clients.add(self.client_address)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        threading.Thread(target=server.serve_forever).start()
        with proxies.before(kind, tmp_path, f"http://127.0.0.1:{server.server_address[1]}") as port:
            clients.clear()  # of who looked whether all was there
            for _ in range(20):
                assert ask(f"http://127.0.0.1:{port}/").status == 204
        server.shutdown()
    assert len(clients) <= 2  # nginx has two processes on two CPUs, and each keeps its own


def test_the_server_keeps_idle_connections_for_longer_than_the_documented_proxies() -> None:
    """What a proxy sends into a connection that is being closed is lost, and a POST is not sent again."""
    assert "keepalive" not in (DEPLOY / "Caddyfile").read_text()  # Caddy's own is 120 seconds
    assert "keepalive_timeout" not in (DEPLOY / "nginx.conf").read_text()  # nginx's own is 60
    assert serve.OPTIONS["keepalive"] >= 130


def test_caddy_serves_https_forwards_the_buyer_and_closes_the_figures(tmp_path: Path) -> None:
    proxies.required("caddy")
    authority, port = certificates.authority(tmp_path), free_port()
    tls, public = authority.issue(tmp_path, "127.0.0.1"), f"https://127.0.0.1:{port}"
    with (
        placed("sqlite", tmp_path) as place,
        serving(place, base_url=public, trusted_proxies="127.0.0.1") as backend,
        proxies.caddy(tmp_path, proxies.caddy_site(port, backend, tls), port),
    ):
        wire = to_server(public, trust=str(authority.file))
        assert wire("GET", "/healthz", {}, b"").status == 200
        assert wire("GET", "/metrics", {}, b"").status == 404
        with suppress(OSError, HTTPException):  # it may hang up before it has heard all
            reply = wire("POST", "/createOrder", {"Content-Type": "text/plain"}, b"x" * 2_000_000)
            assert reply.status in (400, 413, 502)  # 502: Checkout hung up first
        reply = wire("POST", "/admin/sign-in?lang=en", {"Content-Type": "text/plain"}, b"x" * 2_000_000)
        assert "What was sent is too large" in reply.body.decode()  # says the page itself
