"""The stand-in that the demo has too."""

from checkout.demo.gateways.wechat import FakeWechat, accepted

__all__ = ["FakeWechat", "accepted"]
