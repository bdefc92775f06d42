"""Strict stand-ins for the gateways, written from their documents: for the demo and for the tests.

They verify every request, refuse what the real one refuses, sign their answers, and send notices on the published
schedule until one is answered rightly. They listen on 127.0.0.1 and speak to this machine only.
"""
