"""./dev docs: builds the documentation's site into dist/site; a link or an anchor that leads nowhere is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "site"
TOP = ("README.md", "README.zh.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE")
FOLDERS = ("docs", "deploy", "examples")


def main() -> int:
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    for name in TOP:
        shutil.copy(ROOT / name, STAGE / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, STAGE / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean"]
    config = ["--config-file", str(ROOT / "release" / "mkdocs.yml"), "--site-dir", str(ROOT / "dist" / "site")]
    return subprocess.run([*command, *config], cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
