"""The notes of a release: what changed, and what the files are and cost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from release import binary, notes


def test_they_begin_with_the_newest_section_of_the_changelog_alone() -> None:
    changelog = (
        "# Changelog\n\nWords.\n\n## 1.1.0 (2027-01-01)\n\n### Buyers\n\n- New.\n\n## 1.0.0 (2026-12-01)\n\n- Old.\n"
    )
    assert notes.newest(changelog) == "## 1.1.0 (2027-01-01)\n\n### Buyers\n\n- New."


def test_a_program_is_told_with_its_size_start_memory_and_hash(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "STARTS", 1)
    told = notes.described(program)
    for pattern in (
        r"glibc ≥ 2\.\d+",
        r"size: \d+\.\d MB",
        r"start: \d+\.\d\d s ",
        r"memory: \d+ MB",
        r"SHA-256 `[0-9a-f]{64}`",
    ):
        assert re.search(pattern, told), told


def test_a_file_that_is_no_program_is_told_with_its_hash_alone(tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    wheel.write_bytes(b"PK")
    assert re.fullmatch(r"\* \*\*some\.whl\*\*\\\n  SHA-256 `[0-9a-f]{64}`", notes.described(wheel))


@pytest.mark.parametrize(("header", "machine"), [(62, "x86-64"), (183, "arm64"), (8, "")])
def test_the_processor_is_read_from_the_program_itself(header: int, machine: str) -> None:
    assert notes.machine_of(b"\x7fELF" + bytes(14) + header.to_bytes(2, "little") + bytes(44)) == machine
