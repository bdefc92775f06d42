"""What strangers, gateways and files may send takes little memory, however it is made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.soak.memory import PARSERS

# MB, some twice of what was measured. An import holds all of a file of 2 MB; a picture has its own bound in qr.py.
MOST = {
    "form": 12, "json": 8, "multipart": 8, "xml": 8, "notification": 8, "upload": 110, "settings": 24, "import": 160,
    "answer": 8,
}  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured with Linux's /proc")
@pytest.mark.parametrize("parser", PARSERS)
def test_the_worst_that_may_be_sent_takes_little_memory(parser: str) -> None:
    command = [sys.executable, "-m", "tests.soak.memory", parser]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    grown = json.loads(done.stdout)
    assert len(grown) >= 7
    assert {name: kib for name, kib in grown.items() if kib > MOST[parser] * 1024} == {}


def test_every_parser_has_a_bound() -> None:
    assert set(MOST) == set(PARSERS)
