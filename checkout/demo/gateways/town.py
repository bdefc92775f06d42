"""Every gateway at once, and the sections of checkout.toml that lead to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from Crypto.PublicKey import RSA
from Crypto.PublicKey.RSA import RsaKey

from checkout.demo.gateways.alipay import FakeAlipay
from checkout.demo.gateways.alipay_legacy import FakeMapi
from checkout.demo.gateways.wechat import FakeWechat
from checkout.demo.gateways.wechat_2014 import FakeWechat2014, Secrets
from checkout.demo.gateways.wechat_v3 import FakeWechatV3

APP_ID, PARTNER, SELLER = "2021000000000001", "2088501624816263", "xxx@alipay.com"
WX_APP, MCH_ID = "wx2421b1c4370ec43b", "1900000109"
API_KEY, API_V3_KEY = "192006250b4c09247ec02edce69f6a2d", "0123456789abcdefGHIJKLMNOPQRSTuv"
SERIAL, KEY_ID = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "PUB_KEY_ID_0119000001092024"
OLD = Secrets(WX_APP, MCH_ID, "5" * 32, "Pay1" * 32, "8934e7d15453e97507ef794cf7b0519d", "111111")

KeyOf = Callable[[str, int], RsaKey]  # the key pair of an owner, of so many bits


class Town:
    """Gateways on free ports; they answer between `with` and its end. Their keys and ours lie in `folder`/keys."""

    def __init__(
        self, folder: Path, site: str, *, clock: Callable[[], int], second_s: float = 0.0, key_of: KeyOf | None = None
    ) -> None:
        self._folder = folder
        key = key_of or self._kept_key
        self.alipay = FakeAlipay(
            APP_ID, key("ours", 2048).public_key(), key("alipay", 2048), clock=clock, second_s=second_s
        )
        self.mapi = FakeMapi(
            PARTNER, SELLER, key("legacy", 1024).public_key(), key("mapi", 1024), clock=clock, second_s=second_s
        )
        self.wechat = FakeWechat(WX_APP, MCH_ID, API_KEY, clock=clock, second_s=second_s)
        self.wechat_2014 = FakeWechat2014(OLD, clock=clock, second_s=second_s)
        self.wechat_2014.callback = f"{site}/notify/wechat_2014/product"
        self.wechat_v3 = FakeWechatV3(
            WX_APP, MCH_ID, API_V3_KEY, SERIAL, key("ours", 2048).public_key(), key("wechat", 2048), KEY_ID,
            clock=clock, second_s=second_s,
        )  # fmt: skip
        self.sections = self._sections(key)
        self._open = ExitStack()

    def __enter__(self) -> Town:
        for gateway in self._gateways():
            self._open.enter_context(gateway.serving)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def leave(self) -> None:
        """For a process that only had to know the addresses."""
        for gateway in self._gateways():
            gateway.serving.leave()

    def cashier(self, channel: str, number: str) -> str:
        """Where the buyer of an order pays."""
        return f"{getattr(self, channel).serving.url}/cashier/{number}"

    def _gateways(self) -> tuple[FakeAlipay | FakeMapi | FakeWechat | FakeWechat2014 | FakeWechatV3, ...]:
        return (self.alipay, self.mapi, self.wechat, self.wechat_2014, self.wechat_v3)

    def _sections(self, key: KeyOf) -> dict[str, dict[str, object]]:
        old = self.wechat_2014.serving.url
        return {
            "alipay": {
                "kind": "alipay", "app_id": APP_ID, "gateway": self.alipay.gateway,
                "app_private_key": self._file("app_private.pem", _pem(key("ours", 2048))),
                "alipay_public_key": self._file("alipay_public.pem", _pem(key("alipay", 2048).public_key())),
            },
            "alipay_legacy": {
                "kind": "alipay_legacy", "partner": PARTNER, "seller_id": SELLER, "gateway": self.mapi.gateway,
                "private_key": self._file("legacy_private.pem", _pem(key("legacy", 1024))),
                "alipay_public_key": self._file("mapi_public.pem", _pem(key("mapi", 1024).public_key())),
            },
            "wechat": {
                "kind": "wechat", "app_id": WX_APP, "mch_id": MCH_ID, "gateway": self.wechat.url,
                "api_key": self._file("api_key.txt", API_KEY), "sign_type": "HMAC-SHA256",
            },
            "wechat_2014": {
                "kind": "wechat_2014", "app_id": WX_APP, "partner": MCH_ID, "gateway": old, "query_gateway": old,
                "api": old, "app_secret": self._file("app_secret.txt", OLD.app_secret),
                "pay_sign_key": self._file("pay_sign_key.txt", OLD.pay_sign_key),
                "partner_key": self._file("partner_key.txt", OLD.partner_key),
            },
            "wechat_v3": {
                "kind": "wechat_v3", "app_id": WX_APP, "mch_id": MCH_ID, "gateway": self.wechat_v3.gateway,
                "api_v3_key": self._file("api_v3_key.txt", API_V3_KEY), "serial_no": SERIAL, "public_key_id": KEY_ID,
                "private_key": self._file("apiclient_key.pem", _pem(key("ours", 2048))),
                "wechat_public_key": self._file("wechat_public.pem", _pem(key("wechat", 2048).public_key())),
            },
        }  # fmt: skip

    def _file(self, name: str, text: str) -> str:
        """The name of a file in the folder, which only its owner may read."""
        file = self._folder / "keys" / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(text + "\n", encoding="utf-8")
        return f"keys/{name}"

    def _kept_key(self, owner: str, bits: int) -> RsaKey:
        """Made once, because it takes a second."""
        file = self._folder / "keys" / f"of-{owner}.pem"
        if not file.exists():
            self._file(file.name, _pem(RSA.generate(bits)))
        return RSA.import_key(file.read_text(encoding="utf-8"))


def _pem(key: RsaKey) -> str:
    return key.export_key(format="PEM", pkcs=8).decode()
