"""The road to WeChat Pay's API v3: requests signed with the merchant's key, answers believed by WeChat Pay's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from checkout.channel import GatewayError
from checkout.channels import wechat_v3_messages as messages
from checkout.http.client import Answer, Outgoing, Unreachable
from checkout.interfaces import Send
from checkout.records import Discreet

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey

BUSY = frozenset({"SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED", "BIZERR_NEED_RETRY"})
BUSY |= frozenset({"USERPAYING", "USER_PAYING"})


class Config(Discreet, frozen=True):
    """What a section of kind "wechat_v3" says."""

    SECRET: ClassVar = ("api_v3_key", "private")

    app_id: str
    mch_id: str
    api_v3_key: str
    private: RsaKey
    serial_no: str  # of the merchant's certificate
    wechat_public: RsaKey
    public_key_id: str
    gateway: str  # without a slash at its end


class Refused(Exception):
    """A signed refusal. `code` is without underscores, because some are spelt both ways; `reason` is for people."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code.replace("_", "")
        named = code or f"status {status}"
        self.reason = f"WeChat Pay refused the request: {named}{f' ({text})' if text else ''}."


class Gateway:
    """One merchant at WeChat Pay."""

    def __init__(self, config: Config, send: Send, new_nonce: Callable[[], str]) -> None:
        self._config = config
        self._send = send
        self._new_nonce = new_nonce

    def ask(self, method: str, target: str, content: Mapping[str, object] | None, now: int) -> dict[str, object]:
        """The values of a signed success, empty for one without a body. Raises `Refused` and `GatewayError`.

        A refusal that is not signed is reported and never acted upon.
        """
        body = b"" if content is None else _json(content)
        answer = self._sent(method, target, body, now)
        if answer.status == 429 or answer.status >= 500:
            raise GatewayError(f"WeChat Pay answered with the status {answer.status}.", permanent=False)
        try:
            self.check(answer.headers, answer.body, now)
            values = messages.object_of(answer.body) if answer.body else {}
        except messages.Unsigned as problem:
            raise _unsigned(answer.status, problem) from None
        except messages.Malformed as problem:
            raise GatewayError(f"WeChat Pay's answer cannot be used: {problem}", permanent=False) from None
        if answer.status not in (200, 204):
            raise _refusal(answer.status, values)
        return values

    def check(self, headers: Mapping[str, str], body: bytes, now: int) -> None:
        """Raises `Unsigned` unless WeChat Pay signed this within five minutes."""
        messages.check_signature(headers, body, self._config.wechat_public, self._config.public_key_id, now)

    def _sent(self, method: str, target: str, body: bytes, now: int) -> Answer:
        url = self._config.gateway + target
        path = urlsplit(self._config.gateway).path + target
        config = self._config
        headers = {
            "Accept": "application/json",
            "Authorization": messages.authorization(
                config.private, config.mch_id, config.serial_no, self._new_nonce(), now,
                method.encode(), path.encode(), body,
            ),
            "Wechatpay-Serial": config.public_key_id,  # asks for an answer signed by this key
        }  # fmt: skip
        if method == "POST":
            headers["Content-Type"] = "application/json"
        try:
            return self._send(Outgoing(method, url, headers, body))
        except Unreachable as problem:
            raise GatewayError(f"WeChat Pay did not answer: {problem.message}", permanent=False) from problem


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _unsigned(status: int, problem: messages.Unsigned) -> GatewayError:
    hint = "; are mch_id, serial_no and private_key of one merchant?" if status == 401 else "."
    said = str(problem) if str(problem).endswith("?") else f"{problem}{hint}"
    return GatewayError(f"WeChat Pay's answer (status {status}) {said}", permanent=False)


def _refusal(status: int, values: Mapping[str, object]) -> Refused | GatewayError:
    code, text = (str(values.get(name, "")) for name in ("code", "message"))
    code = code if re.fullmatch(r"[A-Z0-9_]{1,64}", code) else ""
    if code in BUSY or status == 202:
        return GatewayError(f"WeChat Pay could not do it now: {code or status}.", permanent=False)
    refused = Refused(status, code, messages.shortened(text, 120))
    if status == 401:
        reason = (
            f"WeChat Pay does not know our signature ({code}): are mch_id, serial_no and private_key of one merchant?"
        )
        return GatewayError(reason, permanent=True)
    return refused
