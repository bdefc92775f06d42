"""The stand-in that the demo has too."""

from checkout.demo.gateways.alipay_legacy import FakeMapi, Refused

__all__ = ["FakeMapi", "Refused"]
