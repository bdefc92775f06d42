"""The catalogues are compiled, as `./dev` would have done."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatch_build import compile_catalogues


@pytest.fixture(scope="session", autouse=True)
def catalogues() -> None:
    compile_catalogues(Path(__file__).resolve().parents[2])
