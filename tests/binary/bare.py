"""Commands inside the bare system, in a mount namespace of their own: nothing outside changes or stays mounted."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.binary.conftest import PROGRAM
from tests.servers import Server

NOBODY = 65534


@dataclass(frozen=True)
class Bare:
    """A read-only Debian with one folder that may be written, /data, and the program as /data/checkout."""

    debian: Path
    data: Path

    def command(self, *words: str, settings: dict[str, str] | None = None) -> tuple[str, ...]:
        """As nobody, who may write nowhere but in /data."""
        root, values = shlex.quote(str(self.debian)), {"HOME": "/data", "TMPDIR": "/data", **(settings or {})}
        inside = shlex.join(
            ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "env", "-i",
             "PATH=/usr/bin:/bin", *(f"{name}={value}" for name, value in values.items()),
             "sh", "-c", 'cd /data && exec "$@"', "sh", *words]
        )  # fmt: skip
        script = f"""set -e
            mount --bind {root} {root}
            mount --bind {shlex.quote(str(self.data))} {root}/mnt
            mount -o remount,bind,ro {root}
            mount -t proc proc {root}/proc
            cd {root}; exec chroot . {inside.replace("/data", "/mnt")}"""
        return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script)

    def run(self, *words: str, settings: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words, settings=settings), capture_output=True, text=True)

    @contextmanager
    def serving(self, port: int, settings: dict[str, str], log: Path) -> Iterator[Server]:
        command = self.command("./checkout", "serve", "--port", str(port), settings=settings)
        server = Server(command, {}, log, self.data)
        try:
            server.wait_until_ready(f"http://127.0.0.1:{port}/healthz")
            yield server
        finally:
            assert server.stop() == 0


def bare(debian: Path, folder: Path) -> Bare:
    data = folder / "data"
    data.mkdir()
    (data / "checkout").write_bytes(PROGRAM.read_bytes())
    (data / "checkout").chmod(0o755)
    for path in (data, data / "checkout"):
        subprocess.run(["chown", f"{NOBODY}:{NOBODY}", path], check=True)
    return Bare(debian, data)
