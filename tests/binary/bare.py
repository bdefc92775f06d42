"""Commands in a read-only system, in a mount namespace of their own: nothing outside changes or stays mounted."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.binary.conftest import PROGRAM
from tests.servers import Server

NOBODY = 65534
ALONE = ("unshare", "--mount", "--propagation", "private")


@dataclass(frozen=True)
class Bare:
    """A read-only system with one folder that may be written, /mnt, and the program as /mnt/checkout.

    `root` is where the system lies; None: this machine as it is, where nobody may make one.
    """

    root: Path | None
    data: Path

    def command(self, *words: str, settings: dict[str, str] | None = None) -> tuple[str, ...]:
        """As nobody, who may write nowhere but in /mnt."""
        place = "/mnt" if self.root else str(self.data)
        values = {"HOME": place, "TMPDIR": place, **(settings or {})}
        plain = [
            "env", "-i", "PATH=/usr/bin:/bin", *(f"{name}={value}" for name, value in values.items()),
            "sh", "-c", f'cd {shlex.quote(place)} && exec "$@"', "sh", *words,
        ]  # fmt: skip
        if self.root is None:
            return tuple(plain)
        nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", *plain]
        root = shlex.quote(str(self.data.parent / "root"))
        script = f"""set -e
            mount --bind {shlex.quote(str(self.root))} {root}
            mount --bind {shlex.quote(str(self.data))} {root}/mnt
            mount -o remount,bind,ro {root}
            mount --bind /dev {root}/dev
            mount -t proc proc {root}/proc
            cd {root}; exec chroot . {shlex.join(nobody)}"""
        return (*ALONE, "sh", "-c", script)

    def run(self, *words: str, settings: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words, settings=settings), capture_output=True, text=True)

    @contextmanager
    def serving(self, port: int, settings: dict[str, str], log: Path, *words: str) -> Iterator[Server]:
        """`words`: what is started instead of `serve`, as `demo`."""
        command = self.command("./checkout", *(words or ("serve",)), "--port", str(port), settings=settings)
        server = Server(command, {}, log, self.data)
        try:
            server.wait_until_ready(f"http://127.0.0.1:{port}/healthz")
            yield server
        finally:
            assert server.stop() == 0


def bare(root: Path | None, folder: Path) -> Bare:
    data = folder / "data"
    data.mkdir()
    (folder / "root").mkdir()
    (data / "checkout").write_bytes(PROGRAM.read_bytes())
    (data / "checkout").chmod(0o755)
    if root is not None:
        for path in (data, data / "checkout"):
            os.chown(path, NOBODY, NOBODY)
    return Bare(root, data)


def here() -> Path | None:
    """This machine's own system, where its root may be made read-only for one command.

    None for a script that runs the program of another processor: what translates it writes to /tmp.
    """
    if PROGRAM.read_bytes().startswith(b"#!"):
        return None
    allowed = os.geteuid() == 0 and subprocess.run([*ALONE, "mount", "--bind", "/", "/mnt"], capture_output=True)
    return Path("/") if allowed and allowed.returncode == 0 else None
