"""`./dev mutate [MODULE …]`: puts small faults into the core modules, one at a time, and counts which the tests notice.

Works in a copy of the tree. A first run of the tests notes which of them come by each line; a fault is then put into
a fork of a process that has everything loaded, and only those tests run there until one fails. What takes effect when
a module is imported (a constant, the default of a field) has a process of its own, and the module's own tests. Where
modules are named only their own tests are asked: quicker, and stricter. What is judged to change nothing that anybody
could see stands in bench/equivalent.toml with the reason, and does not count; an entry there that fits no fault any
more, or one that a test notices, is named.

Exit status 1: a module's score is below 90 %, or an entry fits no fault.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import core, mutations

BAR = 90
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "data", "dist", "build", "screenshots")
EQUIVALENT = Path("bench/equivalent.toml")


def main() -> None:
    options = _options()
    modules = [name for name in core.MODULES if not options.module or any(part in name for part in options.module)]
    with TemporaryDirectory(prefix="checkout-mutate-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(".", tree, ignore=_LEFT_OUT)
        results = _run(tree, modules, options)
    entries = tomllib.loads(EQUIVALENT.read_text())
    scores = [
        _report(module, [one for one in results if one["module"] == module], entries.get(module, {}))
        for module in modules
    ]
    left = list(stale(entries))
    for module, name in left:
        print(f"{EQUIVALENT} names a fault of {module} that is not there any more, judge it again: {name}")
    sys.exit(0 if all(score >= BAR for score in scores) and not left else 1)


def stale(entries: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """The (module, name) of entries that fit no fault: the code has changed, or the module is not a core one."""
    for module, named in entries.items():
        there = {one.name for one in mutations.mutants(Path(module).read_text())} if module in core.MODULES else set()
        yield from ((module, name) for name in named if name not in there)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev mutate", description="Score of the tests of the core modules.")
    parser.add_argument("module", nargs="*", help="part of a path, such as orders or store/slots; none: all")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="faults whose name has this part")
    return parser.parse_args()


def _run(tree: Path, modules: list[str], options: argparse.Namespace) -> list[dict[str, str]]:
    """Each fault with its end: killed, timeout, survived or uncovered."""
    command = [sys.executable, "-m", "bench.mutants"]
    env = {**os.environ, "PYTHONPATH": str(tree)}
    own = {test for name in modules for test in core.MODULES[name]}
    tests = sorted(own.union(core.SHARED)) if options.module else core.TESTS
    for first in ("cover", "sound"):
        if subprocess.run([*command, first, *tests], cwd=tree, env=env).returncode:
            sys.exit(1)
    shares = [json.dumps([modules, options.only, share, options.processes]) for share in range(options.processes)]
    running = [subprocess.Popen([*command, "share", share, *tests], cwd=tree, env=env) for share in shares]
    if any([process.wait() for process in running]):
        sys.exit("./dev mutate: a run broke off; see above.")
    return [json.loads(line) for path in sorted(tree.glob("mutants-*.jsonl")) for line in path.open()]


def _report(module: str, results: list[dict[str, str]], equivalent: Mapping[str, str]) -> float:
    """Prints a module's score, what survived, what was stopped as it took too long (which a machine that is busy does
    too), and what is said to change nothing but was noticed; gives the score in percent."""
    counted = [one for one in results if one["name"] not in equivalent]
    ends = Counter(one["end"] for one in counted)
    killed = ends["killed"] + ends["timeout"]
    score = 100 * killed / len(counted) if counted else 100
    print(f"{module}: {score:.1f} % ({killed} of {len(counted)}; {len(results) - len(counted)} change nothing)")
    for one in results:
        if one["end"] == "timeout":
            print(f"  out of time {one['line']}: {one['name']}")
        elif (one["end"] in ("survived", "uncovered")) != (one["name"] in equivalent):
            said = f"noticed, though {EQUIVALENT} says nobody could" if one["name"] in equivalent else one["end"]
            print(f"  {said} {one['line']}: {one['name']}")
    return score


if __name__ == "__main__":
    main()
