"""TOML, but for what Python's reader of it takes gigabytes for, or fails on in a way of its own."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_MOST_PARTS = 32  # of a key: memory grows with their square
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}[ \t]*+\.[ \t]*+){{{_MOST_PARTS}}}")


class Unreadable(ValueError):
    """Why a text is not read, as a clause."""


def loads(text: str) -> dict[str, Any]:
    """The tables of a text. Raises `Unreadable`."""
    if _LONG_KEY.search(text):
        raise Unreadable(f"a name has more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(str(error)) from error
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError:
        raise Unreadable("a number is too long") from None
