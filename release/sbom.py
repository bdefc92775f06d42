"""./dev sbom: the bill of materials (CycloneDX 1.6, JSON), alike to the byte for the same packages.

Of a server from the lock: its packages. Of the one-file program: the packages that it carries, the interpreter, and the
libraries inside of them, with the versions that are written in the program's files or that the same packages say here;
shared libraries that say no version are named all the same.
"""

from __future__ import annotations

import json
import platform
import re
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

ROOT = Path(__file__).resolve().parent.parent
PROGRAM, BILL = ROOT / "dist" / "checkout", ROOT / "dist" / "checkout.cdx.json"
_PINNED = re.compile(r"(?m)^([\w.-]+)==[^\n]*(?:\n    --hash[^\n]*)*")
_SO = re.compile(r"(lib[\w+]+?)(?:-[0-9a-f]{8})?(?:-[\d.]+)?\.so[.\d]*")

Json = dict[str, Any]


class Part(NamedTuple):
    """A library inside a package; `within` carries it, `files` are the shared libraries that it is."""

    name: str
    version: str
    within: str
    files: tuple[str, ...] = ()


def main() -> int:
    arguments = [one for one in sys.argv[1:] if one != "--program"]
    target = Path(arguments[0] if arguments else "sbom.json")
    if "--program" not in sys.argv:
        return 0 if write(packages(), target) else 1
    if not PROGRAM.is_file():
        print("./dev sbom: there is no dist/checkout; ./dev binary builds it.", file=sys.stderr)
        return 1
    return 0 if write(of_program(PROGRAM), target) else 1


def write(bill: Json, target: Path) -> bool:
    """Whether it is a valid bill; an invalid one is written nowhere."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = json.dumps(bill, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        print(f"./dev sbom: the bill is not valid: {str(fault)[:400]}", file=sys.stderr)
        return False
    target.write_text(text, encoding="utf-8")
    return True


def packages(requirements: Path = ROOT / "requirements.txt") -> Json:
    """The bill of what a lock names, with the hashes."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(requirements), "--sv", "1.6", "-o", "-"]
    more = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
    done = subprocess.run([*command, *more], check=True, capture_output=True, text=True)
    found: Json = json.loads(done.stdout)
    return found


def of_program(program: Path) -> Json:
    """The bill of the one-file program: packages, interpreter, libraries."""
    return bill_of(*contents(program))


def bill_of(modules: set[str], files: dict[str, bytes]) -> Json:
    """As `contents` gives them."""
    carried = distributions(modules)
    locked = {normal(one[1]): one[0] for one in _PINNED.finditer((ROOT / "requirements-dev.txt").read_text())}
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "program.txt"
        chosen.write_text("".join(f"{locked[name]}\n" for name in sorted(carried | {"pyinstaller"})))
        bill = packages(chosen)
    for one in bill["components"]:
        one["bom-ref"] = one["purl"]
        del one["description"]
    parts = sorted({*_interpreter(files), *_of_packages(), *_of_wheels(carried)})
    parts += _untold(set(files), {file for part in parts for file in part.files})
    bill["components"] += [_component(part) for part in parts]
    bill["dependencies"] = [{"ref": one["bom-ref"]} for one in bill["components"]]
    return bill


def contents(program: Path) -> tuple[set[str], dict[str, bytes]]:
    """(the packages and modules, the binary files by their path) that it carries."""
    from PyInstaller.archive.readers import CArchiveReader  # type: ignore[import-untyped]

    archive = CArchiveReader(str(program))
    files = {name: archive.extract(name) for name, entry in archive.toc.items() if entry[-1] == "b"}
    inside = archive.open_embedded_archive("PYZ.pyz").toc
    return {name.partition(".")[0] for name in inside} | {name.partition("/")[0] for name in files}, files


