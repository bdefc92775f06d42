"""What a browser is called, from the long line that it sends of itself."""

from __future__ import annotations

# Each pretends to be those below it.
_NAMES = (
    ("MicroMessenger/", "WeChat"), ("AlipayClient/", "Alipay"), ("Edg", "Edge"), ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def named(agent: str) -> str:
    """`Chrome, Android`; "" where it is none that is known."""
    found = (next((name for sign, name in known if sign in agent), "") for known in (_NAMES, _SYSTEMS))
    return ", ".join(filter(None, found))
