"""The bill of the one-file program holds all that is in the file."""

from __future__ import annotations

import json
from pathlib import Path

from release import sbom


def test_every_package_and_shared_library_of_the_program_is_in_its_bill(program: Path) -> None:
    bill = sbom.of_program(program)
    told = json.dumps(bill)
    modules, files = sbom.contents(program)
    assert {"checkout", "flask", "psycopg_binary", "sqlite3"} <= modules
    for name in sorted(sbom.distributions(modules)):
        assert f'"name": "{name}"' in told, name
    properties = {one["value"] for part in bill["components"] for one in part.get("properties", [])}
    libraries = [name for file in files if sbom.is_library(name := file.rpartition("/")[2])]
    assert libraries
    assert [name for name in libraries if not {name, sbom.soname(name)} & properties] == []


def test_the_bill_beside_the_program_is_this_one(program: Path, tmp_path: Path) -> None:
    beside = program.with_name("checkout.cdx.json")
    if program == sbom.PROGRAM:  # built here and now
        assert sbom.write(sbom.of_program(program), tmp_path / "bill.json")
        assert beside.read_bytes() == (tmp_path / "bill.json").read_bytes()
