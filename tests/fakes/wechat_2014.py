"""The stand-in that the demo has too."""

from checkout.demo.gateways.wechat_2014 import FakeWechat2014, Secrets, sha1_of

__all__ = ["FakeWechat2014", "Secrets", "sha1_of"]
