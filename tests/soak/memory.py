"""How much memory each parser takes for the worst that may be sent to it: `python -m tests.soak.memory PARSER`.

A process of its own for each: prints the KiB by which its memory grew at most, for each input. What is sent is as long
as is taken, or longer; it is made before the look.
"""

from __future__ import annotations

import gc
import io
import json
import random
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from checkout import ids, owner, qr, xml
from checkout import store as stores
from checkout.app import create_app
from checkout.channels import alipay_answers, wechat_v3_messages
from checkout.http.client import Client, Outgoing
from checkout.importing import tables, vmq
from checkout.interfaces import Store
from checkout.monitors import reading
from checkout.monitors.reading_file import parse_rules, shipped_rules
from checkout.settings import Settings, load
from tests.admin.desk import PASSWORD, Owner
from tests.loopback import serving
from tests.world import FakeClock, Outside, World, device

TAKEN = 64 * 1024  # of a form, JSON, XML or an answer
SENT = 1_000_000  # of what the server lets through to the application
UPLOAD = 12_000_000
DUMP = 2_000_000
SETTINGS = 65_000
Act = Callable[[], object]


def main() -> None:
    print(json.dumps(dict(measured(PARSERS[sys.argv[1]]))))


def measured(cases: Callable[[], Iterator[tuple[str, Act]]]) -> Iterator[tuple[str, int]]:
    for index, (name, act) in enumerate(cases()):
        if index == 0:
            act_quietly(act)  # what is loaded at first is no parser's
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _status("VmRSS")
        act_quietly(act)
        yield name, _status("VmHWM") - before


def act_quietly(act: Act) -> None:
    with suppress(Exception):  # how each refuses is tested elsewhere
        act()


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


# What is sent. Each begins with something harmless.


