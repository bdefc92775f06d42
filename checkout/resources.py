"""Where the files that are not code are: beside the package in a source tree, inside it once installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: Literal["templates", "static", "translations", "deploy"]) -> Path:
    """Return the absolute folder of that name. Raises FileNotFoundError if the installation is incomplete."""
    for base in _bases():
        if (base / name).is_dir():
            return base / name
    raise FileNotFoundError(f"The folder {name!r} is missing from this installation of Checkout.")


def _bases() -> list[Path]:
    frozen = getattr(sys, "_MEIPASS", None)  # set by PyInstaller's one-file program
    unpacked = [Path(frozen) / "checkout"] if frozen else []
    return [*unpacked, PACKAGE, PACKAGE.parent]
