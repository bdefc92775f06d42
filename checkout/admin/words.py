"""The sentences of refusals in the owner's language.

Rules speak English, with values in their sentences. Each sentence that an owner can meet stands here once more as a
template for translators; what is not here stays English, which beats silence. Those that name commands stand in
`instead`.
"""

from __future__ import annotations

import re
from functools import cache

from checkout.admin.instead import INSTEAD
from checkout.pages.language import N_, translated

SENTENCES = (
    N_("The password is wrong."),
    N_("Too many wrong passwords; try again in %(minutes)s min."),
    N_("The password must have %(shortest)s to %(longest)s characters."),
    N_("The two passwords differ."),
    N_("This link was used or is over; restart the server for a new one."),
    N_("This form is out of date; load its page again."),
    N_("This request came from another site; nothing was changed."),
    N_("The amount must look like 9.90: digits, and at most two after the point."),
    N_("The amount must be greater than 0."),
    N_("The amount does not fit: the order is for %(amount)s."),
    N_("There is no such order."),
    N_("There is no such payment."),
    N_("There is no such delivery."),
    N_("There is no such payment in the review inbox."),
    N_("Confirming by hand needs a reason."),
    N_("Linking by hand needs a reason."),
    N_("Setting a payment aside needs a reason."),
    N_("A refund needs a reason."),
    N_("An answer needs a reason."),
    N_("The buyer has not chosen how to pay, so nobody can have paid this order."),
    N_("The order, or another one of the same number, is paid already."),
    N_("Only an order that waits for payment can be closed."),
    N_("Only a paid order can be refunded."),
    N_("At most %(amount)s of this order can still be refunded."),
    N_("A refund of this number is there already, over %(amount)s."),
    N_("The pushed amount must be digits with an optional point, such as 12.34."),
    N_("The pushed amount is not a whole number of fen between 0.01 and 999999999.99."),
    N_("All of this order's money went back already, or is on its way."),
    N_("A product's id has 1 to 64 of a-z, 0-9, - and _, and begins with a-z or 0-9."),
    N_("The price is what is suggested: it must lie between lowest and highest."),
    N_("The largest quantity must be from 1 to 9999."),
    N_("The stock must be 0 or more, the limit for each buyer 1 or more."),
    N_("Keys stand one on a line, each with 1 to 500 printable characters."),
    N_("An origin looks like https://shop.example.com, without a path, not %(given)s."),
    N_("A colour looks like #047f40, not %(given)s."),
    N_("Works everywhere, in a README too."),
    N_("The same link, opened over the page."),
    N_("The checkout as a part of the page."),
    N_("Opened by your own code, which is told what came of it."),
    N_("An order that your own server has opened by the API, over the page."),
    N_("The return address is on no site that this product is sold on."),
    N_("The reason of a refund has at most %(most)s characters."),
    N_("The channel %(channel)s of this order is not in checkout.toml any more."),
    N_("This payment has been dealt with already."),
    N_("This payment is on its way back to its buyer already."),
    N_("It cannot be sent back from here: use the merchant pages of %(channel)s."),
    N_("The disk is nearly full, so no new orders are taken; payments still are."),
    N_("The phone that watches this account is offline."),
    N_("Add a merchant first: test payments must not become the first one."),
    N_("A merchant's name has 1 to 64 printable characters."),
    N_("A host looks like shop.example.com, not %(host)s."),
    N_("A host looks like shop.example.com, without port and path, not %(host)s."),
    N_("The notify URL may not be used: %(why)s"),
    N_("The return URL may not be used: %(why)s"),
    N_("A key needs at least one scope."),
    N_("A key's name has at most 64 printable characters."),
    N_("The picture is too large; a screenshot, or a part of it, is enough."),
    N_("The file is not a picture that can be read (PNG, JPEG or WebP)."),
    N_("There is no readable QR code in the picture; crop it or take a new one."),
    N_("There is more than one QR code in the picture; crop it to the one you mean."),
    N_("The text is too long for a QR code."),
    N_("This is set in checkout.toml."),
    N_("It must be a whole number from %(low)s to %(high)s, not %(value)s."),
    N_("It must be a colour such as #047f40, not %(value)s."),
    N_("It must be a name of 1 to 64 printable characters, not %(value)s."),
    N_("It must be at most 100 printable characters, such as a mail address, not %(value)s."),
    N_("This looks like a contact card, not like a payment code: scan it once and see that it asks for money."),
    N_("This is the address of a website, hardly a payment code."),
    N_(
        "This code belongs to one single order and works once: take the payment code that stays the same and carries no"
        " amount."
    ),
    N_(
        "This is the code with which you pay others, and it changes every minute: take the one with which you receive"
        " money."
    ),
    N_("This is an invitation to a group, and nobody can pay to it: take the picture of your payment code."),
    N_("This is a UnionPay code, and phones do not tell of its money: take the payment code of WeChat or Alipay."),
    N_("WeChat personal payment code"),
    N_("WeChat payment code"),
    N_("WeChat merchant payment code"),
    N_("Alipay personal payment code"),
    N_("Alipay payment code"),
    N_("contact card"),
    N_("A %(name)s code begins with %(forms)s, this one does not: scan it once and see that it asks for money."),
    N_("The text of a QR code has 1 to %(most)s printable characters."),
    N_("An account's name has letters, digits, dots, - and _ only, such as wx-main."),
    N_("The largest offset lies between 0.00 and %(most)s."),
    N_("The weight lies between 1 and 1000."),
    N_("The device %(name)s does not watch %(account)s."),
    N_("It says that this money came in."),
    N_("It says that money came in, but not how much."),
    N_("It says that money came in, but its amount is zero, too large, cut off or oddly written."),
    N_("It can be read in more than one way, or a name or memo in it speaks of money."),
    N_("It looks like a receipt, but its wording is not among the rules."),
    N_("It looks like a receipt, but its title is not one that the payment apps are known to use."),
    N_("A rule says that money came in without saying how much."),
    N_("It is about money that was paid out or given back."),
    N_("A rule says that this is no new payment."),
    N_("It says nothing about money received."),
    N_("It is from an app that no rule watches."),
    N_("A device's name has 1 to 64 printable characters."),
    N_("There is a device %(name)s already; revoke it first, or take another name."),
    N_("Devices of the kind %(kind)s always sign; only generic ones may or may not."),
    N_("Not sent any more: all of the money went back before the shop had heard of it."),
    N_("No waiting order has this amount."),
    N_("Several waiting orders have this amount."),
    N_("The amount could not be read."),
    N_("It could not be judged; the log says why."),
    N_("The money came before the order of this amount was opened."),
    N_("Another order of the same number is paid already."),
    N_("Its order was paid a moment ago: a repeat, or paid twice."),
    N_("The phone pushed the same amount shortly before."),
    N_("The phone told of the same notification before."),
    N_("Perhaps the money that another phone of the account reported before."),
    N_("The order was confirmed by hand before; this is probably the same money. Look before giving any back."),
    N_("Double payment: the order was paid already. Give one of the two back."),
    N_("The order was not to be paid through this channel."),
    N_("The gateway reports %(amount)s, the order is for %(due)s."),
)


def sentence(message: str) -> str:
    """`message` of a refusal, translated where it is known."""
    return known(message) or message


def known(message: str) -> str:
    """`message` in the owner's language and with what these pages call things, "" where it is not known."""
    for pattern, template in _patterns():
        if match := pattern.fullmatch(message):
            said = translated(INSTEAD.get(template, template))
            return said % match.groupdict() if match.groupdict() else said
    return ""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    templates = (*INSTEAD, *SENTENCES)
    return tuple((re.compile(_pattern(template), re.DOTALL), template) for template in templates)


def _pattern(template: str) -> str:
    pieces = re.split(r"%\((\w+)\)s", template)
    return "".join(re.escape(piece) if at % 2 == 0 else f"(?P<{piece}>.+?)" for at, piece in enumerate(pieces))
