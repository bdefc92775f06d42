"""`./dev bench [SCENARIO …]`: what one small server does, beside Flask "hello" under the same gunicorn in the same run.

Without names the short form: routes, push, price, start, memory and page, in about two minutes. `--full` measures
everything, longer: also growth to a million orders, a busy shop, thousands of open pages behind nginx, several
servers on one PostgreSQL, and the notices of official accounts.
Interleaved rounds and medians, because machines are noisy: read the ratios, not the absolute figures. Server and
driver are pinned to a CPU each. `./dev bench admin` measures the owner's pages.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from bench.figures import Figure, Plan, document, line, machine, say

SHORT = ("routes", "push", "price", "start", "memory", "page")
FULL = (*SHORT, "growth", "mixed", "crowd", "machines", "notices")
_MODULES = {"push": "pushes"}


def main() -> None:
    if sys.argv[1:2] == ["admin"]:
        from bench import admin

        admin.main(sys.argv[2:])
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers that were started end too
    options = options_of(sys.argv[1:])
    began = time.monotonic()
    found: list[Figure] = []
    print(json.dumps(machine(), ensure_ascii=False))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for figure in measured(options.scenario or (FULL if options.full else SHORT), _plan(options, Path(folder))):
            found.append(figure)
            print(line(figure), flush=True)
            _keep(found, options.json, time.monotonic() - began)
    missed = [figure for figure in found if figure.is_met is False]
    print(f"{len(found)} figures in {time.monotonic() - began:.0f} s; {len(missed)} of their targets not reached")
    print(f"Kept in {options.json}")


def _keep(found: list[Figure], file: Path, elapsed_s: float) -> None:
    """What there is so far: a long run that is interrupted is not lost."""
    words = document(found, shlex.join(["./dev", "bench", *sys.argv[1:]]), elapsed_s)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def measured(names: Iterable[str], plan: Plan) -> Iterator[Figure]:
    cpus = os.sched_getaffinity(0)
    for name in names:
        say(f"== {name}")
        os.sched_setaffinity(0, cpus)  # as the scenario before may have changed it
        yield from import_module(f"bench.scenes.{_MODULES.get(name, name)}").run(plan)


def options_of(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="*", help=f"only these of {', '.join(FULL)}")
    parser.add_argument("--full", action="store_true", help="longer, and everything")
    parser.add_argument("--hour", action="store_true", help="memory: an hour of load for each number of workers")
    parser.add_argument("--rounds", type=int, help="how often each measurement is repeated")
    parser.add_argument("--seconds", type=float, help="of each measurement in each round")
    parser.add_argument(
        "--folder", type=lambda name: Path(name).resolve(), help="keeps the databases of `growth` for the next run"
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, default=Path("build/bench.json"),
        help="for the figures, with machine, versions and commit (build/bench.json)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if unknown := set(options.scenario) - set(FULL):
        parser.error(f"there is no scenario {unknown.pop()!r}; there are {', '.join(FULL)}.")
    return options


def _plan(options: argparse.Namespace, folder: Path) -> Plan:
    rounds, seconds = (5, 3.0) if options.full else (3, 1.5)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    return Plan(
        options.rounds or rounds, options.seconds or seconds, options.full, options.folder or folder, options.hour
    )


if __name__ == "__main__":
    main()
