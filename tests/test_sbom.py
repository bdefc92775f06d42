"""The bill of materials names what a server runs, and what it was checked against; that of the one-file program also
the interpreter and the libraries inside."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from release import sbom
from tests.servers import ROOT


def test_the_bill_of_materials_holds_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    done = subprocess.run([ROOT / "dev", "sbom", tmp_path / "sbom.json"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bill = json.loads((tmp_path / "sbom.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = {
        f"{part['name']}=={part['version']}": {
            one["content"] for place in part["externalReferences"] for one in place.get("hashes", [])
        }
        for part in bill["components"]
    }
    locked = re.findall(r"(?m)^([\w.-]+==[\w.]+)((?:.*\n)(?:    --hash.*\n)*)", (ROOT / "requirements.txt").read_text())
    assert len(locked) > 20
    assert found == {name: set(re.findall(r"sha256:([0-9a-f]{64})", hashes)) for name, hashes in locked}


CARRIED = {"Crypto", "PIL", "checkout", "flask", "json", "lxml", "nh3", "psycopg", "psycopg_binary", "sqlite3"}
FILES = {
    "libcrypto.so.1.1": b"..OpenSSL 1.1.1w  11 Sep 2023..",
    "libffi.so.8": b"",
    "liblzma.so.5": b"nothing that is a version",
    "libpython3.11.so.1.0": b"..\x003.11.9\x00",
    "lxml/etree.cpython-311.so": b"",
    "pillow.libs/libjpeg-6dc8d115.so.62.4.0": b"",
    "psycopg_binary.libs/libcrypto-3a0647ea.so.3": b"",
}


@pytest.fixture(scope="module")
def bill() -> sbom.Json:
    """Of a program that carries these."""
    return sbom.bill_of(CARRIED, FILES)


def versions(bill: sbom.Json) -> dict[tuple[str, str], str]:
    """By the name and what carries it."""
    return {
        (one["name"], next((each["value"] for each in one.get("properties", []) if "within" in each["name"]), "")): (
            one.get("version", "")
        )
        for one in bill["components"]
    }


def test_the_programs_bill_names_the_interpreter_and_the_libraries_inside_with_their_versions(bill: sbom.Json) -> None:
    found = {name: version for (name, _), version in versions(bill).items()}
    for name in (
        "libxml2",
        "libxslt",
        "libjpeg-turbo",
        "libpq",
        "zlib",
        "expat",
        "pyo3",
        "pyinstaller",
        "pycryptodome",
    ):
        assert re.match(r"\d+\.\d+", found[name]), name
    assert found["python"] == "3.11.9", "as the program's own file says"
    assert versions(bill)["openssl", "Python 3.11.9"] == "1.1.1w"
    assert versions(bill)["sqlite", "Python 3.11.9"] == sqlite3.sqlite_version, "in the interpreter here"
    assert versions(bill)["openssl", "psycopg-binary"].startswith("3.")
    assert found["xz"] == "", "the file does not say"
    assert "pytest" not in found
    assert "requests" not in found, "what the program does not carry"


def test_a_shared_library_that_says_no_version_is_named_all_the_same(bill: sbom.Json) -> None:
    (found,) = [one for one in bill["components"] if one["name"] == "libffi"]
    assert {"name": "checkout:file", "value": "libffi.so.8"} in found["properties"]
    assert "version" not in found
    assert not [one for one in bill["components"] if one["name"] in ("libjpeg", "libcrypto")], "told by their packages"


def test_the_programs_bill_is_valid_and_alike_each_time(bill: sbom.Json, tmp_path: Path) -> None:
    assert sbom.write(bill, tmp_path / "one.json")
    assert sbom.write(sbom.bill_of(CARRIED, FILES), tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_an_invalid_bill_is_written_nowhere(
    bill: sbom.Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {**bill, "components": [*bill["components"], {"name": "without a type"}]}
    assert not sbom.write(wrong, tmp_path / "bill.json")
    assert not (tmp_path / "bill.json").exists()
    assert "not valid" in capsys.readouterr().err
