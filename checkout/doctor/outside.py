"""What others see of us and we of them: the base URL, the clock beside it, the shops that are told."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from checkout import store
from checkout.doctor.finding import Finding, Patient, fail, ok, warn
from checkout.http.client import Answer, Outgoing, Reason, Unreachable

_LOOPBACK = ("127.", "localhost", "::1")
_CLOCK_S = 30
_OURS = "Is the server running (checkout serve), and does the firewall let it through?"
_THEIRS = "Is the shop running, and does its firewall let this server through?"


def examine(patient: Patient) -> Iterator[Finding]:
    yield from _base_url(patient)
    yield from _shops(patient)


def _base_url(patient: Patient) -> Iterator[Finding]:
    base_url = patient.settings.base_url
    host = urlsplit(base_url).hostname or ""
    set_it = "Set CHECKOUT_BASE_URL, or base_url in checkout.toml, to the address that buyers and phones use."
    if host.startswith(_LOOPBACK):
        yield warn("base URL", f"{base_url} is this machine's own address; nobody else can use it.", set_it)
    elif not base_url.startswith("https://"):
        yield warn("base URL", f"{base_url} is not https: others can read and change what buyers see.",
                   "Put Caddy or nginx with a certificate in front and set CHECKOUT_BASE_URL to https://…")  # fmt: skip
    try:
        answer = patient.look(Outgoing("GET", f"{base_url}/healthz"))
    except Unreachable as error:
        yield fail("base URL", f"{base_url} cannot be reached from here: {error.message}", _advice(error, _OURS))
        return
    if answer.status == 200 and b'"ok"' in answer.body:
        yield ok("base URL", f"The server answers at {base_url}.")
        yield from _clock(patient, answer)
    elif answer.status == 503:
        told = answer.body.decode("utf-8", "replace").strip()[:200]
        yield fail("base URL", f"The server answers at {base_url}, but is not well: {told}", "See the checks above.")
    elif answer.status == 421:
        yield fail("base URL", f"What passes requests for {base_url} on to the server asks it by another name.",
                   "Let the proxy keep the name (nginx: proxy_set_header Host $host), or add that name, which the"
                   " server's log has, to trusted_hosts.")  # fmt: skip
    else:
        yield fail("base URL", f"Something else answers at {base_url}/healthz (status {answer.status}).", set_it)


def _clock(patient: Patient, answer: Answer) -> Iterator[Finding]:
    """Of use where the base URL leads through another machine, such as a proxy."""
    try:
        theirs = int(parsedate_to_datetime(answer.headers["Date"]).timestamp())
    except (KeyError, ValueError, TypeError, OverflowError):
        return
    off = abs(theirs - patient.now)
    if off > _CLOCK_S:
        yield fail("clock", f"The clock differs by {off} s from the one at the base URL.",
                   "Set the clock, best for good with NTP: timedatectl set-ntp true")  # fmt: skip


def _shops(patient: Patient) -> Iterator[Finding]:
    """Asks for the front page of each shop: a request to the notify page itself could be taken for a payment."""
    if patient.store is None:
        return
    with patient.store.read() as db:
        merchants = [one for one in store.merchants.all_of(db) if one.notify_url and one.disabled_at is None]
    for origin in dict.fromkeys(_origin(one.notify_url) for one in merchants):
        try:
            patient.call(Outgoing("HEAD", f"{origin}/"))
        except Unreachable as error:
            yield fail("callbacks", f"The shop at {origin} cannot be reached: {error.message}", _advice(error, _THEIRS))
        else:
            yield ok("callbacks", f"The shop at {origin} can be reached.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _advice(error: Unreachable, refused: str) -> str:
    return {
        Reason.DNS: "Look at the spelling, and at the name's DNS records.",
        Reason.CONNECT: refused,
        Reason.TLS: "Renew the certificate; it must be signed by a public authority.",
        Reason.TIMEOUT: "Is a firewall in the way, or the server overloaded?",
        Reason.ADDRESS: "For shops on private addresses set CHECKOUT_ALLOW_PRIVATE=1.",
        Reason.PORT: "Add the port to CHECKOUT_CALLBACK_PORTS.",
    }.get(error.reason, "Look at what answers there.")
