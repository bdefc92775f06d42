"""Money goes the same road whatever the database: every journey is made on both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.server import KINDS, Place, placed


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """For a server that several tests share; others take `database`."""
    with placed(request.param, tmp_path_factory.mktemp("place")) as place:
        yield place
