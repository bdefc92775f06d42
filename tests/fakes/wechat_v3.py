"""The stand-in that the demo has too."""

from checkout.demo.gateways.wechat_v3 import CERTIFICATE, SCHEDULE, FakeWechatV3

__all__ = ["CERTIFICATE", "SCHEDULE", "FakeWechatV3"]
