from __future__ import annotations

import io
import shlex
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from checkout import qr
from checkout.errors import Code, Refusal

TEXT = "wxp://f2f0jZCXBrCzXFnkUqQyKrXzmsKDyiQ7DhpLm1x5vQ"


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def side_by_side(*pictures: bytes) -> bytes:
    images = [picture(one).convert("L") for one in pictures]
    both = Image.new("L", (sum(image.width for image in images), max(image.height for image in images)), 255)
    left = 0
    for image in images:
        both.paste(image, (left, 0))
        left += image.width
    return saved(both)


def refusal_of(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        qr.read(data)
    assert caught.value.code is Code.BAD_REQUEST
    return caught.value


@settings(deadline=None, max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200))
def test_what_is_drawn_is_read_again(text: str) -> None:
    assert qr.read(qr.png(text)) == text


def test_the_picture_is_black_on_white_large_enough_and_at_an_integer_scale() -> None:
    image = picture(qr.png(TEXT))
    modules = len(qr.matrix(TEXT))
    assert image.format == "PNG"
    assert image.mode == "1"
    assert image.width == image.height >= qr.MIN_PIXELS
    assert image.width % modules == 0
    assert image.width - modules < qr.MIN_PIXELS + modules
    assert qr.png(TEXT, 1000) != qr.png(TEXT)
    assert picture(qr.png(TEXT, 1000)).width >= 1000


def test_every_pixel_is_of_the_module_that_it_belongs_to() -> None:
    image, rows = picture(qr.png(TEXT)).convert("L"), qr.matrix(TEXT)
    scale = image.width // len(rows)
    wanted = bytes(0 if dark else 255 for row in rows for _ in range(scale) for dark in row for _ in range(scale))
    assert image.tobytes() == wanted


def test_four_modules_of_white_lie_around_the_code() -> None:
    rows = qr.matrix(TEXT)
    for line in (*rows[:4], *rows[-4:], *zip(*rows, strict=True)):
        assert not any(line[:4])
        assert not any(line[-4:])
    assert rows[4][4]


def test_the_code_can_be_read_by_another_reader_at_correction_level_m() -> None:
    (found,) = zxingcpp.read_barcodes(
        picture(qr.png(TEXT)), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )
    assert found.text == TEXT
    assert found.ec_level == "M"


def test_a_text_that_no_code_can_hold_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        qr.png("x" * 3000)
    assert caught.value.code is Code.BAD_REQUEST


@pytest.mark.parametrize("text", [TEXT, "short"])
def test_the_terminal_shows_the_modules_in_half_blocks(text: str) -> None:
    rows, lines = qr.matrix(text), qr.terminal(text).split("\n")
    pixels = {"█": (False, False), "▀": (False, True), "▄": (True, False), " ": (True, True)}
    found = []
    for line in lines:
        found.append([pixels[block][0] for block in line])
        found.append([pixels[block][1] for block in line])
    assert found[: len(rows)] == rows
    assert not any(found[-1]) or len(found) == len(rows)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_of_the_usual_kinds_are_read(kind: str) -> None:
    assert qr.read(saved(picture(qr.png(TEXT)).convert("RGB"), kind)) == TEXT


def test_a_code_within_a_poster_is_read() -> None:
    poster = Image.new("RGB", (900, 1600), (7, 193, 96))
    poster.paste(picture(qr.png(TEXT, 400)).convert("RGB"), (200, 700))
    assert qr.read(saved(poster)) == TEXT


def test_a_picture_without_a_code_or_with_two_is_refused_with_its_reason() -> None:
    assert "no readable QR code" in refusal_of(saved(Image.new("L", (300, 300), 255))).message
    assert "more than one" in refusal_of(side_by_side(qr.png(TEXT), qr.png("another"))).message
    assert qr.read(side_by_side(qr.png(TEXT), qr.png(TEXT))) == TEXT


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", qr.png(TEXT)[:-200], b"GIF89a" + bytes(20)])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert "not a picture" in refusal_of(data).message


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(["PNG", "WEBP", "JPEG"]), st.sampled_from(["L", "RGB"]),
    st.lists(st.tuples(st.integers(0, 9999), st.binary(min_size=1, max_size=4)), min_size=1, max_size=8),
    st.integers(0, 9999),
)  # fmt: skip
def test_a_picture_that_was_changed_anywhere_is_read_or_refused(
    kind: str, mode: str, changes: list[tuple[int, bytes]], end: int
) -> None:
    data = saved(picture(qr.png(TEXT)).convert(mode), kind)
    for at, piece in changes:
        place = at % len(data)
        data = data[:place] + piece + data[place + len(piece) :]
    with suppress(Refusal):
        assert isinstance(qr.read(data[: len(data) - end % 50]), str)


@pytest.mark.parametrize("size", [(5000, 4001), (20_000_001, 1), (20_000, 20_000)])
def test_a_picture_that_would_unfold_to_too_much_is_refused_before_it_is_unpacked(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    bomb += _chunk(b"IDAT", zlib.compress(bytes(20_000_000))) + _chunk(b"IEND", b"")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("unpacked"))
    assert "too large" in refusal_of(bomb).message


@pytest.mark.parametrize(
    ("size", "how"),
    [((2501, 2500), {"format": "WEBP"}), ((4100, 4100), {"format": "JPEG", "progressive": True})],
    ids=["webp", "progressive"],
)
def test_what_costs_more_a_pixel_may_have_fewer(size: tuple[int, int], how: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    Image.new("L", size, 255).save(buffer, **how)
    assert "too large" in refusal_of(buffer.getvalue()).message


def test_a_phones_photo_of_fifty_million_pixels_is_read_in_little_memory(tmp_path: Path) -> None:
    photo = Image.new("L", (8160, 6120), 240)
    photo.paste(Image.open(io.BytesIO(qr.png(TEXT))).resize((2400, 2400)), (2800, 1800))
    photo.save(tmp_path / "photo.jpg", quality=80)
    assert qr.read((tmp_path / "photo.jpg").read_bytes()) == TEXT
    measure = (
        "import resource, sys; import PIL.Image, zxingcpp; from checkout import qr; used = lambda: "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; data = open(sys.argv[1], 'rb').read(); before = used(); "
        "qr.read(data); print(used() - before)"
    )
    # Through a shell, because a process starts with the peak of the one that forked it.
    command = shlex.join([sys.executable, "-c", measure, str(tmp_path / "photo.jpg")])
    done = subprocess.run(["sh", "-c", f"{command}; true"], stdout=subprocess.PIPE, check=True)
    assert int(done.stdout) < 100_000  # KiB


def test_only_the_formats_that_are_named_are_opened() -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(qr.png(TEXT))).convert("RGB").save(buffer, "EPS")
    assert "not a picture" in refusal_of(buffer.getvalue()).message


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
