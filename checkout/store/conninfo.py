"""How PostgreSQL is reached: the address of the database, with our defaults for what it leaves open."""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from checkout.errors import StoreError
from checkout.store.postgres_errors import MISUNDERSTOOD

NAME = "checkout"  # by which PostgreSQL lists our lines
_CONNECTION = {  # a machine that was cut off is noticed within seconds; any of them may be set in the address
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": NAME,
    "client_encoding": "UTF8",
}


def conninfo_of(address: str) -> str:
    """With our defaults for what the address leaves open. Raises `StoreError`."""
    try:
        given = conninfo_to_dict(address)
    except ProgrammingError:  # its text repeats the address, which may hold a password
        raise StoreError(MISUNDERSTOOD) from None
    if "," in str(given.get("host") or ""):
        given.setdefault("target_session_attrs", "read-write")  # of several servers, the one that writes
    return make_conninfo(**{**_CONNECTION, **{name: str(value) for name, value in given.items() if value is not None}})
