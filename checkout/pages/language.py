"""The buyer's language: `?lang`, then the product's own, then the browser's Accept-Language, then the owner's setting.

Texts are English in the sources; gettext catalogues in translations/ hold the others.
"""

from __future__ import annotations

import io
import logging
from datetime import datetime
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from flask import Flask, g, has_request_context, request
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept

from checkout.beijing import BEIJING, in_beijing
from checkout.money import yuan
from checkout.resources import resource_dir
from checkout.web import parts

LANGUAGES = {"zh-CN": "简体中文", "zh-TW": "繁體中文", "en": "English"}
_CATALOGUES = {"zh-CN": "zh_CN", "zh-TW": "zh_TW", "en": "en"}
_TRADITIONAL = ("zh-tw", "zh-hk", "zh-mo", "zh-hant")


def install(app: Flask) -> None:
    """Gives the templates `_()`, `ngettext`, `money`, `yuan`, `beijing` and the list of languages."""
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.add_extension("jinja2.ext.i18n")
    extended: Any = env  # the extension adds methods that the stubs do not know
    extended.install_gettext_callables(translated, plural, newstyle=True)
    env.filters.update(money=money, yuan=yuan, beijing=beijing, moment=moment)
    env.globals.update(_=marked_up, language=current, languages=LANGUAGES)


def load() -> None:
    """Every catalogue, which a page would do for its own."""
    for language in _CATALOGUES:
        _catalogue(language)


def current() -> str:
    """zh-CN, zh-TW or en. A page asks some thirty times, so the first answer is kept for the request."""
    try:
        known: str = g.language
    except (AttributeError, RuntimeError):  # the first time; outside of a request
        if not has_request_context():
            return "en"
        known = g.language = chosen() or _preferred(request.accept_languages) or parts().settings.language
    return known


def prefer(tag: str) -> None:
    """For this request, puts a product's own language before the browser's; "" means that it has none."""
    if (own := of_tag(tag)) and not chosen():
        g.language = own


def chosen() -> str:
    """The language that the address names (`?lang=`), "" when it names none of ours."""
    return of_tag(request.args.get("lang", ""))


def of_tag(tag: str) -> str:
    """Ours for a language tag (RFC 5646): `zh-HK` → zh-TW, `zh` → zh-CN, `en-GB` → en, others → ""."""
    tag = tag.lower().replace("_", "-")
    if tag.startswith(_TRADITIONAL):
        return "zh-TW"
    primary = tag.partition("-")[0]
    return {"zh": "zh-CN", "en": "en"}.get(primary, "")


def money(fen: int) -> str:
    """An amount as people in the buyer's language write it: ¥9.97, in English CN¥9.97."""
    return f"{symbol()}{yuan(fen)}"


def beijing(at: int) -> str:
    """A moment as the clocks in China show it: `2026-09-21 22:13`; the payer's app shows the same."""
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M")


def moment(at: int) -> str:
    """The same with its seconds, for those who compare."""
    return in_beijing(at)


def symbol() -> str:
    return "CN¥" if current() == "en" else "¥"


def translated(text: str) -> str:
    return _catalogue(current()).gettext(text)


def marked_up(text: str, /, **values: object) -> Markup:
    """`_()` in templates: a text with its `%(name)s` filled in, which are escaped. The extension's own, which the
    page's thirty texts would take a quarter of its time to ask, puts the same together anew each time."""
    return _markup(current(), text) % values if values else _as_it_is(current(), text)


@lru_cache(4096)
def _as_it_is(language: str, text: str) -> Markup:
    """A percent sign is in_beijing twice in a text."""
    return _markup(language, text) % {}


def _markup(language: str, text: str) -> Markup:
    return Markup(_catalogue(language).gettext(text))  # noqa: S704 - the templates' own texts, never a stranger's


def N_(text: str) -> str:  # noqa: N802 - gettext's own name
    """Marks a text for translators where it is in_beijing; translated where it is shown."""
    return text


def plural(one: str, many: str, n: int) -> str:
    return _catalogue(current()).ngettext(one, many, n)


def _preferred(accepted: LanguageAccept) -> str:
    wanted = (of_tag(tag) for tag, quality in accepted if quality > 0)
    return next(filter(None, wanted), "")


@cache
def _catalogue(language: str) -> NullTranslations:
    """English if a catalogue is missing: a page in a foreign language beats none."""
    path = resource_dir("translations") / _CATALOGUES[language] / "LC_MESSAGES" / "messages.mo"
    if path.is_file():
        return GNUTranslations(io.BytesIO(path.read_bytes()))
    source = path.with_suffix(".po")
    return _compiled(source) if source.is_file() else NullTranslations()


def _compiled(source: Path) -> NullTranslations:
    """Compiles a catalogue for those who run a source tree without ./dev, which does it once for all starts."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    logging.getLogger(__name__).info("%s is compiled at this start; ./dev translate compiles it for all.", source)
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return GNUTranslations(compiled)
