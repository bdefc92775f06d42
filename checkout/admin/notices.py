"""How a phone's notification would be read: tried here, nothing is booked."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout import money
from checkout.admin import forms, layout
from checkout.admin.devices import PAGE
from checkout.admin.forms import Form, Wrong
from checkout.monitors import owner_rules, reading
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.web import parts

_APPS = (("com.tencent.mm", N_("WeChat")), ("com.eg.android.AlipayGphone", N_("Alipay")))
VERDICTS = {
    reading.Verdict.RECEIPT: (N_("Money came in"), "good"),
    reading.Verdict.UNREADABLE: (N_("To review"), "warn"),
    reading.Verdict.OUTGOING: (N_("Nothing is booked"), ""),
    reading.Verdict.NOTHING: (N_("Nothing is booked"), ""),
}


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/devices/notices", "devices_notices", view)
    blueprint.add_url_rule("/devices/notices", "devices_notices_read", read, methods=["POST"])


def view() -> Response:
    return _page(Form())


def read() -> Response:
    """By POST, so that no private text ends up in an address; it changes nothing."""
    form = forms.read("package", "other", "title", "text")
    with form.catching():
        if not form["title"] and not form["text"]:
            raise Wrong("text", _("Please fill this in."))
        rules = owner_rules.in_force(parts().settings.data_dir).rules
        asked = (form["other"] or form["package"], form["title"], form["text"])
        found = reading.read(*asked, rules)
        return _page(form, found=found, explained=reading.explain(*asked, rules))
    return _page(form)


def _page(form: Form, *, found: reading.Reading | None = None, explained: list[str] | None = None) -> Response:
    in_force = owner_rules.in_force(parts().settings.data_dir)
    return layout.page(
        "admin/notices.html", PAGE, form=form, found=found, explained=explained or [], verdicts=VERDICTS,
        amount=money.yuan(found.amount) if found and found.amount else "",
        apps=[*((package, _(name)) for package, name in _APPS), ("", _("not known"))],
        version=in_force.rules.version, own=in_force.own is not None, problem=in_force.problem,
    )  # fmt: skip
