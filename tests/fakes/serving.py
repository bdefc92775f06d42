"""The stand-in that the demo has too."""

from checkout.demo.gateways.serving import Answered, Asked, Serving, once, post

__all__ = ["Answered", "Asked", "Serving", "once", "post"]
