"""Settings: looks, patience, the password and its browsers, backups; and, to read, what checkout.toml decides."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime

from flask import Blueprint, Response, request
from msgspec import Struct
from werkzeug.wsgi import wrap_file

from checkout import audit, backup, live, owner, preferences, sessions, store
from checkout.admin import browsers, forms, layout, session
from checkout.admin.forms import Form
from checkout.admin.nav import Page
from checkout.errors import Code
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.settings import PREFIX, Settings
from checkout.web import parts

PAGE = Page("settings", N_("Settings"), "M4 7h10m4 0h2M4 17h2m4 0h10M16 5v4M8 15v4", 90)
_BRAND = ("shop_name", "contact", "brand_color", "language")
_PATIENCE = ("order_ttl", "grace", "device_offline_after")
_DOWNLOAD = ".download-"
_PATIENT_TURNS = 10
_SECRET = ("secret", "metrics_token", "channels", "folder")


class Fixed(Struct, frozen=True):
    """A setting that is changed in checkout.toml."""

    name: str
    value: str
    variable: str


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/settings", "settings", view)
    for name, action in (
        ("brand", save_brand), ("logo", save_logo), ("orders", save_patience), ("password", set_password),
        ("browsers", end_browsers), ("backup", download),
    ):  # fmt: skip
        blueprint.add_url_rule(f"/settings/{name}", f"settings_{name}", action, methods=["POST"])
    blueprint.add_url_rule("/settings/backup/progress", "settings_progress", progress)


def view() -> Response:
    return _page(Form())


def save_brand() -> Response:
    """Whom buyers write to when something is wrong changes with the password only: they would pay a thief there."""
    return _save(_BRAND, "brand")


def save_patience() -> Response:
    return _save(_PATIENCE, "orders")


def save_logo() -> Response:
    """A picture of at most 1 MB, drawn anew; sending none removes the logo."""
    form = Form()
    with form.catching():
        file = request.files.get("brand_logo")
        content = file.read() if file else b""
        path = preferences.keep_logo(parts().settings, content) if content else ""
        preferences.change(parts().store, live.from_file(), {"brand_logo": path}, **session.by())
        live.take_over()
        return layout.done(layout.path("settings"), _("The logo is changed.") if path else _("The logo is taken away."))
    return _page(form, "logo")


def set_password() -> Response:
    """Ends all other sessions; this browser gets a new cookie."""
    form = forms.read("password", "password_new", "password_again")
    with form.catching({Code.BAD_REQUEST: "password_new", Code.FORBIDDEN: "password", Code.LIMITED: "password"}):
        owner.check_new(form["password_new"], form["password_again"])
        own = session.signed_in().id
        proof = owner.check(
            parts().store, form["password"], f"session {own}", new_id=parts().new_id, now=parts().clock()
        )
        done = owner.set_password(parts().store, form["password_new"], keep=own, proof=proof, **session.by())
        notice = _("The password is changed; all other browsers are signed out.")
        return session.start(layout.done(layout.path("settings"), notice), done.proof)
    return _page(form, "password")


def end_browsers() -> Response:
    form = forms.read("browser")
    if form["browser"]:
        sessions.end(parts().store, form["browser"], **session.by())
        return layout.done(layout.path("settings"), _("That browser is signed out."))
    sessions.end_all(parts().store, but=session.signed_in().id, **session.by())
    return layout.done(layout.path("settings"), _("All other browsers are signed out."))


def download() -> Response:
    """A checked copy of the whole database, with every key in it: the password is needed."""
    form = forms.read("password")
    with form.catching():
        session.prove(form)
        return _copy()
    return _page(form, "backup")


def progress() -> Response:
    """How far the copy is that a browser of the owner waits for; htmx asks again until it is made. `turn` counts the
    looks before it has begun, for which the password takes its time; -1: it was seen."""
    turn, settings = _turn(), parts().settings
    done, total = backup.written(settings.data_dir, f"{_DOWNLOAD}*.db"), max(_size(settings), 1)
    again = -1 if done is not None else turn + 1 if 0 <= turn < _PATIENT_TURNS else None
    return layout.fragment(
        "admin/_copying.html", again=again, is_made=done is None and turn < 0,
        percent=min(99, 100 * (done or 0) // total), there=(done or 0) // 1_000_000, total=max(1, total // 1_000_000),
    )  # fmt: skip


def _turn() -> int:
    given = request.args.get("turn", "0")
    return int(given) if given in ("-1", *map(str, range(_PATIENT_TURNS + 1))) else 0


def _copy() -> Response:
    by = session.by()
    path = parts().settings.data_dir / f"{_DOWNLOAD}{secrets.token_hex(6)}.db"
    size = backup.create(parts().store, path)
    with parts().store.transaction() as db:
        audit.note(db, by["actor"], "backup.download", "database", {"bytes": size}, by["new_id"], by["now"])
    file = path.open("rb")
    path.unlink()  # what is open can still be read, and nothing is left whatever happens to the browser
    answer = Response(wrap_file(request.environ, file), mimetype="application/vnd.sqlite3", direct_passthrough=True)
    stamp = datetime.fromtimestamp(by["now"], UTC).strftime("%Y%m%dT%H%M%SZ")
    answer.headers["Content-Disposition"] = f'attachment; filename="checkout-{stamp}.db"'
    answer.headers["Content-Length"] = str(size)
    return layout.sealed(answer)


def _save(names: tuple[str, ...], doing: str) -> Response:
    """What stands there as it is in checkout.toml is not kept a second time."""
    form = forms.read(*names, "password")
    with form.catching():
        base = live.from_file()
        if "contact" in names:
            session.prove_if(form, (parts().settings.contact, form["contact"] or base.contact))
        wanted = {name: "" if form[name] == _text(base, name) else form[name] for name in names}
        preferences.change(parts().store, base, wanted, **session.by())
        live.take_over()
        return layout.done(layout.path("settings"), _("Saved."))
    return _page(form, doing)


def _page(form: Form, doing: str = "") -> Response:
    """`doing`: the form that was refused."""
    base, current = live.from_file(), parts().settings
    with parts().store.read() as db:
        signed_in = store.owner.sessions(db)
    return layout.page(
        "admin/settings.html", PAGE, form=form, blank=Form(), doing=doing, current=current, browsers=signed_in,
        session_id=session.signed_in().id, browser_of=browsers.named, fixed=_fixed(base),
        can_copy=not current.is_postgres, database_size=_size(current), channels=sorted(base.channels),
    )  # fmt: skip


def _fixed(base: Settings) -> list[Fixed]:
    names = [name for name in base.__struct_fields__ if name not in (*preferences.EDITABLE, *_SECRET)]
    return [Fixed(name, _shown(base, name), PREFIX + name.upper()) for name in names]


def _shown(settings: Settings, name: str) -> str:
    """What an owner may read; a PostgreSQL address holds a password."""
    value = getattr(settings, name)
    if name == "database" and settings.is_postgres:
        return "postgresql://…"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _text(settings: Settings, name: str) -> str:
    return str(getattr(settings, name))


def _size(settings: Settings) -> int:
    try:
        return 0 if settings.is_postgres else os.stat(settings.database).st_size
    except OSError:
        return 0
