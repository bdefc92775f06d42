"""The native return: where the buyer goes after payment, with parameters that a static page can verify.

Signed with ES256 over `co_order, co_product, co_ref, co_state, co_amount, co_ts, co_kid` (sorted, `k=v` joined by `&`,
values as JavaScript's `encodeURIComponent` writes them); valid for 15 minutes by `co_ts`; the public keys stand in
`/.well-known/checkout-keys.json`. A return proves nothing to a server: the callback does.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from checkout import store
from checkout.interfaces import Dialects, Store
from checkout.model.orders import Order
from checkout.refunds import money_back
from checkout.signing import sorted_pairs

if TYPE_CHECKING:
    from Crypto.PublicKey.ECC import EccKey

_UNRESERVED = "-_.!~*'()"  # with letters and digits, what encodeURIComponent leaves as it is


def address(db_store: Store, dialects: Dialects, order: Order, now: int) -> str | None:
    """Where the buyer of a paid order goes, with the parameters of its dialect. None when nobody named an address, or
    when all of the money went back: shops hand goods over for a return that says "paid"."""
    with db_store.read() as db:
        merchant = store.merchants.get(db, order.merchant)
        back = money_back.of(db, order)
    assert merchant is not None
    if back.is_whole:
        return None
    url = order.return_url or merchant.return_url
    if not url.lower().startswith(("https://", "http://")):  # nothing else is followed, whatever the database says
        return None
    params = dialects[order.dialect].return_params(order, merchant, now)
    if params is None:
        return native_url(order, url, *signing_key(db_store, now), now)
    return with_params(url, params) if params else url


def native_url(order: Order, url: str, key_id: str, private_pem: str, now: int) -> str:
    """`url` with the signed parameters of a paid order."""
    values = {
        "co_order": order.token,
        "co_product": order.product,
        "co_ref": order.buyer,
        "co_state": "paid",
        "co_amount": str(order.price),
        "co_ts": str(now),
        "co_kid": key_id,
    }
    # Encoded, because anybody names the ref: `x&co_product=ebook` in it would read as another product's return.
    plain = {name: quote(value, safe=_UNRESERVED) for name, value in values.items()}
    signature = _sign(private_pem, sorted_pairs(plain, keep_empty=True).encode())
    return with_params(url, {**values, "co_sig": signature})


def with_params(url: str, values: Mapping[str, str]) -> str:
    """`url` with more parameters: `?` or `&` by whether it has a `?` already; a fragment keeps them after it, as
    single-page shops expect (`https://x/#/order/1` → `https://x/#/order/1?a=b`). A space becomes `%20`, which every
    reader understands; not all read `+`."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values, quote_via=quote, safe='')}"


def signing_key(db_store: Store, now: int) -> tuple[str, str]:
    """(id, PEM) of our ES256 key, made on first use."""
    with db_store.read() as db:
        key = store.keys.newest(db)
    if key is not None:
        return key
    fresh = _new_key()
    with db_store.transaction() as db:
        key = store.keys.newest(db)  # another thread may have been first
        if key is None:
            store.keys.add(db, *fresh, now)
    return key or fresh


def public_keys(db_store: Store, now: int) -> dict[str, list[dict[str, str]]]:
    """A JSON Web Key Set of every key that has signed returns."""
    signing_key(db_store, now)
    with db_store.read() as db:
        return {"keys": [_jwk(key_id, pem) for key_id, pem in store.keys.all_of(db)]}


def _sign(private_pem: str, message: bytes) -> str:
    from Crypto.Hash import SHA256
    from Crypto.PublicKey import ECC
    from Crypto.Signature import DSS

    signature = DSS.new(ECC.import_key(private_pem), "deterministic-rfc6979").sign(SHA256.new(message))
    return _base64url(signature)


def _new_key() -> tuple[str, str]:
    from Crypto.Hash import SHA256
    from Crypto.PublicKey import ECC

    key = ECC.generate(curve="P-256")
    public = key.public_key().export_key(format="DER")
    pem = key.export_key(format="PEM")
    return SHA256.new(public).hexdigest()[:16], pem


def _jwk(key_id: str, private_pem: str) -> dict[str, str]:
    from Crypto.PublicKey import ECC

    key: EccKey = ECC.import_key(private_pem)
    x, y = (_base64url(int(number).to_bytes(32, "big")) for number in key.pointQ.xy)
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key_id, "x": x, "y": y}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
