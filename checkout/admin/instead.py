"""What the rules say in the words of the command line, said with the pages and buttons of the owner's pages."""

from __future__ import annotations

from checkout.pages.language import N_

INSTEAD = {
    "No %(method)s account with a QR code is set up: checkout account add.": N_(
        "No %(method)s account with a QR code is set up; add one on the page Accounts."
    ),
    "No account takes money through %(name)s: checkout account add.": N_(
        "No account takes money through %(name)s; add one on the page Accounts."
    ),
    "There is no account %(name)s: checkout account list.": N_(
        "There is no account %(name)s; the page Accounts lists them."
    ),
    "There is an account %(name)s already: checkout account set changes it.": N_(
        "There is an account %(name)s already; open it in the list, or take another name."
    ),
    "A personal account needs its QR code: --code with its text or its picture.": N_(
        "A personal account needs its QR code: choose a picture of it, or type what it says."
    ),
    "This is the code of %(other)s, not of %(own)s: --method %(method)s, or take the picture of your %(same)s"
    " payment code.": N_(
        "This is the code of %(other)s, not of %(own)s: choose %(other)s as the method, or take the picture of your"
        " %(own)s payment code."
    ),
    "There is no working device %(name)s: checkout device list.": N_(
        "There is no working phone %(name)s; the page Phones lists them."
    ),
    "A revoked device gets no new key: checkout device add.": N_(
        "A revoked phone gets no new key; pair it anew on the page Phones."
    ),
    "There is no merchant %(id)s: checkout merchant list.": N_(
        "There is no merchant %(id)s; the page Merchants lists them."
    ),
    "There is no merchant %(id)s: checkout merchant add NAME.": N_(
        "There is no merchant %(id)s; the page Merchants lists them."
    ),
    "There is no merchant yet: checkout merchant add NAME.": N_(
        "There is no merchant yet; add one on the page Merchants."
    ),
    "There is no key %(id)s in use: checkout key list.": N_(
        "There is no key %(id)s in use; the merchant's page lists its keys."
    ),
    "Neither the order nor its merchant has a notify URL: checkout merchant set.": N_(
        "Neither the order nor its merchant has an address for callbacks; set it on the merchant's page."
    ),
    "Merchant %(id)s has no notify URL, so only orders that bring their own are reported.": N_(
        "This merchant has no address for callbacks, so only orders that bring their own are reported."
    ),
    "Merchant %(id)s is in compat mode: buyers may see signed links that a shop can take for a notice of payment, so"
    " its shop must compare price and order with its own; prefer strict, or add --guard-param where the shop's param is"
    " never a plain number.": N_(
        "This merchant is in compat mode: buyers may see signed links that a shop can take for a notice of payment, so"
        " its shop must compare price and order with its own. Prefer strict, or tick “Refuse a param that ends in a"
        " number” where the shop's param is never a plain number."
    ),
    "There is a product %(id)s already: checkout product set.": N_(
        "There is a product %(id)s already; open it in the list, or take another id."
    ),
    "The product %(id)s delivers no keys: --deliver-keys.": N_(
        "The product %(id)s delivers no keys; choose licence keys as what buyers get first."
    ),
    "A product needs a title: --title.": N_("A product needs a title."),
    "--lowest and --highest come together: buyers name the price between them.": N_(
        "Buyers name the price between two bounds: fill in both, or neither."
    ),
    "There is no such claim that waits: checkout claim list.": N_(
        "There is no such message of a buyer that waits; the page Review lists them."
    ),
    "There is no such payment: checkout payment list --review.": N_(
        "There is no such payment; the page Review lists those that wait."
    ),
    "Money on a personal code goes back by hand: send it in the app, then record it"
    " (checkout order refund %(token)s --by-hand).": N_(
        "Money on a personal code goes back by hand: send it in the app, then record it on the page of the order."
    ),
    "Money on a personal code goes back by hand: send it in the app, then set the payment aside"
    " (checkout payment ignore %(id)s).": N_(
        "Money on a personal code goes back by hand: send it in the app, then set the payment aside on the page Review."
    ),
    "The endpoint is paused: checkout webhook resume %(id)s.": N_("The endpoint is paused; press Resume first."),
    "There is no webhook endpoint %(id)s: checkout webhook list.": N_(
        "There is no webhook endpoint %(id)s; the page of webhook endpoints lists them."
    ),
}
