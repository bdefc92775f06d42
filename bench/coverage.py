"""`./dev coverage`: runs the tests of the core modules and looks which of their branches no test takes.

Exit status 1: a test failed, or a branch of a core module is never taken.
"""

from __future__ import annotations

import sys

import coverage
import pytest

from bench import core


def main() -> int:
    # Nothing of Checkout may be imported before this.
    measured = coverage.Coverage(data_file=None, config_file=False, branch=True, include=list(core.MODULES))
    measured.set_option("report:exclude_also", ["if TYPE_CHECKING:"])
    measured.start()
    status = int(pytest.main([*core.PYTEST, *core.TESTS, *sys.argv[1:]]))
    measured.stop()
    reached = measured.report(show_missing=True, skip_covered=True)
    if reached < 100:
        print("./dev coverage: a core module has a branch that no test takes; see Missing above.", file=sys.stderr)
    return status or int(reached < 100)


if __name__ == "__main__":
    sys.exit(main())
