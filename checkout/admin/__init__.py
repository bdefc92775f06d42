"""The owner's pages under `/admin`: everything that the command line does, from a phone's browser.

How to add a page
    1. Write `checkout/admin/<noun>.py` with `PAGE = Page(...)` (see `nav`) and `routes(blueprint)`, which adds rules
       such as `blueprint.add_url_rule("/<noun>", "<noun>", view)`. Endpoints begin with the noun; actions are
       resources: `POST /orders/<token>/confirmation`. A GET changes nothing.
    2. Add the module to `_MODULES` below; it appears in the navigation.
    3. A view reads (`forms.read`, `lists.asked`), calls one rule, and answers with `layout.page("admin/<noun>.html",
       PAGE, …)` or, after a change, with `layout.done(layout.path("<noun>"), _("Saved."))`: back to a GET with a
       notice. Rules note what they change in the audit log; give them `**session.by()`.
    4. A form that is refused is shown again with everything that was typed, and the reason at its field:

           form = forms.read("name", "price")
           with form.catching({Code.BAD_AMOUNT: "price", Code.DUPLICATE: "name"}):
               rule(…, **session.by())
               return layout.done(…)
           return _page(form)  # layout.page(…, form=form) answers 422 when the form has errors

       `forms.Wrong("price", _("…"))` refuses at a field by itself. In templates, where `forms` is
       `admin/_forms.html`: `{{ forms.start(to("<noun>"), csrf) }} {{ forms.problems(form) }}
       {{ forms.field(form, "price", _("Price"), help=…) }} <button>…</button> </form>`. `csrf` is the token against
       forged requests, without which nothing but a GET is let in. `to("orders", token)` gives addresses below /admin,
       `query(state="paid")` this page with other parameters.
    5. What needs the password again (money by hand, secrets, backups): `{{ forms.proof(form, is_fresh) }}` in the form,
       which asks only when it was not typed in the last five minutes, and `session.prove(form)` as the first line
       inside `catching`; read the field `password` too.
    6. Lists: `lists.asked(…)` reads filters, `lists.before()` the key of the last row; ask the store for one row more
       than `lists.PAGE` and give `lists.pager(…)` to the partial `admin/_pager.html`. `<table class="list">` with
       `data-label` on each cell becomes cards on a phone.
    7. Texts are English inside `_("…")` (`N_` where they are only marked). Sentences of rules that an owner can meet
       are listed in `words`, which translates them.
    8. Every page works without JavaScript. Fragments that refresh themselves are templates that the page includes.
Tests: `tests/admin/` has a signed-in `owner` (`tests/admin/desk.py`); `tests/browser/test_admin.py` shows a real
browser.
"""

from __future__ import annotations

from typing import Protocol

from flask import Blueprint

from checkout.admin import (
    accounts,
    audit_log,
    callbacks,
    devices,
    embed,
    guard,
    merchants,
    notices,
    order,
    orders,
    overview,
    payments,
    products,
    review,
    settings,
    sign_in,
    statistics,
    status,
    webhooks,
)
from checkout.admin.nav import Page
from checkout.admin.problems import problem
from checkout.places import OWNERS

__all__ = ["blueprint", "problem"]


class _Module(Protocol):
    PAGE: Page

    def routes(self, blueprint: Blueprint) -> None: ...


_MODULES: tuple[_Module, ...] = (
    overview, orders, payments, review, products, accounts, devices, merchants, callbacks, statistics,
    settings, audit_log,
)  # fmt: skip


def blueprint() -> Blueprint:
    made = Blueprint("admin", __name__, url_prefix=OWNERS)
    for module in _MODULES:
        module.routes(made)
    for module in (order, notices, embed, webhooks, sign_in, status):
        module.routes(made)
    guard.install(made, [module.PAGE for module in _MODULES])
    return made
