"""The stand-in that the demo has too."""

from checkout.demo.gateways.wechat_words import locked, read, sign_of, written

__all__ = ["locked", "read", "sign_of", "written"]
