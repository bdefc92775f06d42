"""What a start does not load: each of these libraries takes as long as a tenth of the start."""

from __future__ import annotations

import subprocess
import sys

from tests.servers import ROOT

HEAVY = ("Crypto", "PIL", "babel", "lxml", "markdown_it", "nh3", "qrcode", "sqlite_utils", "zxingcpp")


def loaded(modules: str) -> set[str]:
    """The heavy libraries that come with the modules, in a new process."""
    program = f"import sys, {modules}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split()) & set(HEAVY)


def test_the_server_starts_without_the_libraries_that_it_may_need_later() -> None:
    assert loaded("checkout.cli.server, checkout.serve, checkout.app") == set()


def test_a_command_that_manages_merchants_does_without_flask() -> None:
    program = "import sys, checkout.cli.merchants; print('flask' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
