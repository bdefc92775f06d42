"""QR codes: drawn as PNG for buyers, read from the pictures that owners upload.

Drawn black on white with a quiet zone of four modules, error correction M, at an integer scale and at least 280 pixels
wide: what phone cameras read best. The libraries are imported on first use, so that the server starts without them.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from checkout.errors import Code, Refusal

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_PIXELS = 280
_BORDER = 4
_PILLOWS_DRAWERS = "qrcode.image.styles.moduledrawers.pil"
_SIGNATURE, _NO_FILTER = b"\x89PNG\r\n\x1a\n", b"\0"
_MOST_MEMORY = 100_000_000  # bytes for one picture: a phone's screenshot has 3 to 6 million pixels, its photo 12 to 50
# What a pixel costs until it is grey, as measured. A progressive JPEG keeps all of its coefficients.
_BYTES_A_PIXEL = {"PNG": 5, "WEBP": 16, "JPEG": 2}
_BYTES_A_PROGRESSIVE_PIXEL = 6
_SHARP_ENOUGH = (2000, 2000)


@lru_cache(maxsize=256)
def png(text: str, min_pixels: int = MIN_PIXELS) -> bytes:
    """A PNG of the QR code that says `text`. Refused (BAD_REQUEST): more text than a QR code can hold."""
    rows = matrix(text)
    return _drawn(rows, -(-min_pixels // len(rows)))


def _drawn(rows: list[list[bool]], scale: int) -> bytes:
    """A PNG (ISO/IEC 15948) of one bit a pixel. Pillow would take 4 MB of each worker for this, and twice the time."""
    side = len(rows) * scale
    bytes_a_line = -(-side // 8)
    lines = []
    for row in rows:
        bits = "".join(("0" if dark else "1") * scale for dark in row).ljust(bytes_a_line * 8, "0")
        lines.append((_NO_FILTER + int(bits, 2).to_bytes(bytes_a_line, "big")) * scale)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)  # one bit of grey, not interlaced
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines), 9)), (b"IEND", b"")
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def matrix(text: str) -> list[list[bool]]:
    """The modules of the code, row by row, with the quiet zone around them; True is dark."""
    sys.modules.setdefault(_PILLOWS_DRAWERS, None)  # type: ignore[arg-type]  # as where Pillow is not installed
    import qrcode
    from qrcode.exceptions import DataOverflowError

    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M, border=_BORDER)
    try:
        code.add_data(text)
        code.make(fit=True)
    except (DataOverflowError, ValueError) as error:
        raise Refusal(Code.BAD_REQUEST, "The text is too long for a QR code.") from error
    return [[bool(cell) for cell in row] for row in code.get_matrix()]


def terminal(text: str) -> str:
    """The code in half-block characters for a terminal; light on dark is read as well as dark on light."""
    rows = matrix(text)
    rows += [[False] * len(rows[0])] if len(rows) % 2 else []
    pairs = zip(rows[::2], rows[1::2], strict=True)
    blocks = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    return "\n".join("".join(blocks[cell] for cell in zip(upper, lower, strict=True)) for upper, lower in pairs)


def read(picture: bytes) -> str:
    """The text of the one QR code in a picture (PNG, JPEG, WebP …).

    Refused (BAD_REQUEST), each with its reason: no picture, too large, no code in it, more than one.
    """
    import zxingcpp

    image = opened(picture, grey=True).convert("L")
    kinds = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    found = {result.text for result in zxingcpp.read_barcodes(image, formats=kinds)}
    if not found:
        raise Refusal(Code.BAD_REQUEST, "There is no readable QR code in the picture; crop it or take a new one.")
    if len(found) > 1:
        raise Refusal(Code.BAD_REQUEST, "There is more than one QR code in the picture; crop it to the one you mean.")
    return str(found.pop())


def opened(picture: bytes, *, grey: bool = False) -> Image:
    """An uploaded picture, decoded only after its cost is known: 2 kB of WebP can unfold to 600 MB. With `grey`, a
    large JPEG may be decoded in grey at a half, a quarter or an eighth of its size.

    Refused (BAD_REQUEST): no picture, too large."""
    import warnings

    from PIL import Image

    too_large = Refusal(Code.BAD_REQUEST, "The picture is too large; a screenshot, or a part of it, is enough.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(picture), formats=list(_BYTES_A_PIXEL))
        if _cost(image, grey=grey) > _MOST_MEMORY:
            raise too_large
        if grey:
            image.draft("L", _SHARP_ENOUGH)
        image.load()
        return image
    except Refusal:
        raise
    except Image.DecompressionBombError as error:
        raise too_large from error
    except Exception as error:  # Pillow's decoders raise whatever the broken bytes lead to
        raise Refusal(Code.BAD_REQUEST, "The file is not a picture that can be read (PNG, JPEG or WebP).") from error


def _cost(image: Image, *, grey: bool) -> int:
    """How many bytes decoding it takes."""
    a_pixel = _BYTES_A_PIXEL[image.format or ""]
    if image.format == "JPEG" and (image.info.get("progressive") or not grey):
        a_pixel = _BYTES_A_PROGRESSIVE_PIXEL
    return image.width * image.height * a_pixel
