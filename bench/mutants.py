"""What `./dev mutate` runs in the copy of the tree: `cover` notes which tests come by each line, `sound` sees that none
fails without a fault in such a fork as the faults are put into, `share` runs one share of the faults, `fresh` one fault
that takes effect when its module is imported."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import coverage
import pytest
from _pytest.runner import runtestprotocol

from bench import core
from bench.mutations import Mutant, mutants, mutated

_COVER = Path("mutants-cover.json")
_PATIENCE_S = 20
_MOST_TESTS = 150
_NO_OTHER_CLOCK = "--timeout=0"  # pytest-timeout sets the process's one timer anew for each test, and ours is lost
_MOST_MEMORY = 4 << 30  # bytes of address space: a loop that collects without end stops there, and not the machine


def cover(tests: list[str]) -> None:
    """Runs the files `tests` and writes {"seconds": {test: s}, "lines": {module: {line: [test]}}}."""
    coverer = coverage.Coverage(data_file=None, include=list(core.MODULES), config_file=False)
    contexts = _Contexts(coverer)
    coverer.start()
    status = pytest.main([*core.PYTEST, *tests], plugins=[contexts])
    coverer.stop()
    if status:
        sys.exit("./dev mutate: the tests fail before any fault is put in.")
    data = coverer.get_data()
    lines = {module: data.contexts_by_lineno(str(Path(module).resolve())) for module in core.MODULES}
    _COVER.write_text(json.dumps({"seconds": contexts.seconds, "lines": lines}))


class _Contexts:
    def __init__(self, coverer: coverage.Coverage) -> None:
        self.coverer, self.seconds = coverer, dict[str, float]()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverer.switch_context(item.nodeid)
        began = time.monotonic()
        found = yield
        self.seconds[item.nodeid] = time.monotonic() - began
        self.coverer.switch_context("")
        return found


class _Sound:
    """Instead of the tests: all of them in a fork without a fault. One that fails there would notice every fault."""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        child = os.fork()
        if not child:
            _bound()
            for module in core.MODULES:
                _graft(module, ast.parse(Path(module).read_text()))
            failed = [item.nodeid for item in session.items if _fails(item)]
            print("", *failed, sep="\n", flush=True)
            os._exit(bool(failed))
        if os.waitpid(child, 0)[1]:
            pytest.exit("./dev mutate: these tests fail in a fork without a fault.", returncode=1)
        return True


class _Share:
    """Instead of the tests: every fault of a share, each in a fork."""

    def __init__(self, modules: list[str], only: str, share: int, shares: int) -> None:
        self.modules, self.only, self.share, self.shares = modules, only, share, shares
        self.kills = Counter[str]()
        self.killer = Path(f"mutants-killer-{share}")
        known = json.loads(_COVER.read_text())
        self.seconds: dict[str, float] = known["seconds"]
        self.lines: dict[str, dict[str, list[str]]] = known["lines"]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        with Path(f"mutants-{self.share}.jsonl").open("a") as file:
            for index, (module, mutant) in enumerate(self._faults()):
                if index % self.shares == self.share:
                    end = self._end_of(module, mutant, items)
                    line = {"module": module, "line": mutant.lines.start, "name": mutant.name, "end": end}
                    file.write(json.dumps(line) + "\n")
                    file.flush()
        return True

    def _faults(self) -> Iterator[tuple[str, Mutant]]:
        for module in self.modules:
            for mutant in mutants(Path(module).read_text()):
                if self.only in mutant.name:
                    yield module, mutant

    def _end_of(self, module: str, mutant: Mutant, items: dict[str, pytest.Item]) -> str:
        tests = self._tests(module, mutant)
        if not tests:
            return "uncovered"
        child = os.fork()
        if not child:
            _quiet()
            _bound()
            if not mutant.function:
                self._begin_afresh(module, mutant)
            _graft(module, mutated(Path(module).read_text(), mutant.number))
            os._exit(any(self._fails(items[test]) for test in tests))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status and self.killer.exists():
            self.kills[self.killer.read_text()] += 1
            self.killer.unlink()
        return "timeout" if status == -signal.SIGALRM else "killed" if status else "survived"

    def _begin_afresh(self, module: str, mutant: Mutant) -> None:
        own = [seconds for test, seconds in self.seconds.items() if test.startswith(core.MODULES[module])]
        signal.alarm(_PATIENCE_S + int(10 * sum(own)))
        what = ["fresh", module, str(mutant.number), *core.MODULES[module], *core.SHARED]
        os.execv(sys.executable, [sys.executable, "-m", "bench.mutants", *what])  # noqa: S606

    def _fails(self, item: pytest.Item) -> bool:
        signal.alarm(_PATIENCE_S + int(10 * self.seconds[item.nodeid]))
        failed = _fails(item)
        if failed:
            self.killer.write_text(item.nodeid)
        return failed

    def _tests(self, module: str, mutant: Mutant) -> list[str]:
        """The tests that come by the statement: those that have noticed most first, then those of the module's own
        files, then the quickest; not more than `_MOST_TESTS`: all but the rarest fault needs few. What takes effect
        at import is up to the own files."""
        own, lines = core.MODULES[module], self.lines[module]
        if not mutant.function:
            return list(own)
        found = {test for line in mutant.lines for test in lines.get(str(line), ()) if test}
        return sorted(found, key=lambda test: (-self.kills[test], _place(test, own), self.seconds[test]))[:_MOST_TESTS]


def _fails(item: pytest.Item) -> bool:
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _place(test: str, files: tuple[str, ...]) -> int:
    return next((place for place, file in enumerate(files) if test.startswith(file)), len(files))


def _quiet() -> None:
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


def _graft(module: str, tree: ast.Module) -> None:
    """Gives the functions that everybody has imported already the code and the defaults that they have in `tree`."""
    name = module.removesuffix(".py").replace("/", ".")
    real, faulty = importlib.import_module(name), ModuleType(name)
    exec(compile(tree, module, "exec"), vars(faulty))  # noqa: S102
    _graft_functions(vars(real), vars(faulty), name)


def _graft_functions(real: Mapping[str, Any], faulty: Mapping[str, Any], module: str) -> None:
    for key, new in faulty.items():
        if isinstance(new, type) and new.__module__ == module:
            _graft_functions(vars(real[key]), vars(new), module)
            continue
        old, new = _plain(real.get(key)), _plain(new)
        if isinstance(new, FunctionType) and new.__module__ == module and isinstance(old, FunctionType):
            old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def _plain(function: Any) -> Any:
    """The function behind a property, a cache or a context manager."""
    return inspect.unwrap(getattr(function, "fget", function))


class _Fresh(SourceFileLoader):
    """Imports a module with a fault in it."""

    def __init__(self, module: str, number: int) -> None:
        super().__init__(module.removesuffix(".py").replace("/", "."), module)
        self._code = compile(mutated(Path(module).read_text(), number), module, "exec")

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return self._code


def main(what: str, *arguments: str) -> int:
    if what == "cover":
        cover(list(arguments))
        return 0
    if what == "sound":
        return int(pytest.main([*core.PYTEST, *arguments], plugins=[_Sound()]))
    if what == "fresh":
        module, number, *tests = arguments
        sys.meta_path.insert(0, _Fresh(module, int(number)))
        return int(pytest.main(["-x", _NO_OTHER_CLOCK, *core.PYTEST, *tests]))
    share, *tests = arguments
    return int(pytest.main(["-q", *core.PYTEST, *tests], plugins=[_Share(*json.loads(share))]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
