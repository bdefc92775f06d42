"""What is fetched or compiled rather than committed: the local copy of htmx, the gettext catalogues.

`./dev` runs this file as a script; hatchling calls `get_build_hook`, so that wheels hold both. The pinned
hash is the one that the checkout page names in its `integrity` attribute (https://www.w3.org/TR/SRI/).
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

HTMX_VERSION = "2.0.11"
HTMX_INTEGRITY = "sha384-2OatzQy1H+Zd/IIrjr1TcuDGqLXeHhbooAyJY1KdQMKnr4LZ22k31GBLdYKHmVjg"
HTMX_MEMBER = "package/dist/htmx.min.js"
MAX_TARBALL = 8 * 1024 * 1024

RESOURCES = ("templates", "static", "translations", "deploy")


class BuildError(Exception):
    """Something cannot be fetched or compiled; the message is one sentence for a person."""


def fetch_htmx(root: Path, registry: str = "", timeout: int = 20) -> Path:
    """Return the local copy of htmx below `root`; fetch it from an npm registry if missing or damaged.

    `registry` is a base address such as https://registry.npmmirror.com; empty means CHECKOUT_NPM_REGISTRY
    or npm's own. `timeout` is in seconds for each read. Raises BuildError; a file with another hash is
    never written.
    """
    target = root / "static" / "vendor" / f"htmx-{HTMX_VERSION}.min.js"
    if target.is_file() and _integrity(target.read_bytes()) == HTMX_INTEGRITY:
        return target
    registry = registry or os.environ.get("CHECKOUT_NPM_REGISTRY") or "https://registry.npmjs.org"
    url = f"{registry.rstrip('/')}/htmx.org/-/htmx.org-{HTMX_VERSION}.tgz"
    script = _member(_download(url, timeout), url)
    if _integrity(script) != HTMX_INTEGRITY:
        raise BuildError(f"{HTMX_MEMBER} from {url} has the hash {_integrity(script)}, not {HTMX_INTEGRITY}.")
    _write(target, script)
    return target


def compile_catalogues(root: Path) -> list[Path]:
    """Compile each translations/*/LC_MESSAGES/*.po that is newer than its .mo; return those made."""
    made = []
    for source in sorted((root / "translations").glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime_ns < source.stat().st_mtime_ns:
            _write(target, _compiled(source))
            made.append(target)
    return made


def get_build_hook() -> type[Any]:
    """Return the hook class: the name that hatchling looks for; `./dev` runs this file without hatchling."""
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class Resources(BuildHookInterface[Any]):
        """Put templates, static, translations and deploy into the wheel as checkout/<name>."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if version == "editable":
                return
            root = Path(self.root)
            fetch_htmx(root)
            compile_catalogues(root)
            if self.target_name == "wheel":
                found = [name for name in RESOURCES if (root / name).is_dir()]
                build_data["force_include"].update({name: f"checkout/{name}" for name in found})

    return Resources


def _integrity(content: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def _download(url: str, timeout: int) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise BuildError(f"CHECKOUT_NPM_REGISTRY must be an http(s) address, not {url}.")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 (scheme checked above)
            content: bytes = answer.read(MAX_TARBALL + 1)
    except (OSError, ValueError) as error:
        raise BuildError(f"{url} could not be fetched ({error}).") from error
    if len(content) > MAX_TARBALL:
        raise BuildError(f"{url} is larger than {MAX_TARBALL} bytes.")
    return content


def _member(tarball: bytes, url: str) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
            member = archive.extractfile(HTMX_MEMBER)
            return member.read(MAX_TARBALL) if member else b""
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise BuildError(f"{url} is not the package it should be ({error}).") from error


def _compiled(source: Path) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import PoFileError, read_po

    try:
        with source.open("rb") as file:
            catalogue = read_po(file, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise BuildError(f"{source} is not a valid catalogue ({error}).") from error
    for message, faults in catalogue.check():
        raise BuildError(f"{source}, line {message.lineno}: {faults[0]}.")
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    return compiled.getvalue()


def _write(target: Path, content: bytes) -> None:
    # Renamed into place, so that nobody ever serves half a file.
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(target)


def main() -> int:
    """Prepare a source tree. A missing htmx is a warning: the CDN has it, and pages work without it."""
    root = Path(__file__).resolve().parent
    try:
        fetch_htmx(root, timeout=10)
    except BuildError as error:
        print(f"Warning: no local copy of htmx, pages depend on its CDN. {error}", file=sys.stderr)
    try:
        compile_catalogues(root)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
