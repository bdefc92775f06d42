"""What the documentation tells merchants to write into checkout.toml is what the channels take."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from checkout.channels import wechat, wechat_2014
from tests.channels.wechat import certificates, section
from tests.channels.wechat_2014 import section as section_2014

DOCS = Path(__file__).resolve().parents[2] / "docs" / "official"
MAKERS = {"wechat": wechat.make, "wechat_2014": wechat_2014.make}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sections_in_the_documentation_can_be_used(language: str, tmp_path: Path) -> None:
    section(tmp_path)
    section_2014(tmp_path)
    files = certificates(tmp_path / "made")
    for name in ("apiclient", "tenpay"):
        shutil.copy(files.cert, tmp_path / "keys" / f"{name}_cert.pem")
        shutil.copy(files.cert_key, tmp_path / "keys" / f"{name}_key.pem")
    text = (DOCS / f"wechat-v2.{language}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```toml\n(.*?)^```$", text)
    assert len(blocks) == 2
    for block in blocks:
        for name, table in tomllib.loads(block)["channels"].items():
            assert MAKERS[table["kind"]](name, table, tmp_path, False).name == name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_messages_in_the_documentation_are_those_of_the_code(language: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(wechat.__file__).parent.glob("wechat*.py"))
    text = (DOCS / f"wechat-v2.{language}.md").read_text(encoding="utf-8")
    for message in (
        "must name a text of 32 letters and digits", "is not signed with our key", "needs the buyer's openid",
        "Refunds need the merchant's certificate", "does not name files that can be used",
    ):  # fmt: skip
        assert message in text
        assert message in code
