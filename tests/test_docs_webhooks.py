"""The functions that docs/webhooks offers for copying: they take what is told, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from checkout.signing import webhook_secret, webhook_signature
from tests.conftest import skip_or_fail

DOCS = Path(__file__).resolve().parent.parent / "docs"
SECRET, OTHER = "whsec_" + "c2VjcmV0" * 5, "whsec_" + "b3RoZXIh" * 5
BODY = '{"type": "order.paid", "data": {"number": "订单 1"}}'


def snippet(language: str, kind: str) -> str:
    (found,) = re.findall(rf"(?s)```{kind}\n(.*?)```", (DOCS / f"webhooks.{language}.md").read_text(encoding="utf-8"))
    assert isinstance(found, str)
    return found


def message(at: int, **changes: Any) -> dict[str, Any]:
    """What came, told at a moment."""
    signed = webhook_signature(webhook_secret(changes.pop("signer", SECRET)), "msg_1", at, BODY.encode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signed}
    headers |= changes.pop("headers", {})
    return {"secret": SECRET, "headers": headers, "body": BODY, **changes}


def cases() -> list[tuple[dict[str, Any], bool]]:
    """What came, and whether it is to be believed."""
    now = int(time.time())
    good, foreign = message(now), message(now, signer=OTHER)
    both = f"{foreign['headers']['webhook-signature']} {good['headers']['webhook-signature']}"
    return [
        (good, True),
        (message(now, headers={"webhook-signature": both}), True),
        (message(now, body=BODY + " "), False),
        (foreign, False),
        (message(now - 400), False),
        (message(now + 1000), False),
        (message(now, headers={"webhook-id": "msg_2"}), False),
        (message(now, headers={"webhook-id": ""}), False),
        (message(now, headers={"webhook-timestamp": f"{now}.0"}), False),
        (message(now, headers={"webhook-timestamp": ""}), False),
        (message(now, headers={"webhook-signature": ""}), False),
        (message(now, headers={"webhook-signature": good["headers"]["webhook-signature"][3:]}), False),
        ({**good, "headers": {}}, False),
    ]


def said_by(command: list[str], asked: list[dict[str, Any]]) -> list[bool]:
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    answers: list[bool] = json.loads(done.stdout)
    return answers


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_function_in_python(language: str) -> None:
    names: dict[str, Any] = {}
    exec(snippet(language, "python"), names)  # noqa: S102
    said = [names["verified"](one["secret"], one["headers"], one["body"].encode()) for one, _ in cases()]
    assert said == [expected for _, expected in cases()]


def test_the_function_in_javascript(language: str) -> None:
    if shutil.which("node") is None:
        skip_or_fail("node", "no Node is installed (apt install nodejs)")
    reading = 'JSON.parse(require("node:fs").readFileSync(0, "utf8"))'
    asking = "({ secret, headers, body }) => verified(secret, headers, body)"
    script = f"{snippet(language, 'js')}\nconsole.log(JSON.stringify({reading}.map({asking})))"
    said = said_by(["node", "-e", script], [one for one, _ in cases()])
    assert said == [expected for _, expected in cases()]


def test_the_function_in_php(language: str) -> None:
    if shutil.which("php") is None:
        skip_or_fail("php", "no PHP is installed (apt install php-cli)")
    asking = "fn($one) => verified($one['secret'], $one['headers'], $one['body'])"
    reading = "json_decode(file_get_contents('php://stdin'), true)"
    script = f"{snippet(language, 'php')}\necho json_encode(array_map({asking}, {reading}));"
    said = said_by(["php", "-r", script], [one for one, _ in cases()])
    assert said == [expected for _, expected in cases()]
