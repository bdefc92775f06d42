"""No signed text of epay can be cut into two requests that are both accepted and say different things."""

from __future__ import annotations

from itertools import cycle

from hypothesis import example, given, settings
from hypothesis import strategies as st

from checkout.protocols._epay_request import is_ambiguous
from tests.clients.epay import text_to_sign

NAMES = ("attach", "money", "moneyx", "name", "notify_url", "out_trade_no", "param", "pid", "return_url", "zz")
COUNTS = ("money", "pid", "notify_url", "out_trade_no")
PIECES = ("x", "1", "0.01", "50.00", "&", "=", "https://s/?a=1", *(f"&{name}=" for name in NAMES))
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
requests = st.fixed_dictionaries(dict.fromkeys(NAMES, texts))


def cut(text: str, wanted: list[bool]) -> dict[str, str]:
    """`text` read anew, as parameters sorted by name: borders where they are wanted and can be."""
    chunks: list[tuple[str, str]] = []
    for part, is_wanted in zip(text.split("&"), cycle(wanted), strict=False):
        name, border, value = part.partition("=")
        if not chunks or (is_wanted and border and name > chunks[-1][0]):
            chunks.append((name, value))
        else:
            chunks[-1] = (chunks[-1][0], f"{chunks[-1][1]}&{part}")
    return dict(chunks)


def is_in_its_grammar(values: dict[str, str]) -> bool:
    return all("&" not in values.get(name, "") for name in ("money", "pid", "out_trade_no"))


@settings(max_examples=500, deadline=None)
@given(requests, st.lists(st.booleans(), min_size=1, max_size=20))
@example({**dict.fromkeys(NAMES, "1"), "attach": "x&money=0.01&moneyx=1", "money": "50.00"}, [True])
def test_the_values_that_count_can_be_read_in_one_way_only(asked: dict[str, str], wanted: list[bool]) -> None:
    read = cut(text_to_sign(asked), wanted)
    assert "&".join(f"{name}={read[name]}" for name in sorted(read)) == text_to_sign(asked)
    if any(is_ambiguous(one) or not is_in_its_grammar(one) for one in (asked, read)):
        return
    assert {name: read.get(name, "") for name in COUNTS} == {name: asked[name] for name in COUNTS}