def forms() -> Iterator[tuple[str, Act]]:
    with _world() as world:
        for size in (TAKEN, SENT):
            for name, body in {
                "harmless": b"payId=1", "many fields": b"a=&" * (size // 3), "no names": b"=&" * (size // 2),
                "a long value": b"price=" + b"9" * (size - 6), "a long name": b"x" * size,
                "percent signs": b"param=" + b"%41" * (size // 3 - 2), "separators": b"&" * size,
                "a hundred numbers": b"&".join(b"n%d=" % n + b"9" * (size // 110) for n in range(100)),
            }.items():  # fmt: skip
                yield f"{name}, {size}", _posting(world, "/createOrder", body, "application/x-www-form-urlencoded")


def jsons() -> Iterator[tuple[str, Act]]:
    with _world() as world:
        for size in (TAKEN, SENT):
            for name, body in {
                "harmless": b'{"payId": "1"}', "deep lists": b'{"a":' + b"[" * (size - 5),
                "pairs": b'{"a":' * (size // 5),
                "closed": b'{"a":' + b"[" * (size // 2 - 3) + b"]" * (size // 2 - 3) + b"}",
                "a long number": b'{"amount":' + b"9" * (size - 11) + b"}",
                "a small exponent": b'{"amount":1e' + b"9" * (size - 13) + b"}",
                "many members": b"{" + b",".join(b'"%d":1' % n for n in range(size // 10)) + b"}",
                "empty objects": b'{"a":[' + b"{}," * (size // 3 - 4) + b"{}]}",
                "escapes": b'{"a":"' + b"\\u4e2d" * (size // 6 - 2) + b'"}',
            }.items():  # fmt: skip
                for path in ("/createOrder", "/api/v1/orders", f"/monitor/push/{'g' * 32}"):
                    yield f"{name}, {size}, {path[:9]}", _posting(world, path, body, "application/json")


def multiparts() -> Iterator[tuple[str, Act]]:
    head = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
    with _world() as world:
        for size in (TAKEN, SENT):
            one = head % b"a" + b"\r\n"
            for name, body in {
                "harmless": head % b"payId" + b"1\r\n--b--\r\n", "many parts": one * (size // len(one)) + b"--b--\r\n",
                "only boundaries": b"--b\r\n" * (size // 5),
                "a long part": head % b"a" + b"x" * size + b"\r\n--b--\r\n",
                "a long name": head % (b"n" * size) + b"\r\n--b--\r\n",
                "many headers": b"--b\r\n" + b"X: y\r\n" * (size // 6) + b"\r\n\r\n--b--\r\n",
                "almost boundaries": head % b"a" + b"\r\n--" * (size // 4) + b"\r\n--b--\r\n",
                "files": (b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n\r\n'
                          * (size // 66) + b"--b--\r\n"),
            }.items():  # fmt: skip
                yield f"{name}, {size}", _posting(world, "/createOrder", body, "multipart/form-data; boundary=b")


def xmls() -> Iterator[tuple[str, Act]]:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    for name, body in {
        "harmless": b"<xml><a>1</a></xml>",
        "entities": f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}]><xml><a>&l8;</a></xml>'.encode(),
        "entities behind a declaration": f'<?xml version="1.0"?><!DOCTYPE xml [{lol}]><xml>&l8;</xml>'.encode(),
        "deep": b"<xml>" + b"<a>" * (TAKEN // 7) + b"</a>" * (TAKEN // 7) + b"</xml>",
        "never closed": b"<xml>" + b"<a>" * (TAKEN // 3 - 2),
        "many elements": b"<xml>" + b"".join(b"<a%d/>" % n for n in range(TAKEN // 9)) + b"</xml>",
        "attributes": b"<xml><a " + b" ".join(b'b%d=""' % n for n in range(TAKEN // 11)) + b"/></xml>",
        "references": b"<xml><a>" + b"&#65;" * (TAKEN // 5 - 4) + b"</a></xml>",
        "a long text": b"<xml><a>" + b"9" * (TAKEN - 17) + b"</a></xml>",
        "longer than is taken": b"<xml><a>" + b"9" * 10_000_000 + b"</a></xml>",
    }.items():
        yield name, lambda body=body: xml.parse(body)  # type: ignore[misc]


def notifications() -> Iterator[tuple[str, Act]]:
    rules = shipped_rules()
    for size in (2048, TAKEN):
        for name, text in {
            "harmless": "微信支付收款1.00元", "digits": "9" * size, "amounts": "收款1.00元" * (size // 7),
            "blanks": "微信支付收款" + " " * size + "元", "wide": "１" * size, "points": "1." * (size // 2),
            "marks": "\u202e\u200b" * (size // 2), "combining": "a" + "\u0301" * size, "ligatures": "\ufdfa" * size,
        }.items():  # fmt: skip
            for package in ("com.tencent.mm", "com.eg.android.AlipayGphone"):
                yield f"{name}, {size}, {package}", lambda p=package, t=text: reading.read(p, t, t, rules)  # type: ignore[misc]
    for name, text in {
        "rules": "[[rules]]\n" * 6000,
        "deep rules": "a=" + "[" * 60_000,
        "dots": ".".join("a" * 30_000) + "=1",
    }.items():
        yield name, lambda t=text: parse_rules(t)  # type: ignore[misc]


def uploads() -> Iterator[tuple[str, Act]]:
    """Photos through the owner's page; pictures by themselves are measured in tests/test_qr.py too."""
    from PIL import Image

    owner._MEMORY_KIB = 64
    with _world() as world:
        owner.set_password(world.store, PASSWORD, actor="test", new_id=ids.new_id, now=world.clock())
        desk = Owner(world).sign_in()
        csrf = dict(desk.form("/admin/accounts/wx-main", "accounts/wx-main/codes").form_values())["csrf"]

        def sending(data: bytes) -> Act:
            def act() -> None:
                form = {"csrf": csrf, "price": "9.90", "picture": (io.BytesIO(data), "photo.jpg")}
                desk.client.post("/admin/accounts/wx-main/codes", data=form)

            return act

        yield "harmless", sending(qr.png("wxp://f2f0"))
        noise = Image.effect_noise((3000, 4000), 90)
        for name, picture, kind in (
            ("a noisy photo", noise, "JPEG"), ("a noisy colour photo", Image.merge("RGB", [noise] * 3), "JPEG"),
            ("a bomb", Image.new("L", (30_000, 30_000)), "PNG"),
            ("a large white one", Image.new("1", (9000, 9000)), "PNG"),
        ):  # fmt: skip
            file = io.BytesIO()
            picture.save(file, kind, quality=30)
            yield name, sending(file.getvalue()[:UPLOAD])
            del file
        yield "nonsense", sending(random.Random(1).randbytes(UPLOAD))
        yield "no end", sending(b"\x89PNG\r\n\x1a\n" + b"\0" * (UPLOAD - 8))


def settings_files() -> Iterator[tuple[str, Act]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, text in {
            "harmless": "order_ttl = 300", "longer than is taken": "#" * SENT,
            "deep": "a = " + "[" * SETTINGS, "tables": "[a]\n" * (SETTINGS // 4),
            "keys": "".join(f"k{n} = 1\n" for n in range(SETTINGS // 12)),
            "a long number": "order_ttl = " + "9" * SETTINGS,
            "a long text": f'shop_name = "{"x" * SETTINGS}"', "dots": ".".join("a" * (SETTINGS // 2)) + " = 1",
            "channels": "".join(f"[channels.c{n}]\nkind = 'alipay'\n" for n in range(SETTINGS // 32)),
            "empty tables": "a = [" + "{}," * (SETTINGS // 3) + "]",
        }.items():  # fmt: skip

            def act(text: str = text) -> None:
                load({}, folder)

            (folder / "checkout.toml").write_text(text)
            yield what, act


def imports() -> Iterator[tuple[str, Act]]:
    row = "(1,'u',1.00,1)"
    order = ",".join(f"'{name}'" for name in vmq.TABLES["pay_order"])
    for name, text in {
        "harmless": f"INSERT INTO `pay_qrcode` VALUES {row};",
        "many rows": "INSERT INTO `pay_qrcode` VALUES " + ",".join([row] * (DUMP // 16)) + ";",
        "orders": f"INSERT INTO pay_order VALUES ({order})" + f",({order})" * (DUMP // (len(order) + 3)) + ";",
        "many statements": f"INSERT INTO `pay_qrcode` VALUES {row};" * (DUMP // 45),
        "a text without end": "INSERT INTO `setting` VALUES ('" + "x" * DUMP,
        "quotes": "INSERT INTO `setting` VALUES ('" + "''" * (DUMP // 2) + "', 'x');",
        "a long number": "INSERT INTO `setting` VALUES (" + "9" * DUMP + ", 1);",
        "comments": "INSERT INTO `setting` VALUES " + "/**/" * (DUMP // 4),
        "brackets": "INSERT INTO `setting` VALUES " + "(" * DUMP,
        "csv": "vkey,vvalue\n" + "a,b\n" * (DUMP // 4), "a csv of one row": "vkey,vvalue\n" + "," * DUMP,
        "csv quotes": 'vkey,vvalue\n"' + '""' * (DUMP // 2),
    }.items():  # fmt: skip
        yield name, lambda text=text: tables.read(text, vmq.TABLES)  # type: ignore[misc]


def answers() -> Iterator[tuple[str, Act]]:
    """Of gateways and shops: first what comes through the wire, then what the gateways' own readers make of it."""
    http = b"HTTP/1.1 "
    piece = b"x" * 65_536
    endless: dict[str, tuple[bytes, bytes]] = {
        "harmless": (http + b"200 OK\r\nContent-Length: 2\r\n\r\nok", b""), "a body": (http + b"200 OK\r\n\r\n", piece),
        "a long body": (http + b"200 OK\r\nContent-Length: 99999999999\r\n\r\n", piece),
        "headers": (http + b"200 OK\r\n", b"X: y\r\n" * 9000), "a header": (http + b"200 OK\r\nX: ", piece),
        "a status line": (http + b"200 ", piece), "answers of 1xx": (b"", http + b"100 Continue\r\n\r\n"),
        "chunks": (http + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 9000),
        "a chunk's size": (http + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65_536),
        "packed": (http + b"200 OK\r\nContent-Encoding: gzip\r\n\r\n", b"\x1f\x8b\x08" + b"\0" * 65_000),
    }  # fmt: skip
    for name, (start, rest) in endless.items():
        yield f"wire: {name}", lambda start=start, rest=rest: _asked(start, rest)  # type: ignore[misc]
    for name, body in {
        "harmless": b'{"a": 1}', "deep": b'{"a":' + b"[" * (TAKEN - 5),
        "long number": b'{"a":' + b"9" * (TAKEN - 6) + b"}",
        "many members": b"{" + b",".join(b'"%d":1' % n for n in range(TAKEN // 9)) + b"}",
        "backslashes": b'{"sign": "' + b"\\" * (TAKEN - 10), "responses": b'{"a_response":{' * (TAKEN // 15),
    }.items():  # fmt: skip
        yield f"alipay: {name}", lambda body=body: alipay_answers.answer_of(body, "a", lambda _text, _sign: True)  # type: ignore[misc]
        yield f"wechat: {name}", lambda body=body: wechat_v3_messages.object_of(body)  # type: ignore[misc]


PARSERS: dict[str, Callable[[], Iterator[tuple[str, Act]]]] = {
    "form": forms, "json": jsons, "multipart": multiparts, "xml": xmls, "notification": notifications,
    "upload": uploads, "settings": settings_files, "import": imports, "answer": answers,
}  # fmt: skip


# Parts


@contextmanager
def _world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(database=f"{name}/checkout.db", folder=Path(name), allow_private=True)
        app = create_app(settings, clock=FakeClock(), send=Outside().send, work=False)
        world = World.set_up(app, FakeClock(), Outside())
        with world.store.transaction() as db:
            stores.devices.add(db, device(id="script", name="script", kind="generic", key="g" * 64, token="g" * 32), [])
        yield world
        opened: Store = world.store
        opened.close()


def _posting(world: World, path: str, body: bytes, kind: str) -> Act:
    def act() -> None:
        assert world.client.post(path, data=body, content_type=kind).status_code < 500

    return act


def _asked(start: bytes, rest: bytes) -> None:
    def behave(sock: socket.socket) -> None:
        sock.recv(65_536)
        sock.sendall(start)
        for _ in range(1500 if rest else 0):  # some 100 MB
            sock.sendall(rest)

    with serving(behave) as server:
        Client(allow_private=True).send(Outgoing("GET", f"http://127.0.0.1:{server.port}/"), deadline_s=60)


if __name__ == "__main__":
    main()
