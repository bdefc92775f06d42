from __future__ import annotations

import sys
from pathlib import Path

import pytest

from checkout import resources

ROOT = Path(__file__).resolve().parent.parent


def test_a_source_tree_keeps_them_beside_the_package() -> None:
    assert resources.resource_dir("templates") == ROOT / "templates"
    assert resources.resource_dir("static") == ROOT / "static"


def test_an_installed_package_holds_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "checkout"
    (package / "static").mkdir(parents=True)
    (tmp_path / "site-packages" / "static").mkdir()  # another package's
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert resources.resource_dir("static") == package / "static"


def test_the_one_file_program_unpacks_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkout" / "static").mkdir(parents=True)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert resources.resource_dir("static") == tmp_path / "checkout" / "static"


def test_an_incomplete_installation_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "checkout")
    with pytest.raises(FileNotFoundError, match="'templates' is missing"):
        resources.resource_dir("templates")
