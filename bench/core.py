"""The modules that decide about money, and the tests that must know each of their branches: no network, no browser."""

from __future__ import annotations

# Each module with the files whose tests are its own: they are asked first about a fault in it.
MODULES = {
    "checkout/accounts.py": ("tests/test_accounts.py", "tests/test_locks.py"),
    "checkout/amounts.py": ("tests/test_amounts.py",),
    "checkout/outbox/courier.py": ("tests/outbox/test_courier.py",),
    "checkout/outbox/deliveries.py": (
        "tests/outbox/test_delivered_messages.py",
        "tests/outbox/test_deliveries.py",
        "tests/outbox/test_endpoints.py",
        "tests/outbox/test_dispatcher_steps.py",
    ),
    "checkout/http/resolver.py": ("tests/http/test_names.py", "tests/http/test_deadline.py"),
    "checkout/http/response.py": (
        "tests/http/test_wire.py",
        "tests/http/test_client.py",
        "tests/http/test_deadline.py",
        "tests/http/test_names.py",
        "tests/http/test_tls.py",
    ),
    "checkout/http/steps.py": (
        "tests/http/test_wire.py",
        "tests/outbox/test_courier.py",
        "tests/http/test_deadline.py",
        "tests/http/test_names.py",
        "tests/http/test_tls.py",
    ),
    "checkout/http/wire.py": (
        "tests/http/test_wire.py",
        "tests/http/test_client.py",
        "tests/http/test_deadline.py",
        "tests/http/test_names.py",
        "tests/http/test_tls.py",
    ),
    "checkout/outbox/letters.py": (
        "tests/outbox/test_delivered_messages.py",
        "tests/outbox/test_deliveries.py",
        "tests/outbox/test_dispatcher_steps.py",
        "tests/outbox/test_endpoints.py",
    ),
    "checkout/money.py": ("tests/test_money.py",),
    "checkout/opening.py": (
        "tests/test_opening.py",
        "tests/test_judging.py",
        "tests/test_orders.py",
        "tests/test_selling.py",
        "tests/test_locks.py",
    ),
    "checkout/orders.py": (
        "tests/test_opening.py",
        "tests/test_rerouting.py",
        "tests/test_judging.py",
        "tests/test_orders.py",
        "tests/test_switching.py",
        "tests/test_locks.py",
    ),
    "checkout/outbox/dispatcher.py": (
        "tests/outbox/test_dispatcher_steps.py",
        "tests/outbox/test_dispatcher.py",
        "tests/server/test_desk_shop.py",
        "tests/test_worker.py",
    ),
    "checkout/outbox/owing.py": (
        "tests/outbox/test_dispatcher_steps.py",
        "tests/outbox/test_dispatcher.py",
        "tests/test_payments.py",
    ),
    "checkout/payments.py": (
        "tests/test_judging.py",
        "tests/test_payments.py",
        "tests/test_payments_repeats.py",
        "tests/test_locks.py",
    ),
    "checkout/plain.py": (
        "tests/monitors/test_plain_pushes.py",
        "tests/protocols/test_creates.py",
        "tests/protocols/test_creates_odd.py",
        "tests/server/test_desk_shop.py",
        "tests/test_access.py",
    ),
    "checkout/protocols/creates.py": (
        "tests/protocols/test_creates.py",
        "tests/protocols/test_creates_odd.py",
        "tests/server/test_desk_shop.py",
        "tests/test_access.py",
    ),
    "checkout/refunds/ledger.py": ("tests/refunds/test_ledger.py", "tests/refunds/test_refunds.py"),
    "checkout/refunds/money_back.py": ("tests/refunds/test_ledger.py",),
    "checkout/server/admission.py": ("tests/server/test_admission.py",),
    "checkout/server/balance.py": ("tests/server/test_balance.py",),
    "checkout/server/desk.py": ("tests/server/test_desk.py", "tests/server/test_desk_shop.py"),
    "checkout/server/fast_parser.py": ("tests/server/test_fast_parser.py",),
    "checkout/settlement.py": (
        "tests/test_settlement.py",
        "tests/test_judging.py",
        "tests/test_orders.py",
        "tests/test_payments.py",
    ),
    "checkout/signing.py": ("tests/test_signing.py", "tests/test_signing_rsa.py"),
    "checkout/switching.py": (
        "tests/test_opening.py",
        "tests/test_switching.py",
        "tests/test_rerouting.py",
        "tests/test_orders.py",
        "tests/test_locks.py",
    ),
    "checkout/store/checkpoints.py": ("tests/store/test_checkpoints.py",),
    "checkout/store/commits.py": (
        "tests/store/test_writer.py",
        "tests/store/test_writer_failures.py",
        "tests/store/test_writer_pieces.py",
        "tests/store/test_writer_together.py",
        "tests/store/test_turnstile.py",
    ),
    "checkout/store/deliveries.py": ("tests/store/test_deliveries.py",),
    "checkout/store/orders.py": ("tests/store/test_orders.py",),
    "checkout/store/payments.py": ("tests/store/test_payments.py",),
    "checkout/store/pieces.py": ("tests/store/test_writer_pieces.py", "tests/store/test_writer_together.py"),
    "checkout/store/refunds.py": ("tests/store/test_refunds.py",),
    "checkout/store/slots.py": ("tests/store/test_slot_rows.py", "tests/store/test_slots.py", "tests/test_rested.py"),
    "checkout/store/together.py": ("tests/store/test_writer_together.py", "tests/server/test_desk_shop.py"),
    "checkout/store/writer.py": (
        "tests/store/test_writer.py",
        "tests/store/test_writer_failures.py",
        "tests/store/test_writer_pieces.py",
        "tests/store/test_writer_together.py",
        "tests/store/test_turnstile.py",
    ),
    "checkout/locks.py": ("tests/test_locks.py", "tests/outbox/test_dispatcher_steps.py"),
}
# Own tests of every module.
SHARED = ("tests/test_records.py",)
OTHERS = (
    "tests/refunds/test_calls.py",
    "tests/refunds/test_notices.py",
    "tests/outbox/test_announcements.py",
    "tests/test_selling.py",
)
TESTS = sorted({name for names in MODULES.values() for name in names}.union(OTHERS, SHARED))
# On one of the two databases: the promises of PostgreSQL are tested elsewhere, and this is about our own code.
PYTEST = ("-q", "-p", "no:cacheprovider", "-k", "not postgres")
