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
    assert loaded("checkout.cli.server, checkout.server.serve, checkout.app") == set()


def test_the_process_that_watches_the_workers_loads_next_to_nothing() -> None:
    program = """import sys
before = set(sys.modules)
import checkout.__main__
from checkout.server import supervisor
print(*(set(sys.modules) - before))
"""
    command = [sys.executable, "-S", "-c", program]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split() if not name.startswith("_")}
    assert {name for name in run.stdout.split() if name.startswith("checkout")} == {
        "checkout", "checkout.__main__", "checkout.errors", "checkout.server", "checkout.server.crews",
        "checkout.server.process", "checkout.server.supervisor",
    }  # fmt: skip
    assert loaded - {"checkout"} <= set(sys.stdlib_module_names)
    assert not loaded & {"ast", "dataclasses", "email", "inspect", "json", "logging", "pathlib", "re", "ssl", "typing"}


def test_a_picture_of_a_code_is_drawn_without_pillow() -> None:
    program = "import sys; from checkout import qr; qr.png('wxp://a'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "qrcode" in run.stdout.split()
    assert "PIL" not in run.stdout.split()


def test_a_command_that_manages_merchants_does_without_flask() -> None:
    program = "import sys, checkout.cli.merchants; print('flask' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_version_loads_no_database_and_the_help_no_flask() -> None:
    program = """import sys
from checkout.cli import main
try:
    main()
except SystemExit:
    print(*sys.modules)
"""
    after = {}
    for option in ("--version", "--help"):
        command = [sys.executable, "-c", program, option]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        after[option] = set(done.stdout.splitlines()[-1].split())
    assert "click" in after["--version"]
    assert not after["--version"] & {"checkout.store", "checkout.settings", "flask", "msgspec", "sqlite3"}
    assert "flask" not in after["--help"]
