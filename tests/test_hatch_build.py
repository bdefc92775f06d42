"""What is fetched or compiled at build time, against a registry on loopback."""

from __future__ import annotations

import gettext
import io
import os
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

import hatch_build
from hatch_build import BuildError, compile_catalogues, fetch_htmx
from tests.conftest import skip_or_fail

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = b"/* htmx */"
CATALOGUE = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Pay %(amount)s"
msgstr "支付 %(amount)s"
"""


class Registry:
    """An npm registry that answers every request with `status` and `body`, and counts them."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200
        self.body = tarball(SCRIPT)
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.paths.append(self.path)
                self.send_response(registry.status)
                self.send_header("Content-Length", str(len(registry.body)))
                self.end_headers()
                self.wfile.write(registry.body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/npm/"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry whose package holds SCRIPT, and SCRIPT as the pinned file."""
    made = Registry()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(hatch_build, "HTMX_INTEGRITY", hatch_build._integrity(SCRIPT))
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def tarball(script: bytes, name: str = "package/dist/htmx.min.js") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(script)
        archive.addfile(member, io.BytesIO(script))
    return packed.getvalue()


def test_htmx_is_fetched_once_from_the_registry_that_is_named(tmp_path: Path, registry: Registry) -> None:
    path = fetch_htmx(tmp_path, registry.url)
    assert path == tmp_path / "static/vendor/htmx-2.0.11.min.js"
    assert path.read_bytes() == SCRIPT
    assert fetch_htmx(tmp_path, registry.url) == path
    assert registry.paths == ["/npm/htmx.org/-/htmx.org-2.0.11.tgz"]


def test_a_variable_names_another_registry(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_NPM_REGISTRY", registry.url)
    assert fetch_htmx(tmp_path).read_bytes() == SCRIPT


def test_a_damaged_copy_is_fetched_again(tmp_path: Path, registry: Registry) -> None:
    fetch_htmx(tmp_path, registry.url).write_bytes(b"/* other */")
    assert fetch_htmx(tmp_path, registry.url).read_bytes() == SCRIPT


@pytest.mark.parametrize(
    "body",
    [tarball(SCRIPT + b" "), tarball(SCRIPT, "package/other.js"), b"", b"<html>", tarball(SCRIPT)[:80]],
    ids=["other content", "no such file", "empty", "a page", "cut off"],
)
def test_anything_but_the_pinned_file_is_refused_and_not_written(
    tmp_path: Path, registry: Registry, body: bytes
) -> None:
    registry.body = body
    with pytest.raises(BuildError, match=r"htmx\.org-2\.0\.11\.tgz"):
        fetch_htmx(tmp_path, registry.url)
    assert not any(tmp_path.iterdir())


def test_a_registry_that_refuses_or_is_away_is_named(tmp_path: Path, registry: Registry) -> None:
    registry.status = 503
    with pytest.raises(BuildError, match=rf"^{registry.url}htmx.* could not be fetched .*503"):
        fetch_htmx(tmp_path, registry.url)
    with pytest.raises(BuildError, match="could not be fetched"):
        fetch_htmx(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(BuildError, match=r"must be an http\(s\) address"):
        fetch_htmx(tmp_path, "file:///etc")


def test_the_pages_pin_the_same_version_and_hash() -> None:
    for page in (ROOT / "templates").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"htmx\.org@([0-9.]+[0-9])", text)) <= {hatch_build.HTMX_VERSION}
        assert set(re.findall(r"sha384-[A-Za-z0-9+/=]+", text)) <= {hatch_build.HTMX_INTEGRITY}


def test_a_catalogue_is_compiled_when_it_is_newer(tmp_path: Path) -> None:
    source = tmp_path / "translations/zh_Hans_CN/LC_MESSAGES/messages.po"
    source.parent.mkdir(parents=True)
    source.write_text(CATALOGUE, encoding="utf-8")
    assert compile_catalogues(tmp_path) == [source.with_suffix(".mo")]
    with source.with_suffix(".mo").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Pay %(amount)s") == "支付 %(amount)s"
    assert compile_catalogues(tmp_path) == []
    later = source.with_suffix(".mo").stat().st_mtime + 10
    os.utime(source, (later, later))
    assert compile_catalogues(tmp_path) == [source.with_suffix(".mo")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("msgstr[\n", r"messages\.po is not a valid catalogue"),
        (
            '#, python-format\nmsgid "Pay %(amount)s"\nmsgstr "支付 %(sum)s"\n',
            r"messages\.po, line 2: unknown",
        ),
    ],
    ids=["syntax", "placeholder"],
)
def test_a_faulty_catalogue_is_named_and_not_compiled(tmp_path: Path, text: str, fault: str) -> None:
    source = tmp_path / "translations/en/LC_MESSAGES/messages.po"
    source.parent.mkdir(parents=True)
    source.write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=fault):
        compile_catalogues(tmp_path)
    assert list(source.parent.iterdir()) == [source]


def test_a_wheel_holds_templates_and_static_files_inside_the_package(tmp_path: Path) -> None:
    if not any((ROOT / "static/vendor").glob("htmx-*.min.js")):
        skip_or_fail("browser", "the local copy of htmx is missing (./dev fetches it)")
    command = [executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("checkout_qr-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("templates", "static"):
        expected = {f"checkout/{path.relative_to(ROOT)}" for path in files(ROOT / folder)}
        assert expected <= held
    assert f"checkout/static/vendor/htmx-{hatch_build.HTMX_VERSION}.min.js" in held
    assert "checkout/py.typed" in held
    assert not any(name.startswith(("tests/", "bench/", "data/")) for name in held)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
