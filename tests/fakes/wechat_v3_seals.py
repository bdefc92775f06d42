"""The stand-in that the demo has too."""

from checkout.demo.gateways.wechat_v3_seals import holds, sealed, signed_headers

__all__ = ["holds", "sealed", "signed_headers"]
