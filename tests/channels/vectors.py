"""The published vectors of gateways: signatures made by others, which ours have to agree with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).resolve().parent.parent / "vectors" / "gateways.json"


@cache
def _all() -> dict[str, dict[str, Any]]:
    return {vector["name"]: vector for vector in json.loads(_FILE.read_text(encoding="utf-8"))}


def vector(name: str) -> dict[str, Any]:
    return _all()[name]
