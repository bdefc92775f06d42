"""Whatever stands in the file or in the environment: settings, or one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout.setting_values import READERS
from checkout.settings import Settings, SettingsError, load

NAMES = st.sampled_from([*sorted(READERS), "channels", "folder", "Grace", ""])
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "https://[::1", "http://x:99999", "https://user@x/", "//x", "1e3", "-0", "０", "+5", "9" * 5000, "80,,443",
            "::/0", "1.2.3.4/33", "#00000g", "23:00-08:00", "25:00-08:00", "Asia/../Shanghai", "../x", "ntfy://x",
            "postgresql://", "postgresql://a:b@[", "env:", "~",
        ]
    ),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.integers(-(10**30), 10**30), st.floats(), st.booleans()),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def read(folder: Path, environ: Mapping[str, str]) -> Settings | SettingsError:
    """Any other error is a fault."""
    try:
        return load(environ, folder)
    except SettingsError as error:
        return error


def is_settings_or_a_sentence(found: Settings | SettingsError) -> bool:
    return isinstance(found, Settings) or ("\n" not in str(found) and str(found).endswith((".", "?")))


@QUIET
@given(st.dictionaries(NAMES.map(lambda name: f"CHECKOUT_{name.upper()}"), TEXTS.filter(lambda text: "\0" not in text)))
def test_any_environment_is_read_or_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    assert is_settings_or_a_sentence(read(tmp_path, environ))


@QUIET
@given(st.dictionaries(NAMES.filter(bool), VALUES, min_size=1))
def test_any_values_in_the_file_are_read_or_refused(tmp_path: Path, values: dict[str, object]) -> None:
    lines = [
        f"{name} = {json.dumps(value).replace('NaN', 'nan').replace('Infinity', 'inf')}"
        for name, value in values.items()
    ]
    (tmp_path / "checkout.toml").write_text("\n".join(lines), encoding="utf-8")
    assert is_settings_or_a_sentence(read(tmp_path, {}))


@QUIET
@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkout.toml").write_bytes(content)
    assert is_settings_or_a_sentence(read(tmp_path, {}))
