"""The stand-in that the demo has too."""

from checkout.demo.gateways.alipay import SCHEDULE, FakeAlipay

__all__ = ["SCHEDULE", "FakeAlipay"]
