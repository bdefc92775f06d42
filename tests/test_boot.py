from __future__ import annotations

import subprocess
import sys

import pytest

from checkout.boot import Boot
from tests.servers import ROOT

PROGRAM = """
import os, sys
from checkout.boot import Boot
boot = Boot()
for what in sys.argv[1:]:
    if not os.fork():
        {"ready": boot.ready, "refused": lambda: boot.refused("端口 is taken; do this."), "dead": int}[what]()
        os._exit(0)
is_up = boot.wait(len(sys.argv[1:]), lambda: False)
sys.stdout.buffer.write(f"{is_up} {boot.why}".encode())
boot.go()
"""

SPEECHLESS = (
    "A worker ended while the server started and could not say why; see the log, and the system's for its memory."
)


@pytest.mark.parametrize(
    ("workers", "found"),
    [
        (("ready",), "True "),
        (("ready", "ready", "ready"), "True "),
        (("ready", "refused"), "False 端口 is taken; do this."),
        (("refused", "ready"), "False 端口 is taken; do this."),
        (("refused", "refused"), "False 端口 is taken; do this."),
        (("ready", "dead"), f"False {SPEECHLESS}"),
        (("dead", "dead"), f"False {SPEECHLESS}"),
        (("refused", "dead"), "False 端口 is taken; do this."),
    ],
)
def test_a_start_waits_for_every_worker_and_says_why_one_is_not_ready(workers: tuple[str, ...], found: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *workers], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == found


def test_a_start_that_is_told_to_end_waits_no_longer() -> None:
    boot = Boot()
    assert not boot.wait(1, lambda: True)
    assert boot.why == ""


BEFORE_THE_WORD = """
import os, select
from checkout.boot import Boot
boot = Boot()
over, begun = os.pipe()
for _ in range(2):
    if not os.fork():
        boot.ready()
        os.write(begun, b"!")
        os._exit(0)
assert boot.wait(2, lambda: False)
assert not select.select([over], [], [], 0.1)[0]
boot.go()
assert os.read(over, 1) + os.read(over, 1) == b"!!"
"""


def test_no_worker_begins_before_the_start_is_announced() -> None:
    subprocess.run([sys.executable, "-c", BEFORE_THE_WORD], cwd=ROOT, check=True)
