"""The promises of the database: what must hold whatever happened."""

from __future__ import annotations

from checkout import store
from checkout.doctor.finding import Finding, Patient, fail, ok
from checkout.interfaces import Store

_FIX = "Keep a copy (checkout backup FILE), look at these (checkout order show) and report it: it is a fault of ours."


def examine(patient: Patient, db_store: Store) -> Finding:
    """One finding: every promise holds, or which do not and for what."""
    with db_store.read() as db:
        found = [(one, store.invariants.broken(db, one, patient.now)) for one in store.invariants.PROMISES]
    broken = [f"{promise.sentence}: {', '.join(ids)}" for promise, ids in found if ids]
    if broken:
        return fail("promises", f"Not true for these: {'; '.join(broken)}.", _FIX)
    return ok("promises", f"Orders, payments and messages fit together ({len(found)} promises).")
