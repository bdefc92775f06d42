"""./dev binary: builds the one-file program into dist/checkout and says what it costs."""

from __future__ import annotations

import importlib.util
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
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from release import sbom

ROOT = Path(__file__).resolve().parent.parent
STARTS = 10
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
    if importlib.util.find_spec("cyclonedx_py") is None:  # on the old systems that releases are built on
        print("Without cyclonedx-bom there is no bill of materials: ./dev sbom --program, elsewhere.")
        return 0
    return 0 if sbom.write(sbom.of_program(sbom.PROGRAM), sbom.BILL) else 1


class Start(NamedTuple):
    """From exec to the first 200, and all processes then; seconds and bytes."""

    wall: float  # seconds are no money
    processor: float
    memory: float  # proportional


def report(program: Path) -> None:
    print(f"{program.relative_to(ROOT)}: {platform.machine()}, glibc ≥ {needed_glibc(program)}")
    for name, value in figures(program).items():
        print(f"  {name:<7} {value}")


def figures(program: Path) -> dict[str, str]:
    """What stands in the notes of a release: measured, so a busy machine shows in the first of the seconds."""
    found = started(program)
    return {
        "size": f"{program.stat().st_size / 1_000_000:.1f} MB",
        "start": f"{found.wall:.2f} s to the first answer, {found.processor:.2f} s of the processor"
        f" (median of {STARTS}; it unpacks itself each time)",
        "memory": f"{found.memory / 1_000_000:.0f} MB (proportional, all processes)",
    }


def started(program: Path) -> Start:
    """The median of some starts with a database that is there: the very first makes its tables."""
    with tempfile.TemporaryDirectory() as folder:
        starts = [start(program, folder) for _ in range(STARTS + 1)][1:]
    return Start(*(statistics.median(values) for values in zip(*starts, strict=True)))


def start(program: Path, folder: str) -> Start:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    begun = time.monotonic()
    environ = {**os.environ, "CHECKOUT_DATABASE": f"{folder}/checkout.db"}
    server = subprocess.Popen(
        [program, "serve", "--port", str(port)], cwd=folder, env=environ, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(port, begun + _PATIENCE_S)
        wall, processes = time.monotonic() - begun, list(family(server.pid))
        return Start(wall, sum(map(processor_of, processes)), sum(map(memory_of, processes)))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def wait_for(port: int, until: float) -> None:
    while time.monotonic() < until:
        with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.005)
    sys.exit("The program does not answer.")


def family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))


def processor_of(pid: int) -> float:
    """Its own seconds, and those of its children that have ended."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def needed_glibc(program: Path) -> str:
    """The newest glibc symbol that Python and the libraries inside ask for: read from the packed files."""
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
