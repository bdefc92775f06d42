"""The languages that merchants speak. A new dialect is one module here, one entry in `dialects`, one test file."""

from __future__ import annotations

from checkout.interfaces import Dialect, Dialects
from checkout.protocols import api, bufpay, embed, epay, epay_v2, gogo, vmq


def dialects() -> Dialects:
    """Every dialect by its name."""
    modules: list[Dialect] = [vmq, gogo, bufpay, epay, epay_v2, embed, api]
    return {module.NAME: module for module in modules}
