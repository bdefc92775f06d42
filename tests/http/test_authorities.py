"""Which authorities are believed where the system keeps them elsewhere, or has none."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from checkout.http import authorities
from checkout.http.client import Client
from tests import certificates
from tests.http.test_tls import get, refused, shop, trusting


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OpenSSL finds nothing: an empty folder, as a small container has it, and no bundle of another system."""
    monkeypatch.setattr(authorities, "_BUNDLES", ())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


def test_the_systems_own_are_taken_where_openssl_finds_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = certificates.authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(ours.file))
    assert authorities.file() is None
    with shop(ours.issue(tmp_path, "shop.example")) as port:
        assert get(trusting(None), port).status == 200


def test_a_folder_of_hashed_names_counts_as_found(monkeypatch: pytest.MonkeyPatch, bare: None, tmp_path: Path) -> None:
    (tmp_path / "readme").touch()
    assert authorities.file() is not None
    (tmp_path / "0a775a30.0").touch()
    assert authorities.file() is None


def test_another_systems_bundle_is_found_before_mozillas(
    monkeypatch: pytest.MonkeyPatch, bare: None, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca-bundle.crt"
    monkeypatch.setattr(authorities, "_BUNDLES", ("/nowhere", str(bundle)))
    assert authorities.file() == certifi.where()
    bundle.touch()
    assert authorities.file() == str(bundle)


def test_a_system_without_any_believes_mozillas_and_nobody_else(bare: None, tmp_path: Path) -> None:
    assert Client()._tls.cert_store_stats()["x509_ca"] > 50
    ours = certificates.authority(tmp_path)
    with shop(ours.issue(tmp_path, "shop.example")) as port:
        assert "shop.example" in refused(trusting(None), port)
