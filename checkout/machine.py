"""The machine that Checkout is installed on: its files, its commands, and the program that runs now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from checkout import __version__
from checkout.errors import Code, Refusal
from checkout.http.client import Client, Outgoing, Unreachable

USER = "checkout"
PROGRAMS = Path("/opt/checkout")
SETTINGS = Path("/etc/checkout/checkout.toml")
DATA = Path("/var/lib/checkout")
UNIT = Path("/etc/systemd/system/checkout.service")
COMMAND = Path("/usr/local/bin/checkout")
CURRENT = PROGRAMS / "current"
_MIGRATIONS = "_internal/checkout/store/migrations"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command. Refused: BAD_REQUEST, with what the command said, when it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=_environ())  # noqa: S603 - no shell, no words of strangers
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"{command[0]} cannot be run: {error.strerror}.") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Refusal(Code.BAD_REQUEST, f"`{' '.join(command)}` failed: {said[-1] if said else done.returncode}")
    return done


class Machine(Struct, frozen=True):
    """Where to write, and how to run commands; tests pass a folder and a recorder."""

    root: Path = Path("/")
    run: Run = run
    patience_s: int = 30  # for a server that starts

    def at(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    @property
    def has_systemd(self) -> bool:
        return self.at(Path("/run/systemd/system")).is_dir()

    @property
    def current(self) -> str:
        """The installed release; "": none."""
        link = self.at(CURRENT)
        return link.readlink().name if link.is_symlink() else ""

    def switch(self, release: str) -> None:
        """Replaces the link in one step, so that no start ever finds half of one."""
        draft = self.at(PROGRAMS) / ".current"
        draft.unlink(missing_ok=True)
        draft.symlink_to(release)
        draft.replace(self.at(CURRENT))

    def wait_until_healthy(self, url: str) -> None:
        """Waits for a 200. Refused: BAD_REQUEST, with the last answer, when there is none in time."""
        client, said, deadline = Client(allow_private=True, deadline_s=5), "", time.monotonic() + self.patience_s
        while time.monotonic() < deadline:
            try:
                answer = client.send(Outgoing("GET", url))
                if answer.status == 200:
                    return
                said = f"it answers {answer.status}"
            except Unreachable as error:
                said = error.message
            time.sleep(0.2)
        raise Refusal(
            Code.BAD_REQUEST,
            f"The server is not well {self.patience_s} s after its start ({url}: {said});"
            " journalctl -u checkout says why.",
        )

    def write(self, path: Path, text: str, mode: int) -> None:
        target = self.at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.new")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(mode)
        draft.replace(target)

    def unpack(self, source: Source) -> None:
        """Puts the program's folder in its place, replacing one that an earlier attempt left half-written."""
        target = self.at(PROGRAMS) / source.release
        draft = target.with_name(f".{target.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source.files, draft / "_internal", ignore=shutil.ignore_patterns("starter"))
        shutil.copyfile(source.starter, draft / "checkout")
        for path in (draft, *draft.rglob("*")):  # the temporary folder that it comes from was readable for one user
            path.chmod(0o755 if path.is_dir() or path.suffix == "" or ".so" in path.name else 0o644)
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)

    def schema(self, release: str) -> frozenset[str]:
        """The migrations that a release knows."""
        folder = self.at(PROGRAMS) / release / _MIGRATIONS
        return frozenset(path.name for path in folder.glob("*.sql"))

    def as_owner(self, release: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a release's `checkout` with the server's settings, as the server's user."""
        program = str(PROGRAMS / release / "checkout")
        return self.run("runuser", "-u", USER, "--", "env", f"CHECKOUT_CONFIG={SETTINGS}", program, *arguments)


class Source(Struct, frozen=True):
    """The unpacked one-file program that this process runs from."""

    release: str  # the name of its folder
    files: Path
    starter: Path


def source() -> Source:
    """The program that runs now. Refused: BAD_REQUEST when this is not the one-file program."""
    files = Path(getattr(sys, "_MEIPASS", ""))
    starter = files / "starter" / "checkout"
    if not getattr(sys, "frozen", False) or not starter.is_file():
        raise Refusal(
            Code.BAD_REQUEST,
            "Only the one-file program can do this, run under its own name: sudo ./checkout install (or upgrade).",
        )
    with open(sys.executable, "rb") as file:
        mark = sha256(file.read()).hexdigest()[:8]
    return Source(f"{__version__}-{mark}", files, starter)


def must_be_root() -> None:
    """Refused: BAD_REQUEST."""
    if os.geteuid() != 0:
        raise Refusal(Code.BAD_REQUEST, "This writes to /opt, /etc and /var/lib: run it with sudo.")


def _environ() -> dict[str, str]:
    """PyInstaller's own variables would make other programs load our libraries."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("_PYI_", "_MEI"))}
    former = environ.pop("LD_LIBRARY_PATH_ORIG", None)
    environ.pop("LD_LIBRARY_PATH", None)
    return environ | ({"LD_LIBRARY_PATH": former} if former else {})