def distributions(modules: set[str]) -> set[str]:
    """The packages, in their normal names, that these modules are from; the interpreter's own are from none."""
    known = metadata.packages_distributions()
    return {normal(one) for name in modules for one in known.get(name, ())} - {"checkout-qr"}


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _interpreter(files: dict[str, bytes]) -> Iterator[Part]:
    """As the files say, which may be from another system than this; what is inside of Python, as it says here."""
    import decimal

    version = _said(files, "libpython", rb"(?<![\d.])(3\.\d+\.\d+)\0", platform.python_version())
    python, library = f"Python {version}", f"libpython{version.rpartition('.')[0]}"
    yield Part("python", version, "", (library,))
    for name, pattern, here, names in (
        ("openssl", rb"OpenSSL (\d+\.\d+\.\d+\w*) +\d", ssl.OPENSSL_VERSION.split()[1], ("libcrypto", "libssl")),
        ("sqlite", rb"(?<![\d.])(3\.\d+\.\d+)\0", sqlite3.sqlite_version, ("libsqlite3",)),
        ("zlib", rb" deflate (\d+\.\d+[.\d]*) ", zlib.ZLIB_RUNTIME_VERSION, ("libz",)),
        ("bzip2", rb"(?<![\d.])(1\.\d+\.\d+), \d+-", "", ("libbz2",)),
        ("xz", rb"(?<![\d.])(5\.\d+\.\d+)\0", "", ("liblzma",)),
    ):
        yield Part(name, _said(files, names[0], pattern, here), python, names)
    yield Part("expat", expat.EXPAT_VERSION.removeprefix("expat_"), python, ("libexpat",))
    yield Part("libmpdec", str(getattr(decimal, "__libmpdec_version__", "")), python, ("libmpdec",))


def _said(files: dict[str, bytes], library: str, pattern: bytes, here: str) -> str:
    """The version that is written in a library of the system (packages carry theirs in folders of their own), "" where
    none is found; `here` where Python was built with the library inside."""
    for name, content in files.items():
        if "/" not in name and name.startswith(library):
            found = re.search(pattern, content)
            return found[1].decode() if found else ""
    return here


def _of_packages() -> Iterator[Part]:
    """What lxml, Pillow and psycopg tell of what is in them."""
    from lxml import etree
    from PIL import features
    from psycopg import pq

    yield Part("libxml2", ".".join(map(str, etree.LIBXML_VERSION)), "lxml", ("libxml2",))
    yield Part("libxslt", ".".join(map(str, etree.LIBXSLT_VERSION)), "lxml", ("libxslt", "libexslt"))
    for name, feature, file in (
        ("libjpeg-turbo", "libjpeg_turbo", "libjpeg"), ("zlib-ng", "zlib_ng", "libz_ng"),
        ("libtiff", "libtiff", "libtiff"),
        ("openjpeg", "jpg_2000", "libopenjp2"), ("libwebp", "webp", "libwebp"),
    ):  # fmt: skip
        yield Part(name, str(features.version(feature) or ""), "pillow", (file,))
    version = pq.version()
    yield Part("libpq", f"{version // 10_000}.{version % 10_000}", "psycopg-binary", ("libpq",))
    for path in _files_of("psycopg-binary", r"libcrypto-.*\.so\.3"):
        found = re.search(rb"OpenSSL (3\.\d+\.\d+)", path.read_bytes())
        yield Part("openssl", found[1].decode() if found else "", "psycopg-binary", ("libssl", "libcrypto"))


def _of_wheels(carried: set[str]) -> Iterator[Part]:
    """What the wheels' own bills name (PEP 770): Rust crates, libraries of the system that they were built on."""
    for package in sorted(carried):
        for path in _files_of(package, r".*\.dist-info/sboms/.*\.json"):
            for one in json.loads(path.read_text(encoding="utf-8")).get("components", []):
                if str(one.get("purl", "")).startswith(("pkg:cargo/", "pkg:rpm/", "pkg:apk/", "pkg:deb/")):
                    yield Part(one["name"], one.get("version", ""), package)


def _files_of(package: str, wanted: str) -> list[Path]:
    return [Path(str(one.locate())) for one in metadata.files(package) or [] if re.search(f"{wanted}$", str(one))]


def _untold(files: set[str], told: set[str]) -> Iterator[Part]:
    """The shared libraries that no part is: their files, without a version."""
    names = sorted(name for file in files if is_library(name := file.rpartition("/")[2]))
    for library in sorted({soname(name) for name in names} - told):
        yield Part(library, "", "shared libraries", tuple(name for name in names if soname(name) == library))


def _component(part: Part) -> Json:
    component = {
        "type": "library",
        "name": part.name,
        "bom-ref": f"{part.within or 'program'}#{part.name}@{part.version}",
    }
    if part.version:
        component |= {"version": part.version, "purl": f"pkg:generic/{part.name}@{part.version}"}
    told = [("checkout:within", part.within), *(("checkout:file", file) for file in part.files)]
    return component | {"properties": [{"name": name, "value": value} for name, value in told if value]}


def is_library(file: str) -> bool:
    """Whether it is a shared library; modules of Python's are no libraries."""
    return _SO.fullmatch(file) is not None


def soname(file: str) -> str:
    """libssl-6a9b88ec.so.3 → libssl."""
    found = _SO.fullmatch(file)
    return found[1] if found else file


if __name__ == "__main__":
    sys.exit(main())
