"""Checkout: paid by a personal WeChat or Alipay QR code, on one small server."""

__version__ = "0.1.0"
