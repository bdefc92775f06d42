"""The owner's colour, made readable: white or black on it, lighter in the dark theme (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

_READABLE = 45  # contrast in tenths, so that no fraction is needed: 4.5 to 1
_DARK_CARD = (0x1A, 0x1E, 0x22)
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)

Colour = tuple[int, int, int]


def css(colour: str) -> str:
    """Rules that follow checkout.css; "" without a colour. `colour` is #rrggbb."""
    if not colour:
        return ""
    own = _parse(colour)
    on_own = _WHITE if contrast(own, _WHITE) >= _READABLE else _BLACK
    light, dark = _towards(own, _BLACK, _WHITE), _towards(own, _WHITE, _DARK_CARD)
    return (
        f"\n:root,.alipay{{--checkout-brand:{_hex(own)};--on-brand:{_hex(on_own)};--accent:{_hex(light)}}}"
        f"\n@media (prefers-color-scheme: dark){{:root,.alipay{{--accent:{_hex(dark)}}}}}\n"
    )


def contrast(a: Colour, b: Colour) -> int:
    """The contrast ratio of two colours in tenths: 210 for black on white."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 500_000) * 10 // (dark + 500_000)


def _towards(colour: Colour, end: Colour, ground: Colour) -> Colour:
    """The first shade on the way from `colour` to `end` that is readable on `ground`."""
    for step in range(20):
        red, green, blue = ((here * (20 - step) + there * step) // 20 for here, there in zip(colour, end, strict=True))
        if contrast((red, green, blue), ground) >= _READABLE:
            return red, green, blue
    return end


def _luminance(colour: Colour) -> int:
    """Relative luminance times ten million, as WCAG 2.2 defines it."""
    red, green, blue = (_linear(part) for part in colour)
    return (2126 * red + 7152 * green + 722 * blue) // 10_000


def _linear(part: int) -> int:
    share = part / 255
    return round(10_000_000 * (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4))


def _parse(colour: str) -> Colour:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
