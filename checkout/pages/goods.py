"""Product owners' Markdown as HTML that is safe on our pages.

Raw HTML in it stays text. Links may lead to http, https and mailto only, and open in another tab; pictures are left
out, as our pages load nothing from elsewhere. The libraries are imported when a text is first shown.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def html(markdown: str) -> Markup:
    """CommonMark with tables and strikethrough, cleaned."""
    import nh3

    clean = nh3.clean(
        _reader().render(markdown), tags=_TAGS, attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"}, link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )  # fmt: skip
    return Markup(clean)  # noqa: S704 (cleaned in the line above)


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
