"""./dev binary: builds the one-file program into dist/checkout and says what it costs."""

from __future__ import annotations

import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTS = 5
_PATIENCE_S = 60


def main() -> int:
    work = ROOT / "build"
    print("Building dist/checkout, which takes a minute or two …", flush=True)
    command = ["--noconfirm", "--log-level", "ERROR", "--distpath", str(ROOT / "dist"), "--workpath", str(work)]
    built = subprocess.run(
        [sys.executable, "-m", "PyInstaller", *command, str(ROOT / "release" / "checkout.spec")], cwd=ROOT
    )
    if built.returncode != 0:
        return built.returncode
    report(ROOT / "dist" / "checkout")
    return 0


def report(program: Path) -> None:
    """What stands in the notes of a release: measured, so a busy machine shows."""
    starts = [started(program) for _ in range(STARTS)]
    seconds, memory = (statistics.median(values) for values in zip(*starts, strict=True))
    print(f"{program.relative_to(ROOT)}: {platform.machine()}, glibc ≥ {needed_glibc(program)}")
    print(f"  size    {program.stat().st_size / 1_000_000:.1f} MB")
    print(f"  start   {seconds:.2f} s to the first answer (median of {STARTS}; it unpacks itself each time)")
    print(f"  memory  {memory / 1_000_000:.0f} MB (proportional, all processes)")


def started(program: Path) -> tuple[float, int]:  # seconds are no money
    """(seconds from exec to the first 200, bytes of memory then)."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        environ = {**os.environ, "CHECKOUT_DATABASE": f"{folder}/checkout.db"}
        server = subprocess.Popen(
            [program, "serve", "--port", str(port)], cwd=folder, env=environ, stdout=subprocess.DEVNULL
        )
        try:
            wait_for(port, begun + _PATIENCE_S)
            return time.monotonic() - begun, sum(map(memory_of, family(server.pid)))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def wait_for(port: int, until: float) -> None:
    while time.monotonic() < until:
        with suppress(OSError):
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.005)
    sys.exit("The program does not answer.")


def family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))


def memory_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def needed_glibc(program: Path) -> str:
    """The newest glibc symbol that Python and the libraries inside ask for: read from the unpacked files."""
    from PyInstaller.archive.readers import CArchiveReader  # type: ignore[import-untyped]

    archive, found = CArchiveReader(str(program)), {(2, 17)}
    for name, entry in archive.toc.items():
        if entry[-1] == "b":
            for piece in archive.extract(name).split(b"GLIBC_2.")[1:]:
                digits = piece.split(b"\0")[0].split(b".")[0]
                if digits.isdigit():
                    found.add((2, int(digits)))
    return ".".join(map(str, max(found)))


if __name__ == "__main__":
    sys.exit(main())
