"""The RSA keys of a merchant: made, taken, kept."""

from __future__ import annotations

import base64
import json

import pytest
from Crypto.PublicKey import ECC, RSA

from checkout import ids, merchant_keys
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.interfaces import Store
from checkout.merchant_keys import RsaKeys
from checkout.model.merchants import Merchant
from tests.world import START, merchant


@pytest.fixture
def db(store: Store) -> Store:
    with store.transaction() as rows:
        stores.merchants.add(rows, merchant())
    return store


@pytest.fixture(scope="module")
def theirs() -> RSA.RsaKey:
    return RSA.generate(2048)


def set_up(db: Store, merchant_id: int = 1001, public_key: str | None = None, renew: bool = False) -> RsaKeys:
    return merchant_keys.set_up(
        db, merchant_id, public_key=public_key, renew=renew, actor="test", new_id=ids.new_id, now=START
    )


def kept(db: Store) -> Merchant:
    with db.read() as rows:
        found = stores.merchants.get(rows, 1001)
    assert found is not None
    return found


def one_line(key: RSA.RsaKey) -> str:
    return base64.b64encode(key.export_key("DER")).decode()


def der(line: str) -> RSA.RsaKey:
    return RSA.import_key(base64.b64decode(line, validate=True))


def test_the_first_call_makes_both_pairs_and_shows_the_merchants_private_key_once(db: Store) -> None:
    first = set_up(db)
    assert der(first.merchant_private).public_key() == der(first.merchant_public)
    assert der(first.platform_public).size_in_bits() == 2048
    assert RSA.import_key(kept(db).rsa_platform).public_key() == der(first.platform_public)
    assert first.merchant_private not in str(kept(db))
    second = set_up(db)
    assert second == RsaKeys(1001, first.platform_public, first.merchant_public, "")


def test_the_private_key_is_pkcs8_as_shops_wrap_it(db: Store) -> None:
    line = set_up(db).merchant_private
    pem = f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----"
    assert RSA.import_key(pem).has_private()


def test_a_merchants_own_public_key_is_taken_in_every_form(db: Store, theirs: RSA.RsaKey) -> None:
    public = theirs.public_key()
    pkcs1 = f"-----BEGIN RSA PUBLIC KEY-----\n{base64.b64encode(_pkcs1(public)).decode()}\n-----END RSA PUBLIC KEY-----"
    line = one_line(public)
    for text in (public.export_key().decode(), line, f"  {line[:64]}\n{line[64:]}\r\n", pkcs1):
        found = set_up(db, public_key=text)
        assert (found.merchant_public, found.merchant_private) == (line, "")
        assert kept(db).rsa_merchant == public.export_key().decode()


def _pkcs1(key: RSA.RsaKey) -> bytes:
    from Crypto.Util.asn1 import DerSequence

    return bytes(DerSequence([key.n, key.e]).encode())


def test_renewing_changes_our_key_and_the_merchants_unless_it_brings_one(db: Store, theirs: RSA.RsaKey) -> None:
    first = set_up(db)
    second = set_up(db, renew=True)
    assert second.platform_public != first.platform_public
    assert second.merchant_public != first.merchant_public
    assert second.merchant_private
    third = set_up(db, renew=True, public_key=one_line(theirs.public_key()))
    assert third.platform_public != second.platform_public
    assert (third.merchant_public, third.merchant_private) == (one_line(theirs.public_key()), "")


def test_what_is_no_public_rsa_key_is_refused_and_nothing_is_written(db: Store, theirs: RSA.RsaKey) -> None:
    small = RSA.generate(1024).public_key()  # noqa: S505 - to be refused
    curve = ECC.generate(curve="P-256").public_key().export_key(format="PEM")
    bad = [
        "",
        "x",
        "中文",
        "-----BEGIN PUBLIC KEY-----",
        curve,
        one_line(small),
        one_line(theirs),
        theirs.export_key().decode(),
    ]
    for text in bad:
        with pytest.raises(Refusal) as refused:
            set_up(db, public_key=text)
        assert refused.value.code is Code.BAD_REQUEST, text
    assert kept(db) == merchant()


def test_an_unknown_merchant_is_refused(db: Store) -> None:
    with pytest.raises(Refusal) as refused:
        set_up(db, 9)
    assert refused.value.code is Code.NOT_FOUND


def test_the_audit_log_tells_what_was_done_and_holds_no_key(db: Store) -> None:
    keys = set_up(db)
    set_up(db)
    with db.read() as rows:
        entries = [one for one in stores.audit.latest(rows) if one.action == "merchant.rsa"]
    assert [json.loads(one.detail) for one in entries] == [{"platform": "made", "merchant": "made"}]
    assert keys.platform_public[40:80] not in str(entries)


def test_our_private_key_stays_out_of_what_is_printed(db: Store) -> None:
    set_up(db)
    assert "PRIVATE" not in repr(kept(db))
