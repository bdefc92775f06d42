"""./dev wheel: builds the wheel into dist/ from what git keeps, alike to the byte on every machine.

Built in a folder of its own, so that no stray file gets in; its times are those of the last commit, unless
SOURCE_DATE_EPOCH says otherwise (https://reproducible-builds.org/specs/source-date-epoch/). Whoever doubts a released
wheel builds it again from the tag and compares the hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FETCHED = "static/vendor"  # by hatch_build.py, checked against its pinned hash again


def main() -> int:
    (ROOT / "dist").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        copy(ROOT, Path(folder), kept(ROOT))
        built = build(Path(folder), epoch(ROOT))
        wheel = ROOT / "dist" / built.name
        shutil.copyfile(built, wheel)
    print(f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.relative_to(ROOT)}")
    return 0


def kept(root: Path) -> list[str]:
    """The files that git keeps, and those that are fetched for a build."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [name for name in listed.split("\0") if name] + [
        str(path.relative_to(root)) for path in (root / FETCHED).glob("*.js")
    ]


def copy(root: Path, target: Path, names: Iterable[str]) -> None:
    for name in names:
        if (root / name).is_file():  # a link in the docs may lead to a folder
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target / name)
            (target / name).chmod(0o755 if os.access(root / name, os.X_OK) else 0o644)


def build(source: Path, when: str) -> Path:
    """The wheel of a folder of sources, in its dist/; `when`: Unix seconds for every file in it."""
    environ = {**os.environ, "SOURCE_DATE_EPOCH": when, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=source, env=environ, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (built,) = (source / "dist").glob("*.whl")
    return built


def epoch(root: Path) -> str:
    given = os.environ.get("SOURCE_DATE_EPOCH")
    command = ["git", "log", "-1", "--format=%ct"]
    return given or subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
