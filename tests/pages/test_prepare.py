"""What workers load before they are forked need not be loaded by each of them."""

from __future__ import annotations

import pytest
from jinja2 import Environment

from checkout import pages
from checkout.pages import language
from tests.pages.shop import opened, settled
from tests.world import World


def test_pages_that_were_prepared_load_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order, paid = opened(world, "A"), settled(world, opened(world, "B"))
    pages.prepare(world.app)

    def load(*_: object, **__: object) -> object:
        raise AssertionError("Something is loaded for a page.")

    monkeypatch.setattr(Environment, "compile", load)
    monkeypatch.setattr(language, "GNUTranslations", load)
    for tag in language.LANGUAGES:
        for path in (f"/pay/{order.token}", f"/pay/{order.token}/help", f"/pay/{paid.token}", "/"):
            assert world.client.get(path, headers={"Accept-Language": tag}).status_code == 200, path
        assert world.client.get(f"/pay/{'0' * 32}", headers={"Accept-Language": tag}).status_code == 404
