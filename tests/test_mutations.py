"""The faults that `./dev mutate` puts in: each is one change of the source, under a name of its own."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from bench import core, mutate
from bench.mutations import mutants, mutated

SOURCE = '''
"""Money: a < b."""

LIMIT = 5


class Till:
    def take(self, db, amount: int = 3) -> bool:
        """Takes it."""
        assert amount < 7
        if amount <= LIMIT and self.is_open:
            self.note(amount, why="taken")
            return amount + 1
        raise ValueError("The till is closed.")


def rows(db, now):
    return db.all("SELECT n FROM t WHERE a <= :now AND b IS NULL ORDER BY n DESC LIMIT :limit", now=now)
'''


def names() -> set[str]:
    return {one.name for one in mutants(SOURCE)}


@pytest.mark.parametrize(
    "name",
    [
        "Till.take: amount <= LIMIT → Lt",
        "Till.take: amount <= LIMIT → Gt",
        "Till.take: amount <= LIMIT and self.is_open → Or",
        "Till.take: amount + 1 → Sub",
        "Till.take: return amount + 1 → return None",
        "Till.take: 'taken' → 'XXtaken'",
        "Till.take: self.note(amount, why='taken') → without why",
        "Till.take: self.note(amount, why='taken') → pass",
        "Till.take: raise ValueError('The till is closed.') → pass",
        "Till.take: 3 → 4",
        "module: 5 → 6",
    ],
)
def test_what_is_compared_added_joined_returned_called_or_constant_is_changed(name: str) -> None:
    assert name in names()


def test_statements_of_sql_are_changed_too() -> None:
    found = {one.split("[")[1].split("]")[0] for one in names() if one.startswith("rows: ") and "[" in one}
    assert found == {"<= → <", "AND → OR", " AND b IS NULL → ", "IS NULL → IS NOT NULL", " DESC → ", " LIMIT :limit → "}


def test_words_for_people_annotations_asserts_and_values_of_sql_stay() -> None:
    text = " ".join(names())
    for word in ("7", "Money", "Takes", "XXThe till", "without now"):
        assert word not in text


def test_each_fault_is_one_change_and_takes_effect_where_it_is_said_to() -> None:
    plain = ast.dump(ast.parse(SOURCE))
    found = mutants(SOURCE)
    trees = [ast.dump(mutated(SOURCE, one.number)) for one in found]
    assert len({one.name for one in found}) == len(set(trees)) == len(found)
    assert plain not in trees
    assert {one.function for one in found} == {"", "Till.take", "rows"}
    assert [one.name for one in found if not one.function] == ["module: 5 → 6", "Till.take: 3 → 4"]


def test_every_core_module_and_its_tests_are_there() -> None:
    for name in (*core.MODULES, *core.TESTS):
        assert Path(name).exists(), name
    for name in core.MODULES:
        source = Path(name).read_text()
        assert len(mutants(source)) == len({one.name for one in mutants(source)}) > 5


def test_what_is_said_to_change_nothing_is_a_fault_of_today() -> None:
    entries = tomllib.loads(mutate.EQUIVALENT.read_text())
    assert not list(mutate.stale(entries))


def test_an_entry_that_fits_no_fault_any_more_is_named() -> None:
    there = next(one.name for one in mutants(Path("checkout/money.py").read_text()))
    entries = {
        "checkout/money.py": {there: "It is there.", "yuan: 1 → 2 of last year": "The code was changed."},
        "checkout/gone.py": {"module: 1 → 2": "The module is gone, or no core one."},
    }
    found = [("checkout/money.py", "yuan: 1 → 2 of last year"), ("checkout/gone.py", "module: 1 → 2")]
    assert list(mutate.stale(entries)) == found


def test_what_survived_what_took_too_long_and_what_was_judged_wrongly_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ends = {"a": "killed", "b": "survived", "c": "uncovered", "d": "timeout", "e": "survived", "f": "killed"}
    results = [{"name": name, "line": "7", "end": end} for name, end in ends.items()]
    assert mutate._report("till.py", results, {"e": "Nobody sees it.", "f": "Nobody sees it."}) == 50
    assert capsys.readouterr().out.splitlines() == [
        "till.py: 50.0 % (2 of 4; 2 change nothing)",
        "  survived 7: b",
        "  uncovered 7: c",
        "  out of time 7: d",
        "  noticed, though bench/equivalent.toml says nobody could 7: f",
    ]
