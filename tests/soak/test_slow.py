"""A crowd of clients that keep their connections and say little stops nobody else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import proxies
from tests.servers import CHECKOUT, serving
from tests.soak import slow

EACH, SECONDS = 150, 4
PATIENCE_S = 25  # of a busy machine; who had to wait for a slow client would wait for 30 s or for ever


def test_the_bare_server_answers_among_slow_clients(tmp_path: Path) -> None:
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (_, url):
        report = slow.run(urlsplit(url).port or 0, each=EACH, seconds=SECONDS, patience_s=PATIENCE_S)
    assert report.answered == report.probes
    assert report.held > EACH


@pytest.mark.parametrize("kind", proxies.KINDS)
def test_the_server_behind_the_documented_proxy_answers_too(tmp_path: Path, kind: str) -> None:
    proxies.required(kind)
    with (
        serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (_, url),
        proxies.before(kind, tmp_path, url) as port,
    ):
        report = slow.run(port, each=EACH, seconds=SECONDS, patience_s=PATIENCE_S)
    assert report.answered == report.probes
    assert report.held > EACH
