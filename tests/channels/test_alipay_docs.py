"""What the documentation tells merchants to write into checkout.toml is what the channels take."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from checkout.channels import alipay, alipay_legacy
from tests.channels.rsa import key, pem, written

DOCS = Path(__file__).resolve().parents[2] / "docs" / "official"
MAKERS = {"alipay": alipay.make, "alipay_legacy": alipay_legacy.make}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sections_in_the_documentation_can_be_used(language: str, tmp_path: Path) -> None:
    for name in ("app_private", "legacy_private"):
        written(tmp_path / "keys" / f"{name}.pem", pem(key("ours")))
    for name in ("alipay_public", "mapi_public"):
        written(tmp_path / "keys" / f"{name}.pem", pem(key("alipay").public_key()))
    text = (DOCS / f"alipay.{language}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```toml\n(.*?)^```$", text)
    assert len(blocks) == 2
    for block in blocks:
        for name, table in tomllib.loads(block)["channels"].items():
            assert MAKERS[table["kind"]](name, table, tmp_path, False).name == name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_messages_in_the_documentation_are_those_of_the_code(language: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(alipay.__file__).parent.glob("*.py"))
    text = (DOCS / f"alipay.{language}.md").read_text(encoding="utf-8")
    for message in ("is our own public key", "the app's number (not a seller's 2088…)", "answer does not hold"):
        assert message in text
        assert message in code
