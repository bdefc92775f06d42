from __future__ import annotations

from checkout import store as stores
from checkout.store import open_store
from tests.cli.conftest import Console
from tests.loopback import answering, ok, serving

URL = "https://hooks.example/in"


def add(shop: Console, *options: str) -> str:
    added: str = shop.json("webhook", "add", URL, *options)["id"]
    return added


def test_a_secret_is_shown_when_it_is_made_and_on_request_and_at_no_other_time(shop: Console) -> None:
    added = shop.json("webhook", "add", URL, "--event", "order.paid", "--description", "库存")
    secret = added["secret"]
    assert secret.startswith("whsec_")
    assert (added["merchant"], added["events"], added["description"]) == (1001, ["order.paid"], "库存")
    quiet = (("list",), ("show", added["id"]), ("set", added["id"], "--description", "x"), ("pause", added["id"]))
    for command in quiet:
        assert secret not in shop("webhook", *command).out
        assert secret not in shop("webhook", *command, "--json").out
    assert secret in shop("webhook", "show", added["id"], "--show-secret").out
    assert shop.json("webhook", "show", added["id"], "--show-secret")["secret"] == secret


def test_rotating_prints_the_new_secret_and_says_until_when_the_old_one_signs(shop: Console) -> None:
    name = add(shop)
    first = shop.json("webhook", "show", name, "--show-secret")["secret"]
    rotated = shop.json("webhook", "rotate", name)
    assert (rotated["previous_secret"], rotated["secret"] != first) == (first, True)
    again = shop("webhook", "rotate", name)
    assert "less than a day ago" in again.err
    shop.clock.go(86_400)
    assert shop.json("webhook", "show", name, "--show-secret")["previous_secret"] is None


def test_events_are_chosen_and_chosen_anew(shop: Console) -> None:
    name = add(shop, "--event", "order.paid", "--event", "order.refunded")
    assert shop.json("webhook", "show", name)["events"] == ["order.paid", "order.refunded"]
    assert len(shop.json("webhook", "set", name, "--event", "all")["events"]) == 5
    assert shop.refused("webhook", "set", name, "--event", "order.payed").startswith("There is no event 'order.payed'")


def test_what_cannot_be_is_refused_in_one_sentence(shop: Console) -> None:
    assert "CHECKOUT_ALLOW_PRIVATE" in shop.refused("webhook", "add", "http://127.0.0.1/in")
    assert shop.refused("webhook", "add", URL, "--merchant", "9") == "There is no merchant 9: checkout merchant list."
    for command in ("show", "rotate", "pause", "resume", "test", "remove"):
        expected = "There is no webhook endpoint whk_x: checkout webhook list."
        assert shop.refused("webhook", command, "whk_x") == expected


def test_there_must_be_a_merchant_first(co: Console) -> None:
    assert co.refused("webhook", "add", URL) == "There is no merchant yet: checkout merchant add NAME."


def test_plain_http_is_warned_of(shop: Console) -> None:
    assert "others on the way can read" in shop("webhook", "add", "http://hooks.example/in").err
    assert "others on the way" not in shop("webhook", "add", URL).err


def test_pausing_and_resuming_say_what_waits(shop: Console) -> None:
    name = add(shop)
    assert shop.json("webhook", "pause", name)["paused"] == "hand"
    assert "resume" in shop.refused("webhook", "test", name)
    shop("order", "list")
    resumed = shop.json("webhook", "resume", name)
    assert (resumed["paused"], resumed["waited"]) == (None, 0)
    assert "is in use" in shop("webhook", "resume", name).out


def test_a_test_event_shows_the_answer_and_stands_in_the_log(shop: Console) -> None:
    shop.environ["CHECKOUT_ALLOW_PRIVATE"] = "1"
    seen: list[bytes] = []
    with serving(answering(ok(b"thanks"), seen=seen)) as server:
        name = shop.json("webhook", "add", f"http://127.0.0.1:{server.port}/in")["id"]
        tried = shop.json("webhook", "test", name)
        assert "Acknowledged with 200" in shop("webhook", "test", name).out
    assert (tried["acknowledged"], tried["status"], tried["answer"]) == (True, 200, "thanks")
    assert b'"type": "checkout.test"' in seen[0]
    listed = shop.json("delivery", "list", "--endpoint", name)
    assert [(one["event"], one["order"], one["state"]) for one in listed] == [("checkout.test", None, "delivered")] * 2
    assert shop.json("delivery", "show", tried["delivery"])["tries"][0]["answer"] == "thanks"


def test_a_test_event_that_is_not_taken_fails_the_command(shop: Console) -> None:
    shop.environ["CHECKOUT_ALLOW_PRIVATE"] = "1"
    with serving(answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as server:
        name = shop.json("webhook", "add", f"http://127.0.0.1:{server.port}/in")["id"]
        assert "it answered 500" in shop.refused("webhook", "test", name)
        result = shop("webhook", "test", name, "--json")
    assert (result.code, '"acknowledged": false' in result.out) == (1, True)
    assert "refused or broken off" in shop.refused("webhook", "test", name)


def test_removing_forgets_the_endpoint(shop: Console) -> None:
    name = add(shop)
    assert shop.json("webhook", "remove", name) == {"id": name, "removed": True, "dropped": 0}
    assert shop.json("webhook", "list") == []


def test_a_backup_or_an_export_names_no_secret_but_the_database_s_own(shop: Console) -> None:
    """The database holds it, because it signs; no command but the two writes it down."""
    secret = shop.json("webhook", "add", URL)["secret"]
    opened = open_store(shop.database)
    with opened.read() as db:
        assert secret not in repr(stores.endpoints.all_of(db))
        assert secret not in repr(stores.audit.latest(db))
    opened.close()
    shop("export", "orders", "--csv", str(shop.folder / "orders.csv"))
    assert secret not in (shop.folder / "orders.csv").read_text()
