"""Versions: what the program calls itself stands in the changelog, and what comes next has a place there."""

from __future__ import annotations

import re

from checkout import __version__
from tests.servers import ROOT

TITLE = re.compile(r"(?m)^## (.+)$")
RELEASED = re.compile(r"(\d+\.\d+\.\d+) \((\d{4}-\d{2}-\d{2})\)")


def test_the_changelog_begins_with_what_is_unreleased_and_goes_back_in_time() -> None:
    first, *released = TITLE.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert first == "Unreleased"
    found = [match for match in map(RELEASED.fullmatch, released) if match]
    assert len(found) == len(released)
    versions = [tuple(map(int, match[1].split("."))) for match in found]
    assert versions == sorted(versions, reverse=True)
    assert [match[2] for match in found] == sorted((match[2] for match in found), reverse=True)


def test_the_version_is_semantic_and_no_older_than_the_changelog() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    released = RELEASED.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert not released or __version__ >= released[0][0]
