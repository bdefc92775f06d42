"""checkout merchant rsa."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from Crypto.PublicKey import RSA

from checkout.cli import cli
from checkout.cli.desk import Desk
from checkout.errors import Refusal


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(environ={}, cwd=tmp_path)


def run(desk: Desk, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=desk)


def told(desk: Desk, *arguments: str) -> dict[str, Any]:
    result = run(desk, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_it_prints_what_to_enter_in_the_shop_and_the_private_key_once(desk: Desk) -> None:
    number = str(told(desk, "merchant", "add", "shop")["id"])
    first = told(desk, "merchant", "rsa", number)
    assert list(first) == ["id", "platform_public_key", "merchant_private_key", "merchant_public_key"]
    assert RSA.import_key(base64.b64decode(first["merchant_private_key"])).has_private()
    second = told(desk, "merchant", "rsa", number)
    assert second == {**first, "merchant_private_key": None}
    plain = run(desk, "merchant", "rsa", number, "--renew")
    assert "merchant private key" in plain.stdout
    assert "shown this once" in plain.stderr
    assert first["platform_public_key"] not in plain.stdout


def test_it_takes_the_shops_own_public_key(desk: Desk, tmp_path: Path) -> None:
    number = str(told(desk, "merchant", "add", "shop")["id"])
    public = RSA.generate(2048).public_key()
    file = tmp_path / "shop.pem"
    file.write_bytes(b"\xef\xbb\xbf" + public.export_key())
    found = told(desk, "merchant", "rsa", number, "--merchant-public-key", str(file))
    assert found["merchant_public_key"] == base64.b64encode(public.export_key("DER")).decode()
    assert found["merchant_private_key"] is None
    file.write_bytes(b"\xff\xfe no key")
    refused = run(desk, "merchant", "rsa", number, "--merchant-public-key", str(file))
    assert isinstance(refused.exception, Refusal)
    assert run(desk, "merchant", "rsa", number, "--merchant-public-key", str(tmp_path / "none")).exit_code == 2


def test_an_unknown_merchant_is_refused(desk: Desk) -> None:
    assert isinstance(run(desk, "merchant", "rsa", "9").exception, Refusal)


def test_other_commands_do_not_print_our_private_key(desk: Desk) -> None:
    number = str(told(desk, "merchant", "add", "shop")["id"])
    told(desk, "merchant", "rsa", number)
    for arguments in (
        ("merchant", "show", number),
        ("merchant", "show", number, "--json"),
        ("merchant", "list", "--json"),
    ):
        assert "PRIVATE" not in run(desk, *arguments).output
