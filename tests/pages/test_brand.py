"""The owner's colour stays readable."""

from __future__ import annotations

import re

import pytest

from checkout.pages.brand import contrast, css


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == 210
    assert contrast((255, 255, 255), (0, 0, 0)) == 210
    assert contrast((7, 7, 7), (7, 7, 7)) == 10


@pytest.mark.parametrize(
    ("colour", "tenths"), [((0x07, 0xC1, 0x60), 23), ((0x16, 0x77, 0xFF), 41), ((0x04, 0x7F, 0x40), 51)]
)
def test_known_colours_on_white(colour: tuple[int, int, int], tenths: int) -> None:
    assert contrast(colour, (255, 255, 255)) == tenths


def test_without_a_colour_there_is_nothing_to_add() -> None:
    assert css("") == ""


@pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#ffd400", "#047f40", "#ff0000", "#1677ff", "#808080"])
def test_text_in_and_on_the_colour_can_be_read(colour: str) -> None:
    def parsed(text: str) -> tuple[int, int, int]:
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)

    found = re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", css(colour))
    (_, brand), (_, on_brand), (_, light), (_, dark) = found
    assert brand == colour
    assert contrast(parsed(brand), parsed(on_brand)) >= 45
    assert contrast(parsed(light), (255, 255, 255)) >= 45
    assert contrast(parsed(dark), (0x1A, 0x1E, 0x22)) >= 45
