"""The stand-in that the demo has too."""

from checkout.demo.gateways.alipay_desk import qr_of

__all__ = ["qr_of"]
