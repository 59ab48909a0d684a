"""Builds HTML. Every text is escaped unless this module built it, so the content of a ticket cannot break a page.

    tag("td", ticket.id, class_="id")

The style sheet is ``style.css`` beside this file.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import escape, unescape
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE: Final = files("stream.observe.pages").joinpath("style.css").read_text("utf-8")
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'self'"
)
"""Content-Security-Policy: allows our own style sheet and nothing else."""
_LONGEST_WHOLE: Final = 14
"""The most characters of a word that a table never breaks. Ten columns of such words fit on a screen of 1280 pixels."""
_TAG: Final = re.compile("<[^>]*>")
_BASE: Final = b'<base href="/">'
"""The base of the links of a page."""


class Html(str):
    """Text that is already HTML."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | bool | None) -> Html:
    """Build an element. Children are escaped unless they are ``Html``; ``None`` is skipped; ``class_`` stands for ``class``."""
    stated = []
    for key, value in attributes.items():
        written = key.rstrip("_").replace("_", "-")
        if value is True:
            stated.append(f" {written}")
        elif value is not None and value is not False:
            stated.append(f' {written}="{escape(value)}"')
    inner = "".join(child if isinstance(child, Html) else escape(child) for child in children if child is not None)
    closing = "" if name in ("base", "input", "meta") else f"</{name}>"
    return Html(f"<{name}{''.join(stated)}>{inner}{closing}")


def row(heads: Sequence[str], cells: Sequence[str], class_: str | None = None) -> Html:
    """Build a row of a table. On a narrow screen the row becomes a card, and each cell shows its heading."""
    found = [_cell(head, cell) if cell else tag("td") for head, cell in zip(heads, cells, strict=True)]
    return tag("tr", *found, class_=class_)


def _cell(head: str, cell: str) -> Html:
    """A cell that is broken within words only if it has a long one, such as an id."""
    text = unescape(_TAG.sub("", cell)) if isinstance(cell, Html) else cell
    long = any(len(word) > _LONGEST_WHOLE for word in text.split())
    return tag("td", cell, data_label=head, class_="long" if long else None)


def table(heads: Sequence[str], rows: Iterable[Html]) -> Html:
    """Build a table of rows made by ``row``. One that is wider than the screen, as with a wide font, scrolls by itself."""
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heads)))
    return tag("div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0")


def pairs(entries: Iterable[tuple[str, str]]) -> Html:
    """Build a list of names and values."""
    return tag("dl", *(tag(name, text) for entry in entries for name, text in zip(("dt", "dd"), entry, strict=True)))


def below(prefix: str, page: bytes) -> bytes:
    """Let the links of a page lead to addresses below a path, such as ``/sla``."""
    return page.replace(_BASE, tag("base", href=f"{prefix}/").encode(), 1)


def document(title: str, *body: Html, refresh: str | None = None) -> bytes:
    """Build a whole page. Its links have no slash in front, because the page may be below a path.

    ``refresh``: seconds after which the browser loads it again.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(_BASE.decode()),
        None if refresh is None else tag("meta", http_equiv="refresh", content=refresh),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("title", f"{title} - breachwatch"),
        tag("style", Html(_STYLE)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', *body), lang='en')}\n".encode()
