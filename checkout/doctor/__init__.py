"""`checkout doctor`: looks at an installation and says what to do about each thing that is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from checkout.doctor import machine, outside, promises, setup
from checkout.doctor.finding import Finding, Patient, Status

__all__ = ["Finding", "Patient", "Status", "examine"]


def examine(patient: Patient) -> Iterator[Finding]:
    """One finding after the other; what needs the database is left out when it cannot be used."""
    yield from machine.examine(patient)
    if patient.store is not None:
        yield from setup.examine(patient, patient.store)
        yield promises.examine(patient, patient.store)
    yield from outside.examine(patient)
