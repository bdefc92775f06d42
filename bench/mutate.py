"""`./dev mutate [MODULE …]`: puts small faults into the core modules, one at a time, and counts which the tests notice.

Works in a copy of the tree. A first run of the tests notes which of them come by each line; a fault is then put into
a fork of a process that has everything loaded, and only those tests run there until one fails. Where modules are
named only their own tests are asked: quicker, and stricter. What is judged to change nothing that anybody could see
stands in bench/equivalent.toml with the reason, and does not count.

Exit status 1: a module's score is below 90 %.
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
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import core, mutations

BAR = 90
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "data", "dist", "build", "screenshots")
_EQUIVALENT = Path("bench/equivalent.toml")


def main() -> None:
    options = _options()
    modules = [name for name in core.MODULES if not options.module or any(part in name for part in options.module)]
    with TemporaryDirectory(prefix="checkout-mutate-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(".", tree, ignore=_LEFT_OUT)
        results = _run(tree, modules, options)
    scores = [_report(module, [one for one in results if one["module"] == module]) for module in modules]
    sys.exit(0 if all(score >= BAR for score in scores) else 1)


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
    tests = sorted({test for name in modules for test in core.MODULES[name]}) if options.module else core.TESTS
    if subprocess.run([*command, "cover", *tests], cwd=tree, env=env).returncode:
        sys.exit(1)
    shares = [json.dumps([modules, options.only, share, options.processes]) for share in range(options.processes)]
    running = [subprocess.Popen([*command, "share", share, *tests], cwd=tree, env=env) for share in shares]
    if any([process.wait() for process in running]):
        sys.exit("./dev mutate: a run broke off; see above.")
    return [json.loads(line) for path in sorted(tree.glob("mutants-*.jsonl")) for line in path.open()]


def _report(module: str, results: list[dict[str, str]]) -> float:
    """Prints a module's score and what survived; gives the score in percent."""
    equivalent = tomllib.loads(_EQUIVALENT.read_text()).get(module, {})
    counted = [one for one in results if one["name"] not in equivalent]
    ends = Counter(one["end"] for one in counted)
    killed = ends["killed"] + ends["timeout"]
    score = 100 * killed / len(counted) if counted else 100
    print(f"{module}: {score:.1f} % ({killed} of {len(counted)}; {len(results) - len(counted)} change nothing)")
    for one in counted:
        if one["end"] in ("survived", "uncovered"):
            print(f"  {one['end']} {one['line']}: {one['name']}")
    there = {mutant.name for mutant in mutations.mutants(Path(module).read_text())}
    for name in equivalent.keys() - there:
        print(f"  not there any more, take it out of {_EQUIVALENT}: {name}")
    return score


if __name__ == "__main__":
    main()
