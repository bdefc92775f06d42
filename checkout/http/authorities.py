"""Which certificate authorities are trusted: the system's, wherever it keeps them."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

# Where other systems than the one that built this Python's OpenSSL keep theirs.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL and what comes of it
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)


def file() -> str | None:
    """A file of authorities (PEM) to load; None: OpenSSL finds those of the system by itself.

    A bare system and a small container have none at all. Mozilla's list, as old as this release, then stands in for
    them: without any, no shop with https could be told of its money.
    """
    if _are_found_by_openssl():
        return None
    return next(filter(os.path.isfile, _BUNDLES), None) or _mozillas()


def _are_found_by_openssl() -> bool:
    """SSL_CERT_FILE and SSL_CERT_DIR may name the places. A folder counts only if it has names that OpenSSL looks
    up."""
    places = ssl.get_default_verify_paths()
    return bool(places.cafile) or (bool(places.capath) and any(Path(places.capath).glob("*.0")))


def _mozillas() -> str:
    import certifi

    return certifi.where()
