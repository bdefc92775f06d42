"""The same life on a real PostgreSQL, a shorter one: every step there waits for another program."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

from tests.conftest import postgres_server
from tests.model.test_life import STEPS, STEPS_EACH, Life


class LifeOnPostgres(Life):
    def new_database(self) -> str:
        return postgres_server().emptied()


LifeOnPostgres.TestCase.settings = settings(
    max_examples=max(1, STEPS // STEPS_EACH // 40), stateful_step_count=STEPS_EACH, deadline=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
TestLifeOnPostgres = LifeOnPostgres.TestCase
