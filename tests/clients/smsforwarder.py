"""SmsForwarder as it behaves on a phone, from its documentation: the webhook sender with a template."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote_plus, urlencode, urlsplit

from tests.clients.wire import Reply, Wire

TEMPLATE = (
    '{"from":"[from]","title":"[title]","text":"[org_content]","time":"[receive_time:yyyy-MM-dd HH:mm:ss]",'
    '"device":"[device_mark]","ts":"[timestamp]","sign":"[sign]"}'
)
FORM_TEMPLATE = (
    "from=[from]&title=[title]&text=[org_content]&time=[receive_time:yyyy-MM-dd HH:mm:ss]"
    "&device=[device_mark]&ts=[timestamp]&sign=[sign]"
)
WECHAT, ALIPAY = "com.tencent.mm", "com.eg.android.AlipayGphone"
_RECEIVE_TIME = re.compile(r"\[receive_time(:(.*?))?]")
# What Gson escapes beyond what JSON asks for.
_GSON = {char: f"\\u{ord(char):04x}" for char in "<>&='\u2028\u2029"}


@dataclass(frozen=True)
class Notification:
    """`at_ms`: when it was posted, by the phone's clock."""

    package: str
    title: str
    text: str
    at_ms: int


@dataclass(frozen=True)
class Request:
    """Kept, so that a retry sends it again as it was."""

    content_type: str
    body: bytes


@dataclass(frozen=True)
class Forwarder:
    """What was entered: address, secret, template, the word that a good answer contains."""

    wire: Wire
    url: str
    secret: str
    template: str = TEMPLATE
    keyword: str = '"ok":true'
    device_mark: str = "Redmi 9"
    zone: timezone = field(default=timezone(timedelta(hours=8)))

    def as_form(self) -> Forwarder:
        return replace(self, template=FORM_TEMPLATE)

    def request(self, seen: Notification, sent_ms: int) -> Request:
        """`sent_ms` is the phone's clock when it signs; sending an old message again by hand signs anew."""
        sign = ""
        if self.secret:
            signed = hmac.new(self.secret.encode(), f"{sent_ms}\n{self.secret}".encode(), hashlib.sha256)
            sign = quote_plus(base64.b64encode(signed.digest()).decode())
        if self.template.startswith("{"):
            body = self._filled(self.template, seen, sent_ms, sign, escape=_json_escaped)
            return Request("application/json; charset=utf-8", body.encode("utf-8", "replace"))
        pairs = [pair.partition("=") for pair in self.template.split("&")]
        values = {name: self._filled(value, seen, sent_ms, sign, escape=str) for name, _, value in pairs}
        return Request("application/x-www-form-urlencoded", urlencode(values, errors="replace").encode())

    def send(self, request: Request) -> Reply:
        return self.wire("POST", urlsplit(self.url).path, {"Content-Type": request.content_type}, request.body)

    def forward(self, seen: Notification, sent_ms: int | None = None) -> bool:
        """Whether the app marks the message as forwarded."""
        return self.is_good(self.send(self.request(seen, seen.at_ms if sent_ms is None else sent_ms)))

    def is_good(self, reply: Reply) -> bool:
        return 200 <= reply.status < 300 and self.keyword in reply.body.decode("utf-8")

    def press_test(self, now_ms: int) -> bool:
        """The button beside the settings of the sender."""
        return self.forward(Notification("19999999999", "SIM1_CMCC", "【测试】 Webhook 发送通道测试", now_ms))

    def scheduled(self, now_ms: int, name: str = "通知") -> bool:
        """A task of the app's own scheduler; its name is what the message is from."""
        return self.forward(Notification(name, name, "每隔一分钟", now_ms))

    def _filled(
        self, template: str, seen: Notification, sent_ms: int, sign: str, *, escape: Callable[[str], str]
    ) -> str:
        replacements = {
            "[from]": seen.package,
            "[org_content]": escape(seen.text),
            "[device_mark]": escape(self.device_mark),
            "[title]": escape(seen.title),
        }
        for name, value in replacements.items():
            template = template.replace(name, value)
        template = _RECEIVE_TIME.sub(lambda found: self._time(seen.at_ms, found[2]), template)
        return template.replace("[timestamp]", str(sent_ms)).replace("[sign]", sign)

    def _time(self, at_ms: int, pattern: str | None) -> str:
        at = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(self.zone)
        pattern = pattern or "yyyy-MM-dd HH:mm:ss"
        for java, python in (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S")):
            pattern = pattern.replace(java, python)
        return at.strftime(pattern.replace("Z", "%z"))


def _json_escaped(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(_GSON.get(char, char) for char in quoted)
