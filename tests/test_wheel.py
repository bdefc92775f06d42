"""A wheel that is built twice, in other folders, at other times and by somebody with other habits, is the same."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from release import wheel
from tests.conftest import skip_or_fail

WHEN = "1790000000"


@pytest.fixture(scope="module")
def sources() -> list[str]:
    if shutil.which("git") is None or not (wheel.ROOT / ".git").exists():
        skip_or_fail("git", "no git here")
    return [name for name in wheel.kept(wheel.ROOT) if not name.startswith(("tests/", "docs/", "bench/", "examples/"))]


def test_two_builds_in_different_folders_are_the_same_to_the_byte(tmp_path: Path, sources: list[str]) -> None:
    built = []
    for folder, mask in (("a", 0o022), ("another/deeper", 0o077)):
        former = os.umask(mask)
        try:
            names = sources if folder == "a" else sources[::-1]
            wheel.copy(wheel.ROOT, tmp_path / folder, names)
            built.append(wheel.build(tmp_path / folder, WHEN))
        finally:
            os.umask(former)
    assert built[0].name == built[1].name
    assert built[0].read_bytes() == built[1].read_bytes()


def test_the_wheel_holds_what_the_program_needs_and_no_absolute_path(tmp_path: Path, sources: list[str]) -> None:
    wheel.copy(wheel.ROOT, tmp_path, sources)
    with zipfile.ZipFile(wheel.build(tmp_path, WHEN)) as archive:
        names = archive.namelist()
        content = b"".join(archive.read(name) for name in names)
    for name in (
        "checkout/server/serve.py",
        "checkout/templates/pay.html",
        "checkout/translations/zh_CN/LC_MESSAGES/messages.mo",
    ):
        assert name in names
    assert any(name.startswith("checkout/static/vendor/htmx-") for name in names)
    assert not any("__pycache__" in name or name.startswith("tests") for name in names)
    assert str(tmp_path).encode() not in content
    assert str(wheel.ROOT).encode() not in content
